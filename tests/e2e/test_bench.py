"""./dev bench in its short form: it works, counts are checked (by the benches), its last line is JSON. How fast anything is does
not matter here."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "bench" / "run"
RESULTS = {  # of each bench: name and unit, in order
    "drain": [("null", "rows/s"), ("durable", "rows/s"), ("durable_16_shards", "rows/s")],
    "drain-oltp": [("durable", "transactions/s")],
    "latency": [("p50_ms", "ms"), ("p99_ms", "ms"), ("max_ms", "ms")],
    "append": [("append", "MB/s"), ("append_plain", "MB/s")],
    "archive": [("zstd", "MB/s"), ("gzip", "MB/s"), ("zstd_copied", "MB/s")],
    "memory": [("drain", "MB"), ("big_transaction", "MB"), ("tables_10000", "MB")],
    "start": [("first_event_ms", "ms"), ("first_event_10000_ms", "ms")],
}
WITHOUT_LIMIT = {"zstd_copied"}


def bench(*words, seconds: float = 110) -> subprocess.CompletedProcess:
    return subprocess.run([RUN, *words], capture_output=True, text=True, timeout=seconds, check=False,
                          stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("name", RESULTS)
def test_short_form(name, folder):
    done = bench(name, "--short", "--runs", "1", "--json", str(folder / "json"))
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert (folder / "json").read_text() == last + "\n"
    said = json.loads(last)
    assert said["bench"] == name and said["short"] is True
    assert {"cores", "cpu", "memory_gb", "kernel", "disk", "date", "busy_before", "busy_after"} <= set(said["machine"])
    assert [(one["name"], one["unit"]) for one in said["results"]] == RESULTS[name]
    for one in said["results"]:
        assert one["value"] > 0 or one["unit"] == "ms"  # an event may be there before its commit is answered
        assert "met" not in one
        if one["name"] not in WITHOUT_LIMIT:
            assert one["limit"] > 0 and one["ratio"] == pytest.approx(one["value"] / one["limit"], abs=0.01, rel=0.01)


def test_every_bench_is_tested():
    names = re.findall(r"^  ([a-z][a-z-]*) ", bench("--help").stdout, re.MULTILINE)
    assert set(names) - {"all", "report", "peers"} == set(RESULTS)


def test_an_unknown_name_lists_those_there_are():
    done = bench("nonsense")
    assert done.returncode == 2
    assert all(name in done.stderr for name in RESULTS)


def test_ctrl_c_ends_the_servers():
    child = subprocess.Popen([RUN, "drain-oltp", "--short", "--runs", "99"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    cache = Path(os.environ.get("MILLSTREAM_CACHE") or Path.home() / ".cache" / "millstream")
    folder = cache / "bench" / f"run-{child.pid}-drain-oltp"
    try:
        wait_until(lambda: (folder / "data" / "streams").is_dir(), 60, "the bench drains into a stream")
        server = int((folder / "server" / "pid").read_text())
        assert Path("/proc", str(server)).exists()
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 128 + signal.SIGINT
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    assert not Path("/proc", str(server)).exists()
    assert not folder.exists()


def test_the_document_has_the_figures_of_the_result_files():
    done = bench("report", "--check")
    assert done.returncode == 0, done.stdout
