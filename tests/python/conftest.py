"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rlcompress import kernels
from rlcompress.contract import Argmax, Contract, Normalisation, squash_to
from rlcompress.layers import Dense, IntegerDense, QuantizedDense
from rlcompress.network import Network

AGENTS = Path(os.environ.get("RLCOMPRESS_AGENTS", Path(__file__).parents[2].parent / "shared" / "agents"))


@pytest.fixture(scope="session")
def agent() -> Callable[[str], Path]:
    """Path of a published agent, such as `agent("ppo/LunarLander-v2.zip")`; skips the test where there is none."""

    def find(name: str) -> Path:
        path = AGENTS / name
        if not path.exists():
            pytest.skip(f"no {name} in the folder of agents; set RLCOMPRESS_AGENTS")
        return path

    return find


@pytest.fixture
def restore_target() -> Iterator[None]:
    """Puts the core's target back after a test that forces one."""
    before = kernels.active_target()
    yield
    kernels.force_target(before)


@pytest.fixture
def tiny_policy() -> Network:
    """8 inputs, 2 actions, 9 bytes of int4 weights and scale."""
    weight = (np.arange(16).reshape(2, 8) * 5 % 15 - 7).astype(np.int8)
    layer = QuantizedDense(weight, np.zeros(2, np.int8), 4, row_exponent=np.array([-3], np.int8))
    return Network((layer,), Contract((8,), Argmax()))


@pytest.fixture
def squashed_network() -> Network:
    """Two float32 layers between a normalisation and a squash head, with metadata."""
    rng = np.random.default_rng(5)
    contract = Contract(
        (3,),
        squash_to(np.array([-2, -1], np.float32), np.array([2, 3], np.float32), 4.0),
        np.array([-1, -1, -8], np.float32),
        np.array([1, 1, 8], np.float32),
        Normalisation(np.array([0.1, -0.2, 0.5], np.float32), np.array([0.5, 0.5, 3], np.float32), 10.0),
    )
    layers = (
        Dense(rng.standard_normal((5, 3)), rng.standard_normal(5), "tanh"),
        Dense(rng.standard_normal((2, 5)), rng.standard_normal(2)),
    )
    return Network(layers, contract, {"source": "test", "score": 1.5})


@pytest.fixture
def selecting_network(squashed_network: Network) -> Network:
    """`squashed_network` on an observation of 3 x 3 values, of which it reads 0, 5 and 8."""
    mean, scale = np.linspace(-1, 1, 9), np.linspace(0.5, 2, 9)
    contract = Contract(
        (3, 3), squashed_network.contract.head, normalisation=Normalisation(mean, scale, 5.0), selected=(0, 5, 8)
    )
    return Network(squashed_network.layers, contract, {"source": "test"})


@pytest.fixture
def sparse_network() -> Network:
    """One masked int8 layer with every kind of scale."""
    rng = np.random.default_rng(6)
    layer = QuantizedDense(
        rng.integers(-127, 128, (6, 20), np.int8),
        rng.standard_normal(6).astype(np.float32),
        8,
        row_scale=rng.uniform(0.01, 0.1, 6).astype(np.float32),
        column_exponent=rng.integers(-3, 4, 20, np.int8),
        mask=rng.random((6, 20)) < 0.15,
    )
    return Network((layer,))


@pytest.fixture
def integer_network() -> Network:
    """Two integer layers, the first with column exponents and weights in groups that are not full."""
    rng = np.random.default_rng(7)
    first = IntegerDense(
        rng.integers(-127, 128, (5, 6), np.int8),
        rng.integers(-(1 << 20), 1 << 20, 5),
        40.0,
        128,
        rng.uniform(1e-5, 1e-4, 5).astype(np.float32),
        "relu",
        column_exponent=rng.integers(-3, 4, 6, np.int8),
    )
    last = IntegerDense(rng.integers(-127, 128, (2, 5), np.int8), [5, -6], 30.0, 0, np.full(2, 1e-3, np.float32))
    return Network((first, last), Contract((6,), Argmax()))
