"""Same bits on every processor: random networks and the golden files, against the runtime here.

Each is exported to C and run on every target; and the C++ runtime itself is built for x86-64 and AArch64 and runs them
on each instruction set that it has there (`--targets runtime-x86-64 runtime-aarch64`).

`python tests/embed/cross_check.py --targets all --networks 1000` (with the package on the path); `--require` fails
where a tool is missing instead of leaving the target out. Exit status 0: not one bit differs.

Subnormal numbers: every target keeps them. On 32-bit ARM that needs scalar VFP code, which is what compilers make of
floats there (NEON flushes to zero, and is used for floats under -ffast-math alone, which the files refuse).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from embed.exported import BARE_MAIN, HOSTED_MAIN, MODULE_MAIN, Program, defines, random_stored, write_program
from embed.runtime_check import RUNTIME_TARGETS, RuntimeTarget, check_runtime
from embed.targets import TARGETS, Target
from rlcompress import artifact
from rlcompress.network import Network
from rlcompress.runtime import Runtime

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
BATCH = 50
LEVELS = ("-O2", "-Os", "-O3")


def batches(networks: list[Network], most_bytes: int) -> Iterator[list[Network]]:
    """Programs' worth of networks."""
    batch: list[Network] = []
    size = 0
    for network in networks:
        own = 4 * network.parameter_count + 20_000
        if batch and (len(batch) == BATCH or size + own > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(network)
        size += own
    yield batch


def check_program(target: Target, made: Program, folder: Path, level: str) -> str | None:
    """What is wrong on this target, or None."""
    main = folder / "main.c"
    text = BARE_MAIN if target.bare else MODULE_MAIN if target.module else HOSTED_MAIN
    main.write_text(text, encoding="utf-8")
    program = folder / f"check-{target.name}"
    built = target.build([*made.sources, main], program, level, "-w", *defines(made.networks))
    if built.returncode != 0:
        return f"does not compile: {built.stderr[-2000:]}"
    try:
        done = target.run(program)
    except subprocess.TimeoutExpired:
        return "does not end"
    return None if done.returncode == 0 else f"status {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"


def check(target: Target, networks: list[Network], seed: int) -> str | None:
    """What is wrong with these networks on this target, or None."""
    for number, batch in enumerate(batches(networks, target.most_bytes)):
        with tempfile.TemporaryDirectory() as folder:
            made = write_program(Path(folder), batch, seed + 1000 * number)
            wrong = check_program(target, made, Path(folder), LEVELS[number % len(LEVELS)])
        if wrong is not None:
            return f"program {number} ({LEVELS[number % len(LEVELS)]}): {wrong}"
    return None


def selected(names: list[str]) -> list[Target | RuntimeTarget]:
    """The targets of these names, or all of them.

    Raises:
        SystemExit: no such target.
    """
    table = {target.name: target for target in (*RUNTIME_TARGETS, *TARGETS)}
    unknown = set(names) - table.keys() - {"all"}
    if unknown:
        raise SystemExit(f"no such target: {', '.join(sorted(unknown))} (known: {', '.join(table)})")
    return list(table.values()) if "all" in names else [table[name] for name in names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join(target.name for target in (*TARGETS, *RUNTIME_TARGETS))
    parser.add_argument("--targets", nargs="+", default=["all"], help=f"all, or some of: {known}")
    parser.add_argument("--networks", type=int, default=100, help="random networks (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policies", type=Path, nargs="*", default=[], help="more .rlc files to check")
    parser.add_argument("--require", action="store_true", help="fail where a target's tools are missing")
    arguments = parser.parse_args()
    files = [*sorted(GOLDEN.glob("*.rlc")), *arguments.policies]
    networks = [*map(artifact.load, files), *random_stored(arguments.seed, arguments.networks)]
    print(f"{len(networks)} networks; reference: the runtime on {Runtime(networks[0]).target}")
    failed = False
    for target in selected(arguments.targets):
        missing = target.missing()
        if missing:
            print(f"{target.name:14} left out: {', '.join(missing)} not installed")
            failed |= arguments.require
            continue
        start = time.monotonic()
        where = target.name
        if isinstance(target, RuntimeTarget):
            wrong, ran = check_runtime(target, networks, arguments.seed)
            where = f"{where} ({ran})"
        else:
            wrong = check(target, networks, arguments.seed)
        print(f"{where:14} {wrong or 'the same bits'} ({time.monotonic() - start:.0f} s)", flush=True)
        failed |= wrong is not None
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
