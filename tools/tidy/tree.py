"""The files that the rules look at, and what a rule answers."""

import json
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

EXAMPLES = "tests/tidy/"  # bad on purpose


@dataclass(frozen=True, order=True)
class Complaint:
    path: str
    line: int
    rule: str
    text: str
    subject: str = field(default="", compare=False)  # what an exception can name: a function ...

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


class Tree:
    """A folder of sources: the repository, or an example of tests/tidy."""

    def __init__(self, root: Path, commands: Path):
        self.root = root
        self.commands = commands  # compile_commands.json

    @cached_property
    def files(self) -> list[str]:
        """Paths below the root: what git keeps or would keep; without git, all but build."""
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=self.root, capture_output=True, check=False)
        if listed.returncode == 0 and (self.root / ".git").exists():
            names = listed.stdout.decode().split("\0")[:-1]
        else:
            names = [os.path.relpath(os.path.join(folder, name), self.root)
                     for folder, _, there in os.walk(self.root) for name in there]
            names = [name for name in names if not name.startswith(("build/", ".git/"))]
        return sorted(name for name in set(names)
                      if not name.startswith(EXAMPLES) and (self.root / name).is_file())

    def select(self, *suffixes: str, under: tuple = ("",)) -> list[str]:
        return [name for name in self.files if name.endswith(suffixes) and name.startswith(under)]

    def c_files(self, under: tuple = ("src/", "tests/", "bench/", "demo/")) -> list[str]:
        return self.select(".c", ".h", under=under)

    def bytes_of(self, name: str) -> bytes:
        if name not in self._bytes:
            self._bytes[name] = (self.root / name).read_bytes()
        return self._bytes[name]

    @cached_property
    def _bytes(self) -> dict:
        return {}

    def lines(self, name: str) -> list[str]:
        """Lines of a text; none for a binary file."""
        data = self.bytes_of(name)
        return [] if b"\0" in data[:8192] else data.decode(errors="replace").split("\n")

    @cached_property
    def scripts(self) -> list[str]:
        """Shell scripts, by name or first line."""
        return [name for name in self.files if name.endswith(".sh")
                or self.bytes_of(name)[:64].split(b"\n")[0].endswith((b"bash", b"/sh"))]

    @cached_property
    def compiled(self) -> dict[str, tuple[Path, list[str]]]:
        """What Meson compiles: path -> folder of the command, and the command's words."""
        found = {}
        for row in json.loads(self.commands.read_text()):
            where = (self.root / row["directory"]).resolve()
            file = os.path.relpath(os.path.normpath(where / row["file"]), self.root.resolve())
            found[file] = (where, shlex.split(row["command"]))
        return found
