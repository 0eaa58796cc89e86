"""The room mysql alone, through tests/tools/source: connections, the dump's positions, refusals,
schemas, the fitness check. Positions are compared with the server's own files, read by size."""

import re
import struct
import subprocess
import time
from pathlib import Path

import pytest

import build
from harness.codes import CODES
from harness.wait import wait_until

TARGET = "tests/tools/source"
PROGRAM = build.folder("asan") / TARGET
ACCOUNT = ("--user=test", "--password=test")


@pytest.fixture(scope="module", autouse=True)
def program() -> None:
    build.compile_targets("asan", TARGET)


def begin(source, *words: str) -> subprocess.Popen:
    return subprocess.Popen([PROGRAM, f"--socket={source.socket}", *words], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(source, *words: str, code: str = "OK") -> list[str]:
    """Lines of its output; with another code, those of its fault."""
    done = subprocess.run([PROGRAM, f"--socket={source.socket}", *words], text=True, timeout=60,
                          capture_output=True, check=False)
    assert done.returncode == CODES[code], done.stdout[-2000:] + done.stderr
    return (done.stdout if code == "OK" else done.stderr).splitlines()


def real_events(log: Path) -> list[tuple]:
    """File, begin, end and size of every event of a binlog file."""
    content = log.read_bytes()
    events, pos = [], 4
    while pos < len(content):
        size = struct.unpack_from("<I", content, pos + 9)[0]
        events.append((log.name, pos, pos + size, size))
        pos += size
    return events


def dumped_events(source, *words: str) -> list[tuple]:
    """The same as the dump tells it, artificial events left out."""
    lines = [line.split() for line in run(source, "--end", *words) if "artificial" not in line]
    return [(line[0], int(line[1]), int(line[2]), int(line[4])) for line in lines]


def compare(source, first: str) -> None:
    """Dump and files are the same. MariaDB adds a checkpoint when it likes to: up to now."""
    end = source.position()
    wanted = [event for log in source.logs() if log.name >= first for event in real_events(log)]
    wanted = [event for event in wanted if event[:2] < end]
    got = dumped_events(source, "--annotate", "dump", first, "4")
    assert [event for event in got if event[:2] < end] == wanted
    without = dumped_events(source, "dump", first, "4")
    without = [event for event in without if event[:2] < end]
    assert set(without) <= set(wanted)
    assert (len(without) < len(wanted)) == source.is_mariadb  # annotations


def make_events(source, db: str) -> None:
    source.sql(f"create table {db}.t (id int primary key auto_increment, v mediumblob)")
    source.sql(f"insert into {db}.t (v) values ('a'), ('b')")
    source.sql(f"insert into {db}.t (v) select repeat('x', 1000000) from {db}.t")
    source.sql(f"update {db}.t set v = 'c' where id = 1")
    source.sql(f"delete from {db}.t where id = 2")


def new_file(source) -> str:
    source.sql("flush binary logs")
    return source.position()[0]


def make_account(source, name: str, *privileges: str) -> tuple[str, str]:
    source.sql(f"drop user if exists '{name}'@'%'")
    source.sql(f"create user '{name}'@'%' identified by 'secret'")
    for privilege in privileges:
        source.sql(f"grant {privilege} to '{name}'@'%'")
    return f"--user={name}", "--password=secret"


# ---- events and their places ----

def test_every_event_has_its_place(source, db):
    first = new_file(source)
    make_events(source, db)
    new_file(source)
    source.sql(f"insert into {db}.t (v) values ('in the next file')")
    compare(source, first)


def test_events_without_checksums(source, db):
    try:
        source.sql("set global binlog_checksum = NONE")
        first = new_file(source)
        make_events(source, db)
        source.sql("set global binlog_checksum = CRC32")
        source.sql(f"insert into {db}.t (v) values ('summed')")
        compare(source, first)
        for _, pos, _, _ in real_events(source.folder / "data" / first)[1:]:
            assert dumped_events(source, "--annotate", "dump", first, str(pos))[0][1] == pos
    finally:
        source.sql("set global binlog_checksum = CRC32")


def test_an_event_of_more_than_a_packet(source, db):
    source.sql("set global max_allowed_packet = 67108864")
    first = new_file(source)
    source.sql(f"create table {db}.t (id int primary key, v longblob)")
    with source.connect(max_allowed_packet=67108864) as connection, connection.cursor() as cursor:
        cursor.execute(f"insert into {db}.t values (1, repeat('x', 40000000))")
    compare(source, first)
    said = run(source, "--max=30000000", "--end", "dump", first, "4", code="LIMIT")
    assert re.search(r"an event WRITE_ROWS\w* of 400000\d\d bytes at " + first, said[-2])
    assert said[-1] == "hint: raise source.max_row"


def test_a_start_at_a_gtid(source, db):
    source.sql(f"create table {db}.t (id int primary key)")
    before = run(source, "server")[-1].split()
    source.sql(f"insert into {db}.t values (1)")
    lines = [line.split() for line in run(source, "--end", "dump", "gtid", before[3].strip("[]"))]
    first = next(line for line in lines if line[3] in ("GTID", "MARIADB_GTID"))
    assert first[:2] == before[1:3]


def test_gtids_that_the_server_does_not_have(source):
    beyond = ["0-1-4000000000", "7-1-1"] if source.is_mariadb else [
        source.sql("select @@server_uuid")[0][0] + ":1-4000000000",
        "00000000-1111-2222-3333-444444444444:1"]
    for gtids in beyond:
        said = run(source, "dump", "gtid", gtids, code="BEHIND")
        assert "does not have all of the GTIDs" in said[0] and said[1].startswith("hint: ")


@pytest.mark.parametrize("place, code, said", [
    (("binlog.000000", "4"), "PURGED", "no longer has binlog.000000"),
    (("binlog.900000", "4"), "BEHIND", "has no binlog.900000 yet"),
    (("end", "90000000"), "BEHIND", "ends at"),
])
def test_places_that_are_not_there(source, place, code, said):
    file = source.position()[0] if place[0] == "end" else place[0]
    lines = run(source, "dump", file, place[1], code=code)
    assert said in lines[0] and lines[1].startswith("hint: ")


# ---- the connection while it dumps ----

def dumps(source) -> set[int]:
    """The connections that dump; those of tests before may take a while to end."""
    return {row[0] for row in source.sql("select id from information_schema.processlist "
                                         "where command like 'Binlog Dump%'")}


def begin_dump(source, *words: str) -> tuple[subprocess.Popen, int]:
    """Starts one, waits until the server has it, and says its connection's id."""
    known = dumps(source)
    process = begin(source, "--quiet", *words, "dump", source.position()[0], "4")
    return process, wait_until(lambda: dumps(source) - known, 10, "a dump has begun").pop()


def end_of(process: subprocess.Popen, code: str) -> str:
    _, said = process.communicate(timeout=30)
    assert process.returncode == CODES[code], said
    return said


def test_a_dump_that_is_killed(source):
    for how in ("kill", "kill query"):
        process, connection = begin_dump(source, "--id=801")
        source.sql(f"{how} {connection}")
        end_of(process, "UNREACHABLE")


def test_a_second_replica_of_the_same_id(source):
    older, _ = begin_dump(source, "--id=802")
    newer, _ = begin_dump(source, "--id=802")
    assert "source.server_id" in end_of(older, "CONFLICT")
    newer.terminate()
    end_of(newer, "STOPPED")


def test_a_server_that_falls_silent(source):
    process, _ = begin_dump(source, "--heartbeat=200", "--id=803")
    time.sleep(0.7)
    assert process.poll() is None  # heartbeats keep it
    source.pause()
    try:
        assert "missed 3 heartbeats in 600 ms" in end_of(process, "UNREACHABLE")
    finally:
        source.resume()


@pytest.mark.parametrize("kind", ["mariadb", "mysql9"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_ends(own_server, kind, how):
    server = own_server(kind)
    process, _ = begin_dump(server)
    getattr(server, how)()
    end_of(process, "UNREACHABLE")


# ---- connecting ----

def test_tls_is_demanded_and_checked(mysql9, mariadb):
    def tcp(server, *words, code="OK"):
        return run(server, "--socket=", f"--port={server.port}", *words, "server", code=code)
    assert tcp(mysql9, "--tls=required")[0].endswith("over TLSv1.3")
    assert "over" not in tcp(mysql9, "--tls=off")[0]
    authority = f"--ca={mysql9.folder}/data/ca.pem"
    said = tcp(mysql9, "--tls=verify", authority, code="DENIED")  # its name is not in there
    assert "hint: source.tls_ca must name" in said[-1]
    tcp(mysql9, "--tls=verify", code="DENIED")
    assert "over" not in tcp(mariadb, "--tls=preferred")[0]  # has no certificate
    said = tcp(mariadb, "--tls=required", code="DENIED")
    assert "set up TLS on the server" in said[-1]


def test_an_account_without_privileges(source, db):
    source.sql(f"create table {db}.t (id int primary key)")
    nobody = make_account(source, "nobody")
    place = [source.position()[0], "4"]
    monitor = "BINLOG MONITOR" if source.is_mariadb else "REPLICATION CLIENT"
    said = run(source, *nobody, "server", code="PRIVILEGE")
    assert said[-1] == f"hint: GRANT {monitor} ON *.* TO 'nobody'@'%'"
    said = run(source, *nobody, "dump", *place, code="PRIVILEGE")
    assert said[-1] == "hint: GRANT REPLICATION SLAVE ON *.* TO 'nobody'@'%'"
    said = run(source, *nobody, "schema", db, "t", code="NOT_FOUND")
    assert said[-1].endswith(f"GRANT SELECT ON `{db}`.`t` TO 'nobody'@'%'")
    source.sql("grant replication slave on *.* to 'nobody'@'%'")
    run(source, *nobody, "--end", "--quiet", "dump", *place)


# ---- schemas ----

def test_columns_as_the_binlog_has_them(source, db):
    source.sql(f"create table {db}.t (a int unsigned, `we``ird` json, z varchar(9) character set "
               "latin1 not null, l longtext, primary key (z, a))")
    reader = make_account(source, "reader", f"select on {db}.t")
    for account in (ACCOUNT, reader):  # whoever sees the table sees what is JSON
        lines = run(source, *account, "schema", db, "t")
        assert [line.split(" | ")[0] for line in lines] == ["a", "we`ird", "z", "l"]
        assert [line.split()[-1] for line in lines] == ["2", "0", "1", "0"]
        assert [" json" in line.split("|")[3] for line in lines] == [False, True, False, False]
        assert [" null" in line.split("|")[3] for line in lines] == [False, True, False, True]
        assert "unsigned" in lines[0] and "| latin1 |" in lines[2]


# ---- the fitness check ----

def findings(source, *words: str) -> tuple[dict[str, str], list[str]]:
    """Level by name, and the mendings."""
    lines = run(source, *words)
    levels = {re.match(r"(\S+) +([^:]+):", line)[2]: line.split()[0]
              for line in lines if line[0] != " "}
    return levels, [line.strip()[3:] for line in lines if line[0] == " "]


BAD = {
    "mariadb": ("--binlog-format=MIXED", "--binlog-row-image=MINIMAL",
                "--binlog-row-metadata=NO_LOG", "--binlog-checksum=NONE", "--log-bin-compress=ON",
                "--binlog-expire-logs-seconds=3600"),
    "mysql9": ("--binlog-format=STATEMENT", "--binlog-row-image=NOBLOB", "--binlog-checksum=NONE",
               "--binlog-row-metadata=MINIMAL", "--binlog-transaction-compression=ON",
               "--binlog-row-value-options=PARTIAL_JSON", "--binlog-expire-logs-seconds=3600",
               "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF", "--server-id=0"),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_what_the_check_finds_can_be_mended_as_it_says(own_server, kind):
    server = own_server(kind, *BAD[kind])
    server.sql("create database d")
    server.sql("create table d.nokey (v int)")
    server.sql("create table d.old (id int primary key) engine = myisam")
    app = make_account(server, "app", "insert on d.*")
    levels, mendings = findings(server, *app, "check", "d.*")
    for name in ("binlog_format", "privilege REPLICATION SLAVE", "privilege SELECT"):
        assert levels[name] == "ERROR"
    for name in ("binlog_row_image", "binlog_row_metadata", "binlog_checksum", "storage engines",
                 "binlog_expire_logs_seconds", "tables without a primary key"):
        assert levels[name] == "warning"
    for mending in mendings:
        for statement in mending.split(" -- ")[0].removesuffix(" (and on the others)").split("; "):
            if re.match("SET|GRANT|ALTER", statement):
                server.sql(statement.rstrip(";"))
    server.sql("grant select on d.* to 'app'@'%'")
    levels, mendings = findings(server, *app, "check", "d.*")
    assert {name: level for name, level in levels.items() if level != "ok"} == {}, mendings


def test_a_fit_source(source, db):
    source.sql(f"create table {db}.t (id int primary key)")
    levels, _ = findings(source, "check", f"{db}.*")
    assert len(levels) > 15 and not {"ERROR", "warning"} & set(levels.values()), levels


def test_tables_that_cannot_be_captured_in_full(source, db):
    source.sql(f"create table {db}.parent (id int primary key)")
    source.sql(f"create table {db}.child (id int primary key, p int, foreign key (p) references "
               f"{db}.parent (id) on delete cascade)")
    source.sql(f"create table {db}.place (id int primary key, p point, t text character set utf16)")
    lines = run(source, "check", f"{db}.*")
    cascades = next(line for line in lines if "foreign keys that cascade" in line)
    logged = not source.is_mariadb and not source.version.startswith("8.")
    assert cascades.startswith("ok" if logged else "warning")
    assert logged or f"{db}.child (" in cascades
    types = next(line for line in lines if "column types" in line)
    assert types.startswith("ERROR") and f"{db}.place (p point), {db}.place (t text utf16)" in types
    lines = run(source, "check", "nothing.*")
    assert any(line.startswith("ok") and "column types" in line for line in lines)
