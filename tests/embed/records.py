"""What exported networks take on each processor: bytes of code, flash, memory and stack, instructions per inference.
`linked_bytes` is flash with what the compiler's library adds: floats in software on a Cortex-M0.

`python tests/embed/records.py` compares this tree with the JSON files in `tests/embed/records` and fails where a figure
has grown by more than 2 %; `--write` writes them. Instructions are those that QEMU counts: no cache, no wait states.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from embed.exported import stored
from embed.hosted_instructions import hosted_instructions
from embed.targets import TARGETS, Target
from rlcompress.contract import Argmax, Contract
from rlcompress.exporters.c import c_source
from rlcompress.exporters.emulated import instructions
from rlcompress.layers import Dense, QuantizedDense
from rlcompress.network import Network
from rlcompress.quantise_activations import group_zeros, nearest_layers

FOLDER = Path(__file__).resolve().parent / "records"
GROWTH = 1.02
LEVELS = {"cartpole-int4": "-Os"}
HOSTED = ("aarch64", "armhf", "riscv64")
"""Those that run Linux and are recorded too."""


def networks() -> dict[str, Network]:
    """The networks that are recorded: fixed numbers, on every platform."""
    rng = np.random.default_rng(20)

    def layer(inputs: int, outputs: int, activation: Any) -> Dense:
        weight = rng.integers(-1000, 1001, (outputs, inputs)) / np.float32(1000 * inputs**0.5)
        return Dense(weight, rng.integers(-100, 101, outputs) / np.float32(1000), activation)

    wide = Network((layer(8, 64, "relu"), layer(64, 64, "relu"), layer(64, 4, "identity")), Contract((8,), Argmax()))
    rows = (rng.integers(-2000, 2001, (256, 8)) / 1000).astype(np.float32)
    cartpole = QuantizedDense(np.array([[0, 0, 0, 0], [1, 3, 7, 5]], np.int8), np.array([0, 1], np.int8), 4)
    return {
        "cartpole-int4": Network((cartpole,), Contract((4,), Argmax())),
        "float32-8-64-64-4": wide,
        "int8-8-64-64-4": group_zeros(nearest_layers(wide, rows, 100.0), rows),
    }


def targets() -> list[Target]:
    return [target for target in TARGETS if target.bare or target.name in HOSTED]


def measure(target: Target, name: str, network: Network) -> dict[str, Any]:
    """The figures of one network on one target."""
    made = c_source(stored(network), "net")
    level = LEVELS.get(name, "-O2")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "net.h").write_text(made.header, encoding="utf-8")
        (place / "net.c").write_text(made.source, encoding="utf-8")
        text, stack = object_size(target, place / "net.c", level)
        linked = linked_size(target, place / "net.c", level)
    return {
        "level": level,
        "code_bytes": text - made.constant_bytes,
        "flash_bytes": text,
        "linked_bytes": linked,
        "workspace_bytes": made.workspace_bytes,
        "stack_bytes": stack,
        "instructions": counted(target, network, level),
        "macs": made.macs,
    }


def counted(target: Target, network: Network, level: str) -> int:
    """Instructions of one inference."""
    if target.bare:
        return instructions(network, target.name, level)
    return hosted_instructions(network, target, level)


def object_size(target: Target, source: Path, level: str) -> tuple[int, int]:
    """Bytes of code and constants, and of stack if every function of the file were active at once."""
    built = source.with_suffix(".o")
    compile_with(target, level, "-fstack-usage", "-c", str(source), "-o", str(built))
    usage = built.with_suffix(".su").read_text(encoding="utf-8").splitlines()
    return flash_of(target, built), sum(int(line.split("\t")[1]) for line in usage)


def linked_size(target: Target, source: Path, level: str) -> int:
    """Bytes of code and constants of what a program that calls `net_decide` holds of the file and the library."""
    built = source.with_suffix(".elf")
    kept = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections,-e,net_decide")
    compile_with(target, level, *kept, "-nostdlib", str(source), "-lgcc", "-o", str(built))
    return flash_of(target, built)


def compile_with(target: Target, level: str, *options: str) -> None:
    cpu = [option for option in target.options if option.startswith("-m")]
    subprocess.run([target.compiler, *cpu, "-std=c99", level, *options], check=True)


def flash_of(target: Target, built: Path) -> int:
    """Bytes of the sections of an object or a program that lie in flash."""
    size = target.compiler.replace("gcc", "size")
    table = subprocess.run([size, "-A", str(built)], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in table.splitlines()]
    return sum(int(row[1]) for row in rows if len(row) == 3 and row[0].startswith((".text", ".rodata", ".data")))


def compiler_of(target: Target) -> str:
    """The compiler's name and version."""
    done = subprocess.run([target.compiler, "-dumpfullversion"], capture_output=True, text=True, check=True)
    return f"{target.compiler} {done.stdout.strip()}"


def record(target: Target) -> dict[str, Any]:
    found = {name: measure(target, name, network) for name, network in networks().items()}
    return {"target": target.name, "compiler": compiler_of(target), "networks": found}


def grown(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Figures that are more than 2 % above those of the record."""
    return [
        f"{now['target']} {name} {figure}: {now['networks'][name][figure]}, {value} before"
        for name, figures in before["networks"].items()
        for figure, value in figures.items()
        if isinstance(value, int) and now["networks"][name][figure] > GROWTH * value
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the records")
    arguments = parser.parse_args()
    failed = False
    for target in targets():
        if target.missing():
            print(f"{target.name}: left out, {', '.join(target.missing())} not installed")
            continue
        now, path = record(target), FOLDER / f"{target.name}.json"
        for name, figures in now["networks"].items():
            print(f"{target.name:11} {name:18} {figures}")
        if arguments.write:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
            continue
        found = grown(json.loads(path.read_text(encoding="utf-8")), now)
        print("\n".join(found) or f"{target.name}: nothing has grown")
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
