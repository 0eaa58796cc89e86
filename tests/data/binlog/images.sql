-- Inserts, updates and deletes for row images that do not hold every column. Numbers and plain words only: the expected lines are
-- made from what mysqlbinlog -v or mariadb-binlog -v print.
create table pk(id int primary key, a int, t text, b varchar(10), n int not null default 5);
insert into pk values (1, 10, 'x', 'y', 1), (2, null, null, null, 2);
insert into pk(id) values (3);
insert into pk(id, t) values (4, 'four');
update pk set a = 11 where id = 1;
update pk set t = 'z', b = null where id = 2;
update pk set a = null, n = 9;
update pk set id = 30 where id = 3;
delete from pk where id = 1;
create table two(a int, b int, c int, v varchar(10), primary key (c, a));
insert into two values (1, 2, 3, 'v');
update two set v = 'w';
update two set a = 5;
delete from two;
create table none(a int, t text);
insert into none values (1, 'one'), (2, null);
update none set a = 3 where a = 1;
delete from none where a = 3;
create table wide(id int primary key, c1 int, c2 int, c3 int, c4 int, c5 int, c6 int, c7 int, c8 int, c9 int, c10 int, c11 int, c12 int, c13 int, c14 int, c15 int, c16 int, c17 text);
insert into wide values (1,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,'x'), (2,null,2,null,4,null,6,null,8,null,10,null,12,null,14,null,16,null);
update wide set c3 = 30, c8 = null, c15 = 150, c17 = 'y' where id = 1;
update wide set c1 = 1, c16 = null where id = 2;
delete from wide;
-- with MINIMAL, MySQL logs a row without columns: the event has no bytes behind its head
create table bare(a int default 1, b int);
insert into bare values ();
