"""Columns of a table, and their values in one canonical form.

Three readers meet here: SQL (the server itself), the lines of the stream, and the text of
mariadb-binlog or mysqlbinlog. Each turns what it sees into the same Python value, so that values
are compared with ==:

    integers, YEAR, BIT   int            DECIMAL      its exact text
    FLOAT, DOUBLE         float          text, ENUM   str
    binary                bytes          SET          tuple of str
    dates and times       ISO text, TIMESTAMP in UTC with Z, at the column's precision
    JSON                  Json           NULL         None

Nothing here shares a thought with the C code.
"""

import base64
import json
import re
import struct
from dataclasses import dataclass
from typing import Any

INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
BINARIES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
TIMES = ("date", "datetime", "timestamp", "time")


class NotComparable(Exception):
    """A type that these readers do not know: no test may pass by not looking at it."""


class Exact(str):
    """A JSON number with a point or an exponent, as it was written."""


@dataclass(frozen=True)
class Json:
    """A JSON document; equal when the documents are, whatever their white space and key order."""

    text: str

    @staticmethod
    def of(document: Any) -> "Json":
        return Json(json.dumps(_plain(document), sort_keys=True, ensure_ascii=False))


def _plain(document: Any) -> Any:
    if isinstance(document, Exact):
        return float(document)
    if isinstance(document, dict):
        return {key: _plain(value) for key, value in document.items()}
    if isinstance(document, list):
        return [_plain(value) for value in document]
    return document


class SixDigits(float):
    """A FLOAT of which only six digits are known: equal to every float that has them."""

    def __eq__(self, other) -> bool:
        return other is not None and f"{float(self):g}" == f"{float(other):g}"

    def __ne__(self, other) -> bool:
        return not self == other

    __hash__ = None


def single(number: float) -> float:
    """The nearest float of 32 bits."""
    return struct.unpack("f", struct.pack("f", number))[0]


def members(column_type: str) -> list[str]:
    """The members of enum('a','it''s') or set(...)."""
    return [found.replace("''", "'") for found in re.findall(r"'((?:[^']|'')*)'", column_type)]


@dataclass(frozen=True)
class Column:
    name: str
    data_type: str  # information_schema's, without length
    column_type: str  # with length, members, unsigned
    charset: str | None
    is_json: bool
    key_index: int  # from 1 in the primary key, 0 outside of it

    @property
    def unsigned(self) -> bool:
        return "unsigned" in self.column_type

    @property
    def length(self) -> int:
        found = re.search(r"\((\d+)\)", self.column_type)
        return int(found[1]) if found else 0

    def expression(self) -> str:
        """SQL whose result from_sql understands."""
        name = "`" + self.name.replace("`", "``") + "`"
        if self.data_type in INTEGERS or self.data_type == "year":
            return name
        if self.data_type in ("float", "double", "bit"):
            return f"{name} + {'0' if self.data_type == 'bit' else '0e0'}"
        if self.data_type in BINARIES:
            return f"hex({name})"
        if self.data_type == "decimal" or self.data_type in TIMES:
            return f"cast({name} as char)"
        if self.is_json or self.data_type in (*TEXTS, "enum", "set"):
            return f"convert(cast({name} as char) using utf8mb4)"
        raise NotComparable(f"column {self.name} is {self.column_type}")

    def from_sql(self, value: Any) -> Any:
        if value is None:
            return None
        if self.is_json:
            return Json.of(json.loads(value))
        if self.data_type == "float":
            return single(float(value))
        if self.data_type == "double":
            return float(value)
        if self.data_type in INTEGERS or self.data_type in ("year", "bit"):
            return int(value)
        if self.data_type in BINARIES:
            return bytes.fromhex(value)
        if self.data_type == "set":
            return tuple(value.split(",")) if value else ()
        return self._time(value) if self.data_type in TIMES else value

    def _time(self, text: str) -> str:
        if self.data_type == "timestamp":
            return text.replace(" ", "T") + "Z"
        return text.replace(" ", "T")

    def from_line(self, value: Any) -> Any:
        """From a parsed JSON line of the format millstream; ValueError when it cannot be one."""
        if value is None:
            return None
        if self.is_json:
            return Json.of(value)
        reader = {"decimal": _decimal, "float": _float, "double": _double, "set": _set,
                  "year": _integer, "bit": _integer, "enum": _text}.get(self.data_type)
        if self.data_type in INTEGERS:
            reader = _integer
        elif self.data_type in BINARIES:
            reader = _binary
        elif self.data_type in TEXTS or self.data_type in TIMES:
            reader = _text
        if not reader:
            raise NotComparable(f"column {self.name} is {self.column_type}")
        try:
            return reader(value)
        except ValueError as error:
            raise ValueError(f"column {self.name} ({self.column_type}): {error}") from error


def _of(kind: str, value: Any, types: tuple) -> Any:
    if not isinstance(value, types) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not {kind}")
    return value


def _integer(value: Any) -> int:
    return _of("an integer", value, (int,))


def _decimal(value: Any) -> str:
    return str(value) if isinstance(value, Exact) else str(_of("a number", value, (int,)))


def _double(value: Any) -> float:
    return float(value) if isinstance(value, Exact) else float(_of("a number", value, (int,)))


def _float(value: Any) -> float:
    return single(_double(value))


def _text(value: Any) -> str:
    if isinstance(value, Exact):
        raise ValueError(f"{value} is not a text")
    return _of("a text", value, (str,))


def _binary(value: Any) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _set(value: Any) -> tuple:
    return tuple(_text(member) for member in _of("an array", value, (list,)))


_COLUMNS = """select column_name, data_type, column_type, character_set_name
    from information_schema.columns where table_schema = %s and table_name = %s
    order by ordinal_position"""
_KEYS = """select column_name, ordinal_position from information_schema.key_column_usage
    where table_schema = %s and table_name = %s and constraint_name = 'PRIMARY'"""
_CHECKS = """select check_clause from information_schema.check_constraints
    where constraint_schema = %s and table_name = %s"""


def columns_of(server, database: str, table: str) -> list[Column]:
    """The columns of a table as the server describes them; none for a table that is not there."""
    keys = dict(server.sql(_KEYS, (database, table)))
    checked = set()
    if server.is_mariadb:  # its JSON is LONGTEXT with a check
        for (clause,) in server.sql(_CHECKS, (database, table)):
            found = re.fullmatch(r"json_valid\(`(.*)`\)", clause)
            checked |= {found[1]} if found else set()
    return [Column(name, kind, column_type, charset, kind == "json" or name in checked,
                   int(keys.get(name, 0)))
            for name, kind, column_type, charset in server.sql(_COLUMNS, (database, table))]
