"""Millstream's own words on what it did: the capture's end, the stream, the console."""

import http.client
import json
import re
import time
from pathlib import Path
from typing import Callable

from mariadb import free_port
from place import Failed, Timing, Workplace

ENDED = re.compile(r"reached the end of the binlog.* next_ordinal=(\d+)")


def drained(workplace: Workplace, role: str, config: Path, events: int) -> Timing:
    """Runs `capture` or `run` up to the end of the binlog, as which it must give `events`."""
    start = workplace.log.stat().st_size if workplace.log.exists() else 0
    timing = workplace.time([workplace.millstream, role, "--config", config, "--until-end"])
    said = ENDED.search(workplace.said_since(start))
    ended = int(said[1]) if said else -1
    if ended != events:
        raise Failed(f"the capture ended at ordinal {ended}, not {events}", workplace.log)
    return timing


def check(workplace: Workplace, config: Path, events: int) -> None:
    """The stream, as who opens it anew finds it, has so many events, acknowledged ones."""
    said = json.loads(workplace.time(
        [workplace.millstream, "status", "--config", config, "--json"]).output)["stream"]
    if (said["first_ordinal"], said["next_ordinal"]) != (0, events):
        raise Failed(f"the stream is {said}, not ordinals 0 to {events}", workplace.log)


class Console:
    """Of a process that is started with `setting`."""

    def __init__(self):
        self.port = free_port()
        self.setting = {"listen": f"127.0.0.1:{self.port}"}

    def get(self, path: str) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            return body if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def stage(self, kind: str) -> dict | None:
        """A stage of /api/status; None while there is none."""
        body = self.get("/api/status")
        stages = json.loads(body)["stages"] if body else []
        return next((stage for stage in stages if stage["kind"] == kind), None)

    def wait_for(self, kind: str, condition: Callable[[dict], bool], seconds: float = 30) -> dict:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            stage = self.stage(kind)
            if stage and condition(stage):
                return stage
            time.sleep(0.01)
        raise Failed(f"the stage {kind} is {self.stage(kind)} after {seconds} s")
