"""Exported C under other projects' rules: warnings are errors, and several policies are compiled as one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from embed.exported import random_stored, stored
from rlcompress import artifact
from rlcompress.contract import Argmax, Contract, Head, Raw, squash_to
from rlcompress.exporters.c import c_source
from rlcompress.layers import Dense, QuantizedDense
from rlcompress.network import Network

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror")
COMPILERS = {
    "gcc": ("gcc",),
    "gcc-fma": ("gcc", "-march=native"),
    "gcc-no-float": ("gcc", "-DRLCOMPRESS_SOFT_FLOAT"),
    "clang": ("clang",),
    "cortex-m0": ("arm-none-eabi-gcc", "-mcpu=cortex-m0"),
}


def write(network: Network, name: str, folder: Path) -> Path:
    """The network's two files; the `.c`."""
    made = c_source(stored(network), name)
    (folder / f"{name}.h").write_text(made.header, encoding="utf-8")
    source = folder / f"{name}.c"
    source.write_text(made.source, encoding="utf-8")
    return source


def compiled(command: tuple[str, ...], *words: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([*command, *STRICT, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMPILERS.values(), ids=COMPILERS)
def test_a_network_without_weights_has_nothing_unused(command: tuple[str, ...], tmp_path: Path) -> None:
    none = np.zeros((2, 3), bool)
    bytes_, scale = np.ones((2, 3), np.int8), np.array([0.5, 2], np.float32)
    relu = Dense(np.ones((2, 3)), np.ones(2), "relu", mask=none)
    layers: tuple[tuple[Dense | QuantizedDense, Head], ...] = (
        (relu, Argmax()),
        (relu, Raw()),
        (relu, squash_to([-1, -1], [1, 1])),
        (Dense(np.ones((2, 3)), np.ones(2), "tanh", mask=none), Raw()),
        (QuantizedDense(bytes_, np.ones(2, np.int8), 8, row_scale=scale, mask=none), Argmax()),
        (QuantizedDense(bytes_, np.ones(2, np.float32), 4, row_scale=scale, mask=none), Argmax()),
    )
    for layer, head in layers:
        source = write(Network((layer,), Contract((3,), head)), "zero", tmp_path)
        done = compiled(command, "-c", source, "-o", tmp_path / "zero.o")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMPILERS.values(), ids=COMPILERS)
def test_policies_share_a_translation_unit(command: tuple[str, ...], tmp_path: Path) -> None:
    """As in an amalgamation or with CMake's UNITY_BUILD; what one keeps to itself the next may name in the same way."""
    kinds = ("integer", "squash", "activations", "int4", "sparse")
    networks = [*(artifact.load(GOLDEN / f"v1_{kind}.rlc") for kind in kinds), *random_stored(7, 3)]
    names = [f"p{index}" for index in range(len(networks))]
    sources = [write(network, name, tmp_path) for network, name in zip(networks, names)]
    mains = "".join(
        f"  {{ static {name}_workspace w; wrong |= ({name}_self_test(&w) != 0) << {index}; }}\n"
        for index, name in enumerate(names)
    )
    others = "static float fused(void) { return 1.0F; }\nstatic const int weights0[] = {0};\n"
    text = "".join(f'#include "{source.name}"\n' for source in sources) + others
    text += f"int main(void) {{\n  int wrong = weights0[0] + (fused() < 0.0F);\n{mains}  return wrong;\n}}\n"
    (tmp_path / "unity.c").write_text(text, encoding="utf-8")
    switches = [f"-D{name.upper()}_SELF_TEST" for name in names]
    bare = command[0].startswith("arm")
    out = ("-c", "-o", tmp_path / "unity.o") if bare else ("-o", tmp_path / "unity")
    done = compiled(command, "-O1", *switches, tmp_path / "unity.c", *out)
    assert done.returncode == 0, done.stderr[-4000:]
    if not bare:
        assert subprocess.run([tmp_path / "unity"], check=False).returncode == 0
