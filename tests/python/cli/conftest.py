from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rlcompress.contract import Argmax, Contract
from rlcompress.engine import registry
from rlcompress.layers import Dense
from rlcompress.network import Network

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def fake_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ALGORITHMS, "fake", "fake_algorithm:Fake")


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy for CartPole as an `.rlc` file with golden vectors."""
    rng = np.random.default_rng(3)
    layers = (
        Dense(rng.standard_normal((6, 4)), rng.standard_normal(6), "relu"),
        Dense(rng.standard_normal((2, 6)), rng.standard_normal(2)),
    )
    low = np.array([-4.8, -np.inf, -0.4, -np.inf], np.float32)
    network = Network(layers, Contract((4,), Argmax(), low, -low), {"source": "test"})
    path = tmp_path / "policy.rlc"
    network.save(path)
    return path
