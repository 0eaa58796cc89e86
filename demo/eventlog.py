"""Reads the archived event log as anybody could: the objects' names, `zstd -dc`, lines of JSON.

From docs/formats/object.md and event.md, not from Millstream's code.
"""

import hashlib
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Iterator

from compare import Model, parse

EPOCH = 1 << 40


class Broken(Exception):
    pass


def objects(archive: Path, stream: str) -> list[Path]:
    """In the order of their names, which is that of hours and ordinals (one shard)."""
    return sorted((archive / "log" / stream).glob("*/*/*/*/*.ndjson.zst"))


class EventLog:
    """What the objects hold: counts, a sum over all bytes, and the tables that they add up to."""

    def __init__(self, archive: Path, stream: str, database: str):
        self.database = database
        self.changes: Counter = Counter()  # (table, c u or d) -> row changes
        self.objects = self.events = self.bytes = self.stored = 0
        self.first = self.last = None  # ordinals
        self.sum = hashlib.sha256()
        self.tables: Model = {}
        for path in objects(archive, stream):
            self.objects += 1
            self.stored += path.stat().st_size
            self._read(path)

    def _read(self, path: Path) -> None:
        done = subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=False)
        if done.returncode != 0:
            raise Broken(f"{path.name}: {done.stderr.decode(errors='replace').strip()}")
        self.sum.update(done.stdout)
        self.bytes += len(done.stdout)
        for line in done.stdout.splitlines():
            self._event(parse(line), path)

    def _event(self, event: dict, path: Path) -> None:
        ordinal = event["ord"]
        if self.last is None:
            self.first = ordinal
        elif ordinal != self.last + 1 and (ordinal <= self.last or ordinal % EPOCH):
            raise Broken(f"{path.name}: ordinal {ordinal} follows {self.last}")
        self.last = ordinal
        self.events += 1
        if event["db"] == self.database:
            self._apply(event)

    def _apply(self, event: dict) -> None:
        op, table = event["op"], event["table"]
        if op == "t":
            for name in [table] if table else list(self.tables):
                self.tables.pop(name, None)
        elif op in "cud":
            rows, key = self.tables.setdefault(table, {}), tuple(event["key"].values())
            if (key in rows) is (op == "c"):
                raise Broken(f"event {event['ord']}: {op} of {table} {key}, which "
                             f"{'is there already' if op == 'c' else 'is not there'}")
            if op == "d":
                del rows[key]
            else:
                rows[key] = event["after"]
            self._count(op, table, event)

    def _count(self, op: str, table: str, event: dict) -> None:
        """A change of the primary key is told as a delete and a create."""
        if "newkey" in event:
            self.changes[table, "u"] += 1
        elif "oldkey" not in event:
            self.changes[table, op] += 1


BINLOG = {b"INSERT INTO": "c", b"UPDATE": "u", b"DELETE FROM": "d"}


def binlog_changes(folder: Path, database: str) -> Counter:
    """Row changes as mariadb-binlog prints them: (table, c u or d) -> how many."""
    files = (folder / "binlog.index").read_text().split()
    command = ["mariadb-binlog", "--no-defaults", "--base64-output=decode-rows", "-v",
               *(str(folder / Path(name).name) for name in files)]
    found: Counter = Counter()
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints) as child:
            for op, table in _row_heads(child.stdout, f"`{database}`.`".encode()):
                found[table, op] += 1
        complaints.seek(0)
        text = complaints.read().decode(errors="replace").strip()
    if child.returncode != 0 or "ERROR" in text:
        raise Broken(f"mariadb-binlog: {text}")
    return found


def _row_heads(lines, prefix: bytes) -> Iterator[tuple[str, str]]:
    for line in lines:
        if not line.startswith(b"### ") or line.startswith(b"###  "):
            continue
        for words, op in BINLOG.items():
            name = line[4 + len(words) + 1:].strip()
            if line.startswith(words, 4) and name.startswith(prefix):
                yield op, name[len(prefix):-1].decode()
