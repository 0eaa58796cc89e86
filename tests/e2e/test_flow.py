"""The whole flow in one process: source, stream, archive, read models, console, commands."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fold import Fold, check_ordinals
from harness.load import Load, make_tables
from harness.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]


def place(source) -> str:
    return "%s:%d" % source.position()


def documents(file: Path, db: str, table: str) -> dict[str, dict]:
    rows = sqlite3.connect(file).execute(
        "select key, doc from docs where source_db = ? and source_table = ?", (db, table))
    return {key: json.loads(doc) for key, doc in rows}


def flow(mill, **sinks):
    """Archive and sinks in the program's folder."""
    return mill.configure(archive={"path": str(mill.folder / "archive"), "object_age": "1s"},
                          sinks={"model": {"type": "sqlite", "path": str(mill.folder / "model.db")}, **sinks})


def test_a_row_goes_all_the_way(source, db, millstream):
    source.sql(f"create table {db}.ads (id int primary key, title varchar(80), price decimal(10,2), attributes json)")
    mill = flow(millstream(source, tables=[f"{db}.*"], start=place(source)))
    model = mill.folder / "model.db"
    with mill.running():
        source.sql(f"""insert into {db}.ads values (1, 'Größe 46, rot', 12.50, '{{"gears": 21}}')""")
        mill.wait_for_lines(1)
        wait_until(lambda: documents(model, db, "ads"), what="the read model has it")
        assert documents(model, db, "ads") == {'{"id":1}': {
            "id": 1, "title": "Größe 46, rot", "price": 12.5, "attributes": {"gears": 21}}}
        found = sqlite3.connect(model).execute(
            "select source_table from search join docs on docs.id = search.rowid where search match 'grosse OR große'"
        ).fetchall()
        assert found == [("ads",)]
        wait_until(lambda: list((mill.folder / "archive").rglob("*.zst")), what="the archive has it")
        source.sql(f"update {db}.ads set price = 9 where id = 1")
        wait_until(lambda: documents(model, db, "ads")['{"id":1}']["price"] == 9, what="the update arrives")
        source.sql(f"delete from {db}.ads")
        wait_until(lambda: not documents(model, db, "ads"), what="the delete arrives")
    archived = b"".join(subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
                        for path in sorted((mill.folder / "archive").rglob("*.zst")))
    assert [json.loads(line) for line in archived.splitlines()] == [
        json.loads(line) for line in mill.role("tail").stdout.splitlines()]


@pytest.mark.parametrize("form, program", [("zstd", ["zstd", "-dcq"]), ("gzip", ["gzip", "-dc"])])
def test_the_archive_holds_the_stream(mariadb, millstream, form, program):
    db = mariadb.fresh_database()
    start = place(mariadb)
    make_tables(mariadb, db)
    mill = flow(millstream(mariadb, tables=[f"{db}.*"], start=start, stream={"shards": 2}))
    mill.configure(archive={"format": form, "object_size": "64KiB"})
    load = Load(mariadb, db, seed=1)
    load.start()
    with mill.running():
        mill.wait_for_lines(5000, seconds=60)
        load.finish()
    mill.role("run", "--until-end")
    lines = [json.loads(line) for line in mill.role("tail").stdout.splitlines()]
    archived: dict[int, list] = {0: [], 1: []}
    suffix = {"zstd": "*.zst", "gzip": "*.gz"}[form]
    for path in sorted((mill.folder / "archive" / "log").rglob(suffix)):
        text = subprocess.run([*program, str(path)], capture_output=True, check=True).stdout
        archived[int(path.name[:4])] += [json.loads(line) for line in text.splitlines()]
    both = {json.dumps(line) for shard in archived.values() for line in shard}
    assert both == {json.dumps(line) for line in lines}
    assert sum(len(shard) for shard in archived.values()) == sum(2 if line["op"] in "ts" else 1 for line in lines)
    for shard in archived.values():
        assert [line["ord"] for line in shard] == sorted(line["ord"] for line in shard)
    subprocess.run([sys.executable, str(ROOT / "tests/tools/check_archive.py"), str(mill.folder / "archive"), "changes"],
                   check=True, capture_output=True)


def test_retention_never_passes_the_archive(mariadb, millstream):
    """Segments are dropped once they are archived, and not before; a stream above its size limit pauses the capture."""
    db = mariadb.fresh_database()
    start = place(mariadb)
    mariadb.sql(f"create table {db}.t (id int auto_increment primary key, v varchar(255))")
    mill = flow(millstream(mariadb, tables=[f"{db}.*"], start=start))
    mill.configure(stream={"segment_size": "1MiB", "retention_size": "3MiB", "compression": "off", "batch_size": "64KiB"})
    for _ in range(60):
        mariadb.sql(f"insert into {db}.t (v) values {', '.join(['(uuid())'] * 500)}")
    # without the archive nothing may go: the capture pauses at the limit, and says so
    mill.start("capture")
    mill.wait_for(lambda status: any("full" in stage["text"] for stage in status["stages"]), seconds=60)
    assert mill.get("/healthz")[0] == 200
    paused = mill.status()["stream"]["next_ordinal"]
    assert paused < 30000
    mill.stop()
    # with it, everything goes through
    mill.role("run", "--until-end", seconds=90)
    archived = 0
    for path in (mill.folder / "archive" / "log").rglob("*.zst"):
        archived += subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout.count(b"\n")
    rows = mariadb.sql(f"select count(*) from {db}.t")[0][0]
    assert archived >= rows
    first = json.loads(mill.role("status", "--json").stdout)["stream"]["first_ordinal"]
    assert first > 0  # something was dropped
    # who asks for what is gone is told, and a consumer that is behind does not jump
    done = mill.role("tail", "--from", "0", expect="TRIMMED")
    assert b"0" in done.stderr
    mill.configure(sinks={"late": {"type": "sqlite", "path": str(mill.folder / "late.db")}})
    done = mill.role("deliver", "--until-end", expect="TRIMMED")
    assert b"late" in done.stderr


def test_tail_finds_its_place(mariadb, millstream):
    db = mariadb.fresh_database()
    start = place(mariadb)
    mariadb.sql(f"create table {db}.a (id int primary key)")
    mariadb.sql(f"create table {db}.b (id int primary key)")
    for i in range(10):
        mariadb.sql(f"insert into {db}.{'ab'[i % 2]} values ({i})")
    mill = millstream(mariadb, tables=[f"{db}.*"], start=start, stream={"shards": 3})
    mill.role("capture", "--until-end")
    everything = mill.tail()
    check_ordinals(everything)
    assert [line["ord"] for line in mill.tail(start="5")] == [line["ord"] for line in everything][5:]
    assert {line["table"] for line in mill.tail(table=f"{db}.b")} == {"b"}
    assert mill.tail("--limit", "3") == everything[:3]
    assert mill.tail(start="latest") == []
    assert mill.tail(start="2020-01-01T00:00:00Z") == everything
    follow = subprocess.Popen([sys.argv[0] and str(mill_binary()), "tail", "--config", str(mill.config), "--follow"],
                              stdout=subprocess.PIPE, cwd=mill.folder)
    with mill.running():
        mariadb.sql(f"insert into {db}.a values (100)")
        line = json.loads(follow.stdout.readline())
        assert line["after"] == {"id": 100}
    follow.terminate()
    assert follow.wait(10) == 0


def mill_binary() -> Path:
    from harness.millstream import BINARY
    return BINARY


def test_status_metrics_and_health(mariadb, millstream):
    db = mariadb.fresh_database()
    start = place(mariadb)
    mariadb.sql(f"create table {db}.t (id int primary key)")
    mill = flow(millstream(mariadb, tables=[f"{db}.*"], start=start))
    with mill.running():
        mariadb.sql(f"insert into {db}.t values (1), (2)")
        mill.wait_for_lines(2)
        status = mill.wait_for(lambda s: s["stream"]["next_ordinal"] >= 4 and s)
        assert {stage["kind"] for stage in status["stages"]} == {"capture", "log", "archive", "sink"}
        assert all(stage["state"] == "running" for stage in status["stages"])
        code, metrics = mill.get("/metrics")
        assert code == 200 and re.search(rb'millstream_events_total\{stage="capture"\} [1-9]', metrics)
        assert mill.get("/healthz") == (200, b'{"status":"ok"}') or mill.get("/healthz")[0] == 200
        code, page = mill.get("/")
        assert code == 200 and b"<html" in page
        assert json.loads(mill.role("status", "--json").stdout)["stream"]["name"] == "changes"
        assert b"capture" in mill.role("status").stdout
    offline = json.loads(mill.role("status", "--json").stdout)
    assert offline["running"] is False and offline["stream"]["next_ordinal"] >= 4


@pytest.mark.seconds(300)
def test_opensearch_follows(mariadb, opensearch, millstream):
    """Upserts, deletes, truncates; the target away for a while; a document that it refuses, mended and replayed."""
    db = mariadb.fresh_database()
    start = place(mariadb)
    mariadb.sql(f"create table {db}.ads (id int primary key, title varchar(80), n varchar(20))")
    mariadb.sql(f"create table {db}.other (id int primary key)")
    mill = flow(millstream(mariadb, tables=[f"{db}.*"], start=start),
                shop={"type": "elasticsearch", "url": opensearch.url, "tables": [f"{db}.*"], "retry_max": "1s"})
    index = f"{db}.ads"
    opensearch.request("PUT", f"/{index}", {"mappings": {"properties": {"n": {"type": "integer"}}}})

    def titles() -> dict:
        return {key: doc["title"] for key, doc in opensearch.documents(index).items()}

    with mill.running():
        mariadb.sql(f"insert into {db}.ads values (1, 'eins', '1'), (2, 'zwei', '2'), (3, 'drei', '3')")
        mariadb.sql(f"update {db}.ads set title = 'ZWEI' where id = 2")
        mariadb.sql(f"delete from {db}.ads where id = 1")
        wait_until(lambda: titles() == {"2": "ZWEI", "3": "drei"}, 30, lambda: str(titles()))
        # away for a while
        opensearch.pause()
        mariadb.sql(f"insert into {db}.ads values (4, 'vier', '4')")
        mill.wait_for_lines(6)
        opensearch.resume()
        wait_until(lambda: "4" in titles(), 60, lambda: str(titles()))
        # refused: the others go on
        mariadb.sql(f"insert into {db}.ads values (5, 'fünf', 'no number'), (6, 'sechs', '6')")
        wait_until(lambda: "6" in titles(), 30, lambda: str(titles()))
        assert "5" not in titles()
        listed = mill.role("dead", "list", "shop", "--json").stdout.splitlines()
        assert len(listed) == 1 and json.loads(listed[0])["event"]["after"]["title"] == "fünf"
        # mended in the source: the letter is superseded, a replay changes nothing
        mariadb.sql(f"update {db}.ads set n = '5', title = 'FÜNF' where id = 5")
        wait_until(lambda: titles().get("5") == "FÜNF", 30, lambda: str(titles()))
        mill.role("dead", "replay", "shop")
        wait_until(lambda: titles().get("5") == "FÜNF", 10, lambda: str(titles()))
        mariadb.sql(f"truncate table {db}.ads")
        mariadb.sql(f"insert into {db}.ads values (7, 'sieben', '7')")
        wait_until(lambda: titles() == {"7": "sieben"}, 30, lambda: str(titles()))
    Fold().add_all(mill.tail()).assert_equals(mariadb, db)


def test_a_signal_that_comes_twice_at_once_is_one(mariadb, millstream):
    """As timeout(1) sends it: to the process, and to the group that it is in."""
    mill = flow(millstream(mariadb, start="now"))
    mill.start()
    mill.wait_ready()
    mill.process.terminate()
    mill.wait_for_log("stopping")
    mill.process.terminate()
    mill.wait_exit("OK")
    assert "INFO  stopped" in mill.log_text()


def test_status_of_what_does_not_run(mariadb, millstream):
    db = mariadb.fresh_database()
    mill = flow(millstream(mariadb, tables=[f"{db}.*"], start=place(mariadb)))
    with mill.running():
        mill.wait_ready()
    assert "no events, 0 is the next" in mill.role("status").stdout.decode()
    with mill.running():
        mariadb.sql(f"create table {db}.t (id int primary key)")
        mariadb.sql(f"insert into {db}.t values (1)")
        lines = mill.wait_for_lines(1)
    text = mill.role("status").stdout.decode()
    assert f"not running\nstream changes: events 0 to {len(lines) - 1}, " in text
    assert "consumers" not in text
