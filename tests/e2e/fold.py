"""Folds the lines of a stream into the tables that they describe, and compares those with the
server's, by SQL. Independent of the C code: it knows the format from docs/formats/event.md only.

The fold is strict: a create of a row that is there, an update or delete of one that is not, old
values that differ from what was folded, an ordinal that is missing or comes twice are errors. With
whole=False (a stream that does not begin with the tables' first rows) rows may be unknown.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Iterable

from harness.columns import Column, Exact, columns_of

EPOCH = 1 << 40
CONTROL = ("t", "s")


class FoldError(AssertionError):
    pass


def parse(line: str | bytes) -> dict:
    """One line; numbers with a point or an exponent keep their text."""
    return json.loads(line, parse_float=Exact)


def parse_all(text: str | bytes) -> list[dict]:
    return [parse(line) for line in text.splitlines() if line.strip()]


def check_ordinals(lines: Iterable[dict], contiguous: bool = True) -> None:
    """Strictly increasing; without a gap inside of an epoch. A control record stands once in every
    shard, with the same ordinal each time."""
    ordered = sorted(lines, key=lambda line: line["ord"])
    for before, line in zip(ordered, ordered[1:]):
        ordinal = line["ord"]
        if ordinal == before["ord"]:
            if line["op"] in CONTROL and line == before:
                continue
            raise FoldError(f"ordinal {ordinal} comes twice:\n{before}\n{line}")
        if contiguous and ordinal != before["ord"] + 1 and ordinal % EPOCH != 0:
            raise FoldError(f"ordinals {before['ord'] + 1} to {ordinal - 1} are missing")
    if contiguous and ordered and ordered[0]["ord"] % EPOCH not in (0, 1):
        raise FoldError(f"the first ordinal is {ordered[0]['ord']}: what came before it is missing")


@dataclass
class Row:
    values: dict[str, Any]  # as in the lines
    ordinal: int  # of the line that wrote it last


@dataclass
class Table:
    rows: dict[tuple, Row] = field(default_factory=dict)
    keyless: Counter = field(default_factory=Counter)  # frozen rows of a table without a key
    keyless_values: dict[tuple, dict] = field(default_factory=dict)  # frozen row -> the row
    schema: dict[str, str] = field(default_factory=dict)  # column -> type, from op s
    changed: dict[str, int] = field(default_factory=dict)  # column -> ordinal of its last change


def frozen(value: Any) -> Any:
    """A parsed value as something hashable; numbers and texts that look alike stay different."""
    if isinstance(value, dict):
        return tuple(sorted((name, frozen(member)) for name, member in value.items()))
    if isinstance(value, list):
        return ("[]", *(frozen(member) for member in value))
    return (type(value).__name__, value)


def assert_same_changes(lines: Iterable[dict], binlog, positions: bool = True) -> None:
    """The stream's creates, updates and deletes are the changes of an independent reading of the
    binlog (harness/binlog.py): each once, in the same order, with the same values; and, with
    `positions`, naming the same place."""
    got = [line for line in sorted(lines, key=lambda one: one["ord"]) if line["op"] in "cud"]
    wanted = list(binlog.expected())
    for number, (line, want) in enumerate(zip(got, wanted)):
        columns = binlog.columns(line["db"], line["table"])
        seen = [line["op"], f"{line['db']}.{line['table']}"] + [
            image and _canonical(columns, image)
            for image in (line["key"], line.get("before"), line.get("after"))]
        if seen != [want.op, want.name, want.key, want.before, want.after]:
            raise FoldError(f"change {number}:\n stream {seen}\n binlog {want}")
        if positions and not want.at_same_place(line["pos"]):
            raise FoldError(f"change {number}: {line['pos']}, but the binlog has {want.change}")
    if len(got) != len(wanted):
        longer = got if len(got) > len(wanted) else wanted
        raise FoldError(f"{len(got)} changes in the stream, {len(wanted)} in the binlog; the first "
                        f"without its like is {longer[min(len(got), len(wanted))]}")


class Fold:
    def __init__(self, whole: bool = True):
        self.whole = whole
        self.tables: dict[tuple[str, str], Table] = {}
        self.counts: Counter = Counter()  # (database.table, op) -> lines

    def table(self, database: str, name: str) -> Table:
        return self.tables.setdefault((database, name), Table())

    def add_all(self, lines: Iterable[dict]) -> "Fold":
        """Lines of all shards, in any order: ordinals put them right."""
        last = None
        for line in sorted(lines, key=lambda one: one["ord"]):
            if line["op"] in CONTROL and line == last:
                continue
            self.add(line)
            last = line
        return self

    def add(self, line: dict) -> None:
        self.counts[f"{line['db']}.{line['table']}", line["op"]] += 1
        step = {"c": self._create, "r": self._create, "u": self._update, "d": self._delete,
                "t": self._truncate, "s": self._schema}.get(line["op"])
        if not step:
            raise FoldError(f"unknown op: {line}")
        step(line)

    def _wrong(self, line: dict, what: str) -> None:
        raise FoldError(f"{what}:\n{line}")

    def _create(self, line: dict) -> None:
        table = self.table(line["db"], line["table"])
        if "before" in line:
            self._wrong(line, "a create with a 'before'")
        if line["key"] is None:
            row = frozen(line["after"])
            table.keyless[row] += 1
            table.keyless_values[row] = line["after"]
            return
        key = frozen(line["key"])
        if line["op"] == "c" and key in table.rows and self.whole:
            self._wrong(line, "created, but it is there")
        self._key_agrees(line, line["after"])
        table.rows[key] = Row(dict(line["after"]), line["ord"])

    def _key_agrees(self, line: dict, image: dict) -> None:
        for name, value in line["key"].items():
            if name in image and image[name] != value:
                self._wrong(line, f"key and row differ in '{name}'")

    def _known(self, line: dict) -> Row | None:
        row = self.table(line["db"], line["table"]).rows.get(frozen(line["key"]))
        if row is None and self.whole:
            self._wrong(line, f"{line['op']} of a row that is not there")
        return row

    def _before_agrees(self, line: dict, row: Row, table: Table) -> None:
        for name, value in line["before"].items():
            stale = table.changed.get(name, -1) > row.ordinal
            if not stale and name in row.values and row.values[name] != value:
                self._wrong(line, f"'{name}' was {row.values[name]!r}, not {value!r}")

    def _update(self, line: dict) -> None:
        if line["key"] is None:
            self._wrong(line, "an update of a table without a key is a delete and a create")
        table, row = self.table(line["db"], line["table"]), self._known(line)
        self._key_agrees(line, line["after"])
        if row:
            self._before_agrees(line, row, table)
            self._nothing_silent(line, row, table)
        same = [name for name, value in line["before"].items()
                if line["after"].get(name, not value) == value]
        if same:
            self._wrong(line, f"'{same[0]}' did not change, and is in 'before'")
        values = {**(row.values if row else {}), **line["after"]}
        table.rows[frozen(line["key"])] = Row(values, line["ord"])

    def _nothing_silent(self, line: dict, row: Row, table: Table) -> None:
        """What the update changed is named in 'before'."""
        for name, value in line["after"].items():
            stale = table.changed.get(name, -1) > row.ordinal
            known = name in row.values and name not in line["before"]
            if known and not stale and row.values[name] != value:
                self._wrong(line, f"'{name}' was {row.values[name]!r}, and is not in 'before'")

    def _delete(self, line: dict) -> None:
        table = self.table(line["db"], line["table"])
        if "after" in line:
            self._wrong(line, "a delete with an 'after'")
        if line["key"] is None:
            row = frozen(line["before"])
            if table.keyless[row] < 1 and self.whole:
                self._wrong(line, "deleted, but it is not there")
            table.keyless[row] = max(0, table.keyless[row] - 1)
            return
        row = self._known(line)
        if row:
            self._before_agrees(line, row, table)
            del table.rows[frozen(line["key"])]

    def _truncate(self, line: dict) -> None:
        for (database, name), table in self.tables.items():
            if database == line["db"] and line["table"] in (None, name):
                table.rows.clear()
                table.keyless.clear()

    def _schema(self, line: dict) -> None:
        if not line.get("columns"):
            return
        table = self.table(line["db"], line["table"])
        new = {column["name"]: column.get("type", "") for column in line["columns"]}
        for name, kind in new.items():
            if table.schema.get(name) != kind:
                table.changed[name] = line["ord"]
        for row in table.rows.values():
            row.values = {name: value for name, value in row.values.items() if name in new}
        table.schema = new

    # ---- comparison with the server ----

    def differences(self, server, database: str, tables: Iterable[str] | None = None,
                    ignore: Iterable[str] = ()) -> list[str]:
        """How the folded tables of a database differ from the server's; empty when they do not.
        `ignore`: columns TABLE.COLUMN that are not compared."""
        there = [name for (name,) in server.sql(
            "select table_name from information_schema.tables where table_schema = %s "
            "and table_type = 'BASE TABLE'", (database,))]
        folded = [name for (db, name), table in self.tables.items()
                  if db == database and (table.rows or +table.keyless)]
        found = []
        for name in sorted(set(tables) if tables is not None else {*there, *folded}):
            if name not in there:
                found.append(f"{database}.{name}: the server does not have it")
                continue
            found += self._table_differences(server, database, name, set(ignore))
        return found

    def assert_equals(self, server, database: str, **options) -> None:
        found = self.differences(server, database, **options)
        if found:
            raise FoldError(f"{len(found)} differences:\n" + "\n".join(found[:20]))

    def _table_differences(self, server, database: str, name: str, ignore: set) -> list[str]:
        columns = [column for column in columns_of(server, database, name)
                   if f"{name}.{column.name}" not in ignore]
        table = self.table(database, name)
        rows = server.sql(f"select {', '.join(column.expression() for column in columns)} "
                          f"from `{database}`.`{name}`")
        real = [{column.name: column.from_sql(value) for column, value in zip(columns, row)}
                for row in rows]
        if any(column.key_index for column in columns):
            return _keyed(f"{database}.{name}", columns, table, real)
        return _keyless(f"{database}.{name}", columns, table, real)


def _canonical(columns: list[Column], values: dict, stale: Iterable[str] = ()) -> dict:
    """Folded values in the form of columns.py; absent columns stay absent."""
    return {column.name: column.from_line(values[column.name]) for column in columns
            if column.name in values and column.name not in stale}


def _keyed(title: str, columns: list[Column], table: Table, real: list[dict]) -> list[str]:
    key_names = [column.name for column in columns if column.key_index]
    found, folded = [], {}
    for row in table.rows.values():
        # columns that changed after this row was last written are not compared
        stale = {name for name, ordinal in table.changed.items() if ordinal > row.ordinal}
        values = _canonical(columns, row.values, stale - set(key_names))
        folded[tuple(values.get(name) for name in key_names)] = (values, stale)
    for expected in real:
        key = tuple(expected[name] for name in key_names)
        if key not in folded:
            found.append(f"{title} {key}: not in the stream's state")
            continue
        values, stale = folded.pop(key)
        for name, value in expected.items():
            if name not in stale and (name not in values or values[name] != value):
                found.append(f"{title} {key}: '{name}' is {value!r}, "
                             f"the stream says {values.get(name, 'nothing')!r}")
    return found + [f"{title} {key}: not in the database" for key in folded]


def _keyless(title: str, columns: list[Column], table: Table, real: list[dict]) -> list[str]:
    def text(values: dict) -> str:
        return repr(sorted(values.items()))
    folded: Counter = Counter()
    for row, count in (+table.keyless).items():
        folded[text(_canonical(columns, table.keyless_values[row]))] += count
    there = Counter(text(values) for values in real)
    return ([f"{title}: {count} times not in the stream's state: {row}"
             for row, count in (there - folded).items()]
            + [f"{title}: {count} times not in the database: {row}"
               for row, count in (folded - there).items()])
