"""What the check of all processors found, kept as JSON and as a Markdown table."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from embed.exported import GOLDEN_ROWS, ROWS
from embed.runtime_check import RuntimeTarget
from embed.targets import Target
from rlcompress.network import Network

_COLUMNS = ("target", "networks", "vectors", "differing bits", "what ran", "compiler", "on", "seconds")


@dataclass(frozen=True)
class Found:
    """What came out on a target.

    Args:
        target: where.
        wrong: what is wrong, or None.
        ran: which code.
        seconds: of compiling and running.
    """

    target: Target | RuntimeTarget
    wrong: str | None
    ran: str
    seconds: float


def version(command: str) -> str:
    """First line of what a tool says of its version."""
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def row_of(found: Found, networks: list[Network]) -> dict[str, Any]:
    """A target's row of the record."""
    target = found.target
    per_network = ROWS + (0 if isinstance(target, RuntimeTarget) else GOLDEN_ROWS)
    return {
        "target": target.name,
        "networks": len(networks),
        "vectors": per_network * len(networks),
        "differing bits": 0 if found.wrong is None else found.wrong,
        "what ran": found.ran,
        "compiler": f"{version(target.compiler)}; {' '.join(o for o in target.options if o[:2] in ('-m', '--'))}",
        "on": f"{version(target.runner[0])} {' / '.join(target.cpus)}" if target.runner else "this machine",
        "seconds": round(found.seconds),
        "date": date.today().isoformat(),
        "command": f"python tests/embed/cross_check.py {' '.join(_shown(sys.argv[1:]))}",
    }


def _shown(words: list[str]) -> list[str]:
    """The command without folders of this machine."""
    return [Path(word).name if "/" in word else word for word in words]


class Record:
    """A JSON file and its table; nothing is written without a path.

    Args:
        path: of the JSON file, or None.
        files: names of the files checked beside random networks.
        networks: random networks.
        seed: theirs.
    """

    def __init__(self, path: Path | None, files: list[str], networks: int, seed: int) -> None:
        self.path = path
        self.about = {"machine": platform.machine(), "files": files, "random networks": networks, "seed": seed}
        self._lock = threading.Lock()

    def keep(self, row: dict[str, Any]) -> None:
        """Put a target's row in place of what the file says of that target."""
        if self.path is None:
            return
        with self._lock:
            before = json.loads(self.path.read_text(encoding="utf-8"))["rows"] if self.path.exists() else []
            rows = {old["target"]: old for old in before} | {row["target"]: row}
            found = {**self.about, "rows": [rows[name] for name in sorted(rows)]}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            self.path.with_suffix(".md").write_text(table(found), encoding="utf-8")


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "# The same bits on every processor",
        "",
        f"{found['random networks']:,} random networks of every layer, activation, head and contract (seed "
        f"{found['seed']}) and {len(found['files'])} files, against the runtime on {found['machine']}. *exported C* is "
        "what `rlcompress export --format c` writes, at each of the levels in turn; a *runtime-* target is the C++ "
        "core, on each instruction set that it has there. A vector is an observation with all of its action's bits; "
        "odd values (NaN, infinite, subnormal) are among them.",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|---" * len(_COLUMNS) + "|",
    ]
    for row in found["rows"]:
        cells = [f"{row[c]:,}" if isinstance(row[c], int) else str(row[c]) for c in _COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    commands = dict.fromkeys(row["command"] for row in found["rows"])
    return "\n".join([*lines, "", *(f"- `{command}`" for command in commands)]) + "\n"
