"""Exported C under other projects' rules: warnings are errors, and several policies are compiled as one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from embed.exported import stored
from rlcompress.contract import Argmax, Contract, Head, Raw, squash_to
from rlcompress.exporters.c import c_source
from rlcompress.layers import Dense, QuantizedDense
from rlcompress.network import Network

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
    none = {"mask": np.zeros((2, 3), bool)}
    bytes_, scale = np.ones((2, 3), np.int8), np.array([0.5, 2], np.float32)
    relu = Dense(np.ones((2, 3)), np.ones(2), "relu", **none)
    layers: tuple[tuple[Dense | QuantizedDense, Head], ...] = (
        (relu, Argmax()),
        (relu, Raw()),
        (relu, squash_to([-1, -1], [1, 1])),
        (Dense(np.ones((2, 3)), np.ones(2), "tanh", **none), Raw()),
        (QuantizedDense(bytes_, np.ones(2, np.int8), 8, row_scale=scale, **none), Argmax()),
        (QuantizedDense(bytes_, np.ones(2, np.float32), 4, row_scale=scale, **none), Argmax()),
    )
    for layer, head in layers:
        source = write(Network((layer,), Contract((3,), head)), "zero", tmp_path)
        done = compiled(command, "-c", source, "-o", tmp_path / "zero.o")
        assert done.returncode == 0, done.stderr
