"""Kernels beside their peers, measured in turns: one pinned core, one thread, one table.

    python benchmarks/kernels/compare.py --out benchmarks/kernels/results [--only dense,ranking] [--core 0]

Each group is a process of its own, so that a peer which crashes costs its group alone. Every contender's answer is
checked against a float64 reference before it is timed. Results already in the folder stay in the table until measured
again. Peers that are not installed are named; `pip install -c constraints.txt '.[bench]'` brings them, Debian's
libeigen3-dev brings Eigen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from groups import GROUPS, TINY
from machine import ONE_THREAD
from table import markdown

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Measure, write `<group>.json` and `kernels.md`, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of results")
    parser.add_argument("--only", default="", help=f"comma-separated groups of {', '.join(GROUPS)}")
    parser.add_argument("--core", type=int, default=0, help="processor to stay on")
    parser.add_argument("--contenders", default="", help="comma-separated parts of contenders' names; default: all")
    parser.add_argument("--tiny", action="store_true", help="small operands and few batches: tries the table")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor: for a busy machine")
    options = parser.parse_args()
    groups = TINY if options.tiny else GROUPS
    names = [name for name in options.only.split(",") if name] or list(groups)
    for name in names:
        if name not in groups:
            parser.error(f"--only: one of {', '.join(groups)} expected, found {name!r}")
    options.out.mkdir(parents=True, exist_ok=True)
    failed = [name for name in names if not measure(name, options)]
    files = [options.out / f"{name}.json" for name in groups]
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
    text = markdown(results)
    (options.out / "kernels.md").write_text(text, encoding="utf-8")
    print(text)
    for name in failed:
        print(f"{name}: the measuring process failed", file=sys.stderr)
    return 1 if failed else 0


def measure(name: str, options: argparse.Namespace) -> bool:
    """Measure a group in a process of its own; False when it fails."""
    command = [sys.executable, str(HERE / "measure.py"), name, "--out", str(options.out / f"{name}.json")]
    command += ["--core", str(options.core), "--contenders", options.contenders]
    command += ["--tiny"] if options.tiny else []
    environment = {**os.environ, **ONE_THREAD, "RLCOMPRESS_BENCH_CLOCK": options.clock}
    return subprocess.run(command, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
