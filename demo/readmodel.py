"""Questions to the read model: the file that Millstream's SQLite sink keeps. Reading only.

The file holds one document a row (`docs`: source_db, source_table, key, ord, doc) and a full-text
index over all texts in them (`search`, by the document's id). Millstream also makes a view for each
table, "market.ads"; what is asked here needs the document's id, and so the table itself.
"""

import json
import re
import sqlite3
import time
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import quote

DATABASE = "market"
PAGE = 24
WORDS_MAX = 16
SORTS = {
    "changed": ("last changed", "d.ord DESC"),
    "newest": ("newest", "d.id DESC"),
    "cheap": ("cheapest", "d.doc ->> '$.price' IS NULL, CAST(d.doc ->> '$.price' AS REAL), d.id"),
    "dear": ("dearest", "CAST(d.doc ->> '$.price' AS REAL) DESC, d.id"),
}


def connect(path: str) -> sqlite3.Connection:
    """A reader; the file must be there. No transaction stays open between two questions."""
    return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None,
                           timeout=2)


def revision(connection: sqlite3.Connection, table: str, row_id: int) -> int | None:
    """The revision of a row, None when it is not there. By the unique index."""
    row = connection.execute(
        "SELECT doc ->> '$.revision' FROM docs"
        " WHERE source_db = ? AND source_table = ? AND key = ?",
        (DATABASE, table, f'{{"id":{row_id}}}')).fetchone()
    return None if row is None else row[0]


def match(text: str) -> str | None:
    """What a visitor typed, as a query of FTS5: all of the words, the last one may be a beginning.
    Each stands in quotes, so that nothing in it is an operator. None: nothing to search for."""
    words = []
    for word in re.split(r"[\s\0]+", text):
        if any(unicodedata.category(sign)[0] in "LN" for sign in word):
            words.append('"' + word.replace('"', '""') + '"')
    return " ".join(words[:WORDS_MAX]) + "*" if words else None


@dataclass
class Wish:
    """What the main site is asked for."""

    text: str = ""
    category: str = ""
    city: str = ""
    status: str = ""
    least: float | None = None
    most: float | None = None
    sort: str = "changed"
    page: int = 1


@dataclass
class Found:
    total: int = 0
    seconds: float = 0.0
    ads: list[dict] = field(default_factory=list)


def _conditions(wish: Wish) -> tuple[str, list]:
    """FROM and WHERE, and what is bound. With words the index is asked first, else all documents
    are gone through as they lie."""
    source, where = "docs d NOT INDEXED", ["d.source_db = ?", "d.source_table = 'ads'"]
    bound: list = [DATABASE]
    if wish.text.strip():
        source = "search CROSS JOIN docs d ON d.id = search.rowid"
        where.append("search MATCH ?")
        bound.append(match(wish.text) or '""')
    for name in ("category", "city", "status"):
        if getattr(wish, name):
            where.append(f"d.doc ->> '$.{name}' = ?")
            bound.append(getattr(wish, name))
    for value, sign in ((wish.least, ">="), (wish.most, "<=")):
        if value is not None:
            where.append(f"CAST(d.doc ->> '$.price' AS REAL) {sign} ?")
            bound.append(value)
    return f" FROM {source} WHERE {' AND '.join(where)}", bound


def _ad(connection: sqlite3.Connection, row_id: int) -> dict:
    """A document, and the name of its publisher from the other table's document."""
    ordinal, doc, name = connection.execute(
        "SELECT d.ord, d.doc, (SELECT p.doc ->> '$.name' FROM docs p"
        "  WHERE p.source_db = d.source_db AND p.source_table = 'publishers'"
        "  AND p.key = '{\"id\":' || (d.doc ->> '$.publisher') || '}')"
        " FROM docs d WHERE d.id = ?", (row_id,)).fetchone()
    return {**json.loads(doc, parse_float=str), "ord": ordinal, "publisher_name": name}


def search(connection: sqlite3.Connection, wish: Wish) -> Found:
    """One state of the read model, whatever arrives meanwhile."""
    started = time.perf_counter()
    conditions, bound = _conditions(wish)
    connection.execute("BEGIN")
    rows = connection.execute(
        "SELECT d.id, count(*) OVER ()" + conditions
        + f" ORDER BY {SORTS[wish.sort][1]} LIMIT ? OFFSET ?",
        (*bound, PAGE, (wish.page - 1) * PAGE)).fetchall()
    total = rows[0][1] if rows else \
        connection.execute("SELECT count(*)" + conditions, bound).fetchone()[0]
    ads = [_ad(connection, row_id) for row_id, _ in rows]
    connection.execute("COMMIT")
    return Found(total, time.perf_counter() - started, ads)


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows by table."""
    return dict(connection.execute(
        "SELECT source_table, count(*) FROM docs WHERE source_db = ? GROUP BY 1", (DATABASE,)))
