-- Every column type that is decoded, at its limits. Tables have `id` first; rows are inserted in the order of `id`.
-- A line that begins with --PRODUCT: (mysql, mariadb) is for that product only.
create table ints(id bigint unsigned not null primary key, t tinyint, tu tinyint unsigned, s smallint, su smallint unsigned,
  m mediumint, mu mediumint unsigned, i int not null, iu int unsigned, b bigint, bu bigint unsigned, z int(6) unsigned zerofill,
  bo boolean);
insert into ints values
  (1, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0, false),
  (2, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615, 42, true),
  (3, null, null, null, null, null, null, 0, null, null, null, null, null),
  (4, -1, 1, -1, 1, -1, 1, -1, 1, -1, 9223372036854775808, 1234567, 2),
  (18446744073709551615, 0, 128, 0, 32768, 0, 8388608, 1, 2147483648, 0, 9223372036854775807, 1, null);
-- YEAR takes a bit among those that tell signedness, or does not
create table years(id int unsigned not null, y year, a int unsigned, b int, y2 year not null, c tinyint unsigned, d bigint, primary key (id));
insert into years values (1, 2026, 4294967295, -1, 1901, 255, -1), (2, 0, 1, 2, 2155, 3, 4), (3, null, null, null, 1970, null, null);
create table decimals(id int primary key, d decimal(10,2), dw decimal(65,30), ds decimal(30,30), di decimal(20,0), du decimal(5,5) unsigned,
  dz decimal(6,1) zerofill, d1 decimal(1,0), d9 decimal(9,0), d109 decimal(10,9), d189 decimal(18,9), p decimal(12,2) not null);
insert into decimals values
  (1, -12345678.90, 12345678901234567890123456789012345.123456789012345678901234567890, 0.1, -99999999999999999999, 0.00001, 1.5, -9, -999999999, -9.999999999, -999999999.999999999, -0.01),
  (2, 0, -0.000000000000000000000000000001, -0.000000000000000000000000000001, 0, 0, 0, 0, 0, 0, 0, -0.00),
  (3, 99999999.99, -99999999999999999999999999999999999.999999999999999999999999999999, 0.999999999999999999999999999999, 1, 0.99999, 99999.9, 9, 999999999, 9.999999999, 1.000000001, 9999999999.99),
  (4, 1.10, 1, -0.5, 10000000000000000000, 0.1, 0.1, 1, 100000000, 0.000000001, 100000000.1, 0.5),
  (5, null, null, null, null, null, null, null, null, null, null, 1000000000);
create table reals(id int primary key, f float, fd float(7,3), fu float unsigned, d double, dd double(12,4), r real);
insert into reals values
  (1, -1.5, 1234.567, 0.1, -2.5, 12345678.1234, 0.1), (2, 0, 0, 0, 0, 0, 0),
  (3, 3.4028234e38, 0.001, 16777217, 1.7976931348623157e308, -0.0001, 1e-300),
  (4, 1.1754944e-38, 0.1, 1e-45, 2.2250738585072014e-308, 0.1, 123456789.123456789),
  (5, 16777216, 16.217, 3.14159274, 0.1, 100, 1e21), (6, null, null, null, null, null, 5e-324),
  (7, 0.3, 9999.999, 33554432, 0.30000000000000004, 0.5, 123456789012345678), (8, 1e15, 1, 2e10, 1e15, 2, 1e14);
create table bits(id int primary key, b1 bit(1), b5 bit(5), b8 bit(8) not null, b9 bit(9), b33 bit(33), b64 bit(64));
insert into bits values (1, b'0', b'0', b'0', b'0', b'0', b'0'),
  (2, b'1', b'10101', b'10000001', b'100000001', b'100000000000000000000000000000001', 0xFEDCBA9876543210),
  (3, null, null, b'11111111', null, null, 0xFFFFFFFFFFFFFFFF);
create table texts(id int primary key, c char(10), cl char(10) character set latin1, v varchar(200), vl varchar(200) character set latin1,
  va varchar(20) character set ascii, v3 varchar(20) character set utf8mb3, vb varchar(20) collate utf8mb4_bin, c0 char(0), v0 varchar(0),
  c255 char(255), v255 varchar(63), v256 varchar(64), tt tinytext, t text, mt mediumtext, lt longtext, tl text character set latin1 not null);
insert into texts values
  (1, 'char', 'café', 'ünïcödé €', 'naïve ÿ €', 'ascii', 'ž 日本', 'bin', '', '', 'x', 'a', 'b', 'tiny', 'text', 'medium', 'long', 'latin1 é'),
  (2, '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', ''),
  (3, '  pad  ', 'pad  ', 'quote " back \\ slash / tab \t newline \n return \r nul \0 bell \b del', 'quote "', 'a"b', '"', 'trailing  ', null, null,
   repeat('é', 255), repeat('€', 63), repeat('x', 64), '<html>&amp;</html>', 'line', '😀👩‍👩‍👧', repeat('0123456789', 30), 'x'),
  (4, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, '');
insert into texts(id, v, vl, tl) values (5, convert(0x7F0102031F using utf8mb4), convert(0x8081A0FF8D8F909D using latin1), convert(0x80FF using latin1));
create table bytes_(id int primary key, b binary(8), b1 binary, b16 binary(16) not null, b255 binary(255), v varbinary(300), v2 varbinary(10), tb tinyblob, bl blob,
  mb mediumblob, lb longblob);
insert into bytes_ values (1, 'abc', 'x', 0x01020000000000000000000000000000, 'z', 'abc', 0x00, 'tiny', 'blob', 'medium', 'long'),
  (2, 0x0001000000000000, 0x00, 0, '', 0x00FF80, 0x000000, '', 0xDEADBEEF, 0x00, repeat(0xFF, 300)),
  (3, null, null, repeat(0xFF, 16), null, null, '', null, null, null, null), (4, 0, 0x20, '                ', null, null, '  ', null, null, null, null);
create table enums(id int primary key, e enum('a','b','with,comma','with''quote','é','','back\\slash','new\nline','"double"'), s set('x','y','z','é'),
  el enum('ä','ö') character set latin1, sl set('ä','ö') character set latin1, one enum('1') not null, eb enum('bin') character set binary,
  s9 set('1','2','3','4','5','6','7','8','9'), s64 set('1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16','17','18','19','20','21','22','23','24','25','26','27','28','29','30','31','32','33','34','35','36','37','38','39','40','41','42','43','44','45','46','47','48','49','50','51','52','53','54','55','56','57','58','59','60','61','62','63','64'));
insert into enums values (1, 'a', 'x', 'ä', 'ä', '1', 'bin', '1,9', '1,64'), (2, 'with,comma', 'x,z', 'ö', 'ä,ö', '1', null, '', ''),
  (3, 'with''quote', '', 'ä', '', '1', 'bin', '1,2,3,4,5,6,7,8,9', '33'), (4, 'é', 'x,y,z,é', null, null, '1', null, null, null),
  (5, '', null, null, null, '1', null, null, 18446744073709551615), (6, 'back\\slash', null, null, null, '1', null, null, null),
  (7, 'new\nline', null, null, null, '1', null, null, null), (8, '"double"', null, null, null, '1', null, null, null);
insert ignore into enums values (9, 'none of these', 'nothing', 'none', 'none', 'no', 'no', 'no', 'no');
create table times(id int primary key, d date, t time, t1 time(1), t3 time(3), t6 time(6), dt datetime, dt1 datetime(1), dt2 datetime(2), dt3 datetime(3),
  dt6 datetime(6) not null, ts timestamp null, ts3 timestamp(3) null, ts4 timestamp(4) null, ts6 timestamp(6) null, y year);
insert into times values
  (1, '2026-11-23', '12:34:56', '12:34:56.7', '12:34:56.789', '12:34:56.789012', '2026-11-23 12:34:56', '2026-11-23 12:34:56.7', '2026-11-23 12:34:56.78',
   '2026-11-23 12:34:56.789', '2026-11-23 12:34:56.789012', '2026-11-23 12:34:56', '2026-11-23 12:34:56.789', '2026-11-23 12:34:56.7890', '2026-11-23 12:34:56.789012', 2026),
  (2, '1000-01-01', '-838:59:59', '-838:59:59.0', '-838:59:59.000', '-838:59:59.000000', '1000-01-01 00:00:00', '1000-01-01 00:00:00.0', '1000-01-01 00:00:00.01',
   '1000-01-01 00:00:00.000', '1000-01-01 00:00:00.000000', '1970-01-01 00:00:01', '1970-01-01 00:00:01.001', '1970-01-01 00:00:01.0001', '1970-01-01 00:00:01.000001', 1901),
  (3, '9999-12-31', '838:59:59', '838:59:58.9', '838:59:58.999', '838:59:58.999999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.9', '9999-12-31 23:59:59.99',
   '9999-12-31 23:59:59.999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999', '2038-01-19 03:14:07.9999', '2038-01-19 03:14:07.999999', 2155),
  (4, '0000-00-00', '00:00:00', '-00:00:00.1', '-00:00:00.001', '-00:00:00.000001', '0000-00-00 00:00:00', '0000-00-00 00:00:00.0', '0000-00-00 00:00:00.00',
   '0000-00-00 00:00:00.000', '0000-00-00 00:00:00.000000', '0000-00-00 00:00:00', '0000-00-00 00:00:00.000', '0000-00-00 00:00:00.0000', '0000-00-00 00:00:00.000000', 0),
  (5, '2026-00-00', '24:00:00', '-01:00:00.9', '-12:34:56.789', '25:01:02.000003', '2026-11-00 01:02:03', null, null, null, '1582-10-10 00:00:00.5', '2000-02-29 23:59:59',
   '2024-12-31 23:59:59.5', '2001-03-01 00:00:00.5', '1999-12-31 00:00:00', 1970),
  (6, '0001-01-01', '-23:59:59', '-23:59:59.9', '23:59:59.999', '-23:59:59.999999', '0001-01-01 00:00:00', '1969-12-31 23:59:59.9', '2000-02-29 12:00:00.09', '1969-12-31 23:59:59.999',
   '1969-12-31 23:59:59.999999', null, null, null, null, null),
  (7, null, null, null, null, null, null, null, null, null, '2024-02-29 00:00:00', null, null, null, null, null);
create table jsons(id int primary key, j json, lt longtext collate utf8mb4_bin, n json not null);
insert into jsons values (1, '{"a": 1, "b": [true, false, null], "c": {"d": "é😀", "e": 1.5}}', '{ "text" : 1 }', '[]'), (2, '[]', null, '{}'), (3, '{}', 'x', 'null'),
  (4, '"text \\"quoted\\" \\\\ \\u0001"', '', ' [ 1 , 2 ] '), (5, null, null, '12345678901234567890');
-- keys: composite in another order than the columns, on prefixes, none, none but unique
create table key_two(id int, a varchar(10), b int, primary key (b, id));
insert into key_two values (1, 'x', 2);
create table key_prefix(id int, a varchar(300) not null, b text not null, primary key (b(5), a(10)));
insert into key_prefix values (1, 'x', 'y');
create table key_none(id int, a int);
insert into key_none values (1, 2), (1, 2), (1, null);
create table `odd ``name``"q`(id int primary key, `k ey` int, `col.dot` int, `Ünï` int, `UPPER` int, `日本` int);
insert into `odd ``name``"q` values (1, 2, 3, 4, 5, 6);
create table generated_(id int primary key, a int, v int as (a * 2) virtual, s int as (a * 3) stored);
insert into generated_(id, a) values (1, 5);
create table defaults_(id int primary key, d datetime(3) not null default current_timestamp(3), n varchar(10) default 'x', i int default 7);
--mysql:insert into defaults_(id, d) values (1, '2026-01-02 03:04:05.678');
--mariadb:insert into defaults_(id, d) values (1, '2026-01-02 03:04:05.678');
create table wide(id int primary key, c1 int, c2 int, c3 int, c4 int, c5 int, c6 int, c7 int not null, c8 int, c9 int, c10 int, c11 int, c12 int, c13 int, c14 int, c15 int, c16 int);
insert into wide values (1,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16), (2,null,null,null,null,null,null,7,null,null,null,null,null,null,null,null,null),
  (3,1,null,3,null,5,null,7,null,9,null,11,null,13,null,15,null);
