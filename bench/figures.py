"""./dev bench report: writes the figures of docs/BENCHMARKS.md anew from bench/results, which hold
the last line of a bench each (./dev bench NAME --json bench/results/NAME.json)."""

import json
from pathlib import Path

import machine
from place import ROOT
from results import shown

DOCUMENT = ROOT / "docs" / "BENCHMARKS.md"
RESULTS = ROOT / "bench" / "results"
BEGIN, END = "<!-- figures: ./dev bench report -->", "<!-- end of figures -->"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(one: dict, key: str) -> str:
    return shown(one[key]) if key in one else ""


def _table(results: list[dict]) -> list[str]:
    notes = list(dict.fromkeys(name for one in results for name in one.get("notes", {})))
    heads = ["result", "median", "least - most", "limit", "ratio", "bar", *notes]
    rows = [_row(heads), _row(["---"] * len(heads))]
    for one in results:
        if "error" in one:
            rows.append(_row([one["name"], f"FAILED: {one['error']}"] + [""] * (len(heads) - 2)))
            continue
        bar = one.get("bar", "") + {True: ", met", False: ", **missed**"}.get(one.get("met"), "")
        rows.append(_row([
            one["name"], f"{_cell(one, 'value')} {one['unit']}",
            f"{shown(min(one['values']))} - {shown(max(one['values']))}", _cell(one, "limit"),
            f"{one['ratio']:.2f}" if "ratio" in one else "", bar,
            *(one.get("notes", {}).get(name, "") for name in notes)]))
    return rows


def _section(said: dict) -> list[str]:
    on = said["machine"]
    unrest = machine.unrest(on)
    return [f"### {said['bench']}", "",
            f"`./dev bench {said['bench']}`, median of {said['runs']}; {machine.text(on)}."
            + (f" **{unrest}.**" if unrest else ""), "", *_table(said["results"]), ""]


def text(order: list[str]) -> str:
    """The document as it should be."""
    document = DOCUMENT.read_text(encoding="utf-8")
    before, after = document.split(BEGIN)[0], document.split(END)[1]
    lines = []
    for name in order:
        path = RESULTS / f"{name}.json"
        if path.exists():
            lines += _section(json.loads(path.read_text(encoding="utf-8")))
    return before + BEGIN + "\n\n" + "\n".join(lines) + END + after


def write(order: list[str], check: bool) -> int:
    new = text(order)
    if check:
        same = DOCUMENT.read_text(encoding="utf-8") == new
        print(f"{Path(DOCUMENT).relative_to(ROOT)} is "
              + ("up to date" if same else "not what ./dev bench report writes"))
        return 0 if same else 1
    DOCUMENT.write_text(new, encoding="utf-8")
    print(f"wrote {DOCUMENT.relative_to(ROOT)}")
    return 0
