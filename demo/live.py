"""The line that tells, while it runs, what happens."""

import shutil
import sys
import time
from collections import deque

from children import SINK

LINE_SECONDS = 5  # between two lines where nobody overwrites them


def ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms" if value < 1000 else \
        f"{value / 1000:.1f} s"


def clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def stage(status: dict, name: str) -> dict:
    return next((one for one in status["stages"] if one["name"] == name), {})


def behind(status: dict, name: str) -> str:
    events = (stage(status, name).get("lag") or {}).get("events", 0)
    return f"{events:,} behind" if events else "up to date"


class LiveLine:
    """Overwrites itself on a terminal; elsewhere it comes every few seconds."""

    def __init__(self, out=sys.stdout):
        self.out, self.on_terminal = out, out.isatty()
        self._last, self._shown = 0.0, False
        self._written: deque[tuple[float, int]] = deque(maxlen=6)
        self.started = 0.0

    def begin(self) -> None:
        self.started = time.monotonic()

    def show(self, written: int, status: dict | None, minute: dict) -> None:
        """Called about once a second."""
        now = time.monotonic()
        self._written.append((now, written))
        if not self.on_terminal and now - self._last < LINE_SECONDS - 0.5:
            return
        self._last = now
        self.put(self._text(now, written, status, minute))

    def _text(self, now: float, written: int, status: dict | None, minute: dict) -> str:
        then, before = self._written[0]
        rate = (written - before) / (now - then) if now > then else 0
        parts = [clock(now - self.started), f"{written:,} rows, {rate:,.0f}/s"]
        if status is None:
            parts.append("Millstream's console does not answer")
        else:
            archive = stage(status, "archive").get("metrics", {})
            parts += [f"{status['stream'].get('next_ordinal', 0):,} events",
                      f"{archive.get('batches_total', 0):,} objects"]
        parts.append(f"arrive in {ms(minute['p50'])} (p50), {ms(minute['p99'])} (p99)")
        if status is not None:
            parts.append(f"read model {behind(status, 'sink:' + SINK)}")
        return " | ".join(parts)

    def put(self, text: str) -> None:
        if not self.on_terminal:
            print(text, file=self.out, flush=True)
            return
        width = shutil.get_terminal_size().columns
        print("\r\033[K" + text[:width - 1], end="", file=self.out, flush=True)
        self._shown = True

    def end(self) -> None:
        if self._shown:
            print(file=self.out, flush=True)
        self._shown = False
