"""Kill -9 one PoPS run at random moments, resume it each time, and compare its end with a run that was left alone.

    python benchmarks/loops/kill_resume.py --kills 50 --out benchmarks/loops/results/kill_resume.json

The teacher is a CartPole policy that the script trains first. Each session of the killed run lives for a random time
after its first event. At the end `policy.rlc` of both runs must be the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SESSION = """
import sys
import rlcompress as rlc
teacher = rlc.load_policy(sys.argv[1])
task = rlc.PolicyTask("CartPole-v1")
settings = rlc.PoPS(min_episodes=20, max_episodes=100, rounds=3, train_steps=200, generations=20)
say = lambda event: print("event", flush=True)
rlc.compress(teacher, task, settings, seed=3, run_dir=sys.argv[2], jobs=1, on_event=say)
print("finished", flush=True)
"""


def session(teacher: Path, folder: Path, seconds: float | None) -> bool:
    """Run until the end, or for some seconds after the first event; whether the end was reached."""
    command = [sys.executable, "-c", SESSION, str(teacher), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if seconds is None:
            return "finished" in process.stdout.read() and process.wait() == 0
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        return process.wait() == 0


def digest(folder: Path) -> str:
    """SHA-256 of the run's policy."""
    return hashlib.sha256((folder / "policy.rlc").read_bytes()).hexdigest()


def main() -> None:
    """Train, run alone, run killed, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--longest", type=float, default=1.5, help="longest life of a session after its first event, s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    from rlcompress.teachers import train_teacher

    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        train_teacher("CartPole-v1", root / "teacher.zip", seed=0, on_event=lambda event: None)
        begin = time.perf_counter()
        assert session(root / "teacher.zip", root / "alone", None)
        alone_seconds = time.perf_counter() - begin
        kills, ended_early = 0, 0
        while kills < arguments.kills:
            if session(root / "teacher.zip", root / "killed", moments.uniform(0, arguments.longest)):
                ended_early += 1
                break
            kills += 1
        assert session(root / "teacher.zip", root / "killed", None)
        same = digest(root / "alone") == digest(root / "killed")
    record = {
        "kills": kills,
        "same_bytes": same,
        "finished_before_all_kills": bool(ended_early),
        "seconds_alone": alone_seconds,
        "seed": arguments.seed,
        "python": platform.python_version(),
    }
    print(json.dumps(record, indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    sys.exit(0 if same and kills >= arguments.kills else 1)


if __name__ == "__main__":
    main()
