"""How long after its start a process has the first event in the durable stream.

reader.c waits for the stream (it looks for it every 0.2 ms) and tells when it has the first row's
event in its hands, which is acknowledged then. `millstream capture` reads a binlog from its start,
of a server with 10 tables, and of one with 10,000.

Limit: rawdump.c connects to the same server, asks for the same binlog, and ends at the end of its
first transaction: its whole time. They take turns, five of each in a run.
"""

import time

import backlog
from place import Workplace
from results import Result

EACH = 5


def _first_event(workplace: Workplace, log: backlog.Backlog, reader) -> float:
    """Milliseconds."""
    data, seen = workplace.fresh("data"), workplace.fresh("seen")
    config = workplace.config({"data": str(data), "source": log.server.source(),
                               "console": {"listen": ""}})
    with workplace.running([reader, data / "streams" / "changes", 1], seen) as child:
        started = time.monotonic_ns()
        with workplace.running([workplace.millstream, "capture", "--config", config]):
            child.wait(60)
    return (int(seen.read_text(encoding="ascii").split()[1]) - started) / 1e6


def _measure(workplace: Workplace, name: str, recipe: backlog.Recipe) -> Result:
    values, limits = [], []
    reader, rawdump = workplace.program("reader"), workplace.program("rawdump")
    with backlog.serve(recipe, workplace.folder / "server") as log:
        receive = [rawdump, log.server.socket, "test", "test", *log.first, *log.first_commit()]
        for _ in range(workplace.runs * (1 if workplace.short else EACH)):
            values.append(_first_event(workplace, log, reader))
            limits.append(workplace.time(receive).seconds * 1e3)
    return Result(name, "ms", values, limits, "value <= 100")


def run(workplace: Workplace) -> list[Result]:
    many = backlog.TABLES_SHORT if workplace.short else backlog.TABLES_10000
    return [_measure(workplace, "first_event_ms", backlog.TABLES_10),
            _measure(workplace, "first_event_10000_ms", many)]
