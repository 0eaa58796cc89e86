"""Where a bench works: folders, the programs, and how a program's run is timed.

Everything lies below $MILLSTREAM_CACHE/bench on one disk: what is made once and read often
(backlog.py), and for each run a folder that goes with it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools" / "workshop"))
import build  # noqa: E402
import process  # noqa: E402

CACHE = Path(os.environ.get("MILLSTREAM_CACHE") or Path.home() / ".cache" / "millstream") / "bench"
RUN_SECONDS = 900


class Failed(Exception):
    """Something did not work, or a count is wrong; `log` may tell more."""

    def __init__(self, text: str, log: Path | None = None):
        super().__init__(text)
        self.log = log


@dataclass
class Timing:
    """One run of a program, from its start to its exit."""
    seconds: float
    cpu: float  # user and system
    rss_mb: float  # at most
    output: str


def say(text: str) -> None:
    print(f"bench    {text}", flush=True)


def finish(child: subprocess.Popen):
    """Waits for a child; what it used. Stopped meanwhile, it is ended."""
    end = time.monotonic() + RUN_SECONDS
    try:
        pid = 0
        while not pid:
            if time.monotonic() > end:
                raise Failed(f"it does not end within {RUN_SECONDS} s")
            pid, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        process.end_group(child)
        raise
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage


class Workplace:
    """Of one bench; a context. `folder` is empty at first and removed in the end."""

    def __init__(self, name: str, runs: int, short: bool, keep: bool):
        self.name, self.runs, self.short, self.keep = name, runs, short, keep
        self.folder = CACHE / f"run-{os.getpid()}-{name}"
        self.built = build.folder("release")

    def __enter__(self) -> "Workplace":
        _remove_orphans()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.log = self.folder / "log"
        started = time.monotonic()
        self.millstream = self._millstream()
        if time.monotonic() - started > 5:
            say(f"built Millstream, {time.monotonic() - started:.0f} s")
        return self

    def __exit__(self, kind, *_rest) -> None:
        if self.keep or (kind and issubclass(kind, Failed)):
            say(f"see {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _millstream() -> Path:
        if "MILLSTREAM_BINARY" in os.environ:
            return Path(os.environ["MILLSTREAM_BINARY"]).resolve()
        return build.product("release")

    def program(self, name: str) -> Path:
        """One of bench/meson.build, compiled."""
        build.compile_targets("release", f"bench/{name}")
        return self.built / "bench" / name

    def time(self, command: list, env: dict | None = None, expect: int = 0) -> Timing:
        """Runs a program to its end. What it says on standard error is added to the log."""
        out = self.folder / "out"
        with open(out, "w+b") as output, open(self.log, "ab") as log:
            log.write(f"\n$ {' '.join(str(word) for word in command)}\n".encode())
            log.flush()
            started = time.monotonic()
            child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=log,
                env={**os.environ, **(env or {})}, cwd=self.folder, start_new_session=True)
            usage = finish(child)
            seconds = time.monotonic() - started
        if child.returncode != expect:
            raise Failed(f"{Path(command[0]).name} exits {child.returncode}", self.log)
        return Timing(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
                      out.read_text(encoding="utf-8", errors="replace"))

    def config(self, settings: dict) -> Path:
        """A configuration file (JSON is YAML)."""
        path = self.folder / "millstream.yaml"
        path.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        return path

    def fresh(self, name: str) -> Path:
        """A folder's path, with nothing there; what was written before has gone to the disk."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        os.sync()
        return path


def _remove_orphans() -> None:
    """Folders of runs that were killed."""
    for path in CACHE.glob("run-*"):
        pid = path.name.split("-")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)
