"""What came of it: counts, and the proofs that nothing was lost, added or changed on the way."""

import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Iterator

import pymysql

import compare
import eventlog
from children import ROOT, SINK, STREAM, Failed, Folder, Millstream
from readmodel import DATABASE
from writer import Counts

CHECK_ARCHIVE = ROOT / "tests" / "tools" / "check_archive.py"
KINDS = (("c", "inserts"), ("u", "updates"), ("d", "deletes"))


@dataclass
class Summary:
    lines: list[tuple[str, str, str]] = field(default_factory=list)  # name, figure, text
    proofs: list[tuple[bool, str]] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    def line(self, name: str, figure: int, text: str) -> None:
        self.lines.append((name, f"{figure:,}", text))

    def proof(self, holds: bool, text: str, details: list[str] | None = None) -> None:
        self.proofs.append((holds, text))
        if not holds:
            self.details += details or []

    @property
    def is_good(self) -> bool:
        return bool(self.proofs) and all(holds for holds, _ in self.proofs)

    def text(self, colour: bool) -> str:
        good, bad, plain = ("\033[32m", "\033[31m", "\033[0m") if colour else ("", "", "")
        rows = [f"  {name:<22}{figure:>12}  {text}" for name, figure, text in self.lines]
        rows.append("")
        for holds, text in self.proofs:
            rows.append(f"  {good}yes{plain}  {text}" if holds else f"  {bad}NO   {text}{plain}")
        rows += [f"       {one}" for one in self.details]
        return "\n".join(rows)


def _kinds(changes: Counter) -> str:
    by_op: Counter = Counter()
    for (_, op), count in changes.items():
        by_op[op] += count
    return ", ".join(f"{by_op[op]:,} {words}" for op, words in KINDS)


def _table_lines(results: list[compare.Result]) -> list[str]:
    return [example for result in results for example in result.examples]


def _same_tables(summary: Summary, what: str, results: list[compare.Result]) -> None:
    for result in results:
        summary.proof(result.wrong == 0, f"{DATABASE}.{result.table}: the source's "
                      f"{result.source:,} rows and {what}'s {result.model:,} are "
                      + ("equal, value by value" if result.wrong == 0 else
                         f"DIFFERENT, in {result.wrong:,} places"), result.examples)


def _archive(folder: Folder, summary: Summary, written: Counter) -> eventlog.EventLog:
    log = eventlog.EventLog(folder.archive, STREAM, DATABASE)
    rows = sum(log.changes.values())
    summary.line("events in the stream", log.events, f"{rows:,} row changes, "
                 f"{log.events - rows:,} of schemas; ordinals {log.first:,} to {log.last:,}")
    summary.line("objects archived", log.objects, f"{log.events:,} events; {log.bytes / 1e6:,.1f} "
                 f"MB as {log.stored / 1e6:,.1f} MB")
    summary.proof(log.changes == written, "every row change that mariadb-binlog counts is in the "
                  "archive, once", [f"binlog {dict(written)}", f"archive {dict(log.changes)}"])
    return log


@contextmanager
def _check_of_archive(folder: Folder) -> Iterator[subprocess.Popen]:
    """Runs beside what is done meanwhile."""
    check = subprocess.Popen([sys.executable, CHECK_ARCHIVE, folder.archive, STREAM], text=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield check
    finally:
        check.kill()
        check.wait()
        check.stderr.close()


def _dead_letters(folder: Folder) -> int:
    path = folder.root / "data" / "dead-letters" / f"{SINK}.db"
    if not path.exists():
        return 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute("select count(*) from letters").fetchone()[0]
    finally:
        connection.close()


def _both(folder: Folder, summary: Summary, log: eventlog.EventLog) -> None:
    connection = compare.connect(str(folder.socket), "site", "demo", DATABASE)
    with connection:
        tables = compare.columns_by_table(connection, DATABASE)
        model = compare.read_model(str(folder.model), DATABASE)
        summary.line("rows in the read model", sum(len(rows) for rows in model.values()),
                     ", ".join(f"{DATABASE}.{table} {len(rows):,}"
                               for table, rows in sorted(model.items())))
        _same_tables(summary, "the read model", compare.compare(connection, tables, model))
        folded = compare.compare(connection, tables, log.tables)
        wrong = sum(result.wrong for result in folded)
        summary.proof(wrong == 0, "the archived events alone, added up, are the source's tables "
                      "too", _table_lines(folded))


def _look(folder: Folder, millstream: Millstream, counts: Counts, summary: Summary) -> None:
    written = eventlog.binlog_changes(folder.mariadb / "data", DATABASE)
    others = "" if sum(written.values()) == counts.total else \
        f" ({counts.total:,} by this run, the others before it or by hand)"
    summary.line("rows written", sum(written.values()), _kinds(written) + others)
    with _check_of_archive(folder) as check:
        log = _archive(folder, summary, written)
        summary.proof(millstream.sum_of_stream() == log.sum.hexdigest(),
                      "the archive's lines are the stream's, byte by byte: no event is missing, "
                      "none comes twice")
        _both(folder, summary, log)
        complaint = check.stderr.read().strip()
        summary.proof(check.wait() == 0, "objects, metadata and manifests are as "
                      "docs/formats/object.md has them", [complaint])
    letters = _dead_letters(folder)
    summary.proof(letters == 0, f"dead letters: {letters or 'none'}")
    for (table, op), count in counts.by_kind().items():
        if written[table, op] < count:
            summary.proof(False, f"the binlog has fewer changes of {table} ({op}) than were "
                          f"committed: {written[table, op]:,} of {count:,}")


def summarise(folder: Folder, millstream: Millstream, counts: Counts) -> Summary:
    """Millstream is stopped, the database runs, nobody writes."""
    summary = Summary()
    try:
        _look(folder, millstream, counts, summary)
    except (Failed, eventlog.Broken, compare.NotComparable, pymysql.Error, sqlite3.Error,
            OSError, KeyError, ValueError) as error:
        summary.proof(False, f"could not be compared: {type(error).__name__}: {error}")
    return summary


def how_to_look(folder: Path, program: Path) -> str:
    """What can be done with a folder that was kept."""
    config = f"--config {quote(f'{folder}/millstream.yaml')}"
    model = quote(f"{folder}/read-model.db")
    objects, kept = f"{quote(str(folder))}/archive/log/{STREAM}", quote(str(folder))
    return f"""Kept in {folder}. To look at it:

  {program} tail {config} --limit 5
  {program} status {config}
  sqlite3 -header {model} 'select id, title, price, _ord from "{DATABASE}.ads" limit 5'
  sqlite3 {model} "select * from search where search match 'rennrad OR bici*' limit 3"
  ls {objects}/*/*/*/*
  zstd -dcq {objects}/*/*/*/*/*.zst | head -n 3
  less {kept}/millstream.log

While the database runs, to look at the source, and to compare the read model with it again:

  mariadb -u root -S {kept}/mariadb/sock {DATABASE}
  {ROOT}/demo/compare.py {kept}
"""
