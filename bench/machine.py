"""What is measured on: figures without their machine say nothing."""

import os
import platform
import subprocess
import time
from pathlib import Path


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
        "load": round(os.getloadavg()[0], 2),
    }


def text(machine: dict) -> str:
    loaded = machine["load"] > 0.3 * machine["cores"]
    return (f"{machine['date']}, {machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, "
            f"Linux {machine['kernel']}, {machine['disk']}, load {machine['load']}"
            + (": NOT QUIET, times say little" if loaded else ""))
