"""What goes wrong, each with a message that names what, where and the way out, and its exit code."""

import re
import time

import pytest

from fold import Fold, check_ordinals


def place(source) -> str:
    return "%s:%d" % source.position()


def refused(mill, code: str, *wanted: str, role: str = "capture") -> str:
    """Runs a role to its end, checks its exit code and that its message says all that is wanted."""
    done = mill.role(role, "--until-end", expect=code)
    said = done.stderr.decode(errors="replace")
    assert re.search(r"^millstream: ", said, re.M), said
    for text in wanted:
        assert re.search(text, said), f"{text!r} is not in:\n{said}"
    return said


# ---- command line and configuration ----

@pytest.mark.parametrize("arguments, code, said", [
    (["rum"], "USAGE", "there is no command 'rum'"),
    (["run", "--tabels", "x"], "USAGE", "does not know '--tabels'"),
    (["run", "--config"], "USAGE", "--config needs FILE"),
    (["run", "--config", "nowhere.yaml"], "CONFIG", "cannot open the configuration 'nowhere.yaml'"),
    (["run", "--set", "source.prot=1"], "CONFIG", r"no setting 'source.prot'\n  did you mean 'source.port'"),
    (["run", "--start", "yesterday"], "CONFIG", "'source.start' cannot be 'yesterday'"),
    (["tail", "--from", "tomorrow"], "USAGE", "--from takes oldest, latest"),
    (["tail"], "NOT_FOUND", "millstream run"),
    (["archive"], "CONFIG", "'archive.path' is not set"),
    (["deliver"], "CONFIG", "no 'sinks'"),
    (["dead", "list"], "USAGE", "takes two words"),
    (["docs", "nothing"], "USAGE", "configuration|exit-codes|metrics"),
    ([], "USAGE", "^$"),
])
def test_command_lines(millstream, arguments, code, said):
    mill = millstream()
    done = mill.command(*arguments, expect=code)
    assert re.search(said, done.stderr.decode())


def test_a_misspelt_key_is_suggested(millstream):
    mill = millstream(source=None, sorce={"host": "x"})
    done = mill.role("run", expect="CONFIG")
    said = done.stderr.decode()
    assert "millstream.yaml:" in said and "there is no setting 'sorce.host'" in said
    assert "did you mean 'source.host'" in said


# ---- the source ----

def test_wrong_credentials(source, db, millstream):
    mill = millstream(source, tables=[f"{db}.*"])
    mill.configure(source={"password": "wrong"})
    said = refused(mill, "DENIED", "test", "source.password|password")
    assert "wrong" not in said.replace("wrong credentials", "")


def test_nobody_there(millstream, folder):
    mill = millstream(source=None)
    mill.configure(source={"host": "127.0.0.1", "port": 1, "connect_timeout": "2s"})
    refused(mill, "UNREACHABLE", r"127\.0\.0\.1:1")
    mill.configure(source={"socket": str(folder / "none.sock")})
    refused(mill, "UNREACHABLE", "none.sock")


def test_missing_privileges(source, db, millstream):
    user = f"poor_{db}"
    source.sql(f"create user {user}@'%' identified by 'poor'")
    mill = millstream(source, tables=[f"{db}.*"], start=place(source))
    mill.configure(source={"user": user, "password": "poor"})
    refused(mill, "PRIVILEGE", "REPLICATION|BINLOG MONITOR", "GRANT")
    check = mill.check()
    errors = [f for f in check["findings"] if f["level"] == "error"]
    assert any("REPLICATION SLAVE" in f["name"] and f["mend"].startswith("GRANT") for f in errors)
    source.sql(f"drop user {user}@'%'")


@pytest.mark.parametrize("kind, options", [
    ("mariadb", ["--skip-log-bin"]), ("mysql9", ["--skip-log-bin"])])
def test_no_binlog(own_server, millstream, kind, options):
    server = own_server(kind, *options)
    mill = millstream(server)
    refused(mill, "UNFIT", "log_bin", "restart")
    assert mill.check()["fit"] is False


@pytest.mark.parametrize("kind", ["mariadb", "mysql9"])
def test_statements_instead_of_rows(own_server, millstream, kind):
    server = own_server(kind, "--binlog-format=STATEMENT")
    mill = millstream(server)
    refused(mill, "UNFIT", "binlog_format is STATEMENT", "SET GLOBAL binlog_format=ROW")


def test_a_statement_that_changes_rows_stops(source, db, millstream):
    """One session logged as statements: its changes cannot be told."""
    source.sql(f"create table {db}.t (id int primary key)")
    start = place(source)
    source.sql(f"insert into {db}.t values (1)")
    source.sql("set session binlog_format = 'STATEMENT'")
    source.sql(f"insert into {db}.t values (2)")
    source.sql("set session binlog_format = 'ROW'")
    mill = millstream(source, tables=[f"{db}.*"], start=start)
    said = refused(mill, "UNSUPPORTED", "QUERY event at", "insert into", "source.skip")
    # what came before it is in the stream; told to, it goes on behind
    assert [line["after"]["id"] for line in mill.tail() if line["op"] == "c"] == [1]
    source.sql(f"insert into {db}.t values (3)")
    skip = re.search(r'source\.skip: \["([^"]+)"\]', said).group(1)
    mill.configure(source={"skip": [skip]})
    mill.role("capture", "--until-end")
    lines = [line for line in mill.tail() if line["op"] == "c"]
    assert [line["after"]["id"] for line in lines] == [1, 3]
    assert lines[1]["ord"] >= 1 << 40  # the setting decides what is captured: a new epoch


def test_rows_that_are_not_whole_stop(own_server, millstream):
    server = own_server("mariadb", "--binlog-row-image=MINIMAL")
    server.sql("create database d")
    server.sql("create table d.t (id int primary key, v int)")
    server.sql("insert into d.t values (1, 1)")
    server.sql("update d.t set v = 2")
    mill = millstream(server, tables=["d.*"])
    refused(mill, "UNSUPPORTED", "not whole", "binlog_row_image=FULL")


@pytest.mark.parametrize("kind, option, statement, said", [
    ("mysql9", "--binlog-transaction-compression=ON", "insert into d.t values (1, '{}')", "compressed transaction"),
    ("mysql9", "--binlog-row-value-options=PARTIAL_JSON", "update d.t set j = json_set(j, '$.a', 2)", "partial JSON"),
    ("mariadb", "--log-bin-compress=ON --log-bin-compress-min-len=10", "insert into d.t values (1, repeat('x', 500))",
     "compressed event"),
])
def test_what_is_not_decoded_yet_stops(own_server, millstream, kind, option, statement, said):
    server = own_server(kind, *option.split())
    server.sql("create database d")
    server.sql(f"create table d.t (id int primary key, j {'text' if kind == 'mariadb' else 'json'})")
    server.sql("""insert into d.t values (9, '{"a": 1, "b": "long enough to be worth a partial update, or so it seems"}')""")
    server.sql(statement)
    mill = millstream(server, tables=["d.*"])
    refused(mill, "UNSUPPORTED", said, "SET GLOBAL", r"event at binlog\.000001:\d+", "its first bytes")


def test_xa_and_renames_stop(source, db, millstream):
    source.sql(f"create table {db}.t (id int primary key)")
    start = place(source)
    source.sql(f"rename table {db}.t to {db}.u")
    mill = millstream(source, tables=[f"{db}.*"], start=start)
    refused(mill, "UNSUPPORTED", "rename", f"{db}.t")
    start = place(source)
    source.sql("xa start 'a'")
    source.sql(f"insert into {db}.u values (1)")
    source.sql("xa end 'a'")
    source.sql("xa prepare 'a'")
    source.sql("xa commit 'a'")
    mill.configure(source={"start": start}, stream={"name": "two"})
    refused(mill, "UNSUPPORTED", "XA transaction")


def test_a_purged_position(own_server, millstream):
    for kind in ("mariadb", "mysql9"):
        server = own_server(kind)
        server.sql("create database d")
        server.sql("create table d.t (id int primary key)")
        mill = millstream(server, tables=["d.*"])
        mill.role("capture", "--until-end")
        server.sql("insert into d.t values (1)")
        server.sql("flush binary logs")
        server.sql("insert into d.t values (2)")
        server.sql("flush binary logs")
        last = server.position()[0]
        server.sql(f"purge binary logs to '{last}'")
        refused(mill, "PURGED", "binlog.000001", "new one|new stream")


def test_a_source_behind_our_position(own_server, millstream):
    """The server lost its tail, as after a crash without sync_binlog, or was set back."""
    for kind in ("mariadb", "mysql9"):
        server = own_server(kind)
        server.sql("create database d")
        server.sql("create table d.t (id int primary key)")
        server.sql("insert into d.t values (1), (2), (3)")
        mill = millstream(server, tables=["d.*"])
        mill.role("capture", "--until-end")
        server.sql("reset master" if kind == "mariadb" else "reset binary logs and gtids")
        refused(mill, "BEHIND", "ends before that", r"binlog\.000001:\d+ .*binlog\.000001:\d+")


def test_a_second_process(source, db, millstream):
    mill = millstream(source, tables=[f"{db}.*"], start=place(source))
    with mill.running():
        done = mill.role("run", expect="LOCKED")
        said = done.stderr.decode()
        assert str(mill.process.pid) in said


# ---- columns that the binlog does not name ----

@pytest.mark.parametrize("kind, metadata", [
    ("mariadb", "NO_LOG"), ("mariadb", "MINIMAL"), ("mysql9", "MINIMAL")])
def test_names_from_the_information_schema(own_server, millstream, kind, metadata):
    server = own_server(kind, f"--binlog-row-metadata={metadata}")
    server.sql("create database d")
    server.sql("create table d.t (id int unsigned primary key, v varchar(20), e enum('a','b'))")
    server.sql("create table d.later (id int primary key)")
    start = place(server)
    server.sql("insert into d.t values (4294967295, 'ü', 'b')")
    mill = millstream(server, tables=["d.*"], start=start)
    mill.role("capture", "--until-end")
    lines = mill.tail()
    assert [line["after"] for line in lines if line["op"] == "c"] == [
        {"id": 4294967295, "v": "ü", "e": "b"}]
    # a table that is changed after the rows were written: its old columns are not known
    server.sql("insert into d.later values (1)")
    server.sql("alter table d.later add column w int")
    server.sql("insert into d.later values (2, 2)")
    refused(mill, "SCHEMA", "d.later", "binlog_row_metadata=FULL")
    # rows behind the change are right again
    mill.configure(source={"start": place(server)}, stream={"name": "again"})
    server.sql("insert into d.later values (3, 3)")
    mill.role("capture", "--until-end")
    assert [line["after"] for line in mill.tail() if line["op"] == "c"] == [{"id": 3, "w": 3}]


def test_json_of_mariadb_is_proven(mariadb, millstream):
    db = mariadb.fresh_database()
    start = place(mariadb)
    mariadb.sql(f"create table {db}.made (id int primary key, j json, t longtext collate utf8mb4_bin)")
    mariadb.sql(f"""insert into {db}.made values (1, '{{"a": [1, 2]}}', '{{"a": [1, 2]}}')""")
    mariadb.sql(f"drop table {db}.made")
    mill = millstream(mariadb, tables=[f"{db}.*"], start=start)
    mill.role("capture", "--until-end")  # the CREATE went by: both columns are known
    rows = [line["after"] for line in mill.tail() if line["op"] == "c"]
    assert rows == [{"id": 1, "j": {"a": [1, 2]}, "t": '{"a": [1, 2]}'}]
    # made before the start and dropped since: nobody can tell, unless the operator does
    mariadb.sql(f"create table {db}.unknown (id int primary key, j json)")
    later = place(mariadb)
    mariadb.sql(f"insert into {db}.unknown values (1, '[1]')")
    mariadb.sql(f"drop table {db}.unknown")
    mill.configure(source={"start": later}, stream={"name": "two"})
    refused(mill, "SCHEMA", "holds JSON", f"{db}.unknown.j")
    mill.configure(source={"json_columns": [f"{db}.unknown.j"]})
    mill.role("capture", "--until-end")
    assert [line["after"] for line in mill.tail() if line["op"] == "c"] == [{"id": 1, "j": [1]}]


# ---- connections that break ----

def test_the_server_restarts(own_server, millstream):
    for kind in ("mariadb", "mysql9"):
        server = own_server(kind)
        server.sql("create database d")
        server.sql("create table d.t (id int primary key)")
        mill = millstream(server, tables=["d.*"])
        with mill.running():
            server.sql("insert into d.t values (1)")
            mill.wait_for_lines(1)
            server.restart()
            server.sql("insert into d.t values (2)")
            mill.wait_for_lines(2, seconds=60)
            server.kill()
            server.start()
            server.sql("insert into d.t values (3)")
            lines = mill.wait_for_lines(3, seconds=60)
        check_ordinals(lines)
        Fold().add_all(lines).assert_equals(server, "d")


def dump_threads(server) -> list[int]:
    """By SHOW: a query of information_schema.processlist while threads come and go has crashed MariaDB 10.11.19."""
    return [row[0] for row in server.sql("show processlist") if row[4].startswith("Binlog Dump")]


def test_the_dump_is_killed_inside_a_transaction(own_server, millstream):
    """Again and again, while a large transaction is received: each row arrives once."""
    server = own_server("mariadb")
    server.sql("create database d")
    server.sql("create table d.t (id int primary key, v varchar(400))")
    mill = millstream(server, tables=["d.*"], stream={"batch_size": "64KiB"})
    with server.transaction("d") as cursor:
        for chunk in range(60):
            cursor.executemany("insert into t values (%s, %s)",
                               [(chunk * 1000 + i, "x" * 300) for i in range(1000)])
    with mill.running():
        kills = 0
        deadline = time.monotonic() + 20
        while kills < 8 and time.monotonic() < deadline:
            for thread in dump_threads(server):
                try:
                    server.sql(f"kill {thread}")
                    kills += 1
                except Exception:  # it is gone already
                    pass
        lines = mill.wait_for_lines(60000, seconds=60)
    assert kills > 0
    check_ordinals(lines)
    Fold().add_all(lines).assert_equals(server, "d")
