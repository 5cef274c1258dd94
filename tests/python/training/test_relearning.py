"""Training of some layers."""

from __future__ import annotations

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.errors import InvalidValueError
from rlcompress.tasks.labelled import Pair
from rlcompress.training.relearning import Relearning, relearn, rescaled, units_of

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 4)).astype(np.float32)
SETTINGS = Relearning(epochs=6, batch_size=32, learning_rate=1e-2)


def network(outputs: int = 2, seed: int = 1) -> rlc.Network:
    rng = np.random.default_rng(seed)
    shapes = [(4, 12), (12, 10), (10, outputs)]
    layers = [rlc.Dense(rng.normal(size=(o, i)) / i**0.5, rng.normal(size=o) * 0.1, "relu") for i, o in shapes[:-1]]
    layers.append(rlc.Dense(rng.normal(size=(outputs, 10)) * 0.3, np.zeros(outputs)))
    scale = rlc.Normalisation(np.full(4, 0.5), np.full(4, 2.0))
    return rlc.Network(tuple(layers), rlc.Contract((4,), rlc.Raw(), normalisation=scale))


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 2), (0, 2), (2, 2)])
def test_the_layers_learn_and_the_others_stay(first: int, last: int) -> None:
    before, y = network(), (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    after = relearn(before, first, last, Pair(X, y), SETTINGS, 0)
    for at, (old, new) in enumerate(zip(before.layers, after.layers)):
        assert (old == new) != (first <= at <= last)
    accuracy = [np.mean(rlc.Runtime(net)(X).argmax(1) == y) for net in (before, after)]
    assert accuracy[1] > max(accuracy[0], 0.6)
    assert after.contract == before.contract


def test_values_are_learnt_in_their_own_units() -> None:
    y = np.column_stack([1000 + 50 * X[:, 0], 0.01 * X[:, 1]]).astype(np.float32)
    *others, last = network().layers
    before = network().with_layers([*others, rescaled(last, *units_of(y))])
    after = relearn(before, 0, 2, Pair(X, y), Relearning(20, 10, 32, 1e-2), 0)
    found = rlc.Runtime(after)(X)
    assert (((found - y) ** 2).mean(0) / y.var(0) < 0.1).all()


def test_no_epoch_changes_nothing_and_the_seed_decides() -> None:
    before, y = network(), (X[:, 0] > 0).astype(np.int64)
    assert relearn(before, 0, 2, Pair(X, y), Relearning(epochs=0), 0) == before
    first, again, other = (relearn(before, 0, 1, Pair(X, y), SETTINGS, seed) for seed in (3, 3, 4))
    assert first == again != other


def test_the_best_minibatch_is_kept() -> None:
    y = RNG.integers(0, 2, 600)  # nothing to learn: later minibatches of a large rate are far worse
    wild = Relearning(epochs=4, batch_size=100, learning_rate=5.0)
    after = relearn(network(), 0, 2, Pair(X, y), wild, 0)
    logits = torch.from_numpy(rlc.Runtime(after)(X))
    assert float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(y))) < 3


def test_updates_are_limited() -> None:
    before, y = network(), (X[:, 0] > 0).astype(np.int64)
    few, whole = (relearn(before, 0, 2, Pair(X, y), Relearning(2, 10, 100, 1e-2, updates), 0) for updates in (3, 0))
    assert few == relearn(before, 0, 2, Pair(X, y), Relearning(100, 10, 100, 1e-2, 3), 0)
    assert few != whole == relearn(before, 0, 2, Pair(X, y), Relearning(2, 10, 100, 1e-2, 12), 0)


@pytest.mark.parametrize(
    "settings", [{"epochs": -1}, {"updates": -1}, {"patience": 0}, {"batch_size": 0}, {"learning_rate": 0}]
)
def test_settings_out_of_range(settings: dict) -> None:
    with pytest.raises(InvalidValueError, match=next(iter(settings))):
        Relearning(**settings)


def test_no_such_layers() -> None:
    with pytest.raises(InvalidValueError, match=r"0\.\.2"):
        relearn(network(), 1, 3, Pair(X, np.zeros(600, np.int64)), SETTINGS, 0)
