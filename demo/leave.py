"""What `--keep` leaves running: a demo of its own in the background, on the same folder, in which nobody writes but the visitor.
Its process id is in DIR/demo.pid, what it prints in DIR/demo.out."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from shlex import quote

SECONDS = 60  # to start, and to stop
ADDRESS = re.compile(r"^  (main site|personal area|console) .*$", re.MULTILINE)


def _pid_file(folder: Path) -> Path:
    return folder / "demo.pid"


def _is_ours(pid: int, folder: Path) -> bool:
    """Process ids come again: it must be a demo on this folder."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"--left" in words and os.fsencode(folder) in words


def _left(folder: Path) -> int | None:
    try:
        pid = int(_pid_file(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return pid if _is_ours(pid, folder) else None


def stop_what_was_left(folder: Path) -> bool:
    pid = _left(folder)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + SECONDS
    while _is_ours(pid, folder) and time.monotonic() < end:
        time.sleep(0.05)
    _pid_file(folder).unlink(missing_ok=True)
    return True


def leave_running(folder: Path, port: int | None) -> str:
    """Starts it and waits for its addresses; what to tell of it."""
    out = folder / "demo.out"
    words = [sys.executable, str(Path(__file__).with_name("run")), "--left", "--rate", "0", "--keep", str(folder)]
    words += ["--port", str(port)] if port else []
    with open(out, "wb") as log:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 start_new_session=True)
    _pid_file(folder).write_text(f"{child.pid}\n", encoding="utf-8")
    end = time.monotonic() + SECONDS
    found: list[str] = []
    while len(found) < 3 and child.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
        found = [one.group() for one in ADDRESS.finditer(out.read_text(encoding="utf-8", errors="replace"))]
    if len(found) < 3:
        return f"It could not be left running: see {out}"
    lines = "\n".join(found)
    return (f"Database, Millstream and site are left running, and only you write:\n\n{lines}\n\n"
            f"  kill $(cat {quote(str(folder))}/demo.pid)    stops them all")
