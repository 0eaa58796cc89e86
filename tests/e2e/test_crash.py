"""The crash test: `run` is killed by SIGKILL under load, again and again, at chosen stages and at random moments. Afterwards nothing
may be lost, doubled or out of order: in the stream, in the archive, in the read model.

Seed, and for each kill the stage that was hit, are printed (pytest -s) and stand in build/test-logs/crash.txt.
MILLSTREAM_SEED repeats a run, as far as moments can be repeated."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from fold import Fold, assert_same_changes, check_ordinals, frozen, parse, parse_all
from harness.load import Load, make_tables

ROOT = Path(__file__).resolve().parents[2]
CHECK_ARCHIVE = ROOT / "tests" / "tools" / "check_archive.py"
REPORT = ROOT / "build" / "test-logs" / "crash.txt"
# how often each is passed in a second or two under load decides how far a kill may count
STAGES = {"append": 40, "acknowledge": 40, "roll": 3, "rolled": 3, "archive-meta": 3, "archive-link": 3,
          "sink-send": 20, "sink-commit": 20, "sink-committed": 20}
ASKED_FOR = ("append", "roll", "archive-link", "sink-commit")  # the issue wants 10 of each


def objects_of(store: Path) -> list[Path]:
    return sorted(path for path in (store / "log").rglob("*.zst"))


def lines_of_archive(store: Path, shards: int) -> list[list[bytes]]:
    """Each shard's lines, in the order of the keys, by the zstd program."""
    lines: list[list[bytes]] = [[] for _ in range(shards)]
    for path in objects_of(store):
        text = subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
        lines[int(path.name[:4])] += text.splitlines(keepends=True)
    return lines


def check_archive(store: Path, stream_text: bytes, shards: int) -> None:
    """The archive's own laws by the independent checker; and it holds each line of the stream once: control records once a shard."""
    checked = subprocess.run([sys.executable, str(CHECK_ARCHIVE), str(store), "changes"], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    wanted = Counter()
    for line in stream_text.splitlines(keepends=True):
        wanted[line] += shards if json.loads(line)["op"] in "ts" else 1
    got = Counter(line for shard in lines_of_archive(store, shards) for line in shard)
    assert got == wanted, (f"{sum((wanted - got).values())} lines of the stream are not in the archive, "
                           f"{sum((got - wanted).values())} are in it too often")


def check_read_model(file: Path, lines: list[dict]) -> None:
    """The documents are the last `after` of each key, and rows without a key are there as often as they should be."""
    docs: dict = {}
    loose: Counter = Counter()
    for line in sorted(lines, key=lambda one: one["ord"]):
        if line["op"] not in "cud":
            continue
        table = (line["db"], line["table"])
        image = frozen(line["before"] if line["op"] == "d" else line["after"])
        if line["key"] is None:
            loose[table + (image,)] += -1 if line["op"] == "d" else 1
        elif line["op"] == "d":
            docs.pop(table + (frozen(line["key"]),), None)
        else:
            docs[table + (frozen(line["key"]),)] = image
    got, got_loose = {}, Counter()
    for db, name, key, doc, copies in sqlite3.connect(file).execute("select source_db, source_table, key, doc, copies from docs"):
        if key.startswith("{"):
            got[(db, name, frozen(parse(key)))] = frozen(parse(doc))
        else:
            got_loose[(db, name, frozen(parse(doc)))] += copies
    assert got == docs
    assert got_loose == +loose


class Killer:
    """Starts `run` and makes it die, by a stage or by a moment."""

    def __init__(self, mill, pick: random.Random):
        self.mill, self.pick, self.hits = mill, pick, Counter()

    def kill_once(self, stage: str | None) -> str:
        env = {}
        if stage:
            env["MILLSTREAM_CRASH"] = f"{stage}:{self.pick.randint(1, STAGES[stage])}"
        self.mill.start("run", env=env)
        end = time.monotonic() + (6 if stage else self.pick.uniform(0.01, 1.2))
        while self.mill.is_running() and time.monotonic() < end:
            time.sleep(0.01)
        hit = "by itself" if not self.mill.is_running() else "moment"
        if self.mill.is_running():
            self.mill.kill()
        self.mill.wait_exit(-signal.SIGKILL)
        self.hits[stage if stage and hit == "by itself" else "moment"] += 1
        return f"{env.get('MILLSTREAM_CRASH', 'moment')} -> {hit}"

    def next_stage(self, number: int) -> str | None:
        """Every third kill at a moment; the others in turn over the stages, those the least hit first."""
        if number % 3 == 2:
            return None
        return min(STAGES, key=lambda stage: (self.hits[stage] // (1 if stage in ASKED_FOR else 2) + self.tried[stage], self.pick.random()))

    tried: Counter = Counter()


def crash_and_check(source, millstream, kills: int, largest: int, shards: int) -> Counter:
    seed = int(os.environ.get("MILLSTREAM_SEED") or random.randrange(10**9))
    pick = random.Random(seed)
    db = source.fresh_database()
    start = source.position()
    # MariaDB tells the GTIDs before any place; MySQL does not, so it is told them: both resume by GTID
    begin = "%s:%d" % start if source.is_mariadb else \
        "gtid:" + source.sql("select replace(@@gtid_executed, '\n', '')")[0][0]
    make_tables(source, db)
    mill = millstream(source, tables=[f"{db}.*"], start=begin,
                      stream={"shards": shards, "segment_size": "1MiB", "batch_size": "64KiB"},
                      archive={"path": "archive", "object_size": "64KiB", "object_age": "1s"},
                      sinks={"model": {"type": "sqlite", "path": "model.db", "batch_count": 50}})
    mill.configure(archive={"path": str(mill.folder / "archive")}, sinks={"model": {"path": str(mill.folder / "model.db")}})
    load = Load(source, db, seed, largest)
    load.start()
    killer = Killer(mill, pick)
    report = [f"seed {seed}, {kills} kills, {type(source).__name__}, {shards} shards"]
    for number in range(kills):
        stage = killer.next_stage(number)
        if stage:
            killer.tried[stage] += 1
        report.append(f"kill {number + 1}: {killer.kill_once(stage)}")
        print(report[-1], flush=True)
    load.finish()
    report.append(f"hits: {dict(killer.hits)}; {load.transactions} transactions")
    print(report[0], report[-1], sep="\n", flush=True)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(report) + "\n")
    mill.role("run", "--until-end", seconds=240)
    text = mill.role("tail", "--from", "oldest", seconds=240).stdout
    lines = parse_all(text)
    check_ordinals(lines)
    assert all(line["ord"] < 1 << 40 for line in lines)  # no new epoch: each resume was proven
    assert_same_changes(lines, source.binlog_rows(start))
    check_archive(mill.folder / "archive", text, shards)
    Fold().add_all(lines).assert_equals(source, db)
    check_read_model(mill.folder / "model.db", lines)
    return killer.hits


@pytest.mark.seconds(400)
def test_kills(mariadb, millstream):
    """The short form: every stage is tried twice, and some moments."""
    hits = crash_and_check(mariadb, millstream, kills=27, largest=2000, shards=3)
    assert sum(hits.values()) == 27


@pytest.mark.long
@pytest.mark.seconds(3000)
@pytest.mark.parametrize("kind", ["mariadb", "mysql9"])
def test_kills_two_hundred_times(request, kind, millstream):
    hits = crash_and_check(request.getfixturevalue(kind), millstream, kills=210, largest=6000, shards=3)
    assert sum(hits.values()) == 210
    assert all(hits[stage] >= 10 for stage in ASKED_FOR), hits
