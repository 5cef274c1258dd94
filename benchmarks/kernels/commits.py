"""Two commits beside each other: `python benchmarks/kernels/commits.py BASE HEAD [--only dense,ranking] [--rounds 5]`.

Both are built in temporary worktrees. Their own contenders are then measured in alternating rounds with the benchmarks
of this tree, so that a noisy machine hits both, and the minima over all rounds are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groups import GROUPS, TINY
from in_process import cmake
from machine import ONE_THREAD, ROOT

HERE = Path(__file__).resolve().parent
Minima = dict[tuple[str, str, str], float]


def main() -> int:
    """Build, measure in turns, print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("head")
    parser.add_argument("--only", default="dense,integer_dense,ranking", help="comma-separated groups")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="small operands and few batches")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # worktrees are removed on the way out
    known = TINY if options.tiny else GROUPS
    groups = [name for name in options.only.split(",") if name]
    for name in groups:
        if name not in known:
            parser.error(f"--only: one of {', '.join(known)} expected, found {name!r}")
    with (
        tempfile.TemporaryDirectory() as folder,
        worktree(options.base, Path(folder, "base")) as base,
        worktree(options.head, Path(folder, "head")) as head,
    ):
        found = [measure_in_turns(group, [base, head], Path(folder), options) for group in groups]
    before, after = ({key: value for pair in found for key, value in pair[side].items()} for side in (0, 1))
    print(ratio_table(before, after))
    return 0


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """A commit checked out and its module built, for the length of a `with` block."""
    subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(folder), commit], cwd=ROOT, check=True)
    try:
        build = str(folder / "build" / "bench")
        settings = ["-DCMAKE_BUILD_TYPE=Release", "-DRLCOMPRESS_PYTHON=ON", f"-DPython_EXECUTABLE={sys.executable}"]
        subprocess.run([cmake(), "-S", str(folder), "-B", build, *settings], check=True, stdout=subprocess.DEVNULL)
        module = [cmake(), "--build", build, "--target", "_core", "--parallel"]
        subprocess.run(module, check=True, stdout=subprocess.DEVNULL)
        yield folder
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(folder)], cwd=ROOT, check=True)


def measure_in_turns(group: str, trees: list[Path], folder: Path, options: argparse.Namespace) -> list[Minima]:
    """Smallest time of every row of ours, for each tree."""
    minima: list[Minima] = [{} for _ in trees]
    out = folder / "found.json"
    for turn in range(options.rounds):
        order = list(zip(trees, minima))
        for tree, best in order if turn % 2 == 0 else reversed(order):
            command = [sys.executable, str(HERE / "measure.py"), group, "--out", str(out), "--core", str(options.core)]
            command += ["--contenders", "rlcompress", *(["--tiny"] if options.tiny else [])]
            own = {"PYTHONPATH": str(tree / "python"), "RLCOMPRESS_BENCH_BUILD": str(tree / "build" / "bench")}
            subprocess.run(command, env={**os.environ, **ONE_THREAD, **own}, check=True, stderr=subprocess.DEVNULL)
            for row in json.loads(out.read_text(encoding="utf-8"))["rows"]:
                for name, entry in row["contenders"].items():
                    if "minimum_us" in entry:
                        key = (group, row["work"], name)
                        best[key] = min(entry["minimum_us"], best.get(key, float("inf")))
    return minima


def ratio_table(before: Minima, after: Minima) -> str:
    """Markdown; a ratio above 1 means that the second commit is faster."""
    lines = ["| group | work | contender | base us | head us | times faster |", "|---|---|---|---|---|---|"]
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        times = "-" if old is None or new is None else f"{old / new:.3f}"
        cells = ["-" if value is None else f"{value:.4g}" for value in (old, new)]
        lines.append(f"| {' | '.join([*key, *cells, times])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
