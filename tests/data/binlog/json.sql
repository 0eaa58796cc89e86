-- JSON of MySQL: scalars at their limits, all opaque types, nesting, both sizes of offsets.
create table scalars(id int primary key, j json);
insert into scalars values
  (1, 'null'), (2, 'true'), (3, 'false'), (4, '0'), (5, '-0'), (6, '1'), (7, '-1'), (8, '32767'), (9, '-32768'), (10, '32768'), (11, '65535'), (12, '65536'), (13, '2147483647'), (14, '-2147483648'),
  (15, '2147483648'), (16, '4294967296'), (17, '9223372036854775807'), (18, '-9223372036854775808'), (19, '9223372036854775808'), (20, '18446744073709551615'), (21, '18446744073709551616'), (22, '-9223372036854775809'),
  (23, '0.0'), (24, '1.0'), (25, '-0.0'), (26, '0.1'), (27, '1.5e3'), (28, '1e22'), (29, '1e-7'), (30, '1.7976931348623157e308'), (31, '5e-324'), (32, '123456789.123456789'), (33, '100000000000000000000'), (34, '0.30000000000000004'),
  (35, '""'), (36, '"text"'), (37, '"quote \\" backslash \\\\ slash \\/ tab \\t newline \\n"'), (38, '"\\u0000\\u0001\\u001f\\u007f\\b\\f\\r"'), (39, '"é 日本 😀"'), (40, '"\\u00e9 \\ud83d\\ude00 \\u2028"'), (41, '[]'), (42, '{}'), (43, null),
  (44, '  [ 1 , 2 ]  '), (45, '"<b>&amp;"'), (46, '1e15'), (47, '123456789012345.0'), (48, '1234567890123456.5'), (49, '1234567890123456.0'), (50, '1e-15'), (51, '1e-16'), (52, '1.2345678901234567e-15'), (53, '4294967295'), (54, '-2147483649'),
  (55, '5.684341886080802e-14'), (56, '9.5367431640625e-7'), (57, '2.2250738585072014e-308'), (58, '1e16'), (59, '1.2345678901234567e16'), (60, '0.1e1');
create table nested(id int primary key, j json);
insert into nested values
  (1, '{"a":1,"b":[true,false,null],"c":{"d":"é😀","e":1.5,"f":{}}}'), (2, '[[[[[[[[[[1]]]]]]]]]]'),
  (3, '{"b":1,"a":2,"bb":3,"":4,"A":5,"aa":6,"日本":7,"😀":8,"with \\"quote\\"":9,"a.b":10}'), (4, '[1,"1",1.0,true,null,{},[],{"k":[]},[{}]]'),
  (5, '[0,1,-1,32767,-32768,32768,-32769,65535,65536,2147483647,2147483648,-2147483649,4294967295,4294967296,9223372036854775807,18446744073709551615]'),
  (6, concat(repeat('[', 99), '1', repeat(']', 99))), (7, concat(repeat('{"a":', 49), '[2]', repeat('}', 49))), (8, '{"s": [" spaced , [ { : ", "\\" ,"]}');
-- larger than 64 KiB: offsets of four bytes, and numbers of four bytes in the entries
create table large_(id int primary key, j json);
insert into large_ values (1, json_object('s', repeat('0123456789', 6560), 'i', 70000, 'u', 4000000000, 'n', null, 'a', json_array(1, -70000, 'x', true)));
-- lengths of strings that take one, two and three bytes
insert into large_ values (2, json_object('s127', repeat('a', 127), 's128', repeat('b', 128), 's16384', repeat('d', 16384)));
create table opaque(id int primary key, j json);
insert into opaque values
  (1, json_array(cast(1.10 as decimal(10,2)), cast(-0.000001 as decimal(10,6)), cast(99999999999999999999999999999999999.999999999999999999999999999999 as decimal(65,30)), cast(0 as decimal(5,0)), cast(-0.5 as decimal(3,2)))),
  (2, json_array(cast('2026-09-21' as date), cast('2026-09-21 12:34:56' as datetime), cast('2026-09-21 12:34:56.789012' as datetime(6)), timestamp'2026-09-21 12:34:56.5')),
  (3, json_array(cast('12:34:56' as time), cast('-838:59:59' as time), cast('12:34:56.000001' as time(6)), cast('100:00:00' as time), cast('-00:00:00.000001' as time(6)))),
  (4, json_array(cast('0000-00-00' as date), cast('9999-12-31 23:59:59.999999' as datetime(6)), cast('1000-01-01' as date))),
  (5, json_array(x'CAFE', cast('bytes' as binary), b'101', x'', cast('f' as binary(1)))), (6, json_object('d', cast(1.5 as decimal(3,1)), 't', cast('12:00:00' as time(3)))),
  (7, json_array(st_geomfromtext('POINT(1 2)'))), (8, cast(cast(12.50 as decimal(6,2)) as json)), (9, cast(cast('2026-09-21' as date) as json)), (10, cast(cast('2026-09-21 01:02:03.4' as datetime(1)) as json)),
  (11, cast(cast('-01:02:03' as time) as json)), (12, cast(true as json)), (13, cast(18446744073709551615 as json)), (14, json_array(1 = 1, 1 = 2, true)), (15, cast(cast(2026 as year) as json)), (16, cast(1e0 as json)),
  (17, json_array(1e16, 1e15, 123456789012345678e0, 1e-5, 0e0, -0e0)), (18, json_array(cast(repeat('x', 57) as binary), cast(repeat('y', 58) as binary), cast(repeat('z', 200) as binary))), (19, cast(x'00' as json));
create table stamped(id int primary key, ts timestamp(3) null, bi bit(12), bl blob, vb varbinary(4), e enum('a','b'), s set('x','y'), y year, dt datetime);
create table opaque_columns(id int primary key, j json);
insert into stamped values (1, '2026-01-02 03:04:05.678', b'101010101010', x'00ff', x'0102', 'b', 'x,y', 2026, '2026-01-02 03:04:05');
insert into opaque_columns select id, json_array(ts, bi, bl, vb, e, s, y, dt) from stamped;
insert into opaque_columns select 2, json_objectagg(id, ts) from stamped;
create table not_null(id int primary key, j json not null, v int);
insert ignore into not_null(id, v) values (1, 1);
