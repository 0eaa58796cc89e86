"""Where a bench works: folders, the programs, and how a program's run is timed.

Everything lies below $MILLSTREAM_CACHE/bench on one disk: what is made once and read often
(backlog.py), and for each run a folder that goes with it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools" / "workshop"))
import build  # noqa: E402
import process  # noqa: E402

CACHE = Path(os.environ.get("MILLSTREAM_CACHE") or Path.home() / ".cache" / "millstream") / "bench"
PROGRAMS = ("append", "commits", "rawdump", "rawwrite", "reader", "wake")
RUN_SECONDS = 900
WATCH_SECONDS = 0.02


class Failed(Exception):
    """Something did not work, or a count is wrong; `log` may tell more."""

    def __init__(self, text: str, log: Path | None = None):
        super().__init__(text)
        self.tail = process.tail(log, 20) if log else ""


def say(text: str) -> None:
    print(f"bench    {text}", flush=True)


# ---- one run of a program ----

@dataclass
class Peak:
    """Of a process's memory. The kernel's own peak counts from the exec on; what its parent had
    before, which ru_maxrss takes in, does not."""
    resident_mb: float = 0  # VmHWM
    own_mb: float = 0  # RssAnon: without files

    def look(self, pid: int) -> bool:
        try:
            text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        if "VmHWM" not in fields:
            return False
        self.resident_mb = max(self.resident_mb, int(fields["VmHWM"].split()[0]) * 1024 / 1e6)
        self.own_mb = max(self.own_mb, int(fields["RssAnon"].split()[0]) * 1024 / 1e6)
        return True


@dataclass
class Timing:
    """One run of a program, from its start to its exit."""
    seconds: float = 0
    cpu: float = 0  # user and system
    output: str = ""
    peak: Peak = field(default_factory=Peak)


class Watch(threading.Thread):
    """Looks at a process's memory until it ends, and ends it when it takes too long."""

    def __init__(self, pid: int, peak: Peak):
        super().__init__(daemon=True)
        self.pid, self.peak, self.is_over = pid, peak, threading.Event()

    def run(self) -> None:
        end = time.monotonic() + RUN_SECONDS
        while not self.is_over.wait(WATCH_SECONDS):
            self.peak.look(self.pid)
            if time.monotonic() > end:
                os.killpg(self.pid, signal.SIGKILL)
                return


def _wait(child: subprocess.Popen, timing: Timing, started: float) -> None:
    watch = Watch(child.pid, timing.peak)
    watch.start()
    try:
        _, status, usage = os.wait4(child.pid, 0)
        timing.seconds = time.monotonic() - started
    except BaseException:
        process.end_group(child)
        raise
    finally:
        watch.is_over.set()
        watch.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    timing.cpu = usage.ru_utime + usage.ru_stime


def _spawn(command: list, output, log, folder: Path) -> subprocess.Popen:
    words = [str(word) for word in command]
    log.write(f"\n$ {' '.join(words)}\n".encode())
    log.flush()
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd=folder,
                            start_new_session=True)


class Workplace:
    """Of one bench; a context. `folder` is empty at first and removed in the end."""

    def __init__(self, name: str, runs: int, short: bool, keep: bool):
        self.name, self.runs, self.short, self.keep = name, runs, short, keep
        self.folder = CACHE / f"run-{os.getpid()}-{name}"
        self.log = self.folder / "log"

    def __enter__(self) -> "Workplace":
        _remove_orphans()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        started = time.monotonic()
        self.millstream = self._compile()
        if time.monotonic() - started > 5:
            say(f"built Millstream, {time.monotonic() - started:.0f} s")
        return self

    def __exit__(self, *_what) -> None:
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        kept = CACHE / f"kept-{self.name}"
        shutil.rmtree(kept, ignore_errors=True)
        self.folder.rename(kept)
        say(f"kept {kept}")

    # ---- programs ----

    @staticmethod
    def _compile() -> Path:
        """All programs, at once; that of Millstream."""
        own = "MILLSTREAM_BINARY" not in os.environ
        build.compile_targets("release", *(["millstream"] if own else []),
                              *(f"bench/{name}" for name in PROGRAMS))
        return build.program("release") if own else Path(os.environ["MILLSTREAM_BINARY"]).resolve()

    @staticmethod
    def program(name: str) -> Path:
        """One of bench/meson.build."""
        return build.folder("release") / "bench" / name

    def time(self, command: list, output: Path | None = None) -> Timing:
        """Runs a program to its end, which must be a good one. Its output is kept in memory, or
        goes to a file; what it says on standard error is added to the log."""
        timing, target = Timing(), output or self.folder / "out"
        with open(target, "wb") as out, open(self.log, "ab") as log:
            started = time.monotonic()
            child = _spawn(command, out, log, self.folder)
            _wait(child, timing, started)
        if child.returncode != 0:
            raise Failed(f"{Path(command[0]).name} exits {child.returncode}", self.log)
        if not output:
            timing.output = target.read_text(encoding="utf-8", errors="replace")
        return timing

    @contextmanager
    def running(self, command: list, output: Path | None = None) -> Iterator[subprocess.Popen]:
        """Runs a program around a block. If it still runs then, it is asked to end; however that
        is, it must end well."""
        with open(output or os.devnull, "wb") as out, open(self.log, "ab") as log:
            child = _spawn(command, out, log, self.folder)
            try:
                yield child
                if child.poll() is None:
                    child.send_signal(signal.SIGTERM)
                if child.wait(60) != 0:
                    raise Failed(f"{Path(command[0]).name} exits {child.returncode}", self.log)
            finally:
                if child.poll() is None:
                    process.end_group(child)

    def said_since(self, start: int) -> str:
        return self.log.read_bytes()[start:].decode(errors="replace")

    # ---- files ----

    def config(self, settings: dict) -> Path:
        """A configuration file (JSON is YAML)."""
        path = self.folder / "millstream.yaml"
        path.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        return path

    def fresh(self, name: str) -> Path:
        """A path with nothing there; what was written before has gone to the disk."""
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if not self.short:
            os.sync()
        return path


def _remove_orphans() -> None:
    """Folders of runs that were killed."""
    for path in CACHE.glob("run-*"):
        pid = path.name.split("-")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)
