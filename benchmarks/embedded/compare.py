"""Exported C beside plain loops and emlearn, the same network on an emulated Cortex-M4F in one run.

`python benchmarks/embedded/compare.py --out benchmarks/embedded/results` (with the package on the path) writes JSON and
a Markdown table. It needs gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm; emlearn (extra
`bench`) is left out where it is not installed. Instructions are those that QEMU counts, not cycles. Every contender's
actions are compared with the runtime's first.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import contenders

from embed.records import networks
from embed.targets import TARGETS, Target
from rlcompress.exporters.emulated import compiler_version
from rlcompress.network import Network
from rlcompress.runtime import Runtime

ROWS, REPEATS = 16, 50
LEVELS = ("-O2", "-Os")
MAIN = """\
#include "contender.h"
#include "startup.h"
static const float observations[{rows}][8] = {{{values}}};
int main(void) {{
  for (int i = 0; i < {rows}; ++i) print_number("", (uint32_t)decide(observations[i]));
  start_ticks();
  for (int i = 0; i < {repeats}; ++i) decide(observations[i % {rows}]);
  print_number("", ticks());
  return 0;
}}
"""
TICK = 40
NETWORKS = {"float32": "float32-8-64-64-4", "int8": "int8-8-64-64-4"}


def measure(target: Target, files: dict[str, str], level: str, rows: Any) -> dict[str, Any]:
    """Actions, bytes and instructions of a contender: its files define `decide` in `contender.h` and `contender.c`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = ", ".join("{" + ", ".join(f"{float(v)!r}F" for v in row) + "}" for row in rows)
        main = MAIN.format(rows=len(rows), repeats=REPEATS, values=values)
        for file, text in {**files, "main.c": main}.items():
            (folder / file).write_text(text, encoding="utf-8")
        includes = contenders.includes()
        options = ["-w", "-std=gnu99", level, f"-I{folder}", *(f"-I{path}" for path in includes)]
        sources = [folder / "main.c", *(folder / file for file in files if file.endswith(".c"))]
        program = folder / "contender.elf"
        command = [target.compiler, *target.options, *options, *map(str, sources), *target.link]
        command = [word for word in command if word not in ("-nostdlib", "-lgcc")]
        command += ["--specs=nano.specs", "-Wl,--allow-multiple-definition", "-lm", "-lc", "-lgcc", "-o", str(program)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        sizes = object_sizes(target, [source for source in sources if source.name != "main.c"], options)
        done = target.run(program)
        numbers = [int(word) for word in (done.stdout + done.stderr).split()]
        assert done.returncode == 0, done.stderr
    return {**sizes, "instructions": numbers[-1] * TICK // REPEATS, "actions": numbers[:-1]}


def object_sizes(target: Target, sources: list[Path], options: list[str]) -> dict[str, int]:
    """Bytes of the contender's own objects by kind."""
    found = {"code_bytes": 0, "constant_bytes": 0, "static_bytes": 0}
    kinds = {".text": "code_bytes", ".rodata": "constant_bytes", ".data": "static_bytes", ".bss": "static_bytes"}
    for source in sources:
        built = source.with_suffix(".o")
        subprocess.run([target.compiler, *target.options, *options, "-c", str(source), "-o", str(built)], check=True)
        size = target.compiler.replace("gcc", "size")
        table = subprocess.run([size, "-A", str(built)], capture_output=True, text=True, check=True).stdout
        for row in (line.split() for line in table.splitlines()):
            for prefix, kind in kinds.items():
                if len(row) == 3 and row[0].startswith(prefix):
                    found[kind] += int(row[1])
    return found


def compare(target: Target) -> list[dict[str, Any]]:
    """A row for each contender, precision and level."""
    known, found = networks(), []
    rows = (np.random.default_rng(5).integers(-1500, 1501, (ROWS, 8)) / 1000).astype(np.float32)
    makers: list[tuple[str, str, Callable[[Network], dict[str, str] | None]]] = [
        (precision, name, maker) for precision in NETWORKS for name, maker in contenders.MAKERS[precision].items()
    ]
    for precision, name, maker in makers:
        network = known[NETWORKS[precision]]
        files = maker(network)
        if files is None:
            print(f"{name}: left out, not installed")
            continue
        expected = Runtime(network)(rows).tolist()
        for level in LEVELS:
            row = measure(target, files, level, rows)
            row["agreement"] = float(np.mean(np.array(row.pop("actions")) == expected))
            found.append({"precision": precision, "contender": name, "level": level, **row})
            print(found[-1], flush=True)
    return found


def table(rows: list[dict[str, Any]]) -> str:
    titles = [
        "precision",
        "contender",
        "level",
        "instructions",
        "code_bytes",
        "constant_bytes",
        "static_bytes",
        "agreement",
    ]
    lines = ["| " + " | ".join(title.replace("_", " ") for title in titles) + " |", "|---" * len(titles) + "|"]
    for row in rows:
        cells = [f"{row[t]:,}" if isinstance(row[t], int) else str(row[t]) for t in titles]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    arguments = parser.parse_args()
    target = next(target for target in TARGETS if target.name == "cortex-m4")
    missing = target.missing()
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = compare(target)
    emulator = subprocess.run([target.runner[0], "--version"], capture_output=True, text=True, check=True).stdout
    machine = {
        "command": "python benchmarks/embedded/compare.py --out benchmarks/embedded/results",
        "network": "8-64-64-4, relu, argmax; fixed numbers (seed 20), observations of seed 5",
        "target": "Cortex-M4F (mps2-an386), -icount shift=0",
        "compiler": compiler_version(),
        "emulator": emulator.splitlines()[0],
        "emlearn": version("emlearn"),
        "machine": platform.machine(),
    }
    (arguments.out / "cortex-m4.json").write_text(
        json.dumps({**machine, "rows": rows}, indent=1) + "\n", encoding="utf-8"
    )
    notes = "\n".join(f"- {key}: {value}" for key, value in machine.items())
    text = f"# 8-64-64-4 on a Cortex-M4F\n\n{table(rows)}\n\n{notes}\n"
    (arguments.out / "cortex-m4.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
