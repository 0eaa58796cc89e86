"""What the lanes of a test run say: a line as each part ends, and the total."""

import time


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def step(self, lane: str, text: str) -> None:
        """Something that takes a while begins or is over; it is no test."""
        print(f"{lane:<8} {text}", flush=True)

    def add(self, lane: str, name: str, passed: int, failed: int, seconds: float,
            output: str = "") -> None:
        """One part's tests. `output` is shown when something failed."""
        self.passed += passed
        self.failed += failed
        counts = f"{passed} passed" + (f", {failed} FAILED" if failed else "")
        print(f"{lane:<8} {name:<34} {counts:<24} {seconds:6.1f} s", flush=True)
        if failed and output:
            print("\n" + output.rstrip() + "\n", flush=True)

    def total(self) -> int:
        """The closing line, which machines read, and the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


class Clock:
    """Seconds since it was made."""

    def __init__(self):
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start
