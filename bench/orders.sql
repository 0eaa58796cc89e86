-- The table of the benches and its generator, with the binlog off for what is no part of a backlog.
-- bench.fill(BATCHES, ROWS) runs BATCHES statements that insert ROWS rows (1000 at most) of some 186 bytes each.
create database bench;
create table bench.orders (
  id bigint unsigned not null auto_increment primary key,
  customer_id int unsigned not null,
  sku varchar(32) not null,
  status enum('new', 'paid', 'shipped', 'closed') not null,
  qty int not null,
  price decimal(12, 2) not null,
  email varchar(64) not null,
  note varchar(160) null,
  created_at datetime(6) not null,
  updated_at timestamp(3) not null
) engine = innodb default charset = utf8mb4;
set sql_log_bin = 0;
delimiter //
create procedure bench.fill(batches int, n int)
begin
  declare i int default 0;
  while i < batches do
    insert into bench.orders
        (customer_id, sku, status, qty, price, email, note, created_at, updated_at)
      select 1000000 + (seq * 7919 + i) % 500000,
        concat('SKU-', lpad((seq * 31 + i) % 100000, 8, '0')),
        1 + ((seq + i) % 4),
        1 + (seq % 9),
        (seq * 37 % 100000) / 100,
        concat('user', (seq * 7919 + i) % 500000, '@example.com'),
        concat('order note ', left(sha2(seq * 100000 + i, 256), 32), ' deliver to door ',
          left(sha2(seq + i * 100000, 256), 40), ' thanks'),
        '2026-01-02 03:04:05.123456' + interval seq second,
        '2026-01-02 03:04:05.123'
      from seq_1_to_1000 where seq <= n;
    set i = i + 1;
  end while;
end//
create function bench.assert_rows(wanted bigint) returns bigint reads sql data
begin
  declare found bigint default (select count(*) from bench.orders);
  if found <> wanted then
    signal sqlstate '45000' set message_text = 'the generator made another number of rows';
  end if;
  return found;
end//
delimiter ;
