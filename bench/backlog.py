"""Binlogs that take long to make: made once, kept, never written to again.

A backlog is the data folder of a server that was stopped, named after a hash of what made it.
Who wants to read it gets a copy with a server on it; the binlog files are the same ones (hard
links), the rest is small: of the rows only the changes are left.
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
from place import CACHE

HERE = Path(__file__).parent
VERSION = "2"  # of what is done here; statements and files count besides
MAKING = ("--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
          "--innodb-log-file-size=64M", "--binlog-annotate-row-events=ON",
          "--max-binlog-size=1073741824", "--innodb-file-per-table=0")
ORDERS_MAKING = (*MAKING[:-1], "--innodb-file-per-table=1")  # what is truncated is given back
READING = ("--innodb-log-file-size=64M",)


@dataclass(frozen=True)
class Recipe:
    """`controls`: events of a stream of it that are of no row (statements, columns of tables)."""
    name: str
    file: str
    statements: tuple[str, ...]
    transactions: int
    rows: int
    controls: int
    options: tuple[str, ...]

    @property
    def folder(self) -> Path:
        said = f"{VERSION} {self}".encode() + (HERE / self.file).read_bytes()
        return CACHE / f"{self.name}-{hashlib.sha256(said).hexdigest()[:8]}"


def orders(name: str, transactions: int, rows_each: int) -> Recipe:
    """Transactions on one table, of up to 1000 rows each. Controls: the statement that makes the
    table, and its columns."""
    rows = transactions * rows_each
    return Recipe(name, "orders.sql", (
        f"call bench.fill({transactions}, {rows_each})", f"do bench.assert_rows({rows})",
        "set sql_log_bin = 0", "truncate bench.orders"), transactions, rows, 2, ORDERS_MAKING)


def big(name: str, rows: int) -> Recipe:
    """All rows in one transaction."""
    return Recipe(name, "orders.sql", (
        "begin", f"call bench.fill({rows // 1000}, 1000)", "commit", f"do bench.assert_rows({rows})",
        "set sql_log_bin = 0", "truncate bench.orders"), 1, rows, 2, ORDERS_MAKING)


def tables(name: str, count: int, rounds: int, rows_each: int) -> Recipe:
    """Controls: the columns of each table."""
    return Recipe(name, "tables.sql", (
        "set sql_log_bin = 0", f"call bench.make_tables({count})", "set sql_log_bin = 1",
        *[f"call bench.change_tables({count}, {rows_each})"] * rounds), count * rounds,
        count * rounds * rows_each, count, MAKING)


BULK = orders("bulk", 5800, 1000)  # 1.08 GB
OLTP = orders("oltp", 1000000, 1)  # 1.3 GB
MEDIUM = orders("medium", 2000, 1000)
SMALL = orders("small", 1000, 1000)
BIG = big("big", 1000000)
TABLES_10 = tables("tables-10", 10, 1, 10)
TABLES_10000 = tables("tables-10000", 10000, 2, 10)
BULK_SHORT = orders("bulk-short", 5, 1000)
OLTP_SHORT = orders("oltp-short", 2000, 1)
BIG_SHORT = big("big-short", 5000)
TABLES_SHORT = tables("tables-short", 100, 2, 10)


def _make(recipe: Recipe, folder: Path) -> dict:
    with MariaDb(folder, *recipe.options) as server:
        server.run_file(HERE / recipe.file)
        server.sql(*recipe.statements)
        size = sum(row[1] for row in server.sql("show binary logs"))
        version = server.sql("select version()")[0][0]
    return {"bytes": size, "server": version}


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
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(kept / "data", folder / "data", copy_function=one)
    names = sorted(path.name for path in (folder / "data").iterdir() if _is_binlog(path))
    index = folder / "data" / "binlog.index"
    index.write_text("".join(f"{folder}/data/{name}\n" for name in names), encoding="utf-8")


@dataclass
class Backlog:
    recipe: Recipe
    server: MariaDb
    bytes: int
    first: tuple[str, int]
    end: tuple[str, int]

    @property
    def events(self) -> int:
        """That a stream of it has."""
        return self.recipe.rows + self.recipe.controls

    def first_commit(self) -> tuple[str, int]:
        """Where the first transaction ends."""
        events = self.server.sql(f"show binlog events in '{self.first[0]}' limit 100")
        return self.first[0], next(event[4] for event in events if event[2] == "Xid")


@contextmanager
def serve(recipe: Recipe, folder: Path, *options: str) -> Iterator[Backlog]:
    """A running server with the backlog, in `folder`."""
    facts = _made(recipe)
    _copy(recipe.folder, folder)
    with MariaDb(folder, *READING, *options) as server:
        first = server.sql("show binary logs")[0][0]
        yield Backlog(recipe, server, facts["bytes"], (first, 4), server.end())
