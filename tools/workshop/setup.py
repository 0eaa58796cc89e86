"""./dev setup: the Debian packages are there already (./dev); here come the servers."""

import sys

import process
import servers
from report import Report


def main(arguments: list[str]) -> int:
    names = servers.STANDARD + (servers.LONG if "--all" in arguments else ())
    report = Report()
    if not servers.install(report, "setup", names):
        return 1
    report.step("setup", "everything is there: " + " ".join(("packages", *names)))
    return 0


if __name__ == "__main__":
    process.main(main, sys.argv[2:])
