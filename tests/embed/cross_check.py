"""Same bits on every processor: random networks and the golden files, against the runtime here.

Each is exported to C and run on every target; and the C++ runtime itself is built for each processor with an operating
system and runs them on each instruction set that it has there (`--targets runtime-x86-64 runtime-aarch64`). That also
reads thousands of damaged images, of which it must say what the reader here says.

`python tests/embed/cross_check.py --targets all --networks 1000` (with the package on the path); `--require` fails
where a tool is missing instead of leaving the target out, and `--record` keeps what was found. Exit status 0: not one
bit differs.

Subnormal numbers: every target keeps them. On 32-bit ARM that needs scalar VFP code, which is what compilers make of
floats there (NEON flushes to zero, and is used for floats under -ffast-math alone, which the files refuse).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from embed.cross_record import Found, Record, row_of
from embed.exported import BARE_MAIN, HOSTED_MAIN, MODULE_MAIN, Program, defines, random_stored, write_programs
from embed.runtime_check import RUNTIME_TARGETS, RuntimeTarget, check_runtime, write_cases, write_damaged
from embed.targets import TARGETS, Target
from rlcompress import artifact
from rlcompress.network import Network
from rlcompress.runtime import Runtime

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
DAMAGED = 4000
LEVELS = ("-O2", "-Os", "-O3")


def check_program(target: Target, made: Program, level: str) -> str | None:
    """What is wrong on this target, or None."""
    with tempfile.TemporaryDirectory() as folder:
        main, program = Path(folder) / "main.c", Path(folder) / "check"
        main.write_text(BARE_MAIN if target.bare else MODULE_MAIN if target.module else HOSTED_MAIN, encoding="utf-8")
        options = ("-w", f"-I{made.folder}", *defines(made.networks))
        built = target.build([*made.sources, main], program, level, *options)
        if built.returncode != 0:
            return f"does not compile: {built.stderr[-2000:]}"
        try:
            done = target.run(program)
        except subprocess.TimeoutExpired:
            return "does not end"
    if done.returncode == 0:
        return None
    return f"{' '.join(done.args[:-1])}: status {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"


def check(target: Target, programs: Iterable[Program]) -> str | None:
    """What is wrong with these programs on this target, or None."""
    for number, made in enumerate(programs):
        level = LEVELS[number % len(LEVELS)]
        wrong = check_program(target, made, level)
        if wrong is not None:
            return f"program {number} ({level}): {wrong}"
    return None


def found_on(target: Target | RuntimeTarget, programs: list[Program], files: list[Path]) -> Found:
    """What came out on a target."""
    start = time.monotonic()
    if isinstance(target, RuntimeTarget):
        wrong, ran = check_runtime(target, *files)
    else:
        levels = " ".join(LEVELS[: len(programs)])
        wrong, ran = check(target, programs), f"exported C at {levels}"
    return Found(target, wrong, ran, time.monotonic() - start)


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


def present(targets: list[Target | RuntimeTarget]) -> list[Target | RuntimeTarget]:
    """Those whose tools are installed; says what the others lack."""
    for target in targets:
        if target.missing():
            print(f"{target.name:16} left out: {', '.join(target.missing())} not installed")
    return [target for target in targets if not target.missing()]


def policy_files(paths: list[Path]) -> list[Path]:
    """Files, and those in folders."""
    return [file for path in paths for file in (sorted(path.rglob("*.rlc")) if path.is_dir() else [path])]


def arguments_given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join(target.name for target in (*TARGETS, *RUNTIME_TARGETS))
    parser.add_argument("--targets", nargs="+", default=["all"], help=f"all, or some of: {known}")
    parser.add_argument("--networks", type=int, default=100, help="random networks (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policies", type=Path, nargs="*", default=[], help="more .rlc files, or folders of them")
    parser.add_argument("--require", action="store_true", help="fail where a target's tools are missing")
    parser.add_argument("--jobs", type=int, default=1, help="targets at once (default %(default)s)")
    parser.add_argument("--record", type=Path, help="a JSON file; what it says of other targets stays")
    return parser.parse_args()


def main() -> int:
    given = arguments_given()
    files = [*sorted(GOLDEN.glob("*.rlc")), *policy_files(given.policies)]
    networks: list[Network] = [*map(artifact.load, files), *random_stored(given.seed, given.networks)]
    print(f"{len(networks)} networks; reference: the runtime on {Runtime(networks[0]).target}")
    asked = selected(given.targets)
    targets = present(asked)
    record = Record(given.record, [path.name for path in files], given.networks, given.seed)
    failed = given.require and len(targets) < len(asked)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(given.jobs) as pool:
        exports = any(isinstance(target, Target) for target in targets)
        programs = write_programs(Path(name), networks, given.seed) if exports else []
        images = [
            write_cases(Path(name) / "cases", networks, given.seed),
            write_damaged(Path(name) / "damaged", DAMAGED, given.seed),
        ]
        for done in as_completed(pool.submit(found_on, target, programs, images) for target in targets):
            found = done.result()
            print(f"{found.target.name:16} {found.wrong or 'the same bits'}, {found.ran} ({found.seconds:.0f} s)")
            sys.stdout.flush()
            record.keep(row_of(found, networks))
            failed |= found.wrong is not None
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
