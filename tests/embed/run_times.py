"""The slowest of many calls, counted on emulated cores: there nothing interrupts, so what is slow is the library.

`python tests/embed/run_times.py --calls 10000000 --record FILE.json` (with the package on the path) times every call
alone, each on an observation of its own, drawn on the board. A time is a number of instructions to the next tick of the
board's timer (32 to 40 of them), not cycles: these cores are emulated without caches.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from embed.cross_record import version
from embed.runtime_check import GOLDEN, RUNTIME_TARGETS, RuntimeTarget, write_cases
from rlcompress import artifact
from rlcompress.network import Network

BOARDS = {target.name: target for target in RUNTIME_TARGETS if target.bare}


def built(target: RuntimeTarget, folder: Path) -> Path:
    """The program that times calls."""
    target.build(folder / "times", main="run_times.cpp")
    return folder / "times"


def counted(
    target: RuntimeTarget, program: Path, networks: list[Network], observations: int, calls: int
) -> npt.NDArray[np.float64]:
    """Fewest, median and most ticks of the networks' observations, (networks, 3); each is run `calls` times in a row.

    Raises:
        RuntimeError: the program fails.
    """
    cases = write_cases(program.with_name("cases"), networks, 0, 1)
    done = target.run(target.runner, program, [cases], str(observations), str(calls))
    if done.returncode != 0:
        raise RuntimeError(f"{target.name}: status {done.returncode}: {done.stderr[-500:]}")
    return np.array([line.split() for line in done.stdout.splitlines()], float).reshape(len(networks), 3)


def rows_of(target: RuntimeTarget, paths: list[Path], calls: int) -> Iterator[dict[str, object]]:
    """Of the record: one network on one board each."""
    with tempfile.TemporaryDirectory() as folder:
        program = built(target, Path(folder))
        for path in paths:
            began = time.monotonic()
            fewest, median, most = map(int, counted(target, program, [artifact.load(path)], calls, 1)[0])
            row = {"target": target.name, "network": path.name, "calls": calls, "fewest ticks": fewest}
            row |= {"median ticks": median, "most ticks": most, "most / median": round(most / median, 3)}
            yield {**row, "seconds": round(time.monotonic() - began)}


def table(found: dict[str, list[dict[str, object]]]) -> str:
    """Markdown."""
    heads = list(found["rows"][0])
    lines = ["# The slowest of many calls on cores that nothing interrupts", "", (__doc__ or "").partition("\n\n")[2]]
    lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in found["rows"]:
        cells = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"- {about}" for about in found["about"])]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", default=["runtime-cortex-m7"], choices=list(BOARDS))
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--policies", type=Path, nargs="+", default=GOLDEN, help=".rlc files; default: golden files")
    parser.add_argument("--record", type=Path, help="a JSON file; a Markdown table lies beside it then")
    given = parser.parse_args()
    targets = [BOARDS[name] for name in given.targets]
    rows = []
    for row in (row for target in targets for row in rows_of(target, given.policies, given.calls)):
        rows.append(row)
        print(row, flush=True)
    if given.record:
        about = [version(command) for command in (targets[0].compiler, targets[0].runner[0])]
        names = " ".join(path.name for path in given.policies)
        about.append(f"`python tests/embed/run_times.py --calls {given.calls} --policies {names} --record FILE`")
        found = {"about": about, "rows": rows}
        given.record.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        given.record.with_suffix(".md").write_text(table(found), encoding="utf-8")


if __name__ == "__main__":
    main()
