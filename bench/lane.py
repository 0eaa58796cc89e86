"""./dev bench NAME: measures, prints a table for people and one line of JSON. docs/BENCHMARKS.md
says what each bench measures and how its limit is.

A bench is a function (Workplace) -> list of Result; its file says what it does. Whatever it
starts is over when it returns or is stopped.
"""

import argparse
import os
import sys
from collections import namedtuple
from pathlib import Path

import pymysql

import append
import archive
import drain
import figures
import latency
import memory
import place
import start
from results import Report

sys.path.append(str(place.ROOT / "tools" / "workshop"))
import build  # noqa: E402
import process  # noqa: E402

Bench = namedtuple("Bench", "run text")
BENCHES = {
    "drain": Bench(drain.bulk, "a binlog of 1000-row inserts, from its start to its end"),
    "drain-oltp": Bench(drain.oltp, "a binlog of one-row transactions, from its start to its end"),
    "latency": Bench(latency.run, "from a commit's answer to its event with a reader"),
    "append": Bench(append.run, "the durable log alone"),
    "archive": Bench(archive.run, "a stream that is there, into a folder"),
    "memory": Bench(memory.run, "the most that a process with all roles takes"),
    "start": Bench(start.run, "from a process's start to its first event in the stream"),
}
NOT_IN_ALL = ("peers",)  # needs other programs


def _path(text: str) -> Path:
    return Path(os.path.abspath(Path(os.environ.get("MILLSTREAM_CALLER", "."), text)))


def _runs(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if not 1 <= value <= 99:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of runs from 1 to 99")
    return value


def read_arguments(words: list[str]) -> argparse.Namespace:
    names = "\n".join(f"  {name:<12} {bench.text}" for name, bench in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="./dev bench", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures Millstream and, in the same run, what the machine can do.\n\n"
        f"{names}\n  {'all':<12} all of them but {', '.join(NOT_IN_ALL)}\n"
        f"  {'report':<12} measures nothing: writes the figures of docs/BENCHMARKS.md anew")
    parser.add_argument("name", metavar="NAME", choices=[*BENCHES, "all", "report"])
    parser.add_argument("--runs", type=_runs, default=3, metavar="N",
                        help="how often, of which the median counts (3)")
    parser.add_argument("--short", action="store_true",
                        help="tiny sizes: whether it works, not how fast it is")
    parser.add_argument("--json", type=_path, metavar="FILE",
                        help="the last line also into FILE; into a folder as NAME.json")
    parser.add_argument("--check", action="store_true",
                        help="with report: only says whether the document is up to date")
    parser.add_argument("--keep", action="store_true",
                        help="leave what the bench wrote: streams, logs, data of servers")
    return parser.parse_args(words)


def bench(name: str, wanted: argparse.Namespace) -> bool:
    """Runs one. False when it failed, in whole or in part."""
    report = Report(name, wanted.runs, wanted.short)
    report.begin()
    file = wanted.json / f"{name}.json" if wanted.json and wanted.json.is_dir() else wanted.json
    try:
        with place.Workplace(name, wanted.runs, wanted.short, wanted.keep) as workplace:
            report.results = BENCHES[name].run(workplace)
        return report.end(file)
    except place.Failed as failed:
        print(f"\nbench: {name}: {failed}", file=sys.stderr)
        if failed.tail:
            print(f"the end of its log:\n{failed.tail}", file=sys.stderr)
    except build.BuildFailed as failed:
        print(f"bench: it does not build:\n{failed}", file=sys.stderr)
    except pymysql.Error as error:
        print(f"\nbench: {name}: the server says: {error}", file=sys.stderr)
    return False


def main(words: list[str]) -> int:
    wanted = read_arguments(words)
    if wanted.name == "report":
        return figures.write(list(BENCHES), wanted.check)
    names = [wanted.name] if wanted.name != "all" else \
        [name for name in BENCHES if name not in NOT_IN_ALL]
    return 0 if all([bench(name, wanted) for name in names]) else 1


def run(words: list[str]) -> None:
    process.main(main, words)
