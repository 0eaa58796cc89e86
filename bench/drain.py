"""How fast a binlog that is there is drained, from its start to its end.

Value: rows (transactions) by the time of the whole process `millstream capture --until-end`, from
its start to its exit, with a new stream each time: null (encoded and dropped), durable (the local
stream with the preset codec, all of it acknowledged), and that with 16 shards. The stream's end
must say that every row is in it.

Limit: rawdump.c receives the same events from the same server over the same unix socket, also
timed from its start to its exit. Limit and values take turns.
"""

import json
import re

import backlog
from place import Failed, Timing, Workplace
from results import Result

ENDED = re.compile(r"reached the end of the binlog.* next_ordinal=(\d+)")


class Drain:
    def __init__(self, workplace: Workplace, log: backlog.Backlog):
        self.workplace, self.log = workplace, log
        self.events = log.rows + backlog.CONTROLS
        self.rawdump = workplace.program("rawdump")

    def limit(self) -> Timing:
        log = self.log
        timing = self.workplace.time([self.rawdump, log.server.socket, "test", "test",
                                      *log.first, *log.end])
        said = json.loads(timing.output)
        if said["commits"] != log.transactions or said["row_events"] < log.transactions:
            raise Failed(f"rawdump received {said}, not {log.transactions} transactions")
        return timing

    def millstream(self, **stream) -> Timing:
        place = self.workplace
        data = place.fresh("data")
        config = place.config({
            "data": str(data), "source": self.log.server.source(), "stream": stream,
            "console": {"listen": ""}})
        start = place.log.stat().st_size
        timing = place.time([place.millstream, "capture", "--config", config, "--until-end"])
        said = ENDED.search(place.log.read_bytes()[start:].decode(errors="replace"))
        ended = int(said[1]) if said else -1
        if ended != self.events:
            raise Failed(f"the capture ended at ordinal {ended}, not {self.events}", place.log)
        if stream.get("backend") != "null":
            self._check_stream(config)
        return timing

    def _check_stream(self, config) -> None:
        place = self.workplace
        said = json.loads(place.time([place.millstream, "status", "--config", config,
                                      "--json"]).output)["stream"]
        if (said["first_ordinal"], said["next_ordinal"]) != (0, self.events):
            raise Failed(f"the stream is {said}, not ordinals 0 to {self.events}", place.log)


def _measure(workplace: Workplace, recipe: backlog.Recipe, unit: str, streams: dict,
             bars: dict) -> list[Result]:
    found = {name: [] for name in ["limit", *streams]}
    with backlog.serve(recipe, workplace.folder / "server") as log:
        drain = Drain(workplace, log)
        drain.limit()  # the files come into memory
        for _ in range(workplace.runs):
            found["limit"].append(drain.limit())
            for name, stream in streams.items():
                found[name].append(drain.millstream(**stream))
        count = log.rows if unit == "rows/s" else log.transactions
    limits = [count / timing.seconds for timing in found["limit"]]
    return [Result(name, unit, [count / timing.seconds for timing in found[name]], limits, bars[name],
                   notes=_notes(found[name], count)) for name in streams]


def _notes(timings: list[Timing], count: int) -> dict:
    cpu = sorted(timing.cpu for timing in timings)[len(timings) // 2]
    return {"cpu ns each": f"{cpu / count * 1e9:.0f}",
            "peak MB": f"{max(timing.rss_mb for timing in timings):.0f}"}


def bulk(workplace: Workplace) -> list[Result]:
    recipe = backlog.BULK_SHORT if workplace.short else backlog.BULK
    return _measure(
        workplace, recipe, "rows/s",
        {"null": {"backend": "null"}, "durable": {}, "durable_16_shards": {"shards": 16}},
        {"null": "ratio >= 0.45", "durable": "ratio >= 0.15", "durable_16_shards": "ratio >= 0.12"})


def oltp(workplace: Workplace) -> list[Result]:
    recipe = backlog.OLTP_SHORT if workplace.short else backlog.OLTP
    return _measure(workplace, recipe, "transactions/s", {"durable": {}},
                    {"durable": "ratio >= 0.5"})
