"""How fast the durable log alone takes batches, each with a sync of its own.

Value: payload bytes a second. append.c has batches of 500 records of 1 KB, random bytes, filled and
sealed by one thread, appended and synced by another, through the log's door (the preset codec
tries to compress them; append_plain does not), and reads all of it back. Limit: rawwrite.c writes
as many pieces of the same size with pwrite and fdatasync. Both time their loop. They take turns.
"""

import json

from place import Workplace
from results import Result

BATCHES, BATCHES_SHORT = 2000, 20
CODECS = {"append": "zstd", "append_plain": "plain"}


def run(workplace: Workplace) -> list[Result]:
    batches = BATCHES_SHORT if workplace.short else BATCHES
    append, rawwrite = workplace.program("append"), workplace.program("rawwrite")
    values: dict[str, list[float]] = {name: [] for name in CODECS}
    limits = []
    for _ in range(workplace.runs):
        for name, codec in CODECS.items():
            said = json.loads(workplace.time([append, workplace.fresh("log-alone"), batches,
                                              codec]).output)
            values[name].append(said["payload"] / 1e6 / said["seconds"])
        workplace.fresh("log-alone")
        raw = json.loads(workplace.time([rawwrite, workplace.fresh("raw"), batches,
                                         said["stored"] // batches]).output)
        limits.append(said["payload"] / 1e6 / raw["seconds"])
        workplace.fresh("raw")
    return [Result(name, "MB/s", values[name], limits, "ratio >= 0.8") for name in CODECS]
