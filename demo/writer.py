"""The life of the site: a thread that publishes, changes and deletes ads in the database, at the
rate that was asked for. It and the personal area are all that writes."""

import threading
import time
from collections import Counter

import pymysql

from arrivals import Arrivals, Change
from generator import PUBLISHERS, Ad, Generator, Step

VISITOR = 1  # the publisher of the personal area
LOAD_ROWS = 100
CALM_SECONDS = 0.5  # so far behind its time the writer gives up catching up
COLUMNS = {
    "publishers": ("name", "kind", "languages", "city", "verified", "rating", "about", "joined"),
    "ads": ("publisher", "title", "text", "price", "category", "city", "attributes", "status"),
}


def connect(socket: str) -> pymysql.Connection:
    """Each statement is a transaction of its own unless begin() is called. No gap locks: nobody
    waits for anybody else's ads."""
    return pymysql.connect(
        unix_socket=socket, user="site", password="demo", database="market", charset="utf8mb4",
        autocommit=True, connect_timeout=5, read_timeout=30, write_timeout=30,
        init_command="set time_zone = '+00:00', tx_isolation = 'read-committed'")


def insert(cursor, table: str, rows: list[dict]) -> int:
    """One statement; the first id. The others follow it."""
    names = COLUMNS[table]
    one = "(" + ", ".join(["%s"] * len(names)) + ")"
    cursor.execute(f"insert into {table} ({', '.join(names)}) values "
                   + ", ".join([one] * len(rows)), [row[name] for row in rows for name in names])
    return cursor.lastrowid


def update(cursor, table: str, values: dict, **where) -> int | None:
    """Changes a row; its new revision, or None when there is no such row. The revision comes back
    in the answer, as an inserted id would."""
    pairs = ", ".join(f"{name} = %s" for name in values)
    done = cursor.execute(
        f"update {table} set {pairs}, revision = last_insert_id(revision + 1) where "
        + " and ".join(f"{name} = %s" for name in where), (*values.values(), *where.values()))
    return cursor.lastrowid if done else None


class Counts:
    """Rows written, by table and op: by the writer and by the visitor."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rows: Counter = Counter()
        self.total = 0

    def add(self, changes: list[Change]) -> None:
        with self._lock:
            self._rows.update((change.table, change.op) for change in changes)
            self.total += len(changes)

    def by_kind(self) -> Counter:
        with self._lock:
            return Counter(self._rows)


class Writer:
    def __init__(self, socket: str, arrivals: Arrivals, counts: Counts, generator: Generator,
                 rate: float):
        self.socket, self.arrivals, self.counts = socket, arrivals, counts
        self.generator, self.rate = generator, rate
        self.failed = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the transaction at hand."""
        self._stop.set()
        if self._thread.ident:
            self._thread.join(35)

    # ---- before Millstream is there ----

    def load(self, ads: int) -> None:
        """The visitor, publishers and their ads; by hundreds."""
        connection = connect(self.socket)
        with connection, connection.cursor() as cursor:
            self._load(cursor, [Step("c", "publishers", {
                "name": "You", "kind": "private", "languages": "en", "city": "Bristol",
                "verified": 1, "rating": None, "about": None, "joined": "2026-01-01"})], [])
            steps = [self.generator.publisher() for _ in range(PUBLISHERS)]
            self._load(cursor, steps, steps)
            for done in range(0, ads, LOAD_ROWS):
                steps = [self.generator.ad() for _ in range(min(LOAD_ROWS, ads - done))]
                self._load(cursor, steps, steps)

    def _load(self, cursor, steps: list[Step], known: list[Step]) -> None:
        table = steps[0].table
        with self.arrivals.commit() as changes:
            first = insert(cursor, table, [step.values for step in steps])
            changes += [Change("c", table, first + number, 1, live=False)
                        for number in range(len(steps))]
        for number, step in enumerate(known):
            self.generator.know(step, first + number)
        self.counts.add(changes)

    def resume(self) -> None:
        """Learns the ads of a database that was filled before."""
        connection = connect(self.socket)
        with connection, connection.cursor(pymysql.cursors.DictCursor) as cursor:
            for table in ("publishers", "ads"):
                who = "id" if table == "publishers" else "publisher"
                cursor.execute(f"select * from {table} where {who} <> %s order by id", (VISITOR,))
                for row in cursor:
                    self.generator.know(Step("c", table, row), row["id"])

    # ---- live ----

    def _run(self) -> None:
        try:
            connection = connect(self.socket)
            with connection, connection.cursor() as cursor:
                self._write(connection, cursor)
        except pymysql.Error as error:
            if not self._stop.is_set():
                self.failed = f"the writer cannot go on: {error}"

    def _write(self, connection, cursor) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            steps = self.generator.steps()
            changes = self._commit(connection, cursor, steps)
            self.counts.add(changes)
            due += len(steps) / self.rate
            late = time.monotonic() - due
            if late > CALM_SECONDS:
                due += late
            elif late < 0:
                self._stop.wait(-late)

    def _commit(self, connection, cursor, steps: list[Step]) -> list[Change]:
        if len(steps) == 1:  # commits by itself
            with self.arrivals.commit() as changes:
                changes += self._execute(cursor, steps)
            return changes
        connection.begin()
        done = self._execute(cursor, steps)
        with self.arrivals.commit() as changes:
            connection.commit()
            changes += done
        return changes

    def _execute(self, cursor, steps: list[Step]) -> list[Change]:
        changes, rows = [], []
        for step in steps:
            if step.op == "c":
                rows.append(step)
            else:
                changes += self._change(cursor, step)
        if rows:
            first = insert(cursor, "ads", [step.values for step in rows])
            for number, step in enumerate(rows):
                self.generator.know(step, first + number)
                changes.append(Change("c", "ads", first + number, 1, step.values["title"]))
        return changes

    def _change(self, cursor, step: Step) -> list[Change]:
        """None when somebody else was there before."""
        row_id = step.target.id
        title = step.target.title if isinstance(step.target, Ad) else step.values["name"]
        if step.op == "d":
            gone = cursor.execute("delete from ads where id = %s", (row_id,))
            return [Change("d", "ads", row_id, 0, title)] if gone else []
        revision = update(cursor, step.table, step.values, id=row_id)
        return [] if revision is None else [Change("u", step.table, row_id, revision, title)]
