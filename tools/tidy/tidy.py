"""The rules of the house, and their examples.

A rule takes a Tree and yields Complaints. The file `exceptions` lists what may break a rule, each
with a reason; a line there that excuses nothing is a complaint itself, so that it stays short.
Each rule has an example in tests/tidy: a folder NAME or NAME-WHAT with bad files (and good ones
beside them) and the exact complaints in `expect`.

As a program: tidy.py COMPILE_COMMANDS [RULE...] prints complaints. The lane: tools/workshop/tidy.
"""

import sys
from pathlib import Path

import rules_c
import rules_text
import rules_tree
from tree import EXAMPLES, Complaint, Tree

RULES = {
    "rooms": rules_tree.rooms,
    "listed": rules_tree.listed,
    "mirror": rules_tree.mirror,
    "headers": rules_tree.headers,
    "file-head": rules_c.file_head,
    "file-length": rules_text.file_length,
    "function-length": rules_c.function_length,
    "nesting": rules_c.nesting,
    "width": rules_text.width,
    "blanks": rules_text.blanks,
    "banned": rules_c.banned,
    "goto": rules_c.goto_out,
    "typedef": rules_c.typedef,
    "leftovers": rules_text.leftovers,
    "machine-paths": rules_text.machine_paths,
    "python": rules_text.python,
    "shell": rules_tree.shell,
}
EXCEPTIONS = "tools/tidy/exceptions"


def _exceptions(tree: Tree) -> dict[tuple, int]:
    """(rule, path, subject) -> line. Subject is "" where the line names none."""
    found = {}
    if EXCEPTIONS in tree.files:
        for number, line in enumerate(tree.lines(EXCEPTIONS), 1):
            words = line.split("|")[0].split()
            if words and not line.startswith("#"):
                found[tuple(words + ["", ""])[:3]] = number
    return found


def _unreasoned(tree: Tree, names: list[str]):
    for number, line in enumerate(tree.lines(EXCEPTIONS) if EXCEPTIONS in tree.files else [], 1):
        words = line.split("|")
        rule = line.split()[0] if line.split() else ""
        if rule in names and (len(words) != 2 or len(words[1].split()) < 3):
            yield Complaint(EXCEPTIONS, number, rule, "write: RULE PATH [SUBJECT] | the reason")


def check(tree: Tree, names: list[str]) -> dict[str, list[Complaint]]:
    """What each of the named rules says, less what is excepted."""
    exceptions = _exceptions(tree)
    unused, said = dict(exceptions), {}
    for name in names:
        kept = []
        for complaint in RULES[name](tree):
            keys = [(name, complaint.path, subject) for subject in {complaint.subject, ""}]
            excused = [key for key in keys if key in exceptions]
            for key in excused:
                unused.pop(key, None)
            if not excused:
                kept.append(complaint)
        said[name] = sorted(kept)
    for (rule, path, subject), number in unused.items():
        if rule in said or rule not in RULES:
            said.setdefault(rule, []).append(Complaint(
                EXCEPTIONS, number, rule, f"'{path} {subject}'".replace(" '", "'")
                + (" needs no exception" if rule in RULES else ": there is no such rule")))
    for complaint in _unreasoned(tree, names):
        said[complaint.rule].append(complaint)
    return said


def examples(root: Path) -> dict[str, str]:
    """Runs every example: folder -> what is wrong, "" when it is as expected."""
    results = {}
    for folder in sorted(path for path in (root / EXAMPLES).iterdir() if path.is_dir()):
        tree = Tree(folder, folder / "compile_commands.json")
        tree.files.remove("expect")
        rule = next((name for name in sorted(RULES, key=len, reverse=True)
                     if folder.name == name or folder.name.startswith(name + "-")), None)
        if not rule:
            results[folder.name] = "is named after no rule"
            continue
        got = [str(complaint) for complaint in check(tree, [rule])[rule]]
        expected = (folder / "expect").read_text().splitlines()
        lines = [f"  expected, not said: {line}" for line in expected if line not in got]
        lines += [f"  said, not expected: {line}" for line in got if line not in expected]
        lines += [] if expected else ["  expect is empty: an example is something bad"]
        results[folder.name] = "\n".join(lines)
    for rule in RULES:
        if not any(name == rule or name.startswith(rule + "-") for name in results):
            results[rule] = "the rule has no example in " + EXAMPLES
    return results


def main(arguments: list[str]) -> int:
    tree = Tree(Path(__file__).resolve().parents[2], Path(arguments[0]))
    said = check(tree, arguments[1:] or list(RULES))
    complaints = [complaint for row in said.values() for complaint in row]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
