"""Unit tests that need a server: suites of Meson that are run here, under the sanitizers, with the
server's port in the environment."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "asan"
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


@pytest.mark.seconds(600)
def test_the_suite_opensearch(opensearch):
    if not (FOLDER / "build.ninja").exists():
        subprocess.run([ROOT / "dev", "build", "asan"], check=True)
    done = subprocess.run(
        ["meson", "test", "-C", FOLDER, "--suite", "opensearch", "--logbase", "opensearch", "-v"],
        env={**os.environ, **SANITIZERS, "OPENSEARCH_PORT": str(opensearch.port)},
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"^Ok: +[1-9]", done.stdout, re.MULTILINE), "the suite is empty"
