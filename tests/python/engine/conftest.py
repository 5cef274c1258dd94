"""Makes `toy` importable for the tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def toy_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    from rlcompress.engine import registry

    monkeypatch.setitem(registry.ALGORITHMS, "toy", "toy:Toy")
    monkeypatch.setitem(registry.TASKS, "toy", "toy:ToyTask")
