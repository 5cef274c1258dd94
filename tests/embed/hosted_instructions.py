"""Instructions of one inference of exported C on processors that run Linux, as QEMU's user mode steps through them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from embed.exported import stored
from embed.targets import Target
from rlcompress.exporters.c import c_source
from rlcompress.network import Network

RUNS = (1, 3)
_MAIN = """\
#include "net.h"
int main(int count, char **words) {
  static net_workspace workspace;
  static float observation[NET_INPUT_SIZE], action[NET_ACTION_SIZE];
  for (int i = 0; i < NET_INPUT_SIZE; ++i) observation[i] = 0.25F * (float)(i % 5) - 0.4F;
  for (int run = words[1][0] - '0'; run > 0; --run) net_run(observation, action, &workspace);
  return count != 2;
}
"""


def hosted_instructions(network: Network, target: Target, level: str) -> int:
    """Instructions of one inference; not cycles.

    Args:
        network: what to export.
        target: one whose runner is QEMU's user mode.
        level: the compiler's optimisation.

    Raises:
        CalledProcessError: the compiler or the emulator fails.
    """
    made = c_source(stored(network), "net")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for file, text in {"net.h": made.header, "net.c": made.source, "main.c": _MAIN}.items():
            (place / file).write_text(text, encoding="utf-8")
        program = place / "measure"
        built = target.build([place / "main.c", place / "net.c"], program, "-std=c99", level)
        built.check_returncode()
        few, many = (_steps(target.runner[0], program, runs) for runs in RUNS)
    return (many - few) // (RUNS[1] - RUNS[0])


def _steps(emulator: str, program: Path, runs: int) -> int:
    """Instructions of the whole program; start-up takes the same whatever digit it is given."""
    log = program.with_name("log")
    help_text = subprocess.run([emulator, "-help"], capture_output=True, text=True, check=False).stdout
    step = "-one-insn-per-tb" if "one-insn-per-tb" in help_text else "-singlestep"
    subprocess.run([emulator, step, "-d", "exec,nochain", "-D", str(log), str(program), str(runs)], check=True)
    with log.open(encoding="utf-8") as lines:
        return sum(line.startswith("Trace") for line in lines)
