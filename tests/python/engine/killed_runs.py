"""Child program of `test_kill.py`: kills runs of the toy process in every way and prints what was left as JSON.

Every run is a fork of this single-threaded process, so that hundreds of them take seconds.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from toy import Toy, ToyTask, teacher

from rlcompress.engine.run import compress

_FSYNC, _REPLACE = os.fsync, Path.replace
KILLED = 77


def run(folder: Path, pause: float) -> None:
    compress(teacher(), ToyTask(), Toy(steps=5, pause=pause), seed=3, run_dir=folder, jobs=1)


def forked(work: Callable[..., None], *arguments: object) -> int:
    """Process id of a child that works and then exits without cleaning up."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work(*arguments)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(1)


def exit_at_call(folder: Path, number: int) -> None:
    """Run until just before the `number`-th fsync or rename; a file not synced yet is cut in half."""
    calls = 0

    def counted(call: Callable[..., object], path: Callable[[], Path | None]) -> object:
        nonlocal calls
        calls += 1
        if calls == number:
            if (file := path()) is not None:
                os.truncate(file, file.stat().st_size // 2)
            os._exit(KILLED)
        return call()

    def fsync(descriptor: int) -> None:
        found = Path(f"/proc/self/fd/{descriptor}")
        counted(lambda: _FSYNC(descriptor), lambda: found.resolve() if found.is_file() else None)

    def rename(path: Path, target: Path) -> Path:
        counted(lambda: _REPLACE(path, target), lambda: None)
        return target

    os.fsync, Path.replace = fsync, rename  # type: ignore[assignment, method-assign]
    run(folder, 0.0)


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fingerprint(folder: Path) -> list[str]:
    last = folder / "checkpoint-00000005.bin"
    tree = last.read_bytes().partition(b'"tree"')[2][:-32]
    leftovers = sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp"))
    return [(folder / "policy.rlc").read_bytes().hex(), tree.hex(), *leftovers]


def every_call(root: Path) -> tuple[int, list[list[str]]]:
    """One run per call that is killed at it, each continued to its end."""
    found, number = [], 0
    while True:
        number += 1
        folder = root / f"call-{number}"
        code = wait(forked(exit_at_call, folder, number))
        if code == 0:
            return number - 1, found
        assert code == KILLED, code
        assert wait(forked(run, folder, 0.0)) == 0
        found.append(fingerprint(folder))
        shutil.rmtree(folder)


def random_moments(root: Path, runs: int) -> tuple[int, list[list[str]]]:
    """Runs that are killed by SIGKILL again and again, then left alone."""
    kills, found, chance = 0, [], random.Random(0)
    for number in range(runs):
        folder = root / f"moment-{number}"
        for _ in range(chance.randint(1, 12)):
            pid = forked(run, folder, 0.002)
            time.sleep(chance.uniform(0.0, 0.03))
            os.kill(pid, signal.SIGKILL)
            kills += wait(pid) == -signal.SIGKILL
        assert wait(forked(run, folder, 0.002)) == 0
        found.append(fingerprint(folder))
    return kills, found


def main(root: Path) -> None:
    assert wait(forked(run, root / "whole", 0.0)) == 0
    wanted = fingerprint(root / "whole")
    calls, by_call = every_call(root)
    kills, by_moment = random_moments(root, 8)
    print(json.dumps({"wanted": wanted, "calls": calls, "by_call": by_call, "kills": kills, "by_moment": by_moment}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
