"""Build folders: build/release (LTO, hardened), build/debug, build/asan, build/tsan.

As a program: ./dev build [FLAVOUR...]
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import process

ROOT = Path(__file__).resolve().parents[2]
FLAVOURS = {
    "release": ["-Dbuildtype=release", "-Db_lto=true"],
    "debug": ["-Dbuildtype=debug", "-Db_lto=false"],
    "asan": ["-Dbuildtype=debug", "-Db_lto=false", "-Db_sanitize=address,undefined"],
    "tsan": ["-Dbuildtype=debug", "-Db_lto=false", "-Db_sanitize=thread"],
}


class BuildFailed(Exception):
    """Holds what the compiler said."""


def folder(flavour: str) -> Path:
    return ROOT / "build" / flavour


def log_file(flavour: str) -> Path:
    path = ROOT / "build" / "test-logs" / f"build-{flavour}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _checked(command: list, log: Path) -> None:
    if process.run(command, log) != 0:
        raise BuildFailed(_complaints(log) + f"\nwhole output: {log.relative_to(ROOT)}")


def _complaints(log: Path) -> str:
    """What of ninja's output is of use: from the first failure on."""
    text = log.read_text(errors="replace")
    at = text.find("FAILED: ")
    return "\n".join((text[at:] if at >= 0 else text[-6000:]).splitlines()[:80])


def configure(flavour: str, log: Path | None = None) -> Path:
    """Sets the folder up, or brings it up to date with changed meson.build files."""
    path = folder(flavour)
    log = log or log_file(flavour)
    if (path / "build.ninja").exists():
        if process.run(["ninja", "-C", path, "build.ninja"], log) == 0:
            return path
    shutil.rmtree(path, ignore_errors=True)  # interrupted, or made by another version of meson
    _checked(["meson", "setup", path, ROOT, *FLAVOURS[flavour]], log)
    return path


def compile_targets(flavour: str, *targets: str) -> Path:
    log = log_file(flavour)
    log.write_bytes(b"")
    path = configure(flavour, log)
    _checked(["ninja", "-C", path, f"-j{os.cpu_count()}", *targets], log)
    return path


def program(flavour: str) -> Path | None:
    """Where the program `millstream` of a configured folder is, or None while there is none."""
    listed = subprocess.run(["meson", "introspect", "--targets", folder(flavour)],
                            capture_output=True, check=True, text=True)
    for target in json.loads(listed.stdout):
        if target["name"] == "millstream" and target["type"] == "executable":
            return Path(target["filename"][0])
    return None


def product(flavour: str) -> Path:
    """Compiles what is delivered (not the tests): the program, or all where there is none yet."""
    configure(flavour)
    made = program(flavour)
    compile_targets(flavour, *([str(made.relative_to(folder(flavour)))] if made else []))
    return made or folder(flavour)


def main(arguments: list[str]) -> int:
    names = arguments or ["release"]
    unknown = [name for name in names if name not in FLAVOURS]
    if unknown:
        print(f"./dev build: there is no flavour '{unknown[0]}'; there are {' '.join(FLAVOURS)}",
              file=sys.stderr)
        return 2
    for name in names:
        started = time.monotonic()
        try:
            made = product(name)
        except BuildFailed as failed:
            print(failed, file=sys.stderr)
            return 1
        print(f"build    {made.relative_to(ROOT)}  {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    process.main(main, sys.argv[2:])
