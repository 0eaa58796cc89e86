"""What is measured on: figures without their machine say nothing."""

import os
import platform
import subprocess
import time
from pathlib import Path

QUIET = 0.1  # of the processors' time that others may take


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "?"


def file_system(folder: Path) -> str:
    done = subprocess.run(["findmnt", "-no", "FSTYPE,SOURCE", "-T", str(folder)], check=False,
                          capture_output=True, text=True)
    return " on ".join(done.stdout.split()) or "?"


def describe(folder: Path) -> dict:
    """Of this machine, and of the disk that `folder` is on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _field("/proc/cpuinfo", "model name"),
        "memory_gb": round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "disk": file_system(folder),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _times() -> tuple[int, int]:
    """Of all processors since they were started: not idle (stolen by other machines, too), all."""
    fields = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def busy(seconds: float) -> float:
    """Which part of the processors' time others take, while we do nothing."""
    before = _times()
    time.sleep(seconds)
    after = _times()
    return round((after[0] - before[0]) / max(1, after[1] - before[1]), 2)


def text(machine: dict) -> str:
    return (f"{machine['date']}, {machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, "
            f"Linux {machine['kernel']}, {machine['disk']}")


def unrest(machine: dict) -> str:
    """Empty when it was quiet."""
    share = max(machine["busy_before"], machine["busy_after"])
    return f"NOT QUIET: others took {share:.0%} of the processors, so times say little" if share > QUIET else ""
