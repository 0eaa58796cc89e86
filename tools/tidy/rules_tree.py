"""Rules on how the files stand to each other; programs help: awk, the compiler, shellcheck."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tree import Complaint, Tree

ROOMS_AWK = Path(__file__).parents[1] / "rooms.awk"
COMPLAINT = re.compile(r"^(?P<path>[^:]+):(?P<line>\d+):(?:\d+:)? (?P<text>.*)$")


def _parsed(rule: str, output: str):
    for line in output.splitlines():
        match = COMPLAINT.match(line)
        if match:
            yield Complaint(match["path"], int(match["line"]), rule, match["text"])


def rooms(tree: Tree):
    """The include law (src/ROOMS): no circles, one door a room."""
    sources = [name for name in tree.c_files(under=("src/",)) if name.count("/") == 2]
    for name in tree.c_files(under=("src/",)):
        if name.count("/") != 2:
            yield Complaint(name, 1, "rooms", "a source lies in a room: src/ROOM/FILE")
    done = subprocess.run(["awk", "-f", ROOMS_AWK, "src/ROOMS", *sources], cwd=tree.root,
                          capture_output=True, text=True, check=False)
    yield from _parsed("rooms", done.stdout)
    if done.returncode not in (0, 1) or done.stderr:
        yield Complaint("src/ROOMS", 1, "rooms", f"awk says: {done.stderr.strip()}")


def _flags(words: list[str]) -> list[str]:
    """A compile command without what it makes: compiler and flags only."""
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-c", "-MF", "-MQ", "-MT"):
            skip = True
        elif not word.startswith(("-MD", "-fsanitize", "-flto", "-fdiagnostics-color")):
            kept.append(word)
    return kept


def _compile_alone(tree: Tree, name: str, command: tuple[Path, list[str]]):
    where, words = command
    file = os.path.relpath(tree.root.resolve() / name, where)
    done = subprocess.run([*_flags(words), "-fsyntax-only", "-x", "c", file], cwd=where,
                          check=False, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"})
    if done.returncode == 0:
        return None
    first = next((line for line in done.stderr.splitlines() if "error:" in line),
                 done.stderr.strip().split("\n")[0])
    match = re.match(r"(?P<path>[^:]+):(?P<line>\d+):(?:\d+:)? (?P<text>.*)", first)
    line = int(match["line"]) if match and match["path"] == file else 1
    return Complaint(name, line, "headers", match["text"] if match else first)


def _nearest(tree: Tree, header: str) -> str | None:
    """The compiled file whose folder is the header's, or near it: its flags are the header's."""
    same_top = [file for file in tree.compiled if file.split("/")[0] == header.split("/")[0]]
    return max(sorted(same_top), default=None,
               key=lambda file: len(os.path.commonpath([header, file])))


def headers(tree: Tree):
    """Every header compiles alone, with the project's flags."""
    jobs = [(name, tree.compiled[nearest]) for name in tree.select(".h", under=("src/", "tests/"))
            if (nearest := _nearest(tree, name))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for complaint in pool.map(lambda job: _compile_alone(tree, *job), jobs):
            if complaint:
                yield complaint


def listed(tree: Tree):
    """Every source of src and every unit test stands in a meson.build."""
    for name in tree.select(".c", under=("src/", "tests/unit/")):
        if name.startswith("tests/") and not name.endswith("_test.c"):
            continue
        if name not in tree.compiled:
            yield Complaint(name, 1, "listed", "no meson.build compiles it")


def mirror(tree: Tree):
    """tests/unit/ROOM/FILE_test.c tests src/ROOM/FILE.c (or .h)."""
    there = set(tree.files)
    for name in tree.select("_test.c", under=("tests/unit/",)):
        tested = name.replace("tests/unit/", "src/", 1)[:-len("_test.c")]
        if tested + ".c" not in there and tested + ".h" not in there:
            yield Complaint(name, 1, "mirror", f"there is no {tested}.c that it could test")


def shell(tree: Tree):
    """shellcheck has nothing to say about the shell scripts."""
    if not tree.scripts:
        return
    done = subprocess.run(["shellcheck", "-s", "bash", "-x", "-f", "gcc", *tree.scripts],
                          cwd=tree.root, capture_output=True, text=True, check=False)
    yield from _parsed("shell", done.stdout)
    if done.returncode not in (0, 1):
        yield Complaint(tree.scripts[0], 1, "shell", f"shellcheck: {done.stderr.strip()[:300]}")
