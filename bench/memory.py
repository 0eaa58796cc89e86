"""How much memory `millstream run` takes at most, with everything on: capture, hub, archive, the
SQLite read model with its full-text index, and the console, which is asked once a second.

Value: VmHWM, the kernel's peak of resident memory, files that are mapped among it. While a backlog
is drained; with one transaction of 1,000,000 rows; with 10,000 tables that all change. There is no
limit to measure: the bar stands in its place. The read model must have every row in the end.
"""

import sqlite3
import threading

import backlog
import stream
from place import Failed, Timing, Workplace
from results import Result

BARS = {"drain": 64, "big_transaction": 64, "tables_10000": 128}
RECIPES = {"drain": (backlog.SMALL, backlog.BULK_SHORT),
           "big_transaction": (backlog.BIG, backlog.BIG_SHORT),
           "tables_10000": (backlog.TABLES_10000, backlog.TABLES_SHORT)}


class Asking(threading.Thread):
    """Somebody who has the console's page open, and a Prometheus."""

    def __init__(self, console: stream.Console):
        super().__init__(daemon=True)
        self.console, self.is_over, self.answers = console, threading.Event(), 0

    def run(self) -> None:
        while not self.is_over.wait(0.1 if not self.answers else 1):
            for path in ("/", "/api/status?history", "/metrics"):
                self.answers += self.console.get(path) is not None


def _run(workplace: Workplace, log: backlog.Backlog) -> Timing:
    data, console = workplace.fresh("data"), stream.Console()
    config = workplace.config({
        "data": str(data), "source": log.server.source(), "console": console.setting,
        "archive": {"path": str(workplace.fresh("archive"))},
        "sinks": {"search": {"type": "sqlite"}}})
    asking = Asking(console)
    asking.start()
    try:
        timing = stream.drained(workplace, "run", config, log.events)
    finally:
        asking.is_over.set()
        asking.join()
    if not asking.answers and not workplace.short:
        raise Failed("the console did not answer once", workplace.log)
    with sqlite3.connect(f"file:{data}/search.db?mode=ro", uri=True) as model:
        rows = model.execute("select count(*) from docs").fetchone()[0]
    if rows != log.recipe.rows:
        raise Failed(f"the read model has {rows} rows, not {log.recipe.rows}", workplace.log)
    return timing


def run(workplace: Workplace) -> list[Result]:
    results = []
    for name, bar in BARS.items():
        with backlog.serve(RECIPES[name][workplace.short], workplace.folder / "server") as log:
            timings = [_run(workplace, log) for _ in range(workplace.runs)]
        notes = {"without files MB": f"{max(timing.peak.own_mb for timing in timings):.1f}",
                 "seconds": f"{timings[-1].seconds:.1f}", "rows": f"{log.recipe.rows:,}"}
        results.append(Result(name, "MB", [timing.peak.resident_mb for timing in timings],
                              [bar] * workplace.runs, f"value <= {bar}", notes))
    return results
