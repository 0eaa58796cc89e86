"""End-to-end tests: pytest over tests/e2e, one line a file.

pytest's own output goes to build/test-logs/e2e.log; the plugin pytest_report, which runs inside of
it, writes the lines and failures to our output and the counts to a file.
"""

import json
import os
import sys

import build
import process
import servers
import unit
from report import Clock, Report

FOLDER = build.ROOT / "tests" / "e2e"
NOTHING_SELECTED = 5  # pytest's exit status


def _pytest(report: Report, arguments: list) -> int:
    """Runs pytest and adds up what it did; returns its exit status."""
    log = build.log_file("e2e").with_name("e2e.log")
    counts = log.with_name("e2e.json")
    counts.unlink(missing_ok=True)
    log.write_bytes(b"")
    sys.stdout.flush()
    out = os.dup(1)
    tools = str(build.ROOT / "tools" / "workshop")
    status = process.run(
        [sys.executable, "-m", "pytest", "-p", "pytest_report", *arguments], log,
        {"PYTHONPATH": tools, "MILLSTREAM_REPORT_FD": str(out), "MILLSTREAM_REPORT": str(counts)},
        fds=(out,))
    os.close(out)
    done = json.loads(counts.read_text()) if counts.exists() else {"passed": 0, "failed": 0}
    report.passed += done["passed"]
    report.failed += done["failed"]
    if status not in (0, 1, NOTHING_SELECTED) or (status == 1 and not done["failed"]):
        report.add("e2e", f"pytest exits {status}", 0, 1, 0, process.tail(log))
    return status


def _selection(wanted: list[str] | None) -> list:
    """Files and test ids as they are, the rest as one -k expression."""
    paths, words = [], []
    for name in wanted or []:
        file = name.split("::")[0]
        for path in (build.ROOT / file, FOLDER / file, FOLDER / f"{file}.py",
                     FOLDER / f"test_{file}.py"):
            if path.is_file() and path.name.startswith("test_"):
                paths.append(str(path) + name[len(file):])
                break
        else:
            words.append(name)
    expression = " or ".join(f"({word})" for word in words)
    return (paths or [FOLDER]) + (["-k", expression] if words else [])


def run(report: Report, wanted: list[str] | None, everything: bool) -> None:
    clock = Clock()
    if not wanted:
        names = servers.STANDARD + (servers.LONG if everything else ())
        servers.install(report, "e2e", names)
    try:
        build.product("release")
    except build.BuildFailed as failed:
        report.add("e2e", "build release", 0, 1, clock.seconds, str(failed))
        return
    arguments = _selection(wanted)
    status = _pytest(report, arguments if everything else [*arguments, "-m", "not long"])
    if status == NOTHING_SELECTED and wanted:  # a long test that is named is meant
        status = _pytest(report, arguments)
    if status == NOTHING_SELECTED:
        report.add("e2e", "no test is called " + " ".join(wanted or []), 0, 1, 0,
                   "lanes and rules are in ./dev --help; unit tests: " + " ".join(unit.names()))
