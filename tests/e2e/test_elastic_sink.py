"""The Elasticsearch sink against a real OpenSearch, with faults between them.

tests/tools/elastic_sink.c writes the streams and runs the sinks, tests/unit/sinks/fold.py compares.
"""

import os
import subprocess

import pytest

import build


@pytest.mark.seconds(300)
def test_the_sink_equals_the_stream_whatever_goes_wrong(opensearch, folder):
    target = "tests/tools/elastic_sink"
    program = build.compile_targets("debug", target) / target
    environment = {**os.environ, "OPENSEARCH_PORT": str(opensearch.port)}
    log = folder / "log"
    with open(log, "wb") as out:
        status = subprocess.run([program], env=environment, stdout=out, stderr=out, timeout=280,
                                check=False).returncode
    assert status == 0, "\n".join(log.read_text(errors="replace").splitlines()[-60:])
