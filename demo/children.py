"""The demo's folder, and the two programs that run in it: MariaDB and Millstream.

Neither is left behind: both are stopped by us, and end by themselves should we be killed. Nothing
else is touched: the database listens on a socket in the folder, and on no port.
"""

import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pymysql
from pymysql.constants import CLIENT

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools" / "workshop"))
import process  # noqa: E402

PREFIX = "millstream-demo-"
SOCKET_MAX = 103  # bytes of a socket's path that Linux takes, less a few for MariaDB
STREAM = "changes"
SINK = "site"
CONFIG = """# The demo's configuration. Paths are those below this folder.
data: data
source:
  socket: mariadb/sock
  user: millstream
  password: demo
  tables: [market.*]
stream:
  name: {stream}
archive:
  path: archive
  object_age: 3s # so that there is something to see; five minutes are usual
sinks:
  {sink}:
    type: sqlite
    path: read-model.db
    search: true
console:
  listen: 127.0.0.1:{port}
"""


class Failed(Exception):
    """What went wrong, for people; where one can be named, the log that tells more."""

    def __init__(self, text: str, log: Path | None = None):
        super().__init__(text)
        self.log = log


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failed(f"port {port} cannot be had: {error.strerror}; name another with --port"
                         ) from None


# ---- the folder ----

class Folder:
    def __init__(self, keep: Path | None):
        self.is_kept = keep is not None
        self.root = self._open_kept(keep) if keep else self._make()
        self.mariadb = self.root / "mariadb"
        self.socket = self.mariadb / "sock"
        self.config = self.root / "millstream.yaml"
        self.archive = self.root / "archive"
        self.model = self.root / "read-model.db"
        self.log = self.root / "demo.log"  # of the programs that we start
        self.site_log = self.root / "site.log"
        self.millstream_log = self.root / "millstream.log"
        self.mark = self.root / "demo.json"
        self.is_old = self.mark.exists()
        self._lock = open(self.root / "demo.lock", "w", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed(f"another demo runs in {self.root}") from None

    @staticmethod
    def _make() -> Path:
        for old in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
            found = re.fullmatch(PREFIX + r"(\d+)-.*", old.name)
            if found and not Path(f"/proc/{found[1]}").exists():  # its demo was killed
                shutil.rmtree(old, ignore_errors=True)
        _fit(Path(tempfile.gettempdir()) / f"{PREFIX}{os.getpid()}-12345678", "set TMPDIR to")
        return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))

    @staticmethod
    def _open_kept(folder: Path) -> Path:
        _fit(folder, "name")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            there = {one.name for one in folder.iterdir()} - {"demo.lock"}
        except OSError as error:
            raise Failed(f"--keep {folder}: {error.strerror}") from None
        if there and "demo.json" not in there:
            raise Failed(f"--keep {folder}: the folder holds something else than a demo that was "
                         "kept; name an empty or a new one")
        return folder

    def is_ready(self, seed: int) -> None:
        """The database is filled: a later demo can go on here."""
        self.mark.write_text(json.dumps({"seed": seed}) + "\n", encoding="utf-8")
        self.is_old = True

    def leave(self, interrupted: bool) -> None:
        """Removes it, unless it is to be kept; and what is of no use to anybody: the half of a
        set-up. Of a set-up that failed the logs are of use."""
        self._lock.close()
        if not self.is_kept:
            shutil.rmtree(self.root, ignore_errors=True)
        elif interrupted and not self.is_old:
            for one in self.root.iterdir():
                shutil.rmtree(one) if one.is_dir() else one.unlink()


def _fit(folder: Path, what: str) -> Path:
    """Refuses what the programs in it could not work with."""
    if len(os.fsencode(folder / "mariadb" / "sock")) > SOCKET_MAX:
        raise Failed(f"{folder}: the path is too long for a socket in it; {what} a shorter one")
    if re.search(r"[^\w@%+=:,./~-]", str(folder)):  # mariadb-install-db is not careful with them
        raise Failed(f"{folder}: MariaDB's installation takes no blanks and no special signs in "
                     f"a path; {what} another one")
    return folder


# ---- MariaDB ----

class MariaDb:
    def __init__(self, folder: Folder):
        self.folder = folder

    def start(self) -> None:
        """A commit is not worth a sync here: the demo measures Millstream, not this disk."""
        self.folder.mariadb.mkdir(mode=0o700, exist_ok=True)
        script = ROOT / "tests" / "servers" / "start-mariadb.sh"
        status = process.run(
            [script, self.folder.mariadb, "3306", "--skip-networking",
             "--innodb-flush-log-at-trx-commit=2"],
            self.folder.log, {"MILLSTREAM_OWNER": str(os.getpid())})
        if status != 0:
            raise Failed("MariaDB does not start", self.folder.log)

    def make_tables(self) -> None:
        """The comments are for readers of the file; a server would keep them in its binlog."""
        lines = (Path(__file__).parent / "market.sql").read_text(encoding="utf-8").splitlines()
        text = "\n".join(line for line in lines if not line.startswith("--"))
        connection = pymysql.connect(unix_socket=str(self.folder.socket), user="root",
                                     charset="utf8mb4", client_flag=CLIENT.MULTI_STATEMENTS)
        with connection, connection.cursor() as cursor:
            cursor.execute(text)
            while cursor.nextset():
                pass

    def _ours(self) -> list[int]:
        """Server processes on our data, also those that the script did not come to write down."""
        sign = f"--datadir={self.folder.mariadb}/data".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if sign in words and b"mariadb" in words[0]:
                found.append(int(path.parent.name))
        return found

    def is_running(self) -> bool:
        return bool(self._ours())

    def stop(self, patience) -> None:
        for number, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
            for pid in self._ours():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + seconds
            while self._ours() and time.monotonic() < end and not (
                    number == signal.SIGTERM and patience.is_lost):
                time.sleep(0.05)


# ---- Millstream ----

class Millstream:
    def __init__(self, folder: Folder, program: Path, port: int):
        self.folder, self.program, self.port = folder, program, port
        self.child: subprocess.Popen | None = None
        folder.config.write_text(CONFIG.format(stream=STREAM, sink=SINK, port=port),
                                 encoding="utf-8")

    def _run(self, *words: str) -> list[str]:
        return [str(self.program), *words, "--config", str(self.folder.config)]

    def start(self) -> None:
        with open(self.folder.millstream_log, "ab") as log:
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self._run("run")], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 30
        while self.status() is None:
            if self.child.poll() is not None or time.monotonic() > end:
                raise Failed("Millstream does not start", self.folder.millstream_log)
            time.sleep(0.02)

    def is_running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def status(self) -> dict | None:
        """/api/status of the console; None while it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/api/status")
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def stop(self, patience) -> int | None:
        """Its exit status; None when it was not running."""
        if not self.child:
            return None
        for number, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
            end = time.monotonic() + seconds
            if self.child.poll() is None:
                self.child.send_signal(number)
            while self.child.poll() is None and time.monotonic() < end and not (
                    number == signal.SIGTERM and patience.is_lost):
                time.sleep(0.02)
        return self.child.poll()

    def drain(self) -> int:
        """Starts it once more, until everything that is in the binlog has been delivered."""
        return process.run(self._run("run", "--until-end"), self.folder.millstream_log,
                           seconds=300)

    def sum_of_stream(self) -> str:
        """SHA-256 of all lines in the stream."""
        tail = subprocess.Popen(self._run("tail", "--from", "oldest", "--json"),
                                stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            with tail.stdout:
                done = subprocess.run(["sha256sum"], stdin=tail.stdout, capture_output=True,
                                      check=True, text=True)
        finally:
            status = tail.wait()
        if status != 0:
            raise Failed(f"`millstream tail` exits {status}")
        return done.stdout.split()[0]
