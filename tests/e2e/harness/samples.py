"""A table with a column of every type that is decoded today, and rows at the edges of each."""

from harness.servers import Database

COLUMNS = """
    id int primary key,
    i8 tinyint, u8 tinyint unsigned, i16 smallint, u16 smallint unsigned,
    i24 mediumint, u24 mediumint unsigned, i32 int, u32 int unsigned,
    i64 bigint, u64 bigint unsigned,
    num decimal(30,10), num0 decimal(12,0), num65 decimal(65,30),
    f float, d double,
    c char(8), v varchar(300), latin varchar(20) character set latin1, tx text, lt longtext,
    bi binary(6), vb varbinary(300), bl blob, lb longblob,
    y year, da date, t0 time, t3 time(3), dt0 datetime, dt3 datetime(3), dt6 datetime(6),
    ts0 timestamp null, ts6 timestamp(6) null,
    e enum('small','it''s','größe'), s set('a','b''c','d'), bits bit(10), bit1 bit(1),
    bit64 bit(64), doc json"""

LEAST = """1, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0,
    -99999999999999999999.9999999999, -999999999999,
    -99999999999999999999999999999999999.999999999999999999999999999999,
    -3.402823e38, -1.7976931348623157e308, '', '', '', '', '', '', '', '', '',
    1901, '1000-01-01', '-838:59:59', '-838:59:59.000', '1000-01-01 00:00:00',
    '1000-01-01 00:00:00.000', '1000-01-01 00:00:00.000000', '1970-01-01 00:00:01',
    '1970-01-01 00:00:01.000001', 'small', '', 0, 0, 0, '{}'"""
MOST = r"""2, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295,
    9223372036854775807, 18446744073709551615, 99999999999999999999.9999999999, 999999999999,
    99999999999999999999999999999999999.999999999999999999999999999999,
    3.402823e38, 1.7976931348623157e308, 'ÄÖÜ€', repeat('é', 300), 'é€ß', repeat('x', 60000),
    concat('line', char(10 using utf8mb4), char(13 using utf8mb4), char(9 using utf8mb4), 'end'),
    x'0001feff', x'00ff5c270a0d1a09', x'27275c', repeat(x'00', 5000), 2155, '9999-12-31',
    '838:59:59', '838:59:58.999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999',
    '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:06.999999', 'größe',
    'a,b''c,d', 1023, 1, 18446744073709551615,
    '{"a": [1, -2.5, 1e3, true, false, null, "x\\n\\"ü😀"], "b": {"c": {}}, "": []}'"""
SMALL = r"""3, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0.0000000001, 0,
    -0.000000000000000000000000000001, 1.1, 0.1, 'a b ', ' v ', 'plain', 'it''s "q" \\ \\\\',
    '😀', x'202020', x'20', x'', x'ff', 2000, '2024-02-29', '00:00:00', '-00:00:00.001',
    '2024-02-29 12:00:00', '2024-02-29 12:00:00.120', '2024-02-29 12:00:00.000001',
    '2024-02-29 12:00:00', '2024-02-29 12:00:00.100000', 'it''s', 'b''c', 2, 0, 1,
    '"text"'"""
EMPTY = "4" + ", null" * 39
# what a sql_mode without checks lets in
ODD = """5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1e-45, 5e-324,
    '%', '%s', '%', '%', '%', '%', '%', '%', '%', 0, '0000-00-00', '00:00:01', '00:00:01',
    '0000-00-00', '2024-00-00', '2024-01-00',
    '0000-00-00', '0000-00-00', 'small', 'd', 1, 1, 1, '[]'"""
ROWS = (LEAST, MOST, SMALL, EMPTY, ODD)


def make_samples(server: Database, database: str, table: str = "samples") -> None:
    """The table with its rows, each row written by a statement of its own."""
    server.sql(f"create table {database}.{table} ({COLUMNS})")
    server.sql("set @mode = @@sql_mode, sql_mode = ''")
    for row in ROWS:
        server.sql(f"insert into {database}.{table} values ({row})")
    server.sql("set sql_mode = @mode")
