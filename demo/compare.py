#!/usr/bin/python3
"""Compares the tables of the database with the read model: SQL on both sides, value by value.

usage: compare.py FOLDER                              what `./dev demo --keep FOLDER` left
       compare.py --socket S --model F [--database D] any other place

Knows nothing of Millstream's code, only the two pages docs/formats/event.md (how values are
written) and docs/READ-MODEL.md (the table `docs`). A value must be the same in every digit; a JSON
document must say the same. Exit status: 0 equal, 1 different, 2 not to be compared. Nobody may
write meanwhile, and what was written must have been delivered.
"""

import argparse
import json
import sqlite3
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pymysql
from pymysql.converters import encoders

SHOWN = 5
INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "year")
TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum")
Model = dict[str, dict[tuple, dict]]  # table -> primary key -> document


class NotComparable(Exception):
    pass


@dataclass
class Column:
    name: str
    type: str
    is_json: bool
    key: int  # its place in the primary key, from 1, or 0


@dataclass
class Result:
    """Of one table."""

    table: str
    source: int = 0
    model: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    def differ(self, text: str) -> None:
        self.wrong += 1
        if len(self.examples) < SHOWN:
            self.examples.append(text)


def parse(text: str):
    """JSON; numbers with a point keep their digits."""
    return json.loads(text, parse_float=Decimal)


# ---- the source ----

def connect(socket: str, user: str, password: str, database: str) -> pymysql.Connection:
    """Values come as the text that the server writes; the tables as they are at one moment."""
    connection = pymysql.connect(
        unix_socket=socket, user=user, password=password, database=database, charset="utf8mb4",
        conv=encoders, init_command="set time_zone = '+00:00'", connect_timeout=5)
    connection.query("start transaction with consistent snapshot")
    return connection


def columns_by_table(connection: pymysql.Connection, database: str) -> dict[str, list[Column]]:
    """Of all tables. A JSON column of MariaDB is a text with a check that it is valid."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.table_name, c.column_name, c.data_type, coalesce(k.ordinal_position, 0),"
            " exists (select 1 from information_schema.check_constraints v"
            "  where v.constraint_schema = c.table_schema and v.table_name = c.table_name"
            "  and v.check_clause = concat('json_valid(`', c.column_name, '`)'))"
            " from information_schema.columns c"
            " join information_schema.tables t using (table_schema, table_name)"
            " left join information_schema.key_column_usage k on k.table_schema = c.table_schema"
            "  and k.table_name = c.table_name and k.column_name = c.column_name"
            "  and k.constraint_name = 'PRIMARY'"
            " where c.table_schema = %s and t.table_type = 'BASE TABLE'"
            " order by c.table_name, c.ordinal_position", (database,))
        found: dict[str, list[Column]] = {}
        for table, name, kind, key, is_json in cursor:
            found.setdefault(table, []).append(
                Column(name, kind.lower(), bool(int(is_json)), int(key)))
        return found


def expected(column: Column, text: str | None):
    """What a document must say, by the text that the server writes."""
    if text is None:
        return None
    if column.is_json:
        return parse(text)
    if column.type in INTEGERS:
        return int(text)
    if column.type == "decimal":
        return Decimal(text)
    if column.type in ("float", "double"):
        return float(text)
    if column.type in TEXTS or column.type in ("date", "time"):
        return text
    if column.type == "set":
        return text.split(",") if text else []
    if column.type in ("datetime", "timestamp"):
        return text.replace(" ", "T") + ("Z" if column.type == "timestamp" else "")
    raise NotComparable(f"column '{column.name}' is a {column.type}: this script does not know how "
                        "to compare it")


def is_same(column: Column, want, got) -> bool:
    if want is None or got is None or isinstance(want, bool) or isinstance(got, bool):
        return want is got or (column.is_json and want == got)
    if column.type == "decimal":
        return isinstance(got, (Decimal, int)) and \
            Decimal(got).as_tuple() == want.as_tuple()  # 12.50 is not 12.5
    if column.type in ("float", "double"):
        return isinstance(got, (Decimal, int)) and float(got) == want
    return want == got and (column.is_json or type(want) is type(got))


# ---- the read model ----

def read_model(path: str, database: str) -> Model:
    """The documents by the columns of their keys; a table without rows is not there."""
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
    found: Model = {}
    try:
        for table, key, doc in connection.execute(
                "select source_table, key, doc from docs where source_db = ?", (database,)):
            columns = parse(key) if key.startswith("{") else {"": key}
            found.setdefault(table, {})[tuple(columns.values())] = parse(doc)
    finally:
        connection.close()
    return found


# ---- both ----

def compare_table(cursor, table: str, columns: list[Column], documents: dict) -> Result:
    result, left = Result(table, model=len(documents)), set(documents)
    key_names = [column.name for column in sorted(columns, key=lambda one: one.key) if column.key]
    if not key_names:
        raise NotComparable(f"table '{table}' has no primary key")
    cursor.execute(f"select {', '.join(f'`{column.name}`' for column in columns)} from `{table}`")
    for row in cursor:
        result.source += 1
        values = {column.name: expected(column, text) for column, text in zip(columns, row)}
        key = tuple(values[name] for name in key_names)
        left.discard(key)
        document = documents.get(key)
        if document is None:
            result.differ(f"{table} {key}: is not there")
            continue
        for column in columns:
            if column.name not in document:
                result.differ(f"{table} {key}: has no '{column.name}'")
            elif not is_same(column, values[column.name], document[column.name]):
                result.differ(f"{table} {key}: '{column.name}' is {document[column.name]!r}, the "
                              f"source has {values[column.name]!r}")
        for name in document.keys() - values.keys():
            result.differ(f"{table} {key}: '{name}' is no column of the source")
    for key in left:
        result.differ(f"{table} {key}: is there, but not in the source")
    return result


def compare(connection: pymysql.Connection, tables: dict[str, list[Column]],
            model: Model) -> list[Result]:
    """One result a table, also for tables that only the model has."""
    results = []
    for table in sorted({*tables, *model}):
        if table in tables:
            with connection.cursor() as cursor:
                results.append(compare_table(cursor, table, tables[table], model.get(table, {})))
        else:
            results.append(Result(table, model=len(model[table])))
            results[-1].differ(f"{table}: the source has no such table")
    return results


def compare_read_model(socket: str, model: str, database: str = "market", user: str = "site",
                       password: str = "demo") -> list[Result]:
    connection = connect(socket, user, password, database)
    with connection:
        tables = columns_by_table(connection, database)
        return compare(connection, tables, read_model(model, database))


# ---- as a program ----

def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="compare.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--socket")
    parser.add_argument("--model")
    parser.add_argument("--database", default="market")
    parser.add_argument("--user", default="site")
    parser.add_argument("--password", default="demo")
    chosen = parser.parse_args()
    if chosen.folder:
        chosen.socket = chosen.socket or str(chosen.folder / "mariadb" / "sock")
        chosen.model = chosen.model or str(chosen.folder / "read-model.db")
    if not chosen.socket or not chosen.model:
        parser.error("name a FOLDER, or --socket and --model")
    return chosen


def main() -> int:
    chosen = arguments()
    try:
        results = compare_read_model(chosen.socket, chosen.model, chosen.database, chosen.user,
                                     chosen.password)
    except (pymysql.Error, sqlite3.Error, NotComparable) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    for result in results:
        said = "equal" if not result.wrong else f"{result.wrong:,} DIFFERENCES"
        print(f"{chosen.database + '.' + result.table:<24} source {result.source:>8,} rows, "
              f"read model {result.model:>8,}: {said}")
        for example in result.examples:
            print(f"    {example}")
    return 1 if any(result.wrong for result in results) or not results else 0


if __name__ == "__main__":
    sys.exit(main())
