"""A private MariaDB (tests/servers/start-mariadb.sh) for a bench, and statements to it."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pymysql

from place import ROOT, Failed

SCRIPT = ROOT / "tests" / "servers" / "start-mariadb.sh"
STOP_SECONDS = 120
USER = PASSWORD = "test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MariaDb:
    """A server with its data in `folder`; a context. It ends with us, however that is."""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.options, self.port = folder, options, free_port()
        self.socket = folder / "sock"

    def __enter__(self) -> "MariaDb":
        done = subprocess.run(
            [SCRIPT, self.folder, str(self.port), *self.options], capture_output=True, text=True,
            check=False, stdin=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "MILLSTREAM_OWNER": str(os.getpid())})
        if done.returncode != 0:
            raise Failed(f"MariaDB does not start: {done.stderr.strip()}", self.folder / "log")
        return self

    def __exit__(self, *_rest) -> None:
        self.stop()

    def _pid(self) -> int:
        return int((self.folder / "pid").read_text())

    def stop(self) -> None:
        pid, end = self._pid(), time.monotonic() + STOP_SECONDS
        try:
            os.kill(pid, signal.SIGTERM)
            while time.monotonic() < end:
                os.kill(pid, 0)
                time.sleep(0.02)
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        raise Failed(f"MariaDB did not stop within {STOP_SECONDS} s", self.folder / "log")

    def connect(self, **options) -> pymysql.Connection:
        return pymysql.connect(unix_socket=str(self.socket), user=USER, password=PASSWORD,
                               autocommit=True, **options)

    def sql(self, *statements: str) -> tuple:
        """Runs statements on a connection of their own; the rows of the last one."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def run_file(self, path: Path) -> None:
        """Lets the server's client read a file."""
        with open(path, "rb") as text:
            done = subprocess.run(
                ["mariadb", "--no-defaults", "-u" + USER, "-p" + PASSWORD, "-S", str(self.socket)],
                stdin=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{path.name}: {done.stderr.strip()}")

    def end(self) -> tuple[str, int]:
        """Where the binlog ends."""
        return self.sql("show master status")[0][:2]

    def source(self) -> dict:
        """The section `source` of a configuration."""
        return {"socket": str(self.socket), "user": USER, "password": PASSWORD}
