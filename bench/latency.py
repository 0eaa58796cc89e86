"""How long after the commit was acknowledged a reader in another process has the event.

commits.c commits one-row transactions at fixed times (an open loop), `millstream capture` follows
into the durable stream, reader.c is blocked in the hub's wait until the batch of an event is on
disk. A latency is from the server's answer to the client to the event in the reader's hands, by
CLOCK_MONOTONIC, which all processes share. The server does not sync (its disk would be another
one, and its syncs come before it answers).

Limit: wake.c writes as many bytes as a batch has, syncs, and wakes another process, at the same
times. They take turns.
"""

import statistics

import backlog
import stream
from place import Failed, Workplace
from results import Result

RATE, SECONDS, LANES = 500, 20, 8
SOURCE = ("--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0")
EMPTY = backlog.orders("empty", 0, 1)
BARS = {"p50_ms": "value <= 1", "p99_ms": "value <= 5", "max_ms": ""}
SHARES = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}


def percentile(values: list[float], share: float) -> float:
    """The least value that is not below `share` of them."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _numbers(text: str) -> list[list[int]]:
    return [[int(word) for word in line.split()] for line in text.splitlines()]


class Latency:
    def __init__(self, workplace: Workplace, server):
        self.workplace, self.server = workplace, server
        self.count = 200 if workplace.short else RATE * SECONDS
        self.late = 0  # commits whose lane was not free in time
        self.commit_ms = 0.0
        self.batch_size = 0
        self.programs = {name: workplace.program(name) for name in ("commits", "reader", "wake")}

    def value(self) -> list[float]:
        """Milliseconds, one of each commit."""
        place, server, console = self.workplace, self.server, stream.Console()
        server.sql("set sql_log_bin = 0", "truncate bench.orders")
        data, seen = place.fresh("data"), place.fresh("seen")
        config = place.config({"data": str(data), "console": console.setting,
                               "source": {**server.source(), "start": "now"}})
        reader = [self.programs["reader"], data / "streams" / "changes", self.count]
        with place.running([place.millstream, "capture", "--config", config]):
            console.wait_for("capture", lambda stage: stage["state"] == "running")
            with place.running(reader, seen) as child:
                said = place.time([self.programs["commits"], server.socket, "test", "test", RATE,
                                   self.count, LANES]).output
                child.wait(60)
            log = console.stage("log")["metrics"]
        self.batch_size = round(log["bytes_total"] / log["batches_total"])
        return self._latencies(_numbers(said), _numbers(seen.read_text(encoding="ascii")))

    def _latencies(self, commits: list, arrivals: list) -> list[float]:
        arrived = dict(arrivals)
        if sorted(one[0] for one in arrivals) != list(range(1, self.count + 1)):
            raise Failed(f"{len(arrivals)} events arrived of {self.count} commits, or others")
        waits = [acknowledged - due for _, due, acknowledged in commits]
        self.late = sum(wait > 1e9 / RATE * LANES for wait in waits)
        self.commit_ms = statistics.median(waits) / 1e6
        return [(arrived[number] - acknowledged) / 1e6 for number, _, acknowledged in commits]

    def limit(self) -> list[float]:
        place = self.workplace
        said = place.time([self.programs["wake"], place.fresh("woken"), self.batch_size, RATE,
                           self.count]).output
        return [int(line) / 1e6 for line in said.splitlines()]


def run(workplace: Workplace) -> list[Result]:
    values, limits = [], []
    with backlog.serve(EMPTY, workplace.folder / "server", *SOURCE) as log:
        latency = Latency(workplace, log.server)
        for _ in range(workplace.runs):
            values.append(latency.value())
            limits.append(latency.limit())
    notes = {"commits": str(latency.count), "late": str(latency.late),
             "commit ms": f"{latency.commit_ms:.2f}", "batch bytes": str(latency.batch_size)}
    return [Result(name, "ms", [percentile(run, SHARES[name]) for run in values],
                   [percentile(run, SHARES[name]) for run in limits], bar, notes)
            for name, bar in BARS.items()]
