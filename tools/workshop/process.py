"""Child processes of the workshop: output into a log file, and never left behind.

Each child leads a process group of its own. When we are told to stop (Ctrl-C, SIGTERM, SIGHUP) the
signal becomes the exception Stopped in the main thread; whoever waits for a child ends its group
first: SIGTERM, a time to tidy up in, SIGKILL.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

GRACE_SECONDS = 30  # e2e tests stop their servers in it


class Stopped(Exception):
    """A signal asked us to stop."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def _on_signal(number: int, _frame) -> None:
    raise Stopped(number)


def _signals(handler) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def main(function, *arguments) -> None:
    """Runs a program's function with the signals set up, and exits with what it returns."""
    _signals(_on_signal)
    try:
        status = function(*arguments)
    except Stopped as stopped:
        print(f"stopped by {stopped}", file=sys.stderr)
        status = stopped.status
    sys.stdout.flush()
    sys.exit(status)


def end_group(child: subprocess.Popen, grace: float = GRACE_SECONDS) -> None:
    """Ends a child and what it started. A second signal meanwhile kills at once."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10)):
        try:
            os.killpg(child.pid, number)
            child.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired, Stopped):
            continue
    try:
        os.killpg(child.pid, signal.SIGKILL)  # members that outlived their leader
    except ProcessLookupError:
        pass


def run(command, log: Path | None = None, env: dict | None = None, seconds: float | None = None,
        fds: tuple = ()) -> int:
    """Runs a command to its end: exit status, or 124 after `seconds`. Output is added to `log`."""
    out = open(log, "ab") if log else None
    child = None
    try:
        child = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env={**os.environ, **(env or {})}, start_new_session=True, pass_fds=fds)
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        end_group(child)
        return 124
    except Stopped:
        if child:
            end_group(child)
        raise
    finally:
        if out:
            out.close()


def tail(log: Path, lines: int = 60) -> str:
    """The end of a log, for people."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
