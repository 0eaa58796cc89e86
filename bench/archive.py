"""How fast the archive brings a stream that is there into a folder.

Value: bytes of events (uncompressed) by the time of the whole process `millstream archive
--until-end`, on one core: zstd and gzip from a stream that is stored plain, so that everything is
compressed anew at the preset level; zstd_copied from a stream of zstd frames, which it copies. The
archive must hold the same lines as the stream, by zstd -dc and gzip -dc.

Limit: the command of the same library at the same level on the same core and the same bytes, in
one file: zstd for zstd, libdeflate-gzip for gzip (gzip's own speed stands beside it). They take
turns. The commands do not sync what they write, the archive does.
"""

import hashlib
import os
import statistics
import subprocess
from pathlib import Path
from typing import NamedTuple

import backlog
import stream
from place import Failed, Timing, Workplace
from results import Result

LEVEL = 3  # preset of archive.level
STREAMS = {"plain": {"compression": "off"}, "packed": {}}
CASES = {"zstd": ("plain", "zstd"), "gzip": ("plain", "gzip"), "zstd_copied": ("packed", "zstd")}
COMMANDS = {"zstd": ["zstd", "-q", "-T1", "-c"], "gzip": ["libdeflate-gzip", "-c"],
            "gzip(1)": ["gzip", "-c"]}
UNPACK = {"zstd": "zstd", "gzip": "gzip"}


def _digest(read: subprocess.Popen) -> str:
    digest = hashlib.file_digest(read.stdout, "sha256").hexdigest()
    if read.wait() != 0:
        raise Failed(f"{read.args[0]} exits {read.returncode}")
    return digest


class Archive:
    def __init__(self, workplace: Workplace):
        self.workplace = workplace
        self.core = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
        self.lines = workplace.folder / "lines"
        self.digest = self.size = None

    def make_streams(self, log: backlog.Backlog) -> None:
        place = self.workplace
        for name, settings in STREAMS.items():
            config = place.config({"data": str(place.fresh(name)), "stream": settings,
                                   "source": log.server.source(), "console": {"listen": ""}})
            stream.drained(place, "capture", config, log.events)
        place.time([place.millstream, "tail", "--config", config, "--from", "oldest"], self.lines)
        self.size = self.lines.stat().st_size
        with open(self.lines, "rb") as lines:
            self.digest = hashlib.file_digest(lines, "sha256").hexdigest()

    def value(self, name: str) -> "Run":
        place, (source, codec) = self.workplace, CASES[name]
        path = place.fresh("archive")
        config = place.config({
            "data": str(place.folder / source), "stream": STREAMS[source],
            "console": {"listen": ""}, "archive": {"path": str(path), "format": codec}})
        timing = place.time([*self.core, place.millstream, "archive", "--config", config,
                             "--until-end"])
        self._check(objects := _objects(path), codec)
        return Run(timing, sum(one.stat().st_size for one in objects))

    def _check(self, objects: list[Path], codec: str) -> None:
        with subprocess.Popen([UNPACK[codec], "-dc", *objects], stdout=subprocess.PIPE) as read:
            digest = _digest(read)
        if digest != self.digest:
            raise Failed(f"the archive's {len(objects)} objects are not the stream's lines")

    def limit(self, name: str) -> "Run":
        packed = self.workplace.fresh("packed-lines")
        timing = self.workplace.time([*self.core, *COMMANDS[name], f"-{LEVEL}", self.lines], packed)
        return Run(timing, packed.stat().st_size)


class Run(NamedTuple):
    timing: Timing
    packed: int


def _objects(path: Path) -> list[Path]:
    return sorted(one for one in path.glob("log/**/*.ndjson.*") if one.suffix in (".zst", ".gz"))


def _rates(runs: list[Run], size: int) -> list[float]:
    return [size / 1e6 / run.timing.seconds for run in runs]


def _notes(runs: list[Run], size: int, command: str) -> dict:
    cpu = statistics.median(run.timing.cpu for run in runs)
    return {f"{command}cpu MB/s": f"{size / 1e6 / cpu:.0f}", f"{command}packed": f"{runs[0].packed / size:.3f}"}


def run(workplace: Workplace) -> list[Result]:
    recipe = backlog.BULK_SHORT if workplace.short else backlog.MEDIUM
    archive = Archive(workplace)
    with backlog.serve(recipe, workplace.folder / "server") as log:
        archive.make_streams(log)
    values: dict[str, list[Run]] = {name: [] for name in CASES}
    limits: dict[str, list[Run]] = {name: [] for name in COMMANDS}
    for _ in range(workplace.runs):
        for name in COMMANDS:
            limits[name].append(archive.limit(name))
        for name in CASES:
            values[name].append(archive.value(name))
    size, results = archive.size, []
    for name in CASES:
        limit = limits.get(name, [])
        notes = _notes(values[name], size, "") | (_notes(limit, size, "command's ") if limit else {})
        results.append(Result(name, "MB/s", _rates(values[name], size), _rates(limit, size),
                              "ratio >= 0.8" if limit else "", notes))
    results[1].notes["gzip(1) MB/s"] = f"{statistics.median(_rates(limits['gzip(1)'], size)):.0f}"
    return results
