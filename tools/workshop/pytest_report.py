"""A pytest plugin of the e2e lane: a line for each file of tests, failures as they happen.

It writes to the descriptor MILLSTREAM_REPORT_FD, and the totals to the file MILLSTREAM_REPORT. A
test that is skipped counts as failed: what cannot run here was not tested.
"""

import json
import os
import time
from pathlib import Path

import pytest


def shortened(text: str, most: int = 8000) -> str:
    """Without its middle: what was tested stands at the beginning, why it failed at either end."""
    if len(text) <= most:
        return text
    left_out = len(text) - most
    return f"{text[:most // 2]}\n[... {left_out} characters more in e2e.log ...]\n{text[-most // 2:]}"


class Lines:
    def __init__(self, out):
        self.out = out
        self.passed = self.failed = 0
        self.file, self.started = None, 0.0
        self.file_passed = self.file_failed = 0
        self.bad = False  # of the test that runs

    def say(self, text: str) -> None:
        self.out.write(text + "\n")
        self.out.flush()

    def end_file(self) -> None:
        if self.file and self.file_passed + self.file_failed:
            counts = f"{self.file_passed} passed"
            counts += f", {self.file_failed} FAILED" if self.file_failed else ""
            self.say(f"{'e2e':<8} {self.file:<34} {counts:<24} "
                     f"{time.monotonic() - self.started:6.1f} s")
        self.passed += self.file_passed
        self.failed += self.file_failed
        self.file_passed = self.file_failed = 0

    def failure(self, name: str, text: str) -> None:
        self.file_failed += 1
        self.say(f"\ne2e FAILED {name}\n{text.rstrip()}\n")

    def pytest_runtest_logstart(self, nodeid, location):
        file = Path(nodeid.split("::")[0]).name
        if file != self.file:
            self.end_file()
            self.file, self.started = file, time.monotonic()
        self.bad = False

    def pytest_runtest_logreport(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            self.bad = True
            self.failure(report.nodeid, f"skipped, which counts as failed: {report.longrepr}")
        elif report.failed:
            sections = "".join(f"\n---- {title}\n{text[-4000:]}" for title, text in report.sections)
            if not self.bad:  # a teardown that fails after its test counts once
                self.failure(report.nodeid, shortened(report.longreprtext) + sections)
            self.bad = True
        elif report.when == "teardown" and not self.bad:
            self.file_passed += 1

    def pytest_collectreport(self, report):
        if report.failed:
            self.failure(report.nodeid, shortened(report.longreprtext))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self):
        self.end_file()
        done = {"passed": self.passed, "failed": self.failed}
        Path(os.environ["MILLSTREAM_REPORT"]).write_text(json.dumps(done), encoding="utf-8")


def pytest_configure(config):
    if "MILLSTREAM_REPORT_FD" in os.environ:
        out = os.fdopen(int(os.environ["MILLSTREAM_REPORT_FD"]), "w", closefd=False)
        config.pluginmanager.register(Lines(out), "millstream-report")
