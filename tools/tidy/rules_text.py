"""Rules on any text: lengths, blanks, left-overs, paths of one machine."""

import ast
import re
from pathlib import PurePosixPath

from tree import Complaint, Tree

FILE_LINES = 700
COLUMNS = 100
COLUMNS_OF_SCRIPTS = 140
TAB = 8
CODE = (".c", ".h", ".py", ".sh", ".awk", ".java")
FUNCTION_LINES = 70


def _code(tree: Tree) -> list[str]:
    return sorted(set(tree.select(*CODE)) | set(tree.scripts))


def file_length(tree: Tree):
    """A file of code has at most 700 lines."""
    for name in sorted(set(_code(tree)) | set(tree.select(".def"))):
        lines = len(tree.lines(name)) - 1
        if lines > FILE_LINES:
            yield Complaint(name, FILE_LINES + 1, "file-length",
                            f"{lines} lines, more than {FILE_LINES}: make two files of it")


def width(tree: Tree):
    """A line of C has at most 100 columns, a tab being 8, one of a script 140. Tables are free:
    .def, and what stands between `clang-format off` and `on`; so is what comes with golden data."""
    for name in _code(tree):
        if name.startswith("tests/data/"):
            continue
        fenced = False
        most = COLUMNS if name.endswith((".c", ".h")) else COLUMNS_OF_SCRIPTS
        for number, line in enumerate(tree.lines(name), 1):
            if name.endswith((".c", ".h")) and "clang-format o" in line:
                fenced = "clang-format off" in line
            columns = len(line.expandtabs(TAB))
            if columns > most and not fenced:
                yield Complaint(name, number, "width", f"{columns} columns, more than {most}")


def blanks(tree: Tree):
    """No blanks at the end of a line, no CR, one line break at the end of a file. Golden data is
    as it is."""
    for name in tree.files:
        lines = tree.lines(name)
        if not lines or lines == [""] or name.startswith("tests/data/"):
            continue
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                yield Complaint(name, number, "blanks", "blanks at the end of the line")
        if lines[-1]:
            yield Complaint(name, len(lines), "blanks", "no line break at the end of the file")
        elif len(lines) > 2 and not lines[-2]:
            yield Complaint(name, len(lines) - 1, "blanks", "empty lines at the end of the file")


def leftovers(tree: Tree):
    """What is to be done later is an issue, not a comment; what a merge left is decided now."""
    found = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|^(<{7}|>{7})(?= |$)")
    for name in tree.files:
        for number, line in enumerate(tree.lines(name), 1):
            match = found.search(line)
            if match:
                yield Complaint(name, number, "leftovers", f"{match[1]}: do it, or file an issue"
                                if match[1] else "a conflict of a merge")


def machine_paths(tree: Tree):
    """No paths that exist on one machine only."""
    found = re.compile(r"(?<![\w$}.{*/-])/(?:work|farm|root|home/\w+|Users/\w+)(?![\w.-])")
    for name in tree.files:
        for number, line in enumerate(tree.lines(name), 1):
            match = found.search(line)
            if match:
                yield Complaint(name, number, "machine-paths",
                                f"'{match[0]}' is a path of one machine")


def _imported(module: ast.Module):
    for node in ast.walk(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield node.lineno, (alias.asname or alias.name).split(".")[0]


def _python_file(name: str, text: str):
    try:
        module = ast.parse(text, name)
    except SyntaxError as error:
        yield Complaint(name, error.lineno or 1, "python", f"does not parse: {error.msg}")
        return
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = node.end_lineno - node.lineno
            if lines > FUNCTION_LINES:
                yield Complaint(name, node.lineno, "python",
                                f"{node.name} has {lines} lines, more than {FUNCTION_LINES}",
                                node.name)
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    if PurePosixPath(name).name != "__init__.py":
        for line, imported in _imported(module):
            if imported not in used and imported != "annotations":
                yield Complaint(name, line, "python", f"'{imported}' is imported and not used",
                                imported)


def python(tree: Tree):
    """Python files parse, their functions have at most 70 lines, and they use what they import."""
    for name in tree.select(".py"):
        yield from _python_file(name, tree.bytes_of(name).decode(errors="replace"))
