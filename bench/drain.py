"""How fast a binlog that is there is drained, from its start to its end.

Value: rows (transactions) by the time of the whole process `millstream capture --until-end`, from
its start to its exit, with a new stream each time: null (encoded and dropped), durable (the local
stream with the preset codec, all of it acknowledged), and that with 16 shards. The stream's end
must say that every row is in it.

Limit: rawdump.c receives the same events from the same server over the same unix socket, also
timed from its start to its exit. Limit and values take turns.
"""

import json
import statistics

import backlog
import stream
from place import Failed, Timing, Workplace
from results import Result

NULL = {"backend": "null"}
STREAMS = {"null": NULL, "durable": {}, "durable_16_shards": {"shards": 16}}
BARS = {"null": "ratio >= 0.45", "durable": "ratio >= 0.15", "durable_16_shards": "ratio >= 0.12"}


class Drain:
    def __init__(self, workplace: Workplace, log: backlog.Backlog):
        self.workplace, self.log = workplace, log
        self.rawdump = workplace.program("rawdump")

    def limit(self) -> Timing:
        log = self.log
        timing = self.workplace.time([self.rawdump, log.server.socket, "test", "test",
                                      *log.first, *log.end])
        said, wanted = json.loads(timing.output), log.recipe.transactions
        if said["commits"] != wanted or said["row_events"] < wanted:
            raise Failed(f"rawdump received {said}, not {wanted} transactions")
        return timing

    def millstream(self, settings: dict) -> Timing:
        place = self.workplace
        config = place.config({
            "data": str(place.fresh("data")), "source": self.log.server.source(),
            "stream": settings, "console": {"listen": ""}})
        timing = stream.drained(place, "capture", config, self.log.events)
        if settings != NULL:
            stream.check(place, config, self.log.events)
        return timing


def _measure(workplace: Workplace, recipe: backlog.Recipe, unit: str, streams: dict,
             bars: dict) -> list[Result]:
    found: dict[str, list[Timing]] = {name: [] for name in ["limit", *streams]}
    with backlog.serve(recipe, workplace.folder / "server") as log:
        drain = Drain(workplace, log)
        drain.limit()  # the files come into memory
        for _ in range(workplace.runs):
            found["limit"].append(drain.limit())
            for name, settings in streams.items():
                found[name].append(drain.millstream(settings))
    count = recipe.rows  # one of a transaction, where those are counted
    limits = [count / timing.seconds for timing in found["limit"]]
    return [Result(name, unit, [count / timing.seconds for timing in found[name]], limits,
                   bars[name], _notes(found[name], count)) for name in streams]


def _notes(timings: list[Timing], count: int) -> dict:
    cpu = statistics.median(timing.cpu for timing in timings)
    return {"cpu ns each": f"{cpu / count * 1e9:.0f}",
            "peak MB": f"{max(timing.peak.resident_mb for timing in timings):.0f}"}


def bulk(workplace: Workplace) -> list[Result]:
    recipe = backlog.BULK_SHORT if workplace.short else backlog.BULK
    return _measure(workplace, recipe, "rows/s", STREAMS, BARS)


def oltp(workplace: Workplace) -> list[Result]:
    recipe = backlog.OLTP_SHORT if workplace.short else backlog.OLTP
    return _measure(workplace, recipe, "transactions/s", {"durable": {}},
                    {"durable": "ratio >= 0.5"})
