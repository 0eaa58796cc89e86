"""Waiting for conditions: with a deadline, and with a reason when it passes."""

import time
from typing import Callable, TypeVar

Result = TypeVar("Result")
STEP = 0.02


class TimeOver(AssertionError):
    pass


def wait_until(condition: Callable[[], Result], seconds: float = 20.0,
               what: str | Callable[[], str] = "") -> Result:
    """Asks `condition` until its answer is true, and returns that. `what` is for the failure: what
    was waited for, or a function that looks at how things stand."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            text = what() if callable(what) else what or getattr(condition, "__name__", "it")
            raise TimeOver(f"not so after {seconds:g} s: {text}")
        time.sleep(STEP)
