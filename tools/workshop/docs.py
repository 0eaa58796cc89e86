"""Documents that the program writes from its own tables.

As a program (./dev docs): writes them anew. The tests compare them with the committed ones.
"""

import subprocess
import sys
from pathlib import Path

import build
import process

DOCUMENTS = {  # `millstream docs NAME` -> file
    "configuration": "docs/CONFIGURATION.md",
    "exit-codes": "docs/EXIT-CODES.md",
    "metrics": "docs/METRICS.md",
}


def generate(program: Path, name: str) -> bytes:
    done = subprocess.run([program, "docs", name], capture_output=True, timeout=60)
    if done.returncode != 0:
        raise build.BuildFailed(f"`millstream docs {name}` exits {done.returncode}: "
                                + done.stderr.decode(errors="replace").strip())
    return done.stdout


def differing(program: Path) -> list[str]:
    """The files that are not what the program writes."""
    wrong = []
    for name, path in DOCUMENTS.items():
        file = build.ROOT / path
        if not file.exists() or file.read_bytes() != generate(program, name):
            wrong.append(path)
    return wrong


def main(_arguments: list[str]) -> int:
    try:
        program = build.product("release")
        if program.is_dir():
            print("./dev docs: meson.build makes no program `millstream`", file=sys.stderr)
            return 1
        for name, path in DOCUMENTS.items():
            text = generate(program, name)
            (build.ROOT / path).parent.mkdir(exist_ok=True)
            (build.ROOT / path).write_bytes(text)
            print(f"docs     {path}")
    except build.BuildFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    process.main(main, sys.argv[2:])
