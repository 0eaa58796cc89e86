"""Binlogs that are long to make: made once, kept, never written to again.

A backlog is the data folder of a server that was stopped, named after a hash of what made it.
Who wants to read it gets a copy with a server on it; the binlog files are the same ones (hard
links), the rest is small: the table is empty, only its changes are there.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import place
from mariadb import MariaDb
from place import CACHE, Failed

SQL = Path(__file__).with_name("backlog.sql")
VERSION = "1"  # of what is done here; what backlog.sql says counts besides
MAKING = ("--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
          "--innodb-log-file-size=64M", "--binlog-annotate-row-events=ON",
          "--max-binlog-size=1073741824")
READING = ("--innodb-log-file-size=64M",)
# Besides a row's event a stream gets: the statement that made the table, the table's columns.
CONTROLS = 2


@dataclass(frozen=True)
class Recipe:
    name: str
    transactions: int
    rows_each: int

    @property
    def rows(self) -> int:
        return self.transactions * self.rows_each

    @property
    def folder(self) -> Path:
        said = f"{VERSION} {self} {MAKING}".encode() + SQL.read_bytes()
        return CACHE / f"{self.name}-{hashlib.sha256(said).hexdigest()[:8]}"


BULK = Recipe("bulk", 5800, 1000)  # 1.08 GB
OLTP = Recipe("oltp", 1000000, 1)  # 1.19 GB
BULK_SHORT = Recipe("bulk-short", 20, 1000)
OLTP_SHORT = Recipe("oltp-short", 2000, 1)


def _make(recipe: Recipe, folder: Path) -> dict:
    with MariaDb(folder, *MAKING) as server:
        server.run_file(SQL)
        server.sql(f"call bench.fill({recipe.transactions}, {recipe.rows_each})")
        rows = server.sql("select count(*) from bench.orders")[0][0]
        server.sql("set sql_log_bin = 0", "truncate bench.orders")
        size = sum(row[1] for row in server.sql("show binary logs"))
        version = server.sql("select version()")[0][0]
    if rows != recipe.rows:
        raise Failed(f"the backlog has {rows} rows, not {recipe.rows}", folder / "log")
    return {"rows": rows, "transactions": recipe.transactions, "bytes": size, "server": version}


def _made(recipe: Recipe) -> dict:
    """Makes it where it is not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(f"{recipe.folder}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        facts = recipe.folder / "backlog.json"
        if not facts.exists():
            started = time.monotonic()
            shutil.rmtree(recipe.folder, ignore_errors=True)
            said = _make(recipe, recipe.folder)
            facts.write_text(json.dumps(said) + "\n", encoding="utf-8")
            place.say(f"made the backlog {recipe.folder.name}, {said['bytes'] / 1e9:.2f} GB, "
                      f"{time.monotonic() - started:.0f} s")
        return json.loads(facts.read_text(encoding="utf-8"))


def _is_binlog(path: Path) -> bool:
    return path.name.startswith("binlog.") and path.suffix[1:].isdigit()


def _copy(kept: Path, folder: Path) -> None:
    def one(source: str, target: str) -> None:
        if _is_binlog(Path(source)):
            os.link(source, target)
        else:
            shutil.copy2(source, target)
    shutil.copytree(kept / "data", folder / "data", copy_function=one)
    names = sorted(path.name for path in (folder / "data").iterdir() if _is_binlog(path))
    index = folder / "data" / "binlog.index"
    index.write_text("".join(f"{folder}/data/{name}\n" for name in names), encoding="utf-8")


@dataclass
class Backlog:
    server: MariaDb
    rows: int
    transactions: int
    bytes: int
    first: tuple[str, int]
    end: tuple[str, int]


@contextmanager
def serve(recipe: Recipe, folder: Path, *options: str) -> Iterator[Backlog]:
    """A running server with the backlog, in `folder`."""
    facts = _made(recipe)
    _copy(recipe.folder, folder)
    with MariaDb(folder, *READING, *options) as server:
        first = server.sql("show binary logs")[0][0]
        yield Backlog(server, facts["rows"], facts["transactions"], facts["bytes"], (first, 4),
                      server.end())
