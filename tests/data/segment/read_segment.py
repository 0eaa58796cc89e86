#!/usr/bin/python3
"""Reads the folder of a durable log, by docs/formats/segment.md alone.

Nothing here comes from the C code: what this prints is compared with what the C code was told to
write. Checksums, chain, lengths, padding, index and tip are all checked on the way.

  read_segment.py FOLDER              prints heads, batches and records as lines of JSON
  read_segment.py FOLDER LISTING      compares them with a file instead
  read_segment.py --page PAGE ROOT    compares the hex examples of the page with the files they name
"""

import json
import re
import struct
import subprocess
import sys
from pathlib import Path

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def need(holds: bool, what: str):
    if not holds:
        raise SystemExit(f"not in order: {what}")


def place(address: int) -> str:
    return f"{address >> 32}:{address & 0xFFFFFFFF}"


def fields(layout: str, data: bytes, *names: str) -> dict:
    return dict(zip(names, struct.unpack_from("<" + layout, data)))


class Table:
    """A record table: varints and keys."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def records(self, run: dict):
        """(ordinal, length of the line, key) of each record."""
        ordinal, key = run["first_ordinal"], b""
        for _ in range(run["records"]):
            ordinal += self.varint()
            length, shared, rest = self.varint(), self.varint(), self.varint()
            need(shared <= len(key), "a key shares more than there is")
            key = key[:shared] + self.data[self.at:self.at + rest]
            self.at += rest
            yield ordinal, length, key
            ordinal += 1
        need(ordinal - 1 == run["last_ordinal"], "last ordinal of a run")
        need(self.at == len(self.data), "length of a record table")


def read_head(data: bytes) -> dict:
    need(data[:8] == b"MSLOGSEG", "magic of a segment")
    head = fields("IIIIIIQqqQQqI", data[8:], "version", "crc", "head_length", "owner_length",
                  "owner_crc", "segment", "first_ordinal", "created_us", "born_us",
                  "previous_end", "previous_batch", "previous_arrival_us", "previous_crc")
    need(head["version"] == 1, "version of a segment")
    need(head["crc"] == crc32c(data[16:128]), "checksum of a head")
    need(data[84:128] == bytes(44), "reserved bytes of a head")
    length = head["head_length"]
    need(length == -(-(128 + head["owner_length"]) // 4096) * 4096, "length of a head")
    need(head["owner_crc"] == crc32c(data[128:length]), "checksum of the owner's part")
    need(not any(data[128 + head["owner_length"]:length]), "padding of a head")
    head["owner"] = data[128:128 + head["owner_length"]].decode("latin1")
    return head


def read_batch(data: bytes) -> dict:
    need(data[:4] == b"MBAT", "magic of a batch")
    batch = fields("IHHIIIIIIIQQQQqqQQ", data[4:], "crc", "version", "zero", "flags",
                   "header_length", "body_length", "body_crc", "mark_length", "run_count",
                   "previous", "address", "durable", "first_ordinal", "count", "stream_time_us",
                   "arrival_us", "fingerprint", "generation")
    header, body = batch["header_length"], batch["body_length"]
    need(batch["version"] == 1 and batch["zero"] == 0, "version of a batch")
    need(batch["crc"] == crc32c(data[8:header]), "checksum of a header")
    need(batch["body_crc"] == crc32c(data[header:header + body]), "checksum of a body")
    end = 104 + 40 * batch["run_count"] + batch["mark_length"]
    need(header == -(-end // 8) * 8 and not any(data[end:header]), "padding of a header")
    batch["mark"] = data[end - batch["mark_length"]:end].decode("latin1")
    batch["runs"] = [fields("IIIIIIQQ", data[104 + 40 * i:], "shard", "codec", "records",
                            "table_length", "stored_length", "raw_length", "first_ordinal",
                            "last_ordinal") for i in range(batch["run_count"])]
    at = header
    for run in batch["runs"]:
        run["table"] = data[at:at + run["table_length"]]
        at += run["table_length"]
        run["stored"] = data[at:at + run["stored_length"]]
        at += run["stored_length"]
    end = header + body
    need(end == -(-at // 8) * 8 and not any(data[at:end]), "length of a body")
    return batch


def payload(run: dict) -> bytes:
    raw = run["stored"]
    if run["codec"] == 1:
        unpacked = subprocess.run(["zstd", "-dcq"], input=raw, capture_output=True, check=True)
        raw = unpacked.stdout
    need(len(raw) == run["raw_length"], "raw length of a run")
    return raw


def show_runs(batch: dict):
    shards = [run["shard"] for run in batch["runs"]]
    need(shards == sorted(set(shards)), "order of the shards")
    for run in batch["runs"]:
        raw, at = payload(run), 0
        for ordinal, length, key in Table(run["table"]).records(run):
            need(0 <= ordinal - batch["first_ordinal"] < batch["count"], "ordinal of a record")
            yield {"record": ordinal, "shard": run["shard"], "key": key.decode("latin1"),
                   "line": raw[at:at + length].decode("latin1")}
            at += length
        need(at == len(raw), "lengths of the lines of a run")


def check_index(path: Path, head: dict, end: int, batches: list):
    data = path.read_bytes()
    index = fields("IIQII", data[8:], "version", "segment", "end", "crc", "count")
    need(data[:8] == b"MSLOGIDX" and index["version"] == 1, "magic of an index")
    need((index["segment"], index["end"], index["crc"]) == (head["segment"], end, head["crc"]),
         "segment of an index")
    need(len(data) == 32 + 32 * index["count"] + 4, "length of an index")
    need(struct.unpack("<I", data[-4:])[0] == crc32c(data[:-4]), "checksum of an index")
    for i in range(index["count"]):
        offset, first, arrival, stream = struct.unpack_from("<QQqq", data, 32 + 32 * i)
        batch = next(item for item in batches if item["address"] & 0xFFFFFFFF == offset)
        if i == 0:
            need(first <= batch["first_ordinal"] and arrival <= batch["arrival_us"], "first entry")
        else:
            need((first, arrival, stream) == (batch["first_ordinal"], batch["arrival_us"],
                                              batch["stream_time_us"]), "entry of an index")


def show_segment(path: Path, before: dict):
    """Yields what the segment says; `before` is what the log said so far, and is moved on."""
    data = path.read_bytes()
    head = read_head(data)
    number, first = path.stem.split("-")
    need((int(number), int(first)) == (head["segment"], head["first_ordinal"]), "name of a segment")
    if before:
        need(head["previous_end"] == before["end"] and head["previous_crc"] == before["crc"] and
             head["previous_batch"] == before["batch"], "what a head says is before it")
    crc, at, batches = head["previous_crc"], head["head_length"], []
    yield {key: head[key] for key in ("segment", "first_ordinal", "created_us", "born_us", "owner")}
    while at < len(data) and any(data[at:at + 8]):
        batch = read_batch(data[at:])
        need(batch["address"] == head["segment"] << 32 | at, "address of a batch")
        need(batch["previous"] == crc, "chain of the batches")
        yield {"batch": place(batch["address"]), "durable": place(batch["durable"]),
               **{key: batch[key] for key in ("first_ordinal", "count", "stream_time_us",
                                              "arrival_us", "fingerprint", "generation", "flags",
                                              "mark")}}
        yield from show_runs(batch)
        batches.append(batch)
        crc, at = batch["crc"], at + batch["header_length"] + batch["body_length"]
        before["batch"] = batch["address"]
    need(not any(data[at:]), "zeros behind the last batch")
    before.update(crc=crc, end=head["segment"] << 32 | at, born=head["born_us"])
    index = path.with_suffix(".idx")
    if index.exists():
        check_index(index, head, len(data), batches)


def show_log(folder: Path):
    before = {}
    for path in sorted(folder.glob("*.seg")):
        yield from show_segment(path, before)
    tip = (folder / "tip").read_bytes()
    page = fields("IIQQq", tip[8:], "version", "changes", "address", "inverse", "born_us")
    need(tip[:8] == b"MSLOGTIP" and page["version"] == 1 and len(tip) == 4096, "magic of the tip")
    need(page["address"] ^ page["inverse"] == 2**64 - 1, "inverse in the tip")
    need(page["address"] == before.get("batch", 0), "the tip names the last batch")
    need(page["born_us"] == before.get("born", 0), "the tip is of this log")


def compare_page(page: Path, root: Path):
    """Every line "OFFSET  BYTES  what it is" in a block "```hex FILE" holds."""
    count, data = 0, b""
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            name = re.match(r"```hex (\S+)", line)
            data = (root / name[1]).read_bytes() if name else b""
        row = re.match(r"([0-9a-f]{8})  ((?:[0-9a-f]{2} ?)+)(  .*)?$", line)
        if data and row:
            at, given = int(row[1], 16), bytes.fromhex(row[2])
            need(data[at:at + len(given)] == given, f"{page.name}: the example at {row[1]}")
            count += len(given)
    need(count > 500, f"{page.name} has examples")


def main(arguments: list) -> int:
    if arguments[0] == "--page":
        compare_page(Path(arguments[1]), Path(arguments[2]))
        return 0
    lines = [json.dumps(item) for item in show_log(Path(arguments[0]))]
    if len(arguments) < 2:
        print("\n".join(lines))
        return 0
    wanted = Path(arguments[1]).read_text().splitlines()
    for number, (got, want) in enumerate(zip(lines, wanted), 1):
        need(json.loads(got) == json.loads(want), f"line {number}: {got}, should be {want}")
    need(len(lines) == len(wanted), f"{len(lines)} lines, should be {len(wanted)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
