"""Folds the lines of a stream into tables by itself and compares them with a read model.

usage: fold.py LINES.ndjson READ-MODEL.db [WITHOUT]      a file of the SQLite sink
       fold.py LINES.ndjson http://HOST:PORT [WITHOUT]   Elasticsearch or OpenSearch

Indexes are named db.table. Lines with the text WITHOUT in them are left out: documents that the
target refuses.

Knows nothing of the program: an event overwrites or removes its key, a truncate empties its table.
Exit status 0 when they are equal, 1 with the differences otherwise."""
import collections
import json
import sqlite3
import sys
import urllib.request


def lines_of(path):
    without = sys.argv[3] if len(sys.argv) > 3 else None
    for line in open(path, encoding="utf-8"):
        if without is None or without not in line:
            yield json.loads(line)


def fold(path):
    keyed = {}  # (db, table, key) -> (ordinal, document)
    counts = collections.Counter()  # (db, table, row) -> copies
    for event in lines_of(path):
        db, table, op = event["db"], event["table"], event["op"]
        if op == "t":
            for rows in (keyed, counts):
                for key in [k for k in rows if k[0] == db and table in (None, k[1])]:
                    del rows[key]
        elif op == "s":
            continue
        elif event["key"] is None:
            row = json.dumps(event["before" if op == "d" else "after"], sort_keys=True)
            counts[db, table, row] += -1 if op == "d" else 1
        else:
            key = db, table, json.dumps(event["key"])
            if op == "d":
                keyed.pop(key, None)
            else:
                keyed[key] = event["ord"], event["after"]
    return keyed, {key: n for key, n in counts.items() if n > 0}


def read(path, keyless):
    keyed, counts = {}, {}
    rows = sqlite3.connect(path).execute(
        "SELECT source_db, source_table, key, ord, doc, copies FROM docs")
    for db, table, key, ordinal, doc, copies in rows:
        if (db, table) in keyless:
            counts[db, table, json.dumps(json.loads(doc), sort_keys=True)] = copies
        else:
            keyed[db, table, json.dumps(json.loads(key))] = ordinal, json.loads(doc)
            assert copies == 1, key
    return keyed, counts


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    return json.loads(urllib.request.urlopen(request, timeout=60).read())


def read_indexes(url, want):
    """Documents by index and _id; the key in `want` with the same values stands for them."""
    names = {(db, table, "|".join(str(v) for v in json.loads(key).values())): key
             for db, table, key in want}
    keyed = {}
    ask(url + "/_refresh")
    for index in ask(url + "/_cat/indices?format=json&expand_wildcards=open"):
        db, dot, table = index["index"].partition(".")
        if not dot or not db:
            continue
        after = []
        while True:
            query = {"size": 5000, "version": True, "sort": [{"@ord": "asc"}]}
            if after:
                query["search_after"] = after
            hits = ask(f"{url}/{index['index']}/_search", query)["hits"]["hits"]
            for hit in hits:
                doc = hit["_source"]
                ordinal = doc.pop("@ord")
                assert ordinal == hit["_version"], hit
                keyed[db, table, names.get((db, table, hit["_id"]), hit["_id"])] = ordinal, doc
            if not hits:
                break
            after = hits[-1]["sort"]
    return keyed, {}


def main():
    lines, model = sys.argv[1:3]
    want = fold(lines)
    keyless = {(db, table) for db, table, _ in want[1]}
    for event in lines_of(lines):
        if event["op"] in "cudr" and event["key"] is None:
            keyless.add((event["db"], event["table"]))
    is_server = model.startswith("http:")
    have = read_indexes(model, want[0]) if is_server else read(model, keyless)
    bad = 0
    for wanted, found in zip(want, have):
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key):
                bad += 1
                if bad <= 5:
                    print(f"{key}: stream {wanted.get(key)}, read model {found.get(key)}")
    if not want[0] and not want[1]:
        print("the stream folds to nothing: nothing was compared")
        bad += 1
    return bad > 0


sys.exit(main())
