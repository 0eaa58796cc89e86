"""Unit tests: built and run under sanitizers. Also the commands ./dev asan and ./dev tsan.

A test is a function of a cmocka program; its program's output is kept in build/test-logs.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import build
import process
from report import Clock, Report

SANITIZERS = {  # a finding ends the program: it is a failure, not a remark
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


OTHER_SUITES = {"opensearch"}  # need a server: tests/e2e/test_suites.py runs them


def names() -> list[str]:
    """ROOM/FILE of every unit test there is."""
    top = build.ROOT / "tests" / "unit"
    return sorted(f"{path.parent.name}/{path.name[:-len('_test.c')]}"
                  for path in top.glob("*/*_test.c"))


def matching(wanted: str) -> list[str]:
    """The tests that a name means: ROOM/FILE, FILE or ROOM."""
    return [name for name in names() if wanted == name or wanted in name.split("/")]


def _counts(result: dict) -> tuple[int, int]:
    """Passed and failed functions of a program. What ended it (a sanitizer, a time-out) is one more
    failure."""
    output = result.get("stdout", "") + result.get("stderr", "")
    passed = len(re.findall(r"^\[       OK \] ", output, re.MULTILINE))
    failed = len(set(re.findall(r"^\[  FAILED  \] ([a-zA-Z_]\w*)$", output, re.MULTILINE)))
    if result["result"] == "OK" and not failed:
        return max(passed, 1), 0
    ended = failed == 0 or " test(s) run." not in output
    return passed, failed + (1 if ended else 0)


def _output(result: dict) -> str:
    text = result.get("stdout", "") + result.get("stderr", "")
    return f"result: {result['result']}\n" + "\n".join(text.splitlines()[-80:])


def _suites(flavour: str) -> dict[str, list[str]]:
    """Meson's tests by suite."""
    done = subprocess.run(["meson", "introspect", "--tests", build.folder(flavour)],
                          capture_output=True, check=True, text=True)
    found: dict[str, list[str]] = {}
    for test in json.loads(done.stdout):
        for suite in test["suite"] or [""]:
            found.setdefault(suite.rpartition(":")[2], []).append(test["name"])
    return found


def _run(flavour: str, tests: list[str], log: Path) -> dict[str, dict]:
    """Runs tests and answers what became of each."""
    results = build.folder(flavour) / "meson-logs" / "unit.json"
    results.unlink(missing_ok=True)
    log.write_bytes(b"")
    process.run(["meson", "test", "-C", build.folder(flavour), "--no-rebuild", "--suite", "unit",
                 "--logbase", "unit", "--timeout-multiplier", "4", *tests], log, SANITIZERS)
    done = {}
    with open(log, "a", encoding="utf-8") as out:
        for line in results.read_text().splitlines() if results.exists() else []:
            result = json.loads(line)
            name = result["name"].rpartition(" / ")[2]
            done[name] = result
            out.write(f"\n==== {name}\n{_output(result)}\n")
    return done


def run_flavour(report: Report, lane: str, flavour: str, wanted: list[str] | None) -> None:
    clock = Clock()
    try:
        build.compile_targets(flavour, "all", "meson-test-prereq")
    except build.BuildFailed as failed:
        report.add(lane, f"build {flavour}", 0, 1, clock.seconds, str(failed))
        return
    report.add(lane, f"build {flavour}", 1, 0, clock.seconds)
    suites = _suites(flavour)
    for suite in set(suites) - {"unit"} - OTHER_SUITES:
        report.add(lane, f"suite '{suite}'", 0, 1, 0, "no lane runs this suite of Meson")
    log = build.log_file(flavour).with_name(f"unit-{flavour}.log")
    listed = suites.get("unit", [])
    done = _run(flavour, [name for name in wanted or [] if name in listed], log)
    for name in wanted or listed:
        if name in done:
            report.add(lane, name, *_counts(done[name]), done[name]["duration"],
                       _output(done[name]))
        else:
            report.add(lane, name, 0, 1, 0, process.tail(log) if name in listed else
                       f"{name} is in no suite 'unit' of a meson.build")


def release(report: Report, lane: str) -> None:
    """The release build, with LTO and all warnings, compiles."""
    clock = Clock()
    try:
        build.product("release")
    except build.BuildFailed as failed:
        report.add(lane, "build release", 0, 1, clock.seconds, str(failed))
        return
    report.add(lane, "build release", 1, 0, clock.seconds)


def run(report: Report, wanted: list[str] | None, _all: bool) -> None:
    """The lane `unit`."""
    run_flavour(report, "unit", "asan", wanted)
    if not wanted:
        release(report, "unit")


def run_tsan(report: Report, _wanted: list[str] | None, _all: bool) -> None:
    """The long lane `tsan`."""
    run_flavour(report, "tsan", "tsan", None)


def main(arguments: list[str]) -> int:
    flavour, wanted = arguments[0], []
    for name in arguments[1:]:
        wanted += matching(name)
        if not matching(name):
            print(f"./dev {flavour}: there is no unit test '{name}'", file=sys.stderr)
            return 2
    report = Report()
    run_flavour(report, flavour, flavour, wanted or None)
    return report.total()


if __name__ == "__main__":
    process.main(main, sys.argv[1:])
