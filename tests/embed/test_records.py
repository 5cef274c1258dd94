"""Nothing that was recorded for a processor has grown, and the promises about size and speed hold."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from embed.records import FOLDER, compiler_of, grown, record, targets
from embed.targets import Target

PLAIN = {"float32-8-64-64-4": 35_880, "int8-8-64-64-4": 27_280}
"""Instructions of plain loops on a Cortex-M4 at -O2: `benchmarks/embedded` measures them again."""


def stored_record(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_nothing_has_grown(target: Target) -> None:
    if target.missing():
        pytest.skip(f"not installed: {', '.join(target.missing())}")
    before = stored_record(target.name)
    if compiler_of(target) != before["compiler"]:
        pytest.skip(f"the record is of {before['compiler']}, here is {compiler_of(target)}")
    assert grown(before, record(target)) == []


def test_growth_is_found() -> None:
    before = stored_record("cortex-m4")
    now = copy.deepcopy(before)
    assert grown(before, now) == []
    now["networks"]["float32-8-64-64-4"]["instructions"] *= 1.03
    (found,) = grown(before, now)
    assert "instructions" in found


def test_the_promises_on_a_cortex_m4() -> None:
    networks = stored_record("cortex-m4")["networks"]
    assert networks["cartpole-int4"]["flash_bytes"] <= 512
    for name, plain in PLAIN.items():
        figures = networks[name]
        assert figures["instructions"] <= plain / 2
        assert figures["code_bytes"] <= 2048
        assert figures["workspace_bytes"] + figures["stack_bytes"] <= 1024
