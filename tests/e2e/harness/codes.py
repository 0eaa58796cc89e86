"""Exit statuses by name, from the table that the program is compiled with."""

import re
from pathlib import Path

_TABLE = Path(__file__).resolve().parents[3] / "src" / "base" / "rc.h"
CODES: dict[str, int] = {name: int(status) for name, status in re.findall(
    r"^\tX\((\w+), (\d+), ", _TABLE.read_text(encoding="utf-8"), re.MULTILINE)}


def code_name(status: int) -> str:
    """'DENIED (15)'; a signal as 'signal 9'."""
    if status < 0:
        return f"signal {-status}"
    return next((f"{name} ({number})" for name, number in CODES.items() if number == status),
                str(status))
