"""Changes on a database for tests that need something going on: transactions of all sizes, from one row to thousands, on tables
with and without a key. Seeded; one thread with a connection of its own."""

import random
import threading

from harness.servers import Database

TABLES = (
    "create table {db}.ads (id int primary key, title varchar(200), price decimal(10,2), state enum('live','sold'), at timestamp(6) null)",
    "create table {db}.pairs (a int, b varchar(20), v int, primary key (a, b))",
    "create table {db}.notes (who int, what varchar(60))",
)
KEYS = 3000


def make_tables(server: Database, db: str) -> None:
    for table in TABLES:
        server.sql(table.format(db=db))


class Load(threading.Thread):
    """Runs until `finish`. `largest`: rows of the largest transactions."""

    def __init__(self, server: Database, db: str, seed: int, largest: int = 4000, pause: float = 0.002):
        super().__init__(name="load", daemon=True)
        self.random = random.Random(seed)
        self.connection = server.connect(database=db, autocommit=False)
        self.largest, self.pause = largest, pause
        self.done, self.failure = threading.Event(), None
        self.transactions = 0

    def run(self) -> None:
        try:
            with self.connection.cursor() as cursor:
                while not self.done.is_set():
                    self.change(cursor, self.size())
                    self.connection.commit()
                    self.transactions += 1
                    self.done.wait(self.pause)
        except Exception as failure:  # shown by finish
            self.failure = failure

    def size(self) -> int:
        """Rows of the next transaction: mostly few, sometimes very many."""
        dice = self.random.random()
        if dice < 0.7:
            return self.random.randint(1, 3)
        return self.random.randint(4, 100) if dice < 0.985 else self.random.randint(500, self.largest)

    def text(self) -> str:
        return self.random.choice("äöü€ßxyz") * self.random.randint(1, 120)

    def change(self, cursor, size: int) -> None:
        pick = self.random
        if size > 100:
            rows = [(pick.randrange(KEYS * 10), self.text(), pick.randrange(10**6) / 100)
                    for _ in range(size)]
            cursor.executemany("replace into ads values (%s, %s, %s, 'live', now(6))", rows)
            return
        for _ in range(size):
            key, dice = pick.randrange(KEYS), pick.random()
            if dice < 0.35:
                cursor.execute("replace into ads values (%s, %s, %s, 'live', now(6))",
                               (key, self.text(), pick.randrange(10**6) / 100))
            elif dice < 0.6:
                cursor.execute("update ads set price = price + 1, state = 'sold' where id between %s and %s",
                               (key, key + pick.randrange(3)))
            elif dice < 0.7:
                cursor.execute("delete from ads where id = %s", (key,))
            elif dice < 0.75:
                cursor.execute("update ignore ads set id = id + %s where id = %s", (KEYS, key))
            elif dice < 0.9:
                cursor.execute("replace into pairs values (%s, %s, %s)",
                               (key % 100, self.text()[:20], pick.randrange(10)))
            elif dice < 0.95:
                cursor.execute("insert into notes values (%s, %s)", (key % 5, self.text()[:60]))
            else:
                cursor.execute("update notes set what = 'x' where who = %s limit 1", (key % 5,))

    def finish(self) -> None:
        self.done.set()
        self.join(60)
        self.connection.close()
        if self.failure:
            raise self.failure
