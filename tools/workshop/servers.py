"""The servers that the end-to-end tests start; here they are only installed (tests/servers)."""

import build
import process
from report import Clock, Report

STANDARD = ("mariadb", "mysql9", "opensearch")
LONG = ("mariadb11", "mysql80")  # only with --all


def install(report: Report, lane: str, names: tuple) -> bool:
    """Has every server ready to start; says what takes a while. A server that cannot be had is a
    failure of the lane."""
    complete = True
    for name in names:
        clock = Clock()
        log = build.log_file(f"server-{name}")
        log.write_bytes(b"")
        script = build.ROOT / "tests" / "servers" / f"start-{name}.sh"
        if process.run([script, "--install"], log) != 0:
            report.add(lane, f"install {name}", 0, 1, clock.seconds, process.tail(log))
            complete = False
        elif clock.seconds > 2:
            report.step(lane, f"installed {name} in {clock.seconds:.0f} s")
    return complete
