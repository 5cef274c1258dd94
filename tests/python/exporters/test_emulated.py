"""Exported C counted on an emulated core."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from rlcompress.contract import Argmax, Contract
from rlcompress.errors import InvalidValueError, MissingToolError
from rlcompress.exporters.emulated import BOARD, COMPILER, CORES, EMULATOR, instructions
from rlcompress.layers import Dense
from rlcompress.network import Network

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "microcontroller"


def network(width: int) -> Network:
    rng = np.random.default_rng(4)
    layers = (
        Dense(rng.standard_normal((width, 4), np.float32), np.zeros(width), "relu"),
        Dense(rng.standard_normal((2, width), np.float32), np.zeros(2), "identity"),
    )
    return Network(layers, Contract((4,), Argmax()))


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4"])
def test_instructions_grow_with_the_network(core: str) -> None:
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    small, large = network(8), network(32)
    counted = [instructions(made, core) for made in (small, large)]
    assert counted[0] > small.macs
    assert 2 < counted[1] / counted[0] < 5


def test_a_missing_compiler_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match="apt-get install gcc-arm-none-eabi"):
        instructions(network(2), "cortex-m4")


def test_a_missing_emulator_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / COMPILER).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="apt-get install qemu-system-arm"):
        instructions(network(2), "cortex-m4")


def test_an_unknown_core_is_an_error() -> None:
    with pytest.raises(InvalidValueError, match="cortex-m55"):
        instructions(network(2), "cortex-m99")


def test_a_network_larger_than_the_board_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    for size, message in ((300, "holds 300 bytes, the constants alone take"), (900, "(?s)does not build: .*FLASH")):
        monkeypatch.setitem(CORES, "cortex-m4", dataclasses.replace(CORES["cortex-m4"], flash_bytes=size))
        with pytest.raises(InvalidValueError, match=message):
            instructions(network(32), "cortex-m4")


@pytest.mark.parametrize("name", ["board.ld", "startup.c", "startup.h"])
def test_the_board_is_that_of_the_example(name: str) -> None:
    """The example stands alone, so it has files of its own."""
    if not EXAMPLE.is_dir():
        pytest.skip("the examples are not here")
    assert (BOARD / name).read_bytes() == (EXAMPLE / name).read_bytes()
