"""./dev test: runs the lanes, or those and the tests that are named; ends with the total.

A lane is a function (report, names or None, everything). Names are found in this order: a lane, a
rule of tidy, a unit test or its room, and what is left goes to pytest. `--all` adds the lanes that
are marked long here, and the tests that are marked long (pytest.mark.long).
"""

import sys
from collections import namedtuple

import e2e
import process
import tidy_lane
import unit
from report import Report

Lane = namedtuple("Lane", "run long")
LANES = {
    "tidy": Lane(tidy_lane.run, False),
    "unit": Lane(unit.run, False),
    "e2e": Lane(e2e.run, False),
    "tsan": Lane(unit.run_tsan, True),
}


def plan(names: list[str], everything: bool) -> dict[str, list[str] | None]:
    """lane -> its tests by name, or None for all of them."""
    if not names:
        return {lane: None for lane in LANES if everything or not LANES[lane].long}
    chosen: dict[str, list[str] | None] = {name: None for name in LANES if name in names}
    for name in names:
        if name in LANES:
            continue
        if name in tidy_lane.NAMES:
            lane, tests = "tidy", [name]
        elif unit.matching(name):
            lane, tests = "unit", unit.matching(name)
        else:
            lane, tests = "e2e", [name]
        if chosen.setdefault(lane, []) is not None:
            chosen[lane] += tests
    return {lane: chosen[lane] for lane in LANES if lane in chosen}


def main(arguments: list[str]) -> int:
    command, *names = arguments
    everything = "--all" in names
    names = [name for name in names if name != "--all"]
    if command == "tidy":
        names = names or ["tidy"]
    unknown = [name for name in names if name.startswith("-")]
    if unknown:
        print(f"./dev test: there is no option '{unknown[0]}' (--all is one)", file=sys.stderr)
        return 2
    report = Report()
    for lane, tests in plan(names, everything).items():
        LANES[lane].run(report, tests, everything)
    return report.total()


if __name__ == "__main__":
    process.main(main, sys.argv[1:])
