"""Damaged images on other processors: the reader says of each what it says here, and faults at none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from embed.runtime_check import RUNTIME_TARGETS, RuntimeTarget, check_runtime, write_cases, write_damaged
from rlcompress import artifact

COUNT = 3000
BALANCE = Path(__file__).resolve().parents[1] / "golden" / "v1_balance.rlc"
SLOW = {"runtime-riscv64-v", "runtime-x86-64-avx512"}  # their machines take minutes
EMULATED = [target for target in RUNTIME_TARGETS if target.runner and target.name not in SLOW]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cases") / "cases", [artifact.load(BALANCE)], 1)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_damaged(tmp_path_factory.mktemp("damaged") / "damaged", COUNT, 1)


def test_the_images_reach_many_fields(damaged: Path) -> None:
    names, content, at = set(), damaged.read_bytes(), 0
    while at < len(content):
        names.add(content[at + 8 : at + 40].rstrip(b"\0"))
        at += 40 + int.from_bytes(content[at : at + 4], "little")
    assert len(names) > 30
    assert b"" in names


@pytest.mark.parametrize("target", EMULATED, ids=lambda target: target.name)
def test_the_reader_says_the_same_on_another_processor(target: RuntimeTarget, cases: Path, damaged: Path) -> None:
    if target.missing():
        pytest.skip(f"not installed: {', '.join(target.missing())}")
    wrong, ran = check_runtime(target, cases, damaged, options=("-O0", "-DRLCOMPRESS_SCALAR_ONLY"))
    assert wrong is None, wrong
    assert f"{COUNT} of {COUNT} damaged images" in ran
    assert "scalar 1 of 1" in ran


def test_another_answer_is_noticed(cases: Path, tmp_path: Path) -> None:
    target = next(target for target in RUNTIME_TARGETS if not target.runner)
    if target.missing():
        pytest.skip(f"not installed: {', '.join(target.missing())}")
    program, false = tmp_path / "check", tmp_path / "false"
    target.build(program, "-O0", "-DRLCOMPRESS_SCALAR_ONLY")
    image = BALANCE.read_bytes()
    false.write_bytes(len(image).to_bytes(4, "little") + bytes(4) + b"magic".ljust(32, b"\0") + image)
    done = subprocess.run([program, cases, false], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "0 of 1 damaged images" in done.stdout
