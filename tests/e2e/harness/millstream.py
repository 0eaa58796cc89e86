"""The program under test: writes its configuration, starts it, asks it, reads its stream, stops it.

    mill = millstream(source, tables=[f"{db}.*"])          # the fixture of conftest.py
    with mill.running():
        source.sql(...)
        lines = mill.wait_for_lines(3)
    Fold().add_all(lines).assert_equals(source, db)
"""

import http.client
import json
import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

from fold import parse_all
from harness.codes import CODES, code_name
from harness.servers import Database, free_port
from harness.wait import wait_until

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("MILLSTREAM_BINARY") or ROOT / "build" / "release" / "millstream")
STOP_SECONDS = 30


class Millstream:
    """One configuration in one folder. Settings are those of config.def, as nested dicts."""

    def __init__(self, folder: Path, source: Database | None, settings: dict[str, Any]):
        self.folder, self.process = folder, None
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.settings: dict[str, Any] = {
            "data": str(folder / "data"), "console": {"listen": f"127.0.0.1:{self.port}"}}
        if source:
            self.settings["source"] = {
                "socket": str(source.socket), "user": "test", "password": "test"}
        _merge(self.settings, settings)
        self.config = folder / "millstream.yaml"
        self.log = folder / "stderr"
        self.write_config()

    def configure(self, **settings: Any) -> "Millstream":
        """Changes settings, for the next start."""
        _merge(self.settings, settings)
        self.write_config()
        return self

    def write_config(self) -> None:
        self.config.write_text(json.dumps(self.settings, indent=2) + "\n")  # JSON is YAML

    # ---- one command, to its end ----

    def command(self, *arguments: str, expect: str | None = "OK", seconds: float = 60,
                env: dict | None = None) -> subprocess.CompletedProcess:
        """Runs `millstream ARGUMENTS` and checks its exit status by name (None: any)."""
        done = subprocess.run([str(BINARY), *arguments], capture_output=True, timeout=seconds,
                              stdin=subprocess.DEVNULL, check=False, cwd=self.folder,
                              env={**os.environ, **(env or {})})
        if expect is not None and done.returncode != CODES[expect]:
            raise AssertionError(
                f"`millstream {' '.join(arguments)}` exits {code_name(done.returncode)}, "
                f"not {expect}:\n{done.stderr.decode(errors='replace')[-4000:]}")
        return done

    def role(self, role: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        """Runs a role of this configuration to its end: role("capture", "--until-end")."""
        return self.command(role, "--config", str(self.config), *arguments, **options)

    def tail(self, *arguments: str, start: str = "oldest", table: str | None = None,
             **options) -> list[dict]:
        """The lines of the stream that are there now, parsed; all shards."""
        more = ["--table", table] if table else []
        done = self.role("tail", "--from", start, *more, *arguments, **options)
        return parse_all(done.stdout)

    def check(self, **options) -> Any:
        """What `check --json` finds."""
        return json.loads(self.role("check", "--json", expect=None, **options).stdout)

    # ---- running ----

    def start(self, role: str = "run", *arguments: str, env: dict | None = None) -> "Millstream":
        """Starts it in the background; does not wait. MILLSTREAM_CRASH goes into env."""
        assert not self.is_running(), "it runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(BINARY), role, "--config", str(self.config), *arguments], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(env or {})})
        return self

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_exit(self, expect: str | int | None = "OK", seconds: float = STOP_SECONDS) -> int:
        """Waits for its end and checks the exit status: a name of rc.h, or a number such as
        -signal.SIGKILL."""
        status = wait_until(lambda: self.process.poll() is not None and [self.process.returncode],
                            seconds, "millstream has ended")[0]
        wanted = CODES[expect] if isinstance(expect, str) else expect
        if wanted is not None and status != wanted:
            raise AssertionError(f"millstream exits {code_name(status)}, not {expect}:\n"
                                 + self.log_text()[-4000:])
        return status

    def stop(self, expect: str | int | None = "OK") -> None:
        """Asks it to stop, as a service manager does."""
        self.process.send_signal(signal.SIGTERM)
        self.wait_exit(expect)

    def kill(self) -> None:
        self.process.kill()
        self.wait_exit(-signal.SIGKILL)

    def end(self) -> None:
        """Whatever happened, it is over; for fixtures."""
        if self.is_running():
            self.process.kill()
            self.process.wait()

    @contextmanager
    def running(self, *arguments: str, **options) -> Iterator["Millstream"]:
        """Runs it around a block; a clean stop at its end is part of the test."""
        self.start("run", *arguments, **options)
        try:
            self.wait_ready()
            yield self
            self.stop()
        finally:
            self.end()

    # ---- looking at it ----

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def get(self, path: str) -> tuple[int, bytes]:
        """GET from the console."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self) -> dict | None:
        """/api/status, or None while the console does not answer."""
        try:
            code, body = self.get("/api/status")
        except OSError:
            return None
        return json.loads(body) if code == 200 else None

    def _standing(self) -> str:
        state = "runs" if self.is_running() else \
            f"has ended: {code_name(self.process.returncode)}" if self.process else "is not started"
        return f"millstream {state}; status {self.status()}\n{self.log_text()[-3000:]}"

    def wait_for(self, condition: Callable[[dict], Any], seconds: float = 20.0) -> Any:
        """Waits until a condition on the status is true."""
        def ask() -> Any:
            if not self.is_running():
                raise AssertionError(self._standing())
            status = self.status()
            return status is not None and condition(status)
        return wait_until(ask, seconds, self._standing)

    def wait_ready(self, seconds: float = 20.0) -> None:
        """Until the console answers."""
        self.wait_for(lambda _status: True, seconds)

    def wait_for_log(self, text: str, seconds: float = 20.0) -> None:
        wait_until(lambda: text in self.log_text(), seconds, self._standing)

    def wait_for_lines(self, count: int, seconds: float = 20.0, **options) -> list[dict]:
        """The stream's lines, once there are at least `count` that are no control records."""
        def enough() -> list[dict] | None:
            lines = self.tail(**options)
            return lines if sum(line["op"] not in "ts" for line in lines) >= count else None
        return wait_until(enough, seconds, self._standing)


def _merge(into: dict, settings: dict) -> None:
    for key, value in settings.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
