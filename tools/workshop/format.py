"""./dev format: clang-format over the C files, in place."""

import sys

import build
import process


EXAMPLES = build.ROOT / "tests" / "tidy"  # laid out badly on purpose


def main(_arguments: list[str]) -> int:
    files = sorted(path for top in ("src", "tests", "bench") for pattern in ("*.c", "*.h")
                   for path in (build.ROOT / top).rglob(pattern)
                   if EXAMPLES not in path.parents)
    before = {path: path.read_bytes() for path in files}
    status = process.run(["clang-format", "-i", *files])
    changed = [path for path in files if path.read_bytes() != before[path]]
    for path in changed:
        print(f"format   {path.relative_to(build.ROOT)}")
    print(f"format   {len(changed)} of {len(files)} files changed")
    return status


if __name__ == "__main__":
    process.main(main, sys.argv[2:])
