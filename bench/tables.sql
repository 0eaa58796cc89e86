-- Many tables that all change: the binlog has only their changes, not how they were made.
-- bench.make_tables(N) makes bench.t1 to bench.tN; bench.change_tables(N, ROWS) inserts ROWS rows (1000 at most) into each, one
-- transaction a table.
set sql_log_bin = 0;
create database bench;
delimiter //
create procedure bench.make_tables(n int)
begin
  declare i int default 0;
  while i < n do
    set i = i + 1;
    execute immediate concat('create table bench.t', i, ' (id int unsigned not null auto_increment primary key,
      name varchar(64) not null, price decimal(10, 2) not null, is_new tinyint(1) not null default 1,
      updated_at timestamp(3) not null) engine = innodb default charset = utf8mb4');
  end while;
end//
create procedure bench.change_tables(n int, n_rows int)
begin
  declare i int default 0;
  while i < n do
    set i = i + 1;
    execute immediate concat('insert into bench.t', i, ' (name, price, updated_at)
      select concat(''name ', i, ' '', sha1(seq)), seq * 37 % 1000 / 100, ''2026-01-02 03:04:05.123''
      from seq_1_to_1000 where seq <= ', n_rows);
  end while;
end//
delimiter ;
