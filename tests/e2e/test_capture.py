"""Capture, end to end: the stream against the source's tables and an independent reading of its binlog."""

import pytest

from fold import Fold, assert_same_changes, check_ordinals
from harness.samples import make_samples


def start_of_place(place) -> str:
    return "%s:%d" % place


def finish(mill) -> list[dict]:
    """Captures up to the end of the binlog and gives the whole stream."""
    mill.role("capture", "--until-end")
    return mill.tail()


def assert_exact(lines, source, db, start, **options) -> None:
    """Each change of the binlog once, in order, without a gap; and folded, the tables."""
    check_ordinals(lines)
    assert_same_changes(lines, source.binlog_rows(start))
    Fold().add_all(lines).assert_equals(source, db, **options)


def test_every_type_and_every_kind_of_change(source, db, millstream):
    start = source.position()
    make_samples(source, db)
    mill = millstream(source, tables=[f"{db}.*"], start=start_of_place(start))
    assert_exact(finish(mill), source, db, start)


def test_the_end_may_lie_in_a_file_without_transactions(source, db, millstream):
    start = source.position()
    source.sql(f"create table {db}.t (id int primary key)")
    source.sql(f"insert into {db}.t values (1)")
    source.sql("flush binary logs")
    mill = millstream(source, tables=[f"{db}.*"], start=start_of_place(start))
    mill.configure(source={"heartbeat": "1h"})  # no event but those of the file says that it is over
    for _ in range(2):  # and where a stream goes on
        mill.role("capture", "--until-end", seconds=20)
    assert [line["op"] for line in mill.tail()] == ["s", "s", "c"]


def test_a_change_does_not_wait_for_what_comes_behind_the_next_file(source, db, millstream):
    start = source.position()
    source.sql(f"create table {db}.t (id int primary key)")
    source.sql(f"insert into {db}.t values (1)")
    source.sql("flush binary logs")  # all is there at once when the stream begins, these events last
    mill = millstream(source, tables=[f"{db}.*"], start=start_of_place(start))
    mill.configure(source={"heartbeat": "1h"})
    with mill.running():
        assert len(mill.wait_for_lines(1)) == 3


@pytest.mark.parametrize("shards", [1, 7])
def test_keys_and_tables_without_keys(source, db, millstream, shards):
    start = source.position()
    source.sql(f"create table {db}.one (id int primary key, v varchar(20))")
    source.sql(f"create table {db}.two (a varchar(10), b binary(4), v int, primary key (b, a))")
    source.sql(f"create table {db}.none (v int, w varchar(20))")
    source.sql(f"insert into {db}.one values (1, 'a'), (2, 'b'), (3, 'c')")
    source.sql(f"insert into {db}.two values ('x|y', 'aa', 1), ('z\\\\', 'bb', 2)")
    source.sql(f"insert into {db}.none values (1, 'same'), (1, 'same'), (2, null)")
    source.sql(f"update {db}.one set id = id + 10 order by id desc")
    source.sql(f"update {db}.two set b = 'cc' where a = 'x|y'")
    source.sql(f"update {db}.none set w = 'other' where v = 1 limit 1")
    source.sql(f"delete from {db}.none where v = 2")
    source.sql(f"replace into {db}.one values (11, 'new'), (99, 'z')")
    source.sql(f"insert into {db}.one values (11, 'k') on duplicate key update v = 'dup'")
    mill = millstream(source, tables=[f"{db}.*"], start=start_of_place(start),
                      stream={"shards": shards})
    assert_exact(finish(mill), source, db, start)


def test_truncates_drops_and_schema_changes(source, db, millstream):
    start = source.position()
    source.sql(f"create table {db}.t (id int primary key, v int)")
    source.sql(f"insert into {db}.t values (1, 1), (2, 2)")
    source.sql(f"truncate table {db}.t")
    source.sql(f"insert into {db}.t values (3, 3)")
    source.sql(f"alter table {db}.t add column w varchar(10) not null default 'x' first, drop column v")
    source.sql(f"insert into {db}.t (id, w) values (4, 'ü')")
    source.sql(f"create table {db}.gone (id int primary key)")
    source.sql(f"insert into {db}.gone select id from {db}.t")
    source.sql(f"drop table {db}.gone")
    mill = millstream(source, tables=[f"{db}.*"], start=start_of_place(start))
    lines = finish(mill)
    check_ordinals(lines)
    Fold().add_all(lines).assert_equals(source, db)
    control = [(line["op"], line["table"], "columns" in line, line.get("drop", False))
               for line in lines if line["op"] in "ts"]
    assert ("t", "t", False, False) in control
    assert ("t", "gone", False, True) in control
    assert sum(1 for c in control if c == ("s", "t", True, False)) == 2


def test_filters_keep_others_out(source, db, millstream):
    source.sql(f"create table {db}.yes (id int primary key)")
    source.sql(f"create table {db}.yes_not (id int primary key)")
    source.sql(f"create table {db}.no (id int primary key)")
    start = source.position()
    for table in ("yes", "yes_not", "no"):
        source.sql(f"insert into {db}.{table} values (1)")
    mill = millstream(source, tables=[f"{db}.yes*"], start=start_of_place(start))
    mill.configure(source={"exclude": [f"{db}.*_not"]})
    lines = finish(mill)
    assert [line["table"] for line in lines if line["op"] == "c"] == ["yes"]


def test_goes_on_where_it_ended(source, db, millstream):
    start = source.position()
    source.sql(f"create table {db}.t (id int primary key, v varchar(20))")
    mill = millstream(source, tables=[f"{db}.*"], start=start_of_place(start))
    for i in range(5):
        source.sql(f"insert into {db}.t values ({i}, 'v')")
        lines = finish(mill)
        assert sum(line["op"] == "c" for line in lines) == i + 1
    assert_exact(lines, source, db, start)


@pytest.mark.parametrize("start", ["now", "gtid"])
def test_starts_where_it_is_told(source, db, millstream, start):
    source.sql(f"create table {db}.t (id int primary key)")
    source.sql(f"insert into {db}.t values (1)")
    where = "now"
    if start == "gtid":
        query = "select @@gtid_binlog_pos g" if "mariadb" in type(source).__name__.lower() else \
            "select replace(@@gtid_executed, '\n', '') g"
        where = "gtid:" + source.sql(query)[0][0]
    mill = millstream(source, tables=[f"{db}.*"], start=where)
    if start == "now":
        assert finish(mill) == []
    source.sql(f"insert into {db}.t values (2)")
    lines = finish(mill)
    assert [line["after"]["id"] for line in lines if line["op"] == "c"] == [2]


def test_large_transactions_in_many_batches(source, db, millstream):
    start = source.position()
    source.sql(f"create table {db}.big (id int primary key, v varchar(200))")
    with source.transaction(db) as cursor:
        for chunk in range(20):
            rows = [(chunk * 1000 + i, "x" * 150) for i in range(1000)]
            cursor.executemany("insert into big values (%s, %s)", rows)
        cursor.execute("update big set v = concat('y', v) where id % 3 = 0")
        cursor.execute("delete from big where id % 5 = 0")
    mill = millstream(source, tables=[f"{db}.*"], start=start_of_place(start),
                      stream={"batch_size": "64KiB", "shards": 3})
    assert_exact(finish(mill), source, db, start)
