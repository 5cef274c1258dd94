"""Exported networks on the processors whose tools are here, and the example for a microcontroller."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rlcompress
from embed.cross_check import GOLDEN, check, check_program
from embed.exported import random_stored, write_programs
from embed.targets import EXAMPLE, TARGETS, Target
from rlcompress import artifact
from rlcompress.exporters import export
from rlcompress.layers import Dense, IntegerDense
from rlcompress.network import Network

BALANCE = GOLDEN / "v1_balance.rlc"
EMULATED = [target for target in TARGETS if not target.name.startswith(("x86", "clang", "aarch64-sve"))]
BOARDS = [target for target in TARGETS if target.bare and target.name != "cortex-m0"]


def present(target: Target) -> Target:
    missing = target.missing()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return target


@pytest.mark.parametrize("target", EMULATED, ids=lambda target: target.name)
def test_the_same_bits_on_another_processor(target: Target, tmp_path: Path) -> None:
    networks = [
        *random_stored(3, 3),
        *(artifact.load(GOLDEN / f"v1_{name}.rlc") for name in ("int4", "sparse", "squash")),
    ]
    assert check(present(target), write_programs(tmp_path, networks, 7)) is None


def test_inputs_become_bytes_in_vectors_of_any_length(tmp_path: Path) -> None:
    """GCC 12 loses lanes there with SVE at -O3."""
    target = present(next(target for target in TARGETS if target.name == "aarch64-sve"))
    networks = [network for network in random_stored(0, 150) if has_integers(network)]
    (program,) = write_programs(tmp_path, networks[:16], 7)
    assert check_program(target, program, "-O3") is None


def has_integers(network: Network) -> bool:
    return any(isinstance(layer, IntegerDense) and layer.weight.shape[1] > 8 for layer in network.layers)


def test_a_difference_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The check fails where a target computes something else than the runtime here."""
    import embed.exported

    target = present(next(target for target in TARGETS if target.name == "x86-64"))
    networks = [Network((Dense([[1.5, -2.0]], [0.25]),)), Network((Dense([[1.0, 3.0]], [0.5]),))]
    other = Network((Dense([[1.0, 3.0000002]], [0.5]),))
    original = embed.exported.cases_of
    monkeypatch.setattr(
        embed.exported, "cases_of", lambda network, seed: original(other if network == networks[1] else network, seed)
    )
    found = check(target, write_programs(tmp_path, networks, 7))
    assert found is not None
    assert "1 networks differ, the first is n1" in found


@pytest.mark.parametrize("target", BOARDS, ids=lambda target: target.name)
def test_the_example_balances_on_a_microcontroller(target: Target, tmp_path: Path) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    present(target)
    command = f"RLCOMPRESS={sys.executable} -m rlcompress"
    arguments = [make, "-C", EXAMPLE, f"BUILD={tmp_path}", command, target.name.removeprefix("cortex-")]
    package = str(Path(rlcompress.__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": package}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "self-test: passed" in text
    assert "steps balanced: 500" in text


def test_floats_are_not_vectors_on_a_cortex_m55(tmp_path: Path) -> None:
    """Its vectors flush subnormal numbers to zero, and compilers make them of plain loops at -O3."""
    target = present(next(target for target in TARGETS if target.name == "cortex-m55"))
    (tmp_path / "loop.c").write_text(
        "void f(float *restrict y, const float *restrict r) { for (int i = 0; i < 64; ++i) y[i] *= r[i]; }",
        encoding="utf-8",
    )
    assert vector_operations(target, tmp_path / "loop.c"), "the compiler has stopped making them: drop this test"
    for index, network in enumerate(random_stored(6, 6)):
        written = export(network, "c", tmp_path, name=f"n{index}")
        assert not vector_operations(target, written.files[1])


def vector_operations(target: Target, source: Path) -> list[str]:
    """Instructions on vectors of floats in what the compiler makes of a file."""
    command = [target.compiler, *target.options, "-O3", "-S", str(source), "-o", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.findall(r"\bv\w+\.f32\s+q\d.*", text)


def test_the_policy_is_tiny_on_a_cortex_m4(tmp_path: Path) -> None:
    """CartPole in int4: code and constants together."""
    present(next(target for target in TARGETS if target.name == "cortex-m4"))
    for name in ("v1_balance", "v1_int4"):
        written = export(GOLDEN / f"{name}.rlc", "c", tmp_path)
        assert written.code is not None
        assert "Cortex-M4F" in written.code.target
        assert written.flash_bytes is not None
        assert written.flash_bytes <= 512
