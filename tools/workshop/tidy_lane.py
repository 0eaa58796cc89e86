"""The first lane: the rules of the house (tools/tidy), their examples, the generated documents."""

import sys

import build
import docs
from report import Clock, Report

sys.path.append(str(build.ROOT / "tools" / "tidy"))
import tidy  # noqa: E402
import tree  # noqa: E402

DOCS = "docs"  # a rule as well, but it needs the program
NAMES = [*tidy.RULES, DOCS]


def _rules(report: Report, names: list[str]) -> None:
    clock = Clock()
    sources = tree.Tree(build.ROOT, build.configure("asan") / "compile_commands.json")
    said = tidy.check(sources, names)
    broken = [rule for rule in said if said[rule]]
    text = "\n".join(str(complaint) for rule in broken for complaint in said[rule])
    report.add("tidy", "rules", len(said) - len(broken), len(broken), clock.seconds, text)


def _examples(report: Report) -> None:
    clock = Clock()
    results = tidy.examples(build.ROOT)
    wrong = {name: text for name, text in results.items() if text}
    text = "\n".join(f"{tree.EXAMPLES}{name}\n{text}" for name, text in wrong.items())
    report.add("tidy", "examples of the rules", len(results) - len(wrong), len(wrong),
               clock.seconds, text)


def _documents(report: Report) -> None:
    """The committed documents are what the program writes. There must be a program to ask."""
    clock = Clock()
    build.configure("asan")
    if not build.program("asan"):
        return
    wrong = docs.differing(build.product("asan"))
    text = "\n".join(f"{path} is not what the program writes: ./dev docs" for path in wrong)
    count = len(docs.DOCUMENTS)
    report.add("tidy", "generated documents", count - len(wrong), len(wrong), clock.seconds, text)


def run(report: Report, names: list[str] | None, _all: bool) -> None:
    clock = Clock()
    try:
        rules = [name for name in names or NAMES if name != DOCS]
        if rules:
            _rules(report, rules)
        if not names:
            _examples(report)
        if not names or DOCS in names:
            _documents(report)
    except build.BuildFailed as failed:
        report.add("tidy", "build", 0, 1, clock.seconds, str(failed))
