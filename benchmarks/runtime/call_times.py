"""Times of ten million calls, one by one: how long can a call take, and is it the library or the machine?

    python benchmarks/runtime/call_times.py --out benchmarks/runtime/results [--calls 10000000] [--core 0] [FILE ...]

Builds `call_times.cpp` (CMake and a compiler), runs it on each policy, pinned to one core, and writes `call_times.json`
and `call_times.md`. Without files it takes the golden files of the tests. The observations are drawn from their
numbers, so there is no seed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import rlcompress

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
COLUMNS = ("p50", "p99", "p99.9", "p99.99", "max", "above_3x")


def program() -> Path:
    """Path of the program, built when needed."""
    cmake = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake") or "cmake"
    settings = ["-DCMAKE_BUILD_TYPE=Release", "-DRLCOMPRESS_BENCHMARKS=ON"]
    subprocess.run([cmake, "-S", ROOT, "-B", BUILD, *settings], check=True, stdout=subprocess.DEVNULL)
    target = ["--target", "bench_call_times"]
    subprocess.run([cmake, "--build", BUILD, *target], check=True, stdout=subprocess.DEVNULL)
    return BUILD / "benchmarks" / "runtime" / "bench_call_times"


def measure(policy: Path, calls: int, core: int) -> dict[str, Any]:
    """What the program prints for one policy, in nanoseconds."""
    pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") else []
    done = subprocess.run([*pinned, program(), policy, str(calls)], capture_output=True, text=True, check=True)
    return {"policy": policy.name, "bytes": policy.stat().st_size, **json.loads(done.stdout)}


def machine() -> dict[str, Any]:
    """Processor, system, version and load at the end."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "rlcompress": rlcompress.__version__,
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def table(found: dict[str, Any]) -> str:
    """Markdown: two rows for each policy, the calls and the loop beside them."""
    about = found["machine"]
    lines = [
        "# Times of single calls",
        "",
        f"`{found['command']}` on {about['processor']} ({about['processors']} processors, {about['system']}, "
        f"load {about['load'][0]}), rlcompress {about['rlcompress']}; nanoseconds, the clock's own included.",
        "*control* is arithmetic of about the same length without memory, timed in turns with the calls: "
        "what lengthens the control is the machine, not the library.",
        "",
        f"Every call has an observation of its own (uniform in [-2, 2)), and the series is made "
        f"{found['rows'][0]['repeats']} times. *least* is each observation's fastest time: what is slow there is "
        "slow at every repeat and so the library's own; the quiet core's worst case is its max, beside the median "
        "call (*worst / median*; a clock of 10 ns steps tells 40 from 50).",
        "",
        "The worst single call is not within three times the median, and neither is the control's: timer ticks and, "
        "on a virtual machine, its host stop either for microseconds to milliseconds. Plan with p99.9 and p99.99, "
        "measured on your own machine. `counted_calls.md` has ten million calls on an emulated core that nothing "
        "interrupts.",
        "",
        "| policy | what | " + " | ".join(COLUMNS) + " | of calls | involuntary switches | worst / median |",
        "|---|---|" + "---|" * (len(COLUMNS) + 3),
    ]
    for row in found["rows"]:
        for what in ("call", "control", "least"):
            values = " | ".join(f"{row[what][column]:,}" for column in COLUMNS)
            share = f"{row[what]['above_3x'] / row['calls']:.1e}"
            turns = f"{row['involuntary_switches']:,}" if what == "call" else ""
            worst = f"{row[what]['max'] / row['call']['p50']:,.2f}" if what == "least" else ""
            lines.append(f"| {row['policy']}, {row['target']} | {what} | {values} | {share} | {turns} | {worst} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("policies", nargs="*", type=Path, help="files; default: the golden files")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--core", type=int, default=0)
    given = parser.parse_args()
    policies = given.policies or sorted((ROOT / "tests" / "golden").glob("v*.rlc"))
    rows = [measure(policy, given.calls, given.core) for policy in policies]
    command = f"python benchmarks/runtime/call_times.py --out RESULTS --calls {given.calls}"
    found = {"command": command, "machine": machine(), "rows": rows}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "call_times.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (given.out / "call_times.md").write_text(table(found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
