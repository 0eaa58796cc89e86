"""Sinks, end to end: from a database's changes to the read models, compared with the tables."""

import json
import sqlite3
import urllib.request

import pytest

from fold import Fold, parse
from harness.samples import make_samples

ORDINAL = "@ord"


@pytest.fixture
def search(opensearch, db):
    """OpenSearch without indexes of the test's database: the next kind of source names its
    databases alike."""
    yield opensearch
    opensearch.request("DELETE", f"/{db}.*")
    opensearch.request("DELETE", f"/_index_template/{db}")


def put(fold: Fold, db: str, table: str, key, row: dict, ordinal: int) -> None:
    """A document as what it stands for: a row that was read."""
    fold.add({"op": "r", "db": db, "table": table, "key": key, "after": row, "ord": ordinal})


def fold_of_model(path, schemas: list[dict]) -> Fold:
    """The rows that a SQLite read model holds. Its schemas come from the stream: they say which
    columns are compared."""
    fold = Fold(whole=False)
    for line in schemas:
        fold.add(line)
    rows = sqlite3.connect(path).execute(
        "select source_db, source_table, key, ord, doc, copies from docs")
    for db, table, key, ordinal, doc, copies in rows:
        for _ in range(copies):
            put(fold, db, table, parse(key) if key.startswith("{") else None, parse(doc), ordinal)
    return fold


def schemas_of(lines: list[dict]) -> list[dict]:
    return [line for line in lines if line["op"] == "s" and "columns" in line]


def fold_of_indexes(url: str, lines: list[dict]) -> Fold:
    """The rows that the indexes of the stream's tables hold."""
    fold = Fold(whole=False)
    keys = {(line["db"], line["table"]): line["primary_key"] for line in schemas_of(lines)}
    for line in schemas_of(lines):
        fold.add(line)
    for (db, table), columns in keys.items():
        query = json.dumps({"size": 5000, "version": True}).encode()
        request = urllib.request.Request(f"{url}/{db}.{table}/_search?ignore_unavailable=true",
                                         query, {"content-type": "application/json"})
        for hit in parse(urllib.request.urlopen(request).read())["hits"]["hits"]:
            row = hit["_source"]
            ordinal = row.pop(ORDINAL)
            assert ordinal == hit["_version"]
            put(fold, db, table, {name: row[name] for name in columns}, row, ordinal)
    return fold


def change_much(source, db: str) -> None:
    """Changed keys, several columns in a key, tables without one, truncates, drops, new columns."""
    source.sql(f"create table {db}.one (id int primary key, v varchar(20))")
    source.sql(f"create table {db}.two (a varchar(10), b binary(4), v int, primary key (b, a))")
    source.sql(f"create table {db}.wiped (id int primary key, v int)")
    source.sql(f"create table {db}.gone (id int primary key)")
    source.sql(f"insert into {db}.one values (1, 'a'), (2, 'b'), (3, 'c')")
    source.sql(f"insert into {db}.two values ('x|y', 'aa', 1), ('z\\\\', 'bb', 2)")
    source.sql(f"insert into {db}.wiped values (1, 1), (2, 2)")
    source.sql(f"insert into {db}.gone values (1)")
    source.sql(f"update {db}.one set id = id + 10 order by id desc")
    source.sql(f"update {db}.two set b = 'cc' where a = 'x|y'")
    source.sql(f"truncate table {db}.wiped")
    source.sql(f"insert into {db}.wiped values (2, 3)")
    source.sql(f"alter table {db}.wiped add column w varchar(10) not null default 'x' first")
    source.sql(f"insert into {db}.wiped values ('ü', 4, 4)")
    source.sql(f"drop table {db}.gone")
    source.sql(f"replace into {db}.one values (11, 'new'), (99, 'z')")
    source.sql(f"delete from {db}.one where id = 12")


def change_without_keys(source, db: str) -> None:
    source.sql(f"create table {db}.none (v int, w varchar(20))")
    source.sql(f"insert into {db}.none values (1, 'same'), (1, 'same'), (2, null), (1, 'same')")
    source.sql(f"update {db}.none set w = 'other' where v = 1 limit 1")
    source.sql(f"delete from {db}.none where v = 2")


def deliver(mill) -> list[dict]:
    """Everything up to the end of the binlog; gives the stream's lines."""
    mill.role("capture", "--until-end")
    mill.role("deliver", "--until-end")
    return mill.tail()


def test_the_read_model_equals_the_tables(source, db, millstream):
    start = "%s:%d" % source.position()
    mill = millstream(source, tables=[f"{db}.*"], start=start,
                      sinks={"model": {"type": "sqlite"}})
    make_samples(source, db)
    change_much(source, db)
    change_without_keys(source, db)
    lines = deliver(mill)
    path = mill.folder / "data" / "model.db"
    fold_of_model(path, schemas_of(lines)).assert_equals(source, db)
    model = sqlite3.connect(path)
    assert model.execute(f'select id, v from "{db}.one" order by id').fetchall() == \
        source.sql(f"select id, v from {db}.one order by id")
    assert model.execute(f'select v, w, _copies from "{db}.none" order by v, w').fetchall() == \
        source.sql(f"select v, w, count(*) from {db}.none group by v, w order by v, w")
    assert model.execute("select count(*) from sqlite_schema where name like '%.gone'") \
        .fetchone() == (0,)
    assert model.execute("select count(*) from search where search match 'same'").fetchone() == (1,)
    # nothing is delivered twice
    source.sql(f"insert into {db}.none values (1, 'same')")
    lines = deliver(mill)
    fold_of_model(path, schemas_of(lines)).assert_equals(source, db)


def test_the_indexes_equal_the_tables(source, db, millstream, search):
    search.request("PUT", f"/_index_template/{db}", {
        "index_patterns": [f"{db}.*"],
        "template": {"mappings": {"dynamic": False, "properties": {ORDINAL: {"type": "long"}}}}})
    start = "%s:%d" % source.position()
    mill = millstream(source, tables=[f"{db}.*"], start=start, sinks={
        "indexes": {"type": "elasticsearch", "url": search.url}})
    make_samples(source, db)
    change_much(source, db)
    lines = deliver(mill)
    search.request("POST", f"/{db}.*/_refresh")
    fold_of_indexes(search.url, lines).assert_equals(source, db)
    assert mill.role("dead", "list", "indexes").stdout == b"no dead letters\n"


def test_a_refused_document_is_put_aside_and_replayed(source, db, millstream, search):
    search.request("PUT", f"/{db}.ads", {
        "mappings": {"dynamic": "strict", "properties": {
            "id": {"type": "long"}, ORDINAL: {"type": "long"}}}})
    start = "%s:%d" % source.position()
    mill = millstream(source, tables=[f"{db}.*"], start=start, sinks={
        "indexes": {"type": "elasticsearch", "url": search.url}})
    source.sql(f"create table {db}.ads (id int primary key, title varchar(20))")
    source.sql(f"insert into {db}.ads values (1, 'one'), (2, 'two'), (3, 'three')")
    source.sql(f"delete from {db}.ads where id = 2")
    lines = deliver(mill)
    letters = [json.loads(line) for line in
               mill.role("dead", "list", "indexes", "--json").stdout.splitlines()]
    assert [letter["state"] for letter in letters] == ["waiting", "superseded", "waiting"]
    assert "strict_dynamic_mapping_exception" in letters[0]["reason"]
    search.request("PUT", f"/{db}.ads/_mapping",
                       {"properties": {"title": {"type": "text"}}})
    answer = mill.role("dead", "replay", "indexes", "--json").stdout
    assert json.loads(answer) == {"replayed": 2, "superseded": 0, "refused": 0}
    search.request("POST", f"/{db}.*/_refresh")
    fold_of_indexes(search.url, lines).assert_equals(source, db)
