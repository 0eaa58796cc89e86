"""Rules on what stands inside of C files."""

from functools import lru_cache
from pathlib import Path

import csource
from tree import Complaint, Tree

FUNCTION_LINES = 70
NESTING = 3


@lru_cache(maxsize=None)
def _tokens(text: str) -> tuple:
    return tuple(csource.tokens(text))


@lru_cache(maxsize=None)
def _functions(text: str) -> tuple:
    return tuple(csource.functions(list(_tokens(text))))


def _text(tree: Tree, name: str) -> str:
    return tree.bytes_of(name).decode(errors="replace")


def _each_function(tree: Tree):
    for name in tree.c_files():
        for function in _functions(_text(tree, name)):
            yield name, function


def function_length(tree: Tree):
    """A function has at most 70 lines between its braces."""
    for name, function in _each_function(tree):
        lines = function.end - function.line - 1
        if lines > FUNCTION_LINES:
            yield Complaint(name, function.line, "function-length",
                            f"{function.name} has {lines} lines, more than {FUNCTION_LINES}",
                            function.name)


def nesting(tree: Tree):
    """Control statements nest at most three deep."""
    for name, function in _each_function(tree):
        deepest, line = csource.nesting(function)
        if deepest > NESTING:
            yield Complaint(name, line, "nesting",
                            f"{function.name} nests {deepest} control statements, "
                            f"more than {NESTING}", function.name)


def goto_out(tree: Tree):
    """A function jumps to one label at most, and it is `out`."""
    for name, function in _each_function(tree):
        body = function.body
        for word, label in zip(body, body[1:]):
            if word.text == "goto" and label.text != "out":
                yield Complaint(name, word.line, "goto",
                                f"{function.name} jumps to '{label.text}'; the one label is 'out'",
                                function.name)


def typedef(tree: Tree):
    """Structs, unions and enums are called by their full names."""
    for name in tree.c_files(under=("src/",)):
        code = _tokens(_text(tree, name))
        for word, after in zip(code, code[1:]):
            if word.text == "typedef" and after.text in ("struct", "union", "enum"):
                yield Complaint(name, word.line, "typedef",
                                f"no typedef of a {after.text}: write '{after.text} NAME'")


def file_head(tree: Tree):
    """A file of src opens with a comment that says what it is for."""
    for name in tree.select(".c", ".h", ".def", under=("src/",)):
        if not _text(tree, name).startswith("/*"):
            yield Complaint(name, 1, "file-head", "open with a comment: what is this file for?")


def _banned_table() -> dict[str, tuple[str, str]]:
    """name -> (the file that may, replacement)."""
    table = {}
    for line in (Path(__file__).parent / "banned").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            names, may, instead = (part.strip() for part in line.split("|"))
            table |= {name: (may, instead) for name in names.split()}
    return table


def banned(tree: Tree):
    """Calls that have a better replacement here are not made."""
    table = _banned_table()
    for name in tree.c_files(under=("src/",)):
        text = _text(tree, name)
        for code in (_tokens(text), tuple(csource.directive_tokens(text))):
            before = (csource.Token("mark", "", 0),) + code
            for last, word, after in zip(before, code, code[1:]):
                may, instead = table.get(word.text, (name, ""))
                if name != may and after.text == "(" and last.text not in (".", "->", "#"):
                    yield Complaint(name, word.line, "banned", f"{word.text}(): write {instead}",
                                    word.text)
