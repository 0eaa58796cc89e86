"""C sources as the rules see them: tokens without comments, functions, and how deep they nest.

No preprocessing: a directive is one piece of text with its continued lines. That is enough for code
that is laid out as ours is, and it sees all branches of an #if.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|\\\n)
    |(?P<string>(?:u8|[LuU])?"(?:\\.|[^"\\\n])*"|(?:[LuU])?'(?:\\.|[^'\\\n])*')
    |(?P<word>[A-Za-z_]\w*)
    |(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
    |(?P<mark>->|[-+*/%&|^<>=!]=|<<=|>>=|&&|\|\||\+\+|--|<<|>>|.)""",
    re.VERBOSE | re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE | re.DOTALL)
COMMENT_OR_STRING = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
HEADS = ("if", "for", "while", "switch")


@dataclass(frozen=True)
class Token:
    kind: str  # word, number, string, mark
    text: str
    line: int


@dataclass(frozen=True)
class Function:
    name: str
    line: int  # of the opening brace
    end: int  # of the closing brace
    body: tuple  # tokens with both braces


def without_comments(text: str) -> str:
    """Comments become blanks, line breaks stay."""
    return COMMENT_OR_STRING.sub(
        lambda found: re.sub(r"[^\n]", " ", found[0]) if found[0].startswith("/") else found[0],
        text)


def _lex(text: str, line: int):
    for found in TOKEN.finditer(text):
        if found.lastgroup != "skip":
            yield Token(found.lastgroup, found[0], line)
        line += found[0].count("\n")


def tokens(text: str) -> list[Token]:
    """The code outside of directives."""
    blanked = DIRECTIVE.sub(lambda found: "\n" * found[0].count("\n"), without_comments(text))
    return list(_lex(blanked, 1))


def directive_tokens(text: str) -> list[Token]:
    """What stands inside of directives: macros are code too."""
    text = without_comments(text)
    return [token for found in DIRECTIVE.finditer(text)
            for token in _lex(found[0], text.count("\n", 0, found.start()) + 1)]


def _closing(code: list[Token], at: int) -> int:
    """Index of the brace or parenthesis that closes the one at `at`."""
    depth = 0
    for index in range(at, len(code)):
        if code[index].text in ("(", "{", "["):
            depth += 1
        elif code[index].text in (")", "}", "]"):
            depth -= 1
            if depth == 0:
                return index
    return len(code) - 1


def _name_before(code: list[Token], brace: int) -> str:
    """The function whose parameters end before the brace, or "" when it opens something else."""
    at = brace - 1
    while at > 0 and code[at].text == ")":
        depth = 0
        while at >= 0:
            depth += {")": 1, "(": -1}.get(code[at].text, 0)
            at -= 1
            if depth == 0:
                break
        word = code[at] if at >= 0 else None
        if not word or word.kind != "word":
            return ""
        if word.text not in ("__attribute__",) and not word.text.isupper():
            return word.text
        at -= 1  # an attribute behind the parameters
    return ""


def functions(code: list[Token]) -> list[Function]:
    found, at = [], 0
    while at < len(code):
        if code[at].text == "{":
            end = _closing(code, at)
            name = _name_before(code, at)
            if name:
                found.append(Function(name, code[at].line, code[end].line, tuple(code[at:end + 1])))
            at = end
        at += 1
    return found


class _Nesting:
    """Walks the statements of a function; remembers the deepest control statement."""

    def __init__(self, body: tuple):
        self.code, self.deepest, self.line = list(body), 0, body[0].line

    def text(self, at: int) -> str:
        return self.code[at].text if at < len(self.code) else ""

    def block(self, at: int, depth: int) -> int:
        end = _closing(self.code, at)
        at += 1
        while at < end:
            at = self.statement(at, depth)
        return end + 1

    def inner(self, at: int, depth: int, line: int) -> int:
        if depth > self.deepest:
            self.deepest, self.line = depth, line
        return self.statement(at, depth)

    def statement(self, at: int, depth: int) -> int:
        text, line = self.text(at), self.code[at].line
        if text == "{":
            return self.block(at, depth)
        if text in HEADS:
            at = self.inner(_closing(self.code, at + 1) + 1, depth + 1, line)
            while text == "if" and self.text(at) == "else":
                if self.text(at + 1) == "if":
                    return self.statement(at + 1, depth)
                at = self.inner(at + 1, depth + 1, line)
            return at
        if text == "do":
            at = self.inner(at + 1, depth + 1, line)
            return _closing(self.code, at + 1) + 2  # while (...) ;
        is_word = self.code[at].kind == "word"
        if text in ("case", "default") or (is_word and self.text(at + 1) == ":"):
            return self.after_label(at)
        return self.expression(at, depth)

    def after_label(self, at: int) -> int:
        choices = 0
        while at < len(self.code):
            choices += {"?": 1, ":": -1}.get(self.text(at), 0)
            if choices < 0:
                return at + 1
            at += 1
        return at

    def expression(self, at: int, depth: int) -> int:
        """Up to the semicolon; a macro that loops (`word (...) {`) is a control statement."""
        start = at
        while at < len(self.code) and self.text(at) != ";":
            if self.text(at) in ("(", "{", "["):
                at = _closing(self.code, at)
                if self.text(at) == ")" and self.text(at + 1) == "{" and \
                        self.code[start].kind == "word" and self.text(start + 1) == "(":
                    return self.inner(at + 1, depth + 1, self.code[start].line)
            elif self.text(at) == "}":  # not balanced: the compiler will say so
                break
            at += 1
        return at + 1


def nesting(function: Function) -> tuple[int, int]:
    """How many control statements stand inside of each other at the most, and where."""
    walk = _Nesting(function.body)
    walk.block(0, 0)
    return walk.deepest, walk.line
