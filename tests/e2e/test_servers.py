"""The servers of the tests start, answer, die and come back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.servers import ServerFailed
from harness.wait import wait_until


def test_sources_are_set_up_for_capture(source):
    settings = dict(source.sql("show global variables like '%binlog%'"))
    assert settings["binlog_format"] == "ROW"
    assert settings["binlog_row_image"] == "FULL"
    assert settings["binlog_row_metadata"] == "FULL"
    assert ("MariaDB" in source.version) == source.is_mariadb


@pytest.mark.parametrize("kind", ["mariadb", "mysql9"])
def test_a_killed_server_comes_back_with_its_data(own_server, kind):
    server = own_server(kind)
    server.sql("create table test.t (id int primary key)")
    server.sql("insert into test.t values (1)")
    server.kill()
    assert not server.is_running()
    server.start()
    assert server.sql("select id from test.t") == [(1,)]


def test_a_server_that_cannot_start_says_why(own_server):
    with pytest.raises(ServerFailed, match="no-such-option"):
        own_server("mariadb", "--no-such-option=1")


OWNER = """
import sys, time
from pathlib import Path
from harness.servers import MariaDb
MariaDb(Path(sys.argv[1])).start()
time.sleep(300)
"""


def test_a_server_ends_with_the_process_that_started_it(folder):
    pid_file = folder / "pid"
    with subprocess.Popen([sys.executable, "-c", OWNER, str(folder)],
                          cwd=Path(__file__).parent) as owner:
        wait_until(lambda: (folder / "sock").exists() or owner.poll() is not None, 60, "it runs")
        pid = int(pid_file.read_text())
        os.kill(pid, 0)
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}/exe").exists(), 30, "the server has ended")


def test_opensearch_keeps_the_newest_version(opensearch):
    def put(identity: str, version: int, document: str) -> int:
        action = f'{{"index": {{"_id": "{identity}", "version": {version}, ' \
                 '"version_type": "external"}}'
        status, answer = opensearch.request("POST", "/versions/_bulk", f"{action}\n{document}\n")
        assert status == 200
        return answer["items"][0]["index"]["status"]
    assert put("a", 5, '{"v": 5}') == 201
    assert put("a", 4, '{"v": 4}') == 409
    assert put("a", 6, '{"v": 6}') == 200
    assert opensearch.documents("versions") == {"a": {"v": 6}}
    assert opensearch.documents("nothing") == {}
