"""The parts of the harness that stand between tests and programs."""

import json
import signal
import sys

import pytest

from harness import millstream as module
from harness.codes import CODES, code_name
from harness.millstream import Millstream
from harness.wait import TimeOver, wait_until


def test_waits_for_a_condition_and_says_what_it_was():
    answers = iter([0, 0, "yes"])
    assert wait_until(lambda: next(answers), 5) == "yes"
    with pytest.raises(TimeOver, match="0.05 s: the moon"):
        wait_until(lambda: False, 0.05, "the moon")
    with pytest.raises(TimeOver, match="how it stands"):
        wait_until(lambda: False, 0.05, lambda: "how it stands")


def test_knows_the_exit_codes_of_the_program():
    assert CODES["OK"] == 0 and CODES["USAGE"] == 2 and CODES["DENIED"] == 15
    assert len(set(CODES.values())) == len(CODES)
    assert code_name(15) == "DENIED (15)"
    assert code_name(-9) == "signal 9"


@pytest.fixture
def script(folder, monkeypatch):
    """Puts a script in the program's place: what is tested is how the harness handles it."""
    def put(text: str) -> Millstream:
        path = folder / "program"
        path.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{text}\n")
        path.chmod(0o755)
        monkeypatch.setattr(module, "BINARY", path)
        return Millstream(folder / "mill", None, {"stream": {"shards": 2}})
    return put


def test_writes_the_configuration(script):
    mill = script("")
    mill.configure(stream={"name": "x"}, archive={"path": "a"})
    written = json.loads(mill.config.read_text())
    assert written["stream"] == {"shards": 2, "name": "x"}
    assert written["archive"] == {"path": "a"}
    assert written["console"]["listen"] == f"127.0.0.1:{mill.port}"


def test_checks_exit_codes_by_name(script):
    mill = script("print('why', file=sys.stderr); sys.exit(15)")
    mill.command("check", expect="DENIED")
    mill.command("check", expect=None)
    with pytest.raises(AssertionError, match=r"exits DENIED \(15\), not OK:\nwhy"):
        mill.command("check")


def test_reads_the_lines_of_tail(script):
    mill = script("""print('{"ord": 1, "n": 1.50, "args": "' + ' '.join(sys.argv[4:]) + '"}')""")
    (line,) = mill.tail("--follow", table="d.*")
    assert line == {"ord": 1, "n": "1.50", "args": "--from oldest --table d.* --follow"}


RUNS = "print('here', flush=True)\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(%d))\n" \
       "while True: time.sleep(0.01)"


def test_stops_and_kills(script):
    mill = script("signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n" + RUNS % 0)
    mill.start()
    mill.wait_for_log("here")
    mill.stop()
    mill.start()
    mill.kill()
    assert not mill.is_running()
    mill.start(env={"MILLSTREAM_CRASH": "append:1"})
    mill.process.send_signal(signal.SIGKILL)
    mill.wait_exit(-signal.SIGKILL)


def test_a_wrong_exit_shows_the_log(script):
    mill = script("print('the reason'); sys.exit(3)")
    mill.start()
    with pytest.raises(AssertionError, match=r"(?s)CONFIG \(3\), not OK.*the reason"):
        mill.wait_exit()
    with pytest.raises(AssertionError, match="(?s)has ended.*the reason"):
        mill.wait_ready()
