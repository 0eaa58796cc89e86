"""The fold finds what is wrong: each law that it checks is broken here once. Lines are written by
hand in the format millstream; the server says what the tables hold."""

import base64
import json

import pytest

from fold import (EPOCH, Fold, FoldError, assert_same_changes, check_ordinals, parse,
                  parse_all)
from harness.columns import Exact, columns_of
from harness.samples import make_samples


def line(op: str, ordinal: int, key=None, before=None, after=None, db="d", table="t", **more):
    made = {"op": op, "db": db, "table": table, "ts": "2026-11-25T07:34:00Z",
            "pos": {"file": "binlog.000001", "pos": 4, "gtid": "0-1-1", "row": 0}, "ord": ordinal,
            **more}
    if op not in "ts":
        made["key"] = key
    made |= {"before": before} if before is not None else {}
    made |= {"after": after} if after is not None else {}
    return parse(json.dumps(made))


def state(*lines, **options) -> dict:
    table = Fold(**options).add_all(lines).table("d", "t")
    return {key: row.values for key, row in table.rows.items()}


ONE = line("c", 1, {"id": 1}, after={"id": 1, "v": "a"})


def test_folds_creates_updates_and_deletes():
    rows = state(
        ONE,
        line("c", 2, {"id": 2}, after={"id": 2, "v": "b"}),
        line("u", 3, {"id": 1}, before={"v": "a"}, after={"id": 1, "v": "z"}),
        line("d", 4, {"id": 2}, before={"id": 2, "v": "b"}))
    assert list(rows.values()) == [{"id": 1, "v": "z"}]


def test_folds_a_change_of_the_primary_key():
    rows = state(
        ONE,
        line("d", 2, {"id": 1}, before={"id": 1, "v": "a"}, newkey={"id": 5}),
        line("c", 3, {"id": 5}, after={"id": 5, "v": "a"}, oldkey={"id": 1}))
    assert list(rows.values()) == [{"id": 5, "v": "a"}]


def test_orders_lines_by_ordinal():
    late = line("u", 2, {"id": 1}, before={"v": "a"}, after={"id": 1, "v": "b"})
    assert list(state(late, ONE).values()) == [{"id": 1, "v": "b"}]


@pytest.mark.parametrize("second, complaint", [
    (line("c", 2, {"id": 1}, after={"id": 1, "v": "b"}), "created, but it is there"),
    (line("u", 2, {"id": 2}, before={"v": "a"}, after={"id": 2, "v": "b"}), "not there"),
    (line("d", 2, {"id": 2}, before={"id": 2, "v": "a"}), "not there"),
    (line("u", 2, {"id": 1}, before={"v": "x"}, after={"id": 1, "v": "b"}), "'v' was 'a'"),
    (line("u", 2, {"id": 1}, before={"id": 1, "v": "a"}, after={"id": 1, "v": "b"}),
     "'id' did not change"),
    (line("u", 2, {"id": 1}, before={}, after={"id": 1, "v": "b"}), "is not in 'before'"),
    (line("d", 2, {"id": 1}, before={"id": 1, "v": "x"}), "'v' was 'a'"),
    (line("c", 2, {"id": 3}, after={"id": 4, "v": "x"}), "key and row differ"),
    (line("c", 2, {"id": 3}, before={}, after={"id": 3}), "create with a 'before'"),
    (line("d", 2, {"id": 1}, before={"id": 1}, after={"id": 1}), "delete with an 'after'"),
    (line("u", 2, None, before={"v": "a"}, after={"v": "b"}), "without a key"),
    (line("x", 2, {"id": 1}), "unknown op"),
])
def test_refuses(second, complaint):
    with pytest.raises(FoldError, match=complaint):
        state(ONE, second)


def test_may_begin_in_the_middle():
    rows = state(
        line("u", 1, {"id": 1}, before={"v": "a"}, after={"id": 1, "v": "b"}),
        line("d", 2, {"id": 2}, before={"id": 2, "v": "c"}), whole=False)
    assert list(rows.values()) == [{"id": 1, "v": "b"}]


def test_counts_the_rows_of_tables_without_a_key():
    rows = [line("c", 1, after={"v": 1}), line("c", 2, after={"v": 1}),
            line("c", 3, after={"v": "1"}), line("d", 4, before={"v": 1})]
    table = Fold().add_all(rows).table("d", "t")
    assert sorted(+table.keyless) == [(("v", ("int", 1)),), (("v", ("str", "1")),)]
    with pytest.raises(FoldError, match="not there"):
        Fold().add_all([*rows, line("d", 5, before={"v": 2})])


@pytest.mark.parametrize("control, left", [
    (line("t", 3), 1), (line("t", 3, table=None), 0), (line("t", 3, db="other"), 2)])
def test_truncates_a_table_or_a_database(control, left):
    other = line("c", 2, {"id": 1}, after={"id": 1}, table="other")
    fold = Fold().add_all([ONE, other, control])
    assert sum(len(table.rows) for table in fold.tables.values()) == left


def test_a_control_record_of_every_shard_counts_once():
    truncate = line("t", 2)
    fold = Fold().add_all([ONE, truncate, truncate, line("c", 3, {"id": 1}, after={"id": 1})])
    assert fold.counts["d.t", "t"] == 1
    check_ordinals([ONE, truncate, truncate])


def test_finds_gaps_and_repetitions_of_ordinals():
    check_ordinals([line("c", n) for n in (1, 2, 3, EPOCH, EPOCH + 1, 3 * EPOCH)])
    with pytest.raises(FoldError, match="ordinals 3 to 4 are missing"):
        check_ordinals([line("c", n) for n in (1, 2, 5)])
    with pytest.raises(FoldError, match="comes twice"):
        check_ordinals([line("c", n) for n in (1, 2, 2)])
    with pytest.raises(FoldError, match="first ordinal is 7"):
        check_ordinals([line("c", 7)])
    check_ordinals([line("c", n) for n in (7, 9)], contiguous=False)


def test_a_schema_change_excuses_older_rows_only(mariadb):
    db = mariadb.fresh_database()
    mariadb.sql(f"create table {db}.t (id int primary key, gone int, w int)")
    mariadb.sql(f"insert into {db}.t values (1, 1, 1)")
    mariadb.sql(f"alter table {db}.t drop gone, modify w varchar(10), add n int default 7")
    mariadb.sql(f"insert into {db}.t values (2, '2', 8)")

    def columns(**types):
        return [{"name": name, "type": kind} for name, kind in types.items()]
    lines = [
        line("s", 1, db=db, columns=columns(id="int", gone="int", w="int")),
        line("c", 2, {"id": 1}, after={"id": 1, "gone": 1, "w": 1}, db=db),
        line("s", 3, db=db, columns=columns(id="int", w="varchar(10)", n="int")),
        line("c", 4, {"id": 2}, after={"id": 2, "w": "2", "n": 8}, db=db)]
    Fold().add_all(lines).assert_equals(mariadb, db)
    del lines[3]["after"]["n"]
    with pytest.raises(FoldError, match="'n' is 8, the stream says 'nothing'"):
        Fold().add_all(lines).assert_equals(mariadb, db)


# ---- against the server: the line that a row must become, made from what SQL shows ----

def _written(column, text):
    """A JSON value as the format asks for it. `text` is what the server prints."""
    if text is None:
        return None
    kind = column.data_type
    if column.is_json:
        return json.loads(text)
    if kind in ("decimal", "float", "double"):
        return Exact(text if kind == "decimal" else repr(column.from_sql(text)))
    if kind in ("binary", "varbinary") or kind.endswith("blob"):
        return base64.b64encode(bytes.fromhex(text)).decode()
    if kind == "set":
        return text.split(",") if text else []
    if kind in ("datetime", "timestamp"):
        return text.replace(" ", "T") + ("Z" if kind == "timestamp" else "")
    return text


def _dumps(values) -> str:
    """json.dumps, but numbers that are Exact are written as they are."""
    return "{" + ",".join(
        json.dumps(name) + ":" + (value if isinstance(value, Exact) else json.dumps(value))
        for name, value in values.items()) + "}"


def sample_lines(source, db) -> list[str]:
    columns = columns_of(source, db, "samples")
    rows = source.sql(f"select {', '.join(column.expression() for column in columns)} "
                      f"from {db}.samples")
    lines = []
    for number, row in enumerate(rows, 1):
        values = {column.name: _written(column, value) for column, value in zip(columns, row)}
        lines.append(f'{{"op":"c","db":"{db}","table":"samples","ts":"2026-11-25T07:34:00Z",'
                     f'"pos":{{}},"ord":{number},"key":{{"id":{values["id"]}}},'
                     f'"after":{_dumps(values)}}}')
    return lines


def test_equals_the_server_in_every_type(source, db):
    make_samples(source, db)
    lines = sample_lines(source, db)
    assert len(lines) == 5
    Fold().add_all(parse_all("\n".join(lines))).assert_equals(source, db)


@pytest.fixture(scope="module")
def samples(servers):
    server = servers.get("mariadb")
    db = server.fresh_database()
    make_samples(server, db)
    return server, db, parse_all("\n".join(sample_lines(server, db)))


WRONG = {
    "i8": 126, "u64": 18446744073709551614, "num": Exact("99999999999999999999.999999999"),
    "num0": "999999999999", "f": Exact("3.402822e38"), "d": Exact("1.797693134862315e308"),
    "c": "ÄÖÜ€ ", "v": "é" * 299, "latin": "é€ss", "bi": "AAH+/wAB", "vb": "AP9c",
    "y": 2154, "da": "9999-12-30", "t3": "838:59:58.99", "dt3": "9999-12-31T23:59:59.999Z",
    "dt6": "9999-12-31 23:59:59.999999", "ts0": "2038-01-19T03:14:07", "e": "grösse",
    "s": ["a"], "bits": 1022, "bit64": 18446744073709551615.5, "doc": {"a": 1}, "u8": "255",
    "i16": None, "tx": None,
}


@pytest.mark.parametrize("name", WRONG)
def test_sees_a_wrong_value_of(samples, name):
    server, db, lines = samples
    bad = [{**one, "after": {**one["after"], name: WRONG[name]}} if one["ord"] == 2 else one
           for one in lines]
    with pytest.raises((FoldError, ValueError), match=name):
        Fold().add_all(bad).assert_equals(server, db)


def test_sees_a_missing_column_a_missing_row_and_one_too_many(samples):
    server, db, lines = samples
    Fold().add_all(lines).assert_equals(server, db)
    without = {name: value for name, value in lines[1]["after"].items() if name != "tx"}
    with pytest.raises(FoldError, match="'tx' is .* the stream says 'nothing'"):
        Fold().add_all([{**lines[1], "after": without}, lines[0], *lines[2:]]
                       ).assert_equals(server, db)
    with pytest.raises(FoldError, match="not in the stream's state"):
        Fold().add_all(lines[1:]).assert_equals(server, db)
    more = {**lines[4], "ord": 6, "key": {"id": 6}, "after": {**lines[4]["after"], "id": 6}}
    with pytest.raises(FoldError, match="not in the database"):
        Fold().add_all([*lines, more]).assert_equals(server, db)


def test_compares_tables_without_a_key(mariadb):
    db = mariadb.fresh_database()
    mariadb.sql(f"create table {db}.t (a int, n decimal(5,2))")
    mariadb.sql(f"insert into {db}.t values (1, 1.50), (1, 1.50), (2, null)")
    lines = [line("c", 1, after={"a": 1, "n": 0}, db=db)] * 2
    lines = [{**one, "ord": number, "after": {"a": 1, "n": Exact("1.50")}}
             for number, one in enumerate(lines, 1)]
    lines.append(line("c", 3, after={"a": 2, "n": None}, db=db))
    Fold().add_all(lines).assert_equals(mariadb, db)
    with pytest.raises(FoldError, match="1 times not in the stream's state"):
        Fold().add_all(lines[1:]).assert_equals(mariadb, db)
    lines[0]["after"]["n"] = Exact("1.5")
    with pytest.raises(FoldError, match="1 times not in the database"):
        Fold().add_all(lines).assert_equals(mariadb, db)


def test_a_table_that_the_stream_never_named_is_a_difference(mariadb):
    db = mariadb.fresh_database()
    mariadb.sql(f"create table {db}.t (id int primary key)")
    mariadb.sql(f"insert into {db}.t values (1)")
    assert Fold().differences(mariadb, db) == [f"{db}.t (1,): not in the stream's state"]
    assert Fold().differences(mariadb, db, tables=[]) == []
    fold = Fold().add_all([line("c", 1, {"id": 1}, after={"id": 1}, db=db, table="gone")])
    assert f"{db}.gone: the server does not have it" in fold.differences(mariadb, db)


# ---- against the binlog ----

def _history(server, db):
    """Changes of a table, the lines that they must become, and the binlog's own account."""
    server.sql(f"create table {db}.t (id int primary key, v varchar(10))")
    server.sql(f"create table {db}.nokey (v int)")
    start = server.position()
    server.sql(f"insert into {db}.t values (1, 'a')")
    server.sql(f"update {db}.t set v = 'b'")
    server.sql(f"update {db}.t set id = 2")
    server.sql(f"insert into {db}.nokey values (1)")
    server.sql(f"update {db}.nokey set v = 2")
    server.sql(f"delete from {db}.t")
    binlog = server.binlog_rows(start)
    images = [
        ("c", "t", {"id": 1}, None, {"id": 1, "v": "a"}),
        ("u", "t", {"id": 1}, {"v": "a"}, {"id": 1, "v": "b"}),
        ("d", "t", {"id": 1}, {"id": 1, "v": "b"}, None),
        ("c", "t", {"id": 2}, None, {"id": 2, "v": "b"}),
        ("c", "nokey", None, None, {"v": 1}),
        ("d", "nokey", None, {"v": 1}, None),
        ("c", "nokey", None, None, {"v": 2}),
        ("d", "t", {"id": 2}, {"id": 2, "v": "b"}, None)]
    lines = [line(op, number, key, before, after, db=db, table=table) for
             number, (op, table, key, before, after) in enumerate(images, 1)]
    for one, index in zip(lines, (0, 1, 2, 2, 3, 4, 4, 5)):
        change = binlog.changes[index]
        one["pos"] = {"file": change.file, "pos": change.pos, "gtid": change.gtid,
                      "row": change.row}
    return lines, binlog


def test_equals_the_binlog(source, db):
    lines, binlog = _history(source, db)
    assert_same_changes(lines, binlog)
    Fold().add_all(lines).assert_equals(source, db)


def test_sees_how_the_stream_differs_from_the_binlog(mariadb):
    lines, binlog = _history(mariadb, mariadb.fresh_database())
    for bad, complaint in (
            (lines[:-1], "7 changes in the stream, 8 in the binlog"),
            ([*lines, {**lines[7], "ord": 9}], "9 changes in the stream"),
            ([{**lines[0], "after": {"id": 1, "v": "x"}}, *lines[1:]], "change 0"),
            ([{**lines[0], "ord": 2}, {**lines[1], "ord": 1}, *lines[2:]], "change 0"),
            ([lines[0], {**lines[1], "before": {}}, *lines[2:]], "change 1"),
            ([{**lines[0], "pos": {**lines[0]["pos"], "row": 1}}, *lines[1:]], "change 0: "),
            ([{**lines[0], "pos": {**lines[0]["pos"], "pos": 4}}, *lines[1:]], "change 0: ")):
        with pytest.raises(FoldError, match=complaint):
            assert_same_changes(bad, binlog)
    moved = [{**lines[0], "pos": {}}, *lines[1:]]
    assert_same_changes(moved, binlog, positions=False)


def test_equals_the_binlog_in_every_type(source, db):
    start = source.position()
    make_samples(source, db)
    lines = parse_all("\n".join(sample_lines(source, db)))
    assert_same_changes(lines, source.binlog_rows(start), positions=False)
