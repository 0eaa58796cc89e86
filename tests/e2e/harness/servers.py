"""Real servers, started by tests/servers/start-NAME.sh on free ports with folders of their own.

Every server ends with the process that started it (MILLSTREAM_OWNER), however that ends.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import pymysql

from harness.binlog import Binlog, read_changes
from harness.wait import wait_until

SCRIPTS = Path(__file__).resolve().parents[2] / "servers"
START_SECONDS = 900  # a first start downloads


class ServerFailed(Exception):
    pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server process. `options` go to the server as they are."""

    script = ""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.options = folder, options
        self.port = free_port()
        self.log = folder / "log"

    def start(self) -> "Server":
        """Starts it, on the data that is there; returns when it answers."""
        command = [SCRIPTS / f"start-{self.script}.sh", self.folder, str(self.port), *self.options]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=START_SECONDS, check=False,
                              env={**os.environ, "MILLSTREAM_OWNER": str(os.getpid())})
        if done.returncode != 0:
            raise ServerFailed(f"{self.script}: {done.stdout}{done.stderr}")
        return self

    @property
    def pid(self) -> int | None:
        try:
            return int((self.folder / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def is_running(self) -> bool:
        """A zombie is not running: somebody else may be its parent, and slow."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    def _end(self, number: int) -> None:
        if self.is_running():
            os.kill(self.pid, number)
            wait_until(lambda: not self.is_running(), 60, f"{self.script} has ended")
        (self.folder / "pid").unlink(missing_ok=True)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut ends it."""
        self._end(signal.SIGKILL)

    def restart(self) -> "Server":
        self.stop()
        return self.start()

    def pause(self) -> None:
        """It stays connected and says nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


class Database(Server):
    """A MySQL or MariaDB server: user test/test, socket folder/sock, binlog in rows."""

    is_mariadb = False
    log_list = "show binary logs"

    def __init__(self, folder: Path, *options: str):
        super().__init__(folder, *options)
        self.socket = folder / "sock"
        self._connection: pymysql.Connection | None = None
        self._databases = 0

    def connect(self, **options: Any) -> pymysql.Connection:
        """A new connection, in autocommit; time zone UTC."""
        return pymysql.connect(**{
            "unix_socket": str(self.socket), "user": "test", "password": "test",
            "charset": "utf8mb4", "autocommit": True, "init_command": "set time_zone = '+00:00'",
            **options})

    def sql(self, statement: str, arguments: Any = None, database: str | None = None) -> list:
        """Runs one statement on a connection that is kept; its rows as a list of tuples."""
        if not self._connection:
            self._connection = self.connect()
        if database:
            self._connection.select_db(database)
        with self._connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return list(cursor.fetchall())

    @contextmanager
    def transaction(self, database: str) -> Iterator[Any]:
        """A cursor inside of one transaction of its own connection."""
        connection = self.connect(database=database, autocommit=False)
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        finally:
            connection.close()

    def fresh_database(self) -> str:
        """Makes an empty database with a name of its own."""
        self._databases += 1
        name = f"t{self._databases}"
        self.sql(f"create database {name} character set utf8mb4")
        return name

    @property
    def binlog_program(self) -> str:
        """What prints its binlogs: of its own version where the server came with programs."""
        name = "mariadb-binlog" if self.is_mariadb else "mysqlbinlog"
        own = self.folder / "bin" / name
        return str(own) if own.exists() else name

    @property
    def version(self) -> str:
        return self.sql("select version()")[0][0]

    def logs(self) -> list[Path]:
        """The files of the binlog, oldest first."""
        return [self.folder / "data" / row[0] for row in self.sql(self.log_list)]

    def position(self) -> tuple[str, int]:
        """File and position of the binlog's end."""
        row = self.sql(self.log_list)[-1]
        return row[0], int(row[1])

    def binlog_rows(self, start: tuple[str, int] | None = None,
                    stop: tuple[str, int] | None = None) -> Binlog:
        """Independent reading of the binlog, from `start` (the oldest there is) to `stop` (now).
        Both as position() gives them."""
        file, pos = stop or self.position()
        files = [log for log in self.logs() if not start or log.name >= start[0]]
        files = [log for log in files if log.name <= file]
        changes = read_changes(self.binlog_program, files, start[1] if start else 0, pos)
        return Binlog(self, list(changes))

    def _end(self, number: int) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
        super()._end(number)


class MariaDb(Database):
    """The system's own: 10.11 on Debian 12."""

    script = "mariadb"
    is_mariadb = True


class MariaDb11(MariaDb):
    script = "mariadb11"


class MySql9(Database):
    script = "mysql9"


class MySql80(Database):
    """Its package has no client programs: those of MySQL 9 read its binlogs."""

    script = "mysql80"

    @property
    def binlog_program(self) -> str:
        done = subprocess.run([SCRIPTS / "start-mysql9.sh", "--install"], check=True, text=True,
                              stdout=subprocess.PIPE, timeout=START_SECONDS)
        return done.stdout.split()[1] + "/bin/mysqlbinlog"


class OpenSearch(Server):
    script = "opensearch"

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and parsed answer. A text is sent as it is (_bulk), anything else as JSON."""
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        kind = "application/x-ndjson" if isinstance(body, str) else "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, text and text.encode(), {"Content-Type": kind})
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content else None
        finally:
            connection.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def documents(self, index: str) -> dict[str, dict]:
        """_id -> _source of every document of an index; none for an index that is not there."""
        self.request("POST", f"/{index}/_refresh")
        found: dict[str, dict] = {}
        after = None
        while True:
            query = {"size": 5000, "sort": [{"_doc": "asc"}], "version": True}
            if after is None:
                status, answer = self.request("POST", f"/{index}/_search?scroll=1m", query)
            else:
                status, answer = self.request("POST", "/_search/scroll",
                                              {"scroll": "1m", "scroll_id": after})
            if status == 404:
                return {}
            if status != 200:
                raise ServerFailed(f"opensearch answers {status}: {answer}")
            after = answer["_scroll_id"]
            if not answer["hits"]["hits"]:
                return found
            found |= {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}


KINDS: dict[str, type[Server]] = {
    kind.script: kind for kind in (MariaDb, MariaDb11, MySql9, MySql80, OpenSearch)}
