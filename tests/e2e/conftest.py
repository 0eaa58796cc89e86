"""Fixtures of the end-to-end tests; docs/TESTING.md shows how to use them.

Servers are started once per session, when a test first asks for them, and stopped at the end, also
after Ctrl-C, SIGTERM or a failure; should pytest itself be killed, they end with it.
"""

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from harness.millstream import Millstream
from harness.servers import (KINDS, Database, MariaDb, MySql9, OpenSearch, Server,
                             ServerFailed)

SECONDS = 120
KEPT = Path(__file__).resolve().parents[2] / "build" / "test-logs" / "e2e"  # logs of failures
PREFIX = "millstream-e2e-"
SOURCES = [
    pytest.param("mariadb"), pytest.param("mysql9"),
    pytest.param("mariadb11", marks=pytest.mark.long),
    pytest.param("mysql80", marks=pytest.mark.long),
]


class TestTimeOver(Exception):
    pass


def _interrupt(_number, _frame):
    raise KeyboardInterrupt


def pytest_configure(config):
    shutil.rmtree(KEPT, ignore_errors=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _limit(item) -> float:
    marker = item.get_closest_marker("seconds")
    return marker.args[0] if marker else SECONDS


def _limited(item, seconds: float):
    def over(_number, _frame):
        raise TestTimeOver(f"{item.name} takes longer than {seconds:g} s")
    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    yield from _limited(item, _limit(item))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the ends of the logs of what the test ran; the whole of them is kept."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        kept = KEPT / re.sub(r"[^\w.-]+", "-", item.nodeid)
        for number, (title, path) in enumerate(getattr(item, "logs", [])):
            if path.exists():
                kept.mkdir(parents=True, exist_ok=True)
                copy = shutil.copyfile(path, kept / f"{number}-{title}")
                text = path.read_text(errors="replace")[-3000:]
                report.sections.append((f"{title}, end of {copy}", text))


def _remove_left_behind() -> None:
    """Folders of sessions that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        found = re.fullmatch(PREFIX + r"(\d+)-.*", folder.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """The session's folder. Short, since sockets lie in it."""
    _remove_left_behind()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Servers:
    """The session's servers by kind."""

    def __init__(self, scratch: Path):
        self.scratch, self.started = scratch, {}
        self.failed: dict[str, ServerFailed] = {}

    def get(self, kind: str) -> Server:
        if kind in self.failed:  # not tried again by every test
            raise self.failed[kind]
        if kind not in self.started:
            (self.scratch / kind).mkdir()
            self.started[kind] = KINDS[kind](self.scratch / kind)
        server = self.started[kind]
        if not server.is_running():
            try:
                server.start()
            except ServerFailed as failed:
                self.failed[kind] = failed
                raise
        return server

    def stop(self) -> None:
        for server in self.started.values():
            server.kill() if isinstance(server, OpenSearch) else server.stop()


@pytest.fixture(scope="session")
def servers(scratch) -> Iterator[Servers]:
    all_servers = Servers(scratch)
    yield all_servers
    all_servers.stop()


def _get(request, servers: Servers, kind: str) -> Server:
    server = servers.get(kind)
    attach(request, kind, server.log)
    return server


def attach(request, title: str, path: Path) -> None:
    """Shows the end of a log when the test fails."""
    request.node.logs = getattr(request.node, "logs", []) + [(title, path)]


@pytest.fixture
def mariadb(request, servers) -> MariaDb:
    """MariaDB 10.11, shared: tables go into a database of the test's own (`fresh_database`)."""
    return _get(request, servers, "mariadb")


@pytest.fixture
def mysql9(request, servers) -> MySql9:
    """MySQL 9, shared."""
    return _get(request, servers, "mysql9")


@pytest.fixture
def opensearch(request, servers) -> OpenSearch:
    """OpenSearch, shared."""
    return _get(request, servers, "opensearch")


@pytest.fixture(params=SOURCES)
def source(request, servers) -> Database:
    """Every kind of source in turn: a test that uses it runs once with each."""
    return _get(request, servers, request.param)


@pytest.fixture
def db(source) -> Iterator[str]:
    """A database of the test's own on `source`."""
    name = source.fresh_database()
    yield name
    if source.is_running():
        source.sql(f"drop database if exists {name}")


@pytest.fixture
def folder(scratch, request) -> Iterator[Path]:
    """A folder of the test's own."""
    path = Path(tempfile.mkdtemp(prefix="test-", dir=scratch))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def own_server(request, folder):
    """Makes servers for this test alone: own_server("mariadb", "--binlog-row-image=MINIMAL")."""
    made = []

    def make(kind: str, *options: str) -> Server:
        path = folder / f"{kind}-{len(made)}"
        path.mkdir()
        made.append(KINDS[kind](path, *options))
        attach(request, kind, made[-1].log)
        return made[-1].start()
    yield make
    for server in made:
        server.kill()


@pytest.fixture
def millstream(request, folder):
    """Makes the program under test: millstream(source, tables=[...], start=..., archive={...}).
    `tables` and `start` are settings of the source; the others are sections of config.def."""
    made = []

    def make(source: Database | None = None, tables: list[str] | None = None,
             start: str | None = None, **settings) -> Millstream:
        mill = Millstream(folder / f"mill-{len(made)}", source, settings)
        if tables:
            mill.configure(source={"tables": tables})
        if start:
            mill.configure(source={"start": start})
        made.append(mill)
        attach(request, "millstream", mill.log)
        return mill
    yield make
    for mill in made:
        mill.end()
