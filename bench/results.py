"""What a bench found: medians, the limit and the bar beside each, the table and the line of JSON."""

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path

import machine
import place


@dataclass
class Result:
    """One measured thing. `limit`: what the machine can do, measured in the same run; for a bar on
    the value itself, that bar. `least` and `most` bound the ratio to the limit, `most_value` the
    value: what issue and README promise."""
    name: str
    unit: str
    values: list[float]
    limits: list[float] = field(default_factory=list)
    bar: str = ""  # such as "ratio >= 0.45" or "value <= 1"
    notes: dict[str, str] = field(default_factory=dict)  # columns of its own: CPU a row ...
    error: str = ""  # why there is no value

    @property
    def value(self) -> float:
        return statistics.median(self.values)

    @property
    def limit(self) -> float | None:
        return statistics.median(self.limits) if self.limits else None

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit if self.limit else None

    @property
    def met(self) -> bool | None:
        """Whether the bar is reached; None without one."""
        if not self.bar:
            return None
        what, sign, number = self.bar.split()
        found = {"ratio": self.ratio, "value": self.value}[what]
        return found >= float(number) if sign == ">=" else found <= float(number)

    def as_json(self) -> dict:
        if self.error:
            return {"name": self.name, "unit": self.unit, "error": self.error}
        said = {"name": self.name, "value": rounded(self.value), "unit": self.unit}
        if self.limit is not None:
            said |= {"limit": rounded(self.limit), "ratio": round(self.ratio, 3)}
        if self.bar:
            said |= {"bar": self.bar, "met": self.met}
        said |= {"values": [rounded(value) for value in self.values]}
        said |= {"notes": self.notes} if self.notes else {}
        return said | ({"limits": [rounded(limit) for limit in self.limits]} if self.limits else {})


def rounded(value: float) -> float | int:
    """Four digits are more than a run is good for."""
    if value >= 1000:
        return int(float(f"{value:.4g}"))
    return float(f"{value:.4g}")


def shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{rounded(value):,}" if value >= 1000 else f"{rounded(value)}"


def table(results: list[Result]) -> str:
    notes = list(dict.fromkeys(name for result in results for name in result.notes))
    rows = [["result", "median", "least", "most", "limit", "ratio", "bar", ""] + notes]
    for result in results:
        if result.error:
            rows.append([result.name, f"FAILED: {result.error}"] + [""] * (len(rows[0]) - 2))
            continue
        rows.append([
            result.name, f"{shown(result.value)} {result.unit}", shown(min(result.values)),
            shown(max(result.values)), shown(result.limit),
            f"{result.ratio:.2f}" if result.ratio is not None else "", result.bar,
            {None: "", True: "met", False: "MISSED"}[result.met],
            *(result.notes.get(name, "") for name in notes)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i in (0, 6, 7) else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
                     for row in rows)


class Report:
    """Of one bench."""

    def __init__(self, name: str, runs: int, short: bool):
        self.name, self.runs, self.short = name, runs, short
        place.CACHE.mkdir(parents=True, exist_ok=True)
        self.machine = machine.describe(place.CACHE)
        self.results: list[Result] = []

    def _busy(self) -> float:
        return machine.busy(0.05 if self.short else 1)

    def begin(self) -> None:
        place.say(f"{self.name}, {self.runs} run{'s' if self.runs > 1 else ''}"
                  + (", SHORT: the figures mean nothing" if self.short else ""))
        place.say(machine.text(self.machine))
        self.machine["busy_before"] = self._busy()

    def end(self, file: Path | None) -> bool:
        """Prints it all. False when a result is missing."""
        self.machine["busy_after"] = self._busy()
        for result in self.results if self.short else []:
            result.bar = ""
        print(f"\n{table(self.results)}\n")
        if unrest := machine.unrest(self.machine):
            place.say(unrest)
        said = {"bench": self.name, "results": [result.as_json() for result in self.results],
                "runs": self.runs, "short": self.short, "machine": self.machine}
        line = json.dumps(said, separators=(",", ":"))
        print(line, flush=True)
        if file:
            file.write_text(line + "\n", encoding="utf-8")
        return not any(result.error for result in self.results)
