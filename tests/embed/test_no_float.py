"""Exported C for processors without floating-point hardware: integers alone, and the bits of floats."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import embed.exported
import random_networks
from embed.cross_check import check_program
from embed.exported import Cases, random_stored, stored, write_program
from embed.records import networks
from embed.targets import TARGETS, Target
from rlcompress.contract import Argmax, Contract, Head, Raw
from rlcompress.exporters.c import c_source
from rlcompress.exporters.c.arithmetic import pieces
from rlcompress.exporters.c.ends import ARGMAX
from rlcompress.layers import IntegerDense
from rlcompress.network import Network
from rlcompress.runtime import Runtime

CHECK = Path(__file__).with_name("no_float.c")
FORCED = "-DRLCOMPRESS_NO_FLOAT=1"
FLOATS = re.compile(r"__aeabi_([fd]|u?[il]2[fd])|__\w*[sd]f\d?$|__\w+[sd]f[sd]i$")
"""Names of a compiler's library for floats in software."""

WITHOUT_HARDWARE = {
    "cortex-m0": ("arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb"),
    "cortex-m3": ("arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb"),
    "cortex-m4-soft": ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"),
    "rv32i": ("clang", "--target=riscv32", "-march=rv32i", "-ffreestanding"),
    "rv32imac": ("clang", "--target=riscv32", "-march=rv32imac", "-ffreestanding"),
    "avr": ("avr-gcc", "-mmcu=atmega1284p", FORCED),
}


def need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def target(name: str) -> Target:
    found = next(target for target in TARGETS if target.name == name)
    need(found.compiler, *found.runner[:1])
    return found


def check_arithmetic(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """The result of `no_float.c` with this text of the arithmetic."""
    need("gcc")
    source, program = folder / "check.c", folder / "check"
    source.write_text(f"#include <stddef.h>\n#include <stdint.h>\n{text}{CHECK.read_text(encoding='utf-8')}", "utf-8")
    command = ["gcc", "-std=c99", "-O2", "-ffp-contract=off", FORCED, str(source), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return subprocess.run([str(program)], capture_output=True, text=True, check=False)


def arithmetic() -> str:
    return pieces(["times", "canonical"]) + ARGMAX


def test_the_integers_are_the_floats(tmp_path: Path) -> None:
    """Millions of random and odd bit patterns: products, scaled sums, bytes, the largest of values."""
    done = check_arithmetic(tmp_path, arithmetic())
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("0x80000000U - (whole & 1U)", "0x80000000U"),  # half to even
        ("0x80000000U - (whole & 1U)", "0x7FFFFFFFU"),
        ("| (uint32_t)(low != 0)", ""),  # what is lost below a subnormal number
        ("if (e < -23) return 0;", "if (e < -22) return 0;"),
        ("if (e > 254)", "if (e > 253)"),
        ("if (n != 0) m = nearest(m >> n, m << (32 - n));", "m >>= n;"),  # sums beyond 24 bits
        ("if (e == 255 || a << 1 == 0) return a;", ""),
        ("if (size > 0x7F800000U) return low;", ""),
        ("-(int32_t)size", "-(int32_t)size - 1"),  # both zeros are equal
    ],
)
def test_a_wrong_step_is_found(right: str, wrong: str, tmp_path: Path) -> None:
    text = arithmetic()
    assert right in text
    assert check_arithmetic(tmp_path, text.replace(right, wrong)).returncode == 1


def power(rng: np.random.Generator, exponent: float) -> float:
    """A float32 > 0 near a power of two, subnormal ones included."""
    return float(np.float32(np.clip(2.0 ** (exponent + rng.uniform(-0.5, 0.5)), 2.0**-149, 2.0**127)))


def far_apart(rng: np.random.Generator) -> Network:
    """Integer layers whose scales are anywhere between the smallest and the largest float, and meet again in bytes."""
    sizes = [int(n) for n in rng.integers(1, 14, rng.integers(2, 5))]
    layers, step = [], float(rng.uniform(-149, 127))
    for inputs, outputs in itertools.pairwise(sizes):
        row = float(rng.uniform(-149, 110))
        limit = (1 << 31) - 1 - 32_385 * inputs
        layers.append(
            IntegerDense(
                rng.integers(-127, 128, (outputs, inputs), np.int8),
                rng.integers(-limit, limit + 1, outputs) >> rng.integers(0, 30, outputs),
                power(rng, step),
                int(rng.choice([0, 255, rng.integers(256)])),
                np.array([power(rng, row + rng.uniform(-4, 4)) for _ in range(outputs)], np.float32),
                "relu" if rng.random() < 0.5 else "identity",
                column_exponent=rng.integers(-120, 121, inputs, np.int8) if rng.random() < 0.2 else None,
            )
        )
        step = 7 - (row + float(rng.uniform(10, 25)))
    head: Head = Argmax(int(rng.integers(-3, 4))) if rng.random() < 0.3 else Raw()
    return stored(Network(tuple(layers), Contract((sizes[0],), head)))


def cases_in_reach(network: Network, seed: int, count: int = 8) -> Cases:
    """Observations that become bytes between the bounds, odd values and any bits."""
    rng = np.random.default_rng(seed)
    first = network.layers[0]
    assert isinstance(first, IntegerDense)
    size = network.contract.input_size
    rows = (rng.uniform(-260, 260, (count, size)) / first.input_scale).astype(np.float32)
    rows[1] = rng.integers(0, 1 << 32, size, np.uint32).view(np.float32)
    rows[2] = rng.choice(random_networks.ODD_VALUES, size)
    rows[3] = (rng.integers(-511, 512, size) / 2 / first.input_scale).astype(np.float32)
    return rows, np.asarray(Runtime(network)(rows), np.float32).reshape(count, -1)


@pytest.mark.parametrize(("name", "count"), [("x86-64-no-float", 40), ("x86-64", 10), ("cortex-m0", 10)])
def test_scales_of_every_size_give_the_same_bits(
    name: str, count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = np.random.default_rng(count)
    monkeypatch.setattr(embed.exported, "cases_of", cases_in_reach)
    with np.errstate(over="ignore"):
        made = write_program(tmp_path, [far_apart(rng) for _ in range(count)], 5)
    assert check_program(target(name), made, "-O2") is None


def test_networks_of_every_kind_give_the_same_bits(tmp_path: Path) -> None:
    made = write_program(tmp_path, random_stored(4, 16), 7)
    assert check_program(target("x86-64-no-float"), made, "-Os") is None


def policies() -> list[Network]:
    """Networks of integer layers alone: they need no float from the observation to the action."""
    known = stored(networks()["int8-8-64-64-4"])
    rng = np.random.default_rng(1)
    made = [known, *(far_apart(rng) for _ in range(2))]
    last = made[-1].layers
    inputs = last[0].in_features
    selected = Contract((inputs + 3,), Argmax(1), selected=tuple(range(3, inputs + 3)))
    return [*made, *(stored(Network(last, contract)) for contract in (selected, Contract((inputs,), Raw())))]


def undefined(command: tuple[str, ...], network: Network, folder: Path) -> set[str]:
    """What the object of an exported network asks other objects for."""
    made = c_source(network, "net")
    (folder / "net.h").write_text(made.header, encoding="utf-8")
    (folder / "net.c").write_text(made.source, encoding="utf-8")
    built = folder / "net.o"
    options = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-c", str(folder / "net.c"), "-o", str(built))
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = subprocess.run(["nm", "-u", str(built)], capture_output=True, text=True, check=True).stdout
    return set(text.split()) - {"U"}


@pytest.mark.parametrize("level", ["-O0", "-Os", "-O3"])
@pytest.mark.parametrize("command", WITHOUT_HARDWARE.values(), ids=WITHOUT_HARDWARE)
def test_integer_policies_ask_for_no_floats(command: tuple[str, ...], level: str, tmp_path: Path) -> None:
    need(command[0], "nm")
    for network in policies():
        names = undefined((*command, level), network, tmp_path)
        assert not [name for name in names if FLOATS.match(name)]
    named = undefined((*command, level, "-URLCOMPRESS_NO_FLOAT", "-DRLCOMPRESS_NO_FLOAT=0"), policies()[0], tmp_path)
    assert [name for name in named if FLOATS.match(name)], "the names of the library's functions have changed"


def test_a_linked_program_holds_no_floats(tmp_path: Path) -> None:
    core = target("cortex-m0")
    need("arm-none-eabi-nm")
    made = c_source(policies()[0], "net")
    (tmp_path / "net.h").write_text(made.header, encoding="utf-8")
    (tmp_path / "net.c").write_text(made.source, encoding="utf-8")
    (tmp_path / "main.c").write_text(
        '#include "net.h"\n'
        "int main(void) {\n  static net_workspace w;\n  static float o[8], a[1];\n  net_run(o, a, &w);\n"
        "  return (int)net_decide(o, &w);\n}\n",
        encoding="utf-8",
    )
    built = core.build([tmp_path / "main.c", tmp_path / "net.c"], tmp_path / "program", "-O2", f"-I{tmp_path}")
    assert built.returncode == 0, built.stderr
    table = subprocess.run(["arm-none-eabi-nm", str(tmp_path / "program")], capture_output=True, text=True, check=True)
    names = [line.split()[-1] for line in table.stdout.splitlines()]
    assert "net_decide" in names
    assert not [name for name in names if FLOATS.match(name)]
