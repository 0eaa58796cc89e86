"""An independent reading of a server's binlog: mariadb-binlog or mysqlbinlog prints the rows, this
takes the text apart.

What its text does not tell: a FLOAT beyond six digits; on MariaDB whether \\x0a in a text is a
control character or was written so (it is taken for the character); where a rows event begins when
several of them make a statement (Change.pos is None then); whether a JSON document is the string
"1" or the number 1.
"""

import json
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Iterable, Iterator

from harness.columns import (BINARIES, INTEGERS, TEXTS, TIMES, Column, Json, NotComparable,
                             SixDigits, columns_of, members)

OPS = {b"INSERT INTO": "c", b"UPDATE": "u", b"DELETE FROM": "d"}
ROW = re.compile(rb"### (INSERT INTO|UPDATE|DELETE FROM) `((?:[^`]|``)*)`\.`((?:[^`]|``)*)`$")
VALUE = re.compile(rb"###   @(\d+)=(.*) /\* ([A-Z/]+)\b.* \*/$", re.DOTALL)
AT = re.compile(rb"# at (\d+)$")
EVENT = re.compile(rb"#\d{6} +\d+:\d\d:\d\d server id \d+ +end_log_pos (\d+).*?\t(\w+)")
ROWS_EVENT = re.compile(rb"(Write|Update|Delete)_rows")
GTID_MARIADB = re.compile(rb"\tGTID (\d+-\d+-\d+)")
GTID_MYSQL = re.compile(rb"SET @@SESSION\.GTID_NEXT= '([^']*)'")
CHARSETS = {"utf8mb4": "utf-8", "utf8mb3": "utf-8", "utf8": "utf-8", "latin1": "cp1252",
            "ascii": "ascii"}
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"0": b"\0", b"Z": b"\x1a"}


class UnreadableBinlog(Exception):
    pass


@dataclass
class Change:
    """A row change. Values by the column's number from 1, as printed, until named() reads them."""

    op: str
    database: str
    table: str
    gtid: str
    row: int  # in its transaction, from 0
    file: str
    pos: int | None  # where its rows event begins
    before: dict[int, bytes] = field(default_factory=dict)
    after: dict[int, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.database}.{self.table}"

    def named(self, columns: list[Column], mariadb: bool) -> tuple[dict | None, dict | None]:
        """before and after with names and canonical values (columns.py)."""
        images = []
        for raw in (self.before, self.after):
            images.append({columns[number - 1].name: read_value(columns[number - 1], text, mariadb)
                           for number, text in raw.items()} or None)
        return images[0], images[1]


class _Reader:
    """Goes through the lines; what a transaction and an event have in common is kept here."""

    def __init__(self, file: str):
        self.file, self.gtid, self.row = file, "", 0
        self.at, self.events = None, []  # rows events announced since the last row was seen
        self.seen_row = False
        self.change: Change | None = None
        self.image: dict | None = None

    def header(self, line: bytes) -> None:
        found = AT.match(line)
        if found:
            self.at = int(found[1])
            return
        if EVENT.match(line) and ROWS_EVENT.search(line):
            if self.seen_row:
                self.events, self.seen_row = [], False
            self.events.append(self.at)
        found = GTID_MARIADB.search(line) or GTID_MYSQL.match(line)
        if found:
            self.gtid, self.row = found[1].decode(), 0
            if self.gtid in ("AUTOMATIC", "ANONYMOUS"):
                self.gtid = ""

    def begin(self, found: re.Match) -> Change | None:
        done, self.seen_row = self.change, True
        database, table = (name.replace(b"``", b"`").decode() for name in found.groups()[1:])
        pos = self.events[0] if len(self.events) == 1 else None
        self.change = Change(OPS[found[1]], database, table, self.gtid, self.row, self.file, pos)
        self.row += 1
        return done

    def line(self, line: bytes) -> Change | None:
        """Takes a line; answers the change that it shows to be complete."""
        if not line.startswith(b"###"):
            done, self.change = self.change, None
            if line.startswith((b"#", b"SET @@SESSION.GTID_NEXT")):
                self.header(line)
            return done
        found = ROW.match(line)
        if found:
            return self.begin(found)
        if not self.change:
            raise UnreadableBinlog(f"{self.file}: a value without a row: {line[:200]!r}")
        if line == b"### WHERE":
            self.image = self.change.before
        elif line == b"### SET":
            self.image = self.change.after
        else:
            found = VALUE.match(line)
            if not found or self.image is None:
                raise UnreadableBinlog(f"{self.file}: {line[:200]!r}")
            self.image[int(found[1])] = found[2]
        return None


def read_changes(program: str, files: list, start: int = 0, stop: int | None = None
                 ) -> Iterator[Change]:
    """The row changes in binlog files, in order. `start` and `stop` are positions in the first and
    in the last file."""
    for number, file in enumerate(files):
        command = [program, "--no-defaults", "--base64-output=decode-rows", "-vv", str(file)]
        if number == 0 and start:
            command.append(f"--start-position={start}")
        if stop and file == files[-1]:
            command.append(f"--stop-position={stop}")
        reader = _Reader(file.name)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            for line in child.stdout:
                done = reader.line(line.rstrip(b"\n"))
                if done:
                    yield done
            complaint = child.stderr.read()
        if child.returncode != 0 or b"ERROR" in complaint:
            raise UnreadableBinlog(complaint.decode(errors="replace"))
        if reader.change:
            yield reader.change


def _quoted(text: bytes, mariadb: bool) -> bytes:
    """The bytes inside of '...'."""
    if not (text.startswith(b"'") and text.endswith(b"'")):
        raise UnreadableBinlog(f"not quoted: {text[:100]!r}")
    if mariadb:  # only control characters are escaped, not even the backslash
        return re.sub(rb"\\x([01][0-9a-f])", lambda found: bytes([int(found[1], 16)]), text[1:-1])
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", _unescape, text[1:-1], flags=re.DOTALL)


def _unescape(found: re.Match) -> bytes:
    what = found[1]
    return bytes([int(what[1:], 16)]) if len(what) == 3 else ESCAPES.get(what, what)


def _integer(column: Column, text: bytes) -> int:
    """'-1 (4294967295)': signed, and the same bits unsigned where they differ."""
    signed, _, unsigned = text.decode().partition(" ")
    return int(unsigned.strip("()")) if column.unsigned and unsigned else int(signed)


def _timestamp(text: str) -> str:
    seconds, _, fraction = text.partition(".")
    if int(seconds) == 0 and not fraction.strip("0"):
        moment = "0000-00-00T00:00:00"
    else:
        moment = (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=int(seconds))
                  ).strftime("%Y-%m-%dT%H:%M:%S")
    return moment + (f".{fraction}" if fraction else "") + "Z"


def _time(column: Column, text: bytes) -> str:
    plain = text.strip(b"'").decode()
    if column.data_type == "timestamp":
        return _timestamp(plain)
    return plain.replace(":", "-") if column.data_type == "date" else plain.replace(" ", "T")


def _bits(column: Column, text: bytes) -> Any:
    number = int(text[2:-1], 2)
    if column.data_type == "bit":
        return number
    return tuple(name for bit, name in enumerate(members(column.column_type)) if number >> bit & 1)


def _characters(column: Column, text: bytes, mariadb: bool) -> Any:
    content = _quoted(text, mariadb)
    if column.data_type == "binary":
        return content.ljust(column.length, b"\0")  # the binlog leaves the padding out
    if column.data_type in BINARIES:
        return content
    if column.is_json:
        return _json(content.decode())
    return content.decode(CHARSETS[column.charset])


def _json(text: str) -> Json:
    try:
        return Json.of(json.loads(text))
    except json.JSONDecodeError:
        return Json.of(text)  # mysqlbinlog prints a document that is a string without its quotes


def read_value(column: Column, text: bytes, mariadb: bool) -> Any:
    """A printed value in canonical form."""
    kind = column.data_type
    if text == b"NULL":
        return None
    if kind in INTEGERS:
        return _integer(column, text)
    if kind == "year":
        return 0 if text == b"1900" else int(text)  # the year 0 is printed so; 1900 is no YEAR
    if kind == "decimal":
        return text.decode()
    if kind in ("float", "double"):
        return SixDigits(text) if kind == "float" else float(text)
    if kind in TIMES:
        return _time(column, text)
    if kind == "enum":
        return ["", *members(column.column_type)][int(text)]
    if kind in ("set", "bit"):
        return _bits(column, text)
    if kind in BINARIES or kind in TEXTS or column.is_json:
        return _characters(column, text, mariadb)
    raise NotComparable(f"column {column.name} is {column.column_type}")


def counts(changes: Iterable[Change]) -> Counter:
    """(database.table, op) -> how many."""
    return Counter((change.name, change.op) for change in changes)


@dataclass
class Expected:
    """What a change must look like in the stream. Images and key by name, in canonical form."""

    op: str
    name: str
    key: dict | None
    before: dict | None
    after: dict | None
    change: Change
    whole: bool = True  # False: one of the two lines that an update became

    def at_same_place(self, pos: dict) -> bool:
        """Whether a line's "pos" names this change, as far as the text of the binlog tells."""
        change = self.change
        return (pos.get("file") == change.file and pos.get("gtid", "") == change.gtid
                and change.pos in (None, pos["pos"])
                and (not self.whole or pos["row"] == change.row))


class Binlog:
    """The changes that a server has logged, named and in canonical form: a list of
    (op, table, before, after), with the columns that the tables have now."""

    def __init__(self, server, changes: list[Change]):
        self.server, self.changes = server, changes
        self._columns: dict[tuple, list[Column]] = {}

    def columns(self, database: str, table: str) -> list[Column]:
        if (database, table) not in self._columns:
            self._columns[database, table] = columns_of(self.server, database, table)
        return self._columns[database, table]

    def counts(self) -> Counter:
        return counts(self.changes)

    def expected(self) -> Iterator[Expected]:
        """The lines that the changes must become (format millstream): an update says in `before`
        only what changed; where its key changes, or there is none, it is a delete and a create."""
        for change, before, after in self.rows():
            columns = self.columns(change.database, change.table)
            keys = [[column.name for column in columns if column.key_index and column.name in image]
                    for image in (before or {}, after or {})]

            def key(image: dict, names: list) -> dict | None:
                return {name: image[name] for name in names} if names else None
            if change.op == "c":
                yield Expected("c", change.name, key(after, keys[1]), None, after, change)
            elif change.op == "d":
                yield Expected("d", change.name, key(before, keys[0]), before, None, change)
            elif keys[0] and key(before, keys[0]) == key(after, keys[1]):
                changed = {name: value for name, value in before.items() if after[name] != value}
                yield Expected("u", change.name, key(after, keys[1]), changed, after, change)
            else:
                yield Expected("d", change.name, key(before, keys[0]), before, None, change, False)
                yield Expected("c", change.name, key(after, keys[1]), None, after, change, False)

    def rows(self) -> Iterator[tuple[Change, dict | None, dict | None]]:
        for change in self.changes:
            columns = self.columns(change.database, change.table)
            yield change, *change.named(columns, self.server.is_mariadb)
