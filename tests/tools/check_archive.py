#!/usr/bin/env python3
"""Checks an archived event log, written from docs/formats/object.md and from nothing else.

usage: check_archive.py [--manifests-may-lag] STORE STREAM

Reads every object with `zstd` or `gzip`, every metadata file and every manifest, and holds them
against each other and against the page. Prints one JSON object: what is there, with the SHA-256 of
each shard's lines in the order of the keys. Exits with 1 and the reason at the first violation.
--manifests-may-lag is for a store whose writer was just killed: a manifest may then lack objects,
but what it lists must be true.
"""
import hashlib
import json
import os
import re
import subprocess
import sys

NAME = re.compile(r"^(\d{4})/(\d\d)/(\d\d)/(\d\d)/(\d{4})-(\d{20})\.ndjson\.(zst|gz)$")
MANIFEST = re.compile(r"^manifest/.*/(\d{4})/(\d\d)/(\d\d)/(\d\d)\.ndjson$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
NUMBERS = ["version", "shard", "first", "last", "count", "complete", "bytes", "stored"]
TIMES = ["created", "first_time", "last_time", "first_arrival", "last_arrival"]
MEMBERS = ["version", "stream", "created", "shard", "first", "last", "count", "prev", "complete",
           "bytes", "stored", "crc32c", "codec", "tables", *TIMES[1:]]
CODECS = {"zst": "zstd", "gz": "gzip"}
EPOCH = 1 << 40


class Violation(Exception):
    pass


def need(condition, where, what):
    if not condition:
        raise Violation(f"{where}: {what}")


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC = crc_table()


def crc32c(data):
    crc, table = 0xFFFFFFFF, CRC
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return f"{crc ^ 0xFFFFFFFF:08x}"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def parse(text, where):
    def once(pairs):
        need(len({key for key, _ in pairs}) == len(pairs), where, "a member stands there twice")
        return dict(pairs)
    try:
        return json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        raise Violation(f"{where}: not JSON: {error}") from error


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def in_order(keys):
    return sorted(set(keys), key=str.encode)


def check_members(meta, where):
    need(list(meta) == MEMBERS, where, f"members {list(meta)}, not {MEMBERS}")
    for key in NUMBERS:
        need(is_number(meta[key]), where, f"{key} is not a number")
    for key in TIMES:
        is_time = isinstance(meta[key], str) and TIME.match(meta[key])
        need(is_time, where, f"{key} is not a time")
    need(meta["version"] == 1, where, "version is not 1")
    need(meta["prev"] is None or is_number(meta["prev"]), where, "prev is not a number")
    need(re.match(r"^[0-9a-f]{8}$", meta["crc32c"]), where, "crc32c is not 8 digits")
    tables = meta["tables"]
    need(tables is None or tables == in_order(tables), where, "tables are not sorted")


def key_table(event):
    def escape(name):
        return re.sub(r"([\\|.])", r"\\\1", name)
    return escape(event["db"]) + "." + escape(event["table"] or "")


def check_tables(meta, seen, where):
    too_many = len(seen) > 256 or sum(len(name.encode()) for name in seen) > 8192
    need(meta["tables"] == (None if too_many else in_order(seen)), where, f"tables are {seen}")


def check_lines(meta, data, where):
    """Returns the ordinals of an object's decompressed bytes."""
    need(len(data) == meta["bytes"], where, f"{len(data)} bytes of lines, not {meta['bytes']}")
    need(data.endswith(b"\n"), where, "the last line has no newline")
    events = [parse(line, where) for line in data[:-1].split(b"\n")]
    ordinals = [event["ord"] for event in events]
    need(len(ordinals) == meta["count"], where, f"{len(ordinals)} events, not {meta['count']}")
    need(all(a < b for a, b in zip(ordinals, ordinals[1:])), where, "ordinals do not grow")
    need((ordinals[0], ordinals[-1]) == (meta["first"], meta["last"]), where,
         f"ordinals {ordinals[0]} to {ordinals[-1]}, not {meta['first']} to {meta['last']}")
    check_tables(meta, {key_table(event) for event in events}, where)
    return ordinals


def check_object(path, key, stream):
    year, month, day, hour, shard, first, extension = NAME.match(key.split("/", 2)[2]).groups()
    need(os.path.exists(path + ".meta"), key, "has no metadata")
    meta = parse(read(path + ".meta"), key + ".meta")
    check_members(meta, key + ".meta")
    own = (meta["stream"], meta["shard"], meta["first"], meta["codec"])
    need(own == (stream, int(shard), int(first), CODECS[extension]), key, "has another's metadata")
    for name in ("first_time", "last_time"):
        is_in_hour = meta[name].startswith(f"{year}-{month}-{day}T{hour}:")
        need(is_in_hour, key, f"{name} {meta[name]} is in another hour")
    for kind in ("time", "arrival"):
        need(meta["first_" + kind] <= meta["last_" + kind], key, f"first_{kind} is behind the last")
    stored = read(path)
    need(len(stored) == meta["stored"], key, f"{len(stored)} bytes, not {meta['stored']}")
    crc = crc32c(stored)
    need(crc == meta["crc32c"], key, f"crc32c is {crc}, not {meta['crc32c']}")
    done = subprocess.run([meta["codec"], "-dc"], input=stored, capture_output=True, check=False)
    need(done.returncode == 0, key, f"{meta['codec']}: {done.stderr.decode().strip()}")
    return meta, done.stdout, check_lines(meta, done.stdout, key)


def files_below(folder):
    found = []
    for path, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(path, name), folder) for name in names]
    return sorted(found, key=os.fsencode)


def check_chain(meta, before, where):
    if before is None:
        need(meta["prev"] is None, where, f"prev is {meta['prev']} in the shard's first object")
        return
    need(meta["prev"] == before["last"], where,
         f"prev is {meta['prev']}, the object before ends at {before['last']}")
    need(meta["first"] > before["last"], where, "begins before its predecessor's end")
    for kind in ("time", "arrival"):
        is_later = meta["first_" + kind] >= before["last_" + kind]
        need(is_later, where, f"first_{kind} is before its predecessor's last")


def check_complete(metas, ordinals):
    """Below the highest `complete` everything is there: no gap but in front of an epoch."""
    complete = max(meta["complete"] for meta in metas.values())
    below = sorted(ordinal for ordinal in ordinals if ordinal < complete)
    need(below, "complete", f"nothing is below {complete}")
    for ordinal, after in zip(below, [*below[1:], complete]):
        is_next = after == ordinal + 1 or after % EPOCH == 0
        need(is_next, "complete", f"{ordinal + 1} to {after - 1} are missing below {complete}")
    return complete


def check_manifest(path, key, stream, metas, may_lag):
    """`metas`: those of its hour, by key."""
    head, _, lines = read(path).partition(b"\n")
    year, month, day, hour = MANIFEST.match(key).groups()
    expected = {"version": 1, "stream": stream, "hour": f"{year}-{month}-{day}T{hour}:00:00Z",
                "count": lines.count(b"\n"), "crc32c": crc32c(lines)}
    header = parse(head, key)
    need(list(header.items()) == list(expected.items()), key, f"header {header}, not {expected}")
    listed = [parse(line, key) for line in lines.split(b"\n")[:-1]]
    for entry in listed:
        need(entry["key"] in metas, key, f"lists {entry['key']}, which is not there")
        is_same = list(entry.items())[1:] == list(metas[entry["key"]].items())
        need(is_same, key, f"tells {entry['key']} differently")
    names = [entry["key"] for entry in listed]
    need(names == in_order(names), key, "is not in the order of keys")
    if not may_lag:
        need(len(names) == len(metas), key, f"lacks {sorted(set(metas) - set(names))}")


def check_manifests(store, stream, metas, may_lag):
    hours = {}
    for key, meta in metas.items():
        hour = key.rsplit("/", 1)[0].replace("log/", "manifest/", 1) + ".ndjson"
        hours.setdefault(hour, {})[key] = meta
    for key, of_hour in hours.items():
        path = os.path.join(store, key)
        if os.path.exists(path):
            check_manifest(path, key, stream, of_hour, may_lag)
        else:
            need(may_lag, key, "is missing")
    for name in files_below(os.path.join(store, "manifest", stream)):
        key = f"manifest/{stream}/{name}"
        need(key in hours, key, "is of an hour without objects")
    return len(hours)


def add_to(shards, meta, ordinals, data):
    new = {"objects": 0, "events": 0, "bytes": 0, "first": ordinals[0], "hash": hashlib.sha256()}
    shard = shards.setdefault(meta["shard"], new)
    shard["objects"] += 1
    shard["events"] += len(ordinals)
    shard["bytes"] += len(data)
    shard["last"] = ordinals[-1]
    shard["hash"].update(data)


def check(store, stream, may_lag):
    root = os.path.join(store, "log", stream)
    names = files_below(root)
    metas, before, shards, ordinals, leftovers = {}, {}, {}, set(), 0
    for name in names:
        key = f"log/{stream}/{name}"
        if name.endswith(".meta"):
            need(NAME.match(name[:-5]), key, "is not the metadata of an object")
            leftovers += name[:-5] not in names
            continue
        need(NAME.match(name), key, "is not the name of an object")
        meta, data, own = check_object(os.path.join(root, name), key, stream)
        check_chain(meta, before.get(meta["shard"]), key)
        metas[key] = before[meta["shard"]] = meta
        ordinals.update(own)
        add_to(shards, meta, own, data)
    need(metas, root, "has no objects")
    made = {meta["created"] for meta in metas.values()}
    need(len(made) == 1, root, "holds two streams of the same name")
    complete = check_complete(metas, ordinals)
    for shard in shards.values():
        shard["sha256"] = shard.pop("hash").hexdigest()
    return {
        "stream": stream, "objects": len(metas), "ordinals": len(ordinals), "complete": complete,
        "hours": check_manifests(store, stream, metas, may_lag),
        "events": sum(shard["events"] for shard in shards.values()),
        "stored": sum(meta["stored"] for meta in metas.values()), "leftover_meta": leftovers,
        "shards": {str(number): shards[number] for number in sorted(shards)},
    }


def main():
    arguments = sys.argv[1:]
    may_lag = "--manifests-may-lag" in arguments
    arguments = [argument for argument in arguments if not argument.startswith("--")]
    if len(arguments) != 2:
        sys.exit(__doc__)
    try:
        print(json.dumps(check(arguments[0], arguments[1], may_lag)))
    except Violation as violation:
        print(violation, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
