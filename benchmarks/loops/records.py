"""How the result of a benchmark is kept: with the command that made it, as data and as a table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def command() -> str:
    """This program's command line, without folders of this machine."""
    return " ".join(Path(word).name if "/" in word else word for word in sys.argv)


def keep(out: Path, name: str, found: dict[str, Any], table: str) -> None:
    """Write `name.json` and `name.md` into a folder, made where it is missing, and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (out / f"{name}.md").write_text(table, encoding="utf-8")
    print(table)
