"""How long changes take from the commit in the database to the read model.

Whoever commits says so here, in the order of the commits; a thread looks at the read model every
two milliseconds, as a reader of it would, and notes when each change is first seen. One process,
one clock: from the database's answer to the commit until the change is seen. Nothing is asked of
the database for it.

Events arrive in the order of the commits, so that a change has arrived as soon as a later one has:
that tells it also of a row that was made and deleted before anybody looked.
"""

import math
import sqlite3
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator

import readmodel

LOOK_SECONDS = 0.002
NEAR = 24  # of the first and last changes that are awaited, so many are looked for one by one
STEP = math.log(1.03)  # latencies are counted in classes that are 3 % wide


@dataclass(slots=True)
class Change:
    """A row's change that was committed: c, u or d, and the revision that it gave the row."""

    op: str
    table: str
    id: int
    revision: int
    title: str = ""
    live: bool = True  # False: loaded before Millstream was started
    committed: float = 0.0


@dataclass(slots=True, frozen=True)
class Arrival:
    """The last change of a row that arrived."""

    op: str
    revision: int
    seconds: float
    live: bool
    at: float  # wall clock


class Latencies:
    """Counts of latencies by class: small, whatever their number, and exact to 3 %."""

    def __init__(self):
        self.classes: dict[int, int] = {}
        self.count, self.most = 0, 0.0

    def add(self, seconds: float) -> None:
        number = round(math.log(max(seconds, 1e-6)) / STEP)
        self.classes[number] = self.classes.get(number, 0) + 1
        self.count += 1
        self.most = max(self.most, seconds)

    def join(self, other: "Latencies") -> None:
        for number, count in other.classes.items():
            self.classes[number] = self.classes.get(number, 0) + count
        self.count += other.count
        self.most = max(self.most, other.most)

    def share(self, part: float) -> float | None:
        """The latency that `part` of all stay below."""
        left = math.ceil(self.count * part)
        for number in sorted(self.classes):
            left -= self.classes[number]
            if left <= 0:
                return min(math.exp(number * STEP), self.most)
        return None

    def figures(self) -> dict:
        """In milliseconds."""
        def ms(seconds):
            return None if seconds is None else round(seconds * 1000, 2)
        return {"count": self.count, "p50": ms(self.share(0.5)), "p99": ms(self.share(0.99)),
                "most": ms(self.most if self.count else None)}


class Arrivals:
    def __init__(self, path: str):
        self.path = path
        self._order = threading.Lock()  # of the commits
        self._news = threading.Event()
        self._stop = threading.Event()
        self._lock = threading.Lock()  # over what follows; only the thread takes from _pending
        self._pending: list[Change] = []
        self._created: set[tuple[str, int]] = set()  # rows whose making is pending
        self._last: dict[tuple[str, int], Arrival] = {}
        self._seconds: deque[tuple[int, Latencies]] = deque(maxlen=61)
        self._recent: deque[dict] = deque(maxlen=40)
        self._number = 0
        self.total = Latencies()
        self._thread = threading.Thread(target=self._watch, name="arrivals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._news.set()
        if self._thread.ident:
            self._thread.join(5)

    # ---- who commits ----

    @contextmanager
    def commit(self) -> Iterator[list[Change]]:
        """Around a commit: one at a time, so that our order is the binlog's. What was committed
        goes into the list."""
        with self._order:
            changes: list[Change] = []
            yield changes
            now = time.monotonic()
            for change in changes:
                change.committed = now
            with self._lock:
                self._created.update(
                    (change.table, change.id) for change in changes if change.op == "c")
                self._pending.extend(changes)
            self._news.set()

    # ---- who looks ----

    @property
    def awaited(self) -> int:
        return len(self._pending)

    def last(self, table: str, row_id: int) -> Arrival | None:
        with self._lock:
            return self._last.get((table, row_id))

    def minute(self) -> dict:
        """The figures of the last minute, and the median of each of its seconds."""
        now, whole, medians = int(time.monotonic()), Latencies(), {}
        with self._lock:
            for second, latencies in self._seconds:
                if now - 60 < second <= now:
                    whole.join(latencies)
                    medians[now - second] = round(latencies.share(0.5) * 1000, 2)
        return {**whole.figures(), "medians": [medians.get(ago) for ago in range(59, -1, -1)]}

    def recent(self, after: int) -> list[dict]:
        """The newest arrivals whose number is above `after`, the oldest first."""
        with self._lock:
            return [one for one in self._recent if one["number"] > after]

    # ---- the thread ----

    def _watch(self) -> None:
        connection, seen = None, None
        while not self._stop.is_set():
            if not self._pending:
                self._news.wait(0.5)
            try:
                connection = connection or readmodel.connect(self.path)
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != seen or self._news.is_set():
                    self._news.clear()
                    self._settle(connection)
                seen = version
            except sqlite3.Error:  # it is not there yet, or somebody moved it away
                connection, seen = None, None
                self._stop.wait(0.02)
            self._stop.wait(LOOK_SECONDS)
        if connection:
            connection.close()

    def _settle(self, connection: sqlite3.Connection) -> None:
        count = self._arrived(connection)
        if count == 0:
            return
        now, wall = time.monotonic(), time.time()
        with self._lock:
            done = self._pending[:count]
            del self._pending[:count]
            self._created.difference_update(
                (change.table, change.id) for change in done if change.op == "c")
            for change in done:
                self._note(change, now - change.committed, int(now), wall)

    def _arrived(self, connection: sqlite3.Connection) -> int:
        """How many of the pending changes have arrived: all up to the last one that is seen."""
        end, done = len(self._pending), 0
        while done < end:
            ahead = [done + near for near in range(NEAR)]
            ahead += [done + (1 << power) for power in range(5, 40) if done + (1 << power) < end]
            ahead += range(max(done, end - NEAR), end)
            seen = [at for at in ahead
                    if at < end and self._is_visible(connection, self._pending[at])]
            if not seen:
                break
            done = max(seen) + 1
        return done

    def _is_visible(self, connection: sqlite3.Connection, change: Change) -> bool:
        revision = readmodel.revision(connection, change.table, change.id)
        if change.op == "d":
            return revision is None and (change.table, change.id) not in self._created
        return revision is not None and revision >= change.revision

    def _note(self, change: Change, seconds: float, second: int, wall: float) -> None:
        key = (change.table, change.id)
        if change.op == "d":
            self._last.pop(key, None)
        else:
            self._last[key] = Arrival(change.op, change.revision, seconds, change.live, wall)
        if not change.live:
            return
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, Latencies()))
        self._seconds[-1][1].add(seconds)
        self.total.add(seconds)
        self._number += 1
        self._recent.append({
            "number": self._number, "op": change.op, "table": change.table, "id": change.id,
            "title": change.title, "ms": round(seconds * 1000, 1)})
