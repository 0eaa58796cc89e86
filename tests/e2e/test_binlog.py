"""The independent reading of the binlog says what was written: checked against known statements and
against SQL."""

from collections import Counter

from harness.columns import columns_of
from harness.samples import make_samples


def test_names_the_rows_of_every_statement(source, db):
    start = source.position()
    source.sql(f"create table {db}.`odd ``name` (id int primary key, v varchar(20))")
    name = f"{db}.odd `name"
    source.sql(f"insert into {db}.`odd ``name` values (1, 'one'), (2, 'it''s'), (3, null)")
    source.sql(f"update {db}.`odd ``name` set v = concat(v, '!') where id < 3")
    source.sql(f"update {db}.`odd ``name` set id = 9 where id = 3")
    source.sql(f"delete from {db}.`odd ``name` where id = 1")
    binlog = source.binlog_rows(start)
    assert binlog.counts() == Counter({(name, "c"): 3, (name, "u"): 3, (name, "d"): 1})
    assert [(change.op, before, after) for change, before, after in binlog.rows()] == [
        ("c", None, {"id": 1, "v": "one"}),
        ("c", None, {"id": 2, "v": "it's"}),
        ("c", None, {"id": 3, "v": None}),
        ("u", {"id": 1, "v": "one"}, {"id": 1, "v": "one!"}),
        ("u", {"id": 2, "v": "it's"}, {"id": 2, "v": "it's!"}),
        ("u", {"id": 3, "v": None}, {"id": 9, "v": None}),
        ("d", {"id": 1, "v": "one!"}, None),
    ]


def test_counts_rows_within_their_transaction(source, db):
    source.sql(f"create table {db}.t (id int primary key)")
    start = source.position()
    with source.transaction(db) as cursor:
        cursor.execute("insert into t values (1), (2)")
        cursor.execute("delete from t where id = 1")
    source.sql(f"insert into {db}.t values (3)")
    changes = source.binlog_rows(start).changes
    assert [(change.op, change.row) for change in changes] == [
        ("c", 0), ("c", 1), ("d", 2), ("c", 0)]
    assert len({change.gtid for change in changes[:3]}) == 1
    assert changes[0].gtid != changes[3].gtid and "" not in (changes[0].gtid, changes[3].gtid)
    assert all(start[1] < change.pos < source.position()[1] for change in changes)


def test_a_rolled_back_transaction_is_not_there(source, db):
    source.sql(f"create table {db}.t (id int primary key)")
    start = source.position()
    connection = source.connect(database=db, autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("insert into t values (1)")
    connection.rollback()
    connection.close()
    source.sql(f"insert into {db}.t values (2)")
    assert [after for _, _, after in source.binlog_rows(start).rows()] == [{"id": 2}]


def test_reads_every_type_as_sql_does(source, db):
    start = source.position()
    make_samples(source, db)
    columns = columns_of(source, db, "samples")
    expressions = ", ".join(column.expression() for column in columns)
    real = source.sql(f"select {expressions} from {db}.samples order by id")
    expected = [{column.name: column.from_sql(value) for column, value in zip(columns, row)}
                for row in real]
    got = [after for _, _, after in source.binlog_rows(start).rows()]
    assert len(got) == len(expected) == 5
    for row, wanted in zip(got, expected):
        for name, value in wanted.items():
            assert row[name] == value, f"row {wanted['id']}, column {name}"


def test_goes_on_from_file_to_file(own_server):
    server = own_server("mariadb")
    server.sql("create table test.t (id int primary key, v varchar(20))")
    server.sql("insert into test.t values (1, 'before')")
    server.restart()
    server.sql("insert into test.t values (2, 'after')")
    server.sql("flush binary logs")
    server.sql("update test.t set v = 'end'")
    assert len(server.logs()) >= 3
    assert [(change.op, after) for change, _, after in server.binlog_rows().rows()] == [
        ("c", {"id": 1, "v": "before"}), ("c", {"id": 2, "v": "after"}),
        ("u", {"id": 1, "v": "end"}), ("u", {"id": 2, "v": "end"})]


def test_reads_minimal_images_and_compressed_events(own_server):
    server = own_server("mariadb", "--binlog-row-image=MINIMAL", "--log-bin-compress=ON",
                        "--log-bin-compress-min-len=10")
    server.sql("create table test.t (id int primary key, a int, v varchar(2000))")
    server.sql("insert into test.t values (1, 7, repeat('x', 2000))")
    server.sql("update test.t set a = 8")
    server.sql("delete from test.t")
    assert [(before, after) for _, before, after in server.binlog_rows().rows()] == [
        (None, {"id": 1, "a": 7, "v": "x" * 2000}), ({"id": 1}, {"a": 8}), ({"id": 1}, None)]
