-- The classified ads, as a site would keep them. Nothing in here is for Millstream: a primary key for
-- each table is all that it likes to see.

create database market character set utf8mb4 collate utf8mb4_unicode_ci;
use market;

create table publishers (
	id int unsigned not null auto_increment primary key,
	name varchar(80) not null,
	kind enum('private', 'dealer') not null,
	languages set('de', 'el', 'en', 'es', 'fr', 'it', 'pl') not null,
	city varchar(40) not null,
	verified bool not null default false,
	rating double default null,
	about text default null,
	joined date not null,
	updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
	revision int unsigned not null default 1
);

-- `revision` grows with every change of a row: the personal area refuses to write over somebody else's
-- change by it, and the demo recognises a change by it when it arrives in the read model.
create table ads (
	id bigint unsigned not null auto_increment primary key,
	publisher int unsigned not null,
	title varchar(120) not null,
	text text not null,
	price decimal(10, 2) default null,
	category varchar(20) not null,
	city varchar(40) not null,
	attributes json not null,
	status enum('open', 'reserved', 'sold') not null default 'open',
	created_at datetime(3) not null default current_timestamp(3),
	updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
	revision int unsigned not null default 1,
	key publisher (publisher),
	foreign key (publisher) references publishers (id)
);

-- The site may change what is in the tables, and nothing else. Millstream gets what `millstream check`
-- asks for. The server listens on a socket in a private folder only, so the passwords keep nobody out.
create user site@localhost identified by 'demo';
grant select, insert, update, delete on market.* to site@localhost;
create user millstream@localhost identified by 'demo';
grant select on market.* to millstream@localhost;
grant replication slave, binlog monitor on *.* to millstream@localhost;
