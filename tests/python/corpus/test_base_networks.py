"""Training of base networks."""

from __future__ import annotations

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.contract import Argmax, Raw
from rlcompress.corpus.architectures import Architecture
from rlcompress.corpus.base_networks import TrainingLimits, input_scaling, train_base, train_bases
from rlcompress.corpus.stack import Stack
from rlcompress.errors import InvalidValueError

torch = pytest.importorskip("torch")

MIXED = Architecture((40, 30), ("relu", "tanh"), ("none", "batch_norm"))


def test_classes_are_learnt_from_raw_rows(rings) -> None:
    network = train_base(rings, MIXED, seed=0, epochs=25)
    final = rings.score(network, "final", 0, rings.count("final"))
    assert final.mean > 0.9
    assert isinstance(network.contract.head, Argmax)
    assert network.widths == (3, 40, 30, 2)
    assert [layer.activation for layer in network.layers] == ["relu", "tanh", "identity"]
    assert network.metadata["ended_by"] in ("patience", "epochs")
    assert network.metadata["data"] == "rings"


def test_values_come_back_in_their_own_units(surface) -> None:
    network = train_base(surface, Architecture.plain(64), seed=0)
    x, y = surface.rows("final")
    assert isinstance(network.contract.head, Raw)
    errors = ((rlc.Runtime(network)(x) - y) ** 2).mean(0) / y.var(0)
    assert (errors < [0.15, 0.05]).all(), errors


def test_scaling_is_fitted_on_training_rows_alone(rings) -> None:
    network = train_base(rings, Architecture.plain(4), seed=0, epochs=1)
    scaling = network.contract.normalisation
    assert scaling is not None
    assert scaling == input_scaling(rings.training_rows.x)
    assert scaling != input_scaling(rings.x)
    assert scaling.clip == 8
    assert scaling.scale[2] == 1  # the constant column
    assert scaling.mean[2] == 70_000


def test_no_split_of_the_task_has_influence(rings) -> None:
    other = rlc.DatasetTask(rings.x.copy(), rings.y, seed=1)
    hidden = np.ones(len(other.x), bool)
    hidden[other._all["data"].rows] = False
    other.x[hidden] *= 3  # the task holds these very rows
    assert not np.array_equal(rings.rows("final").x, other.rows("final").x)
    first, second = (train_base(task, Architecture.plain(8), seed=2, epochs=3) for task in (rings, other))
    assert first == second


def test_the_seed_alone_decides(rings) -> None:
    state = torch.get_rng_state()
    drop = Architecture((12,), ("sigmoid",), ("dropout",))
    first, again, other = (train_base(rings, drop, seed=seed, epochs=2) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert torch.equal(state, torch.get_rng_state())


def test_small_networks_are_trained_side_by_side_as_alone(rings) -> None:
    shapes = [
        Architecture((9, 5), ("relu", "sigmoid"), ("batch_norm", "none")),
        Architecture((4, 11), ("tanh", "relu"), ("dropout", "batch_norm")),
        Architecture.plain(6),
        Architecture.plain(7, 7),
    ]
    limits = TrainingLimits(epochs=3)
    together = train_bases(rings, shapes, seeds=[5, 6, 7, 8], limits=limits)
    x = rings.rows("final").x
    for network, shape, seed in zip(together, shapes, [5, 6, 7, 8]):
        alone = train_base(rings, shape, seed=seed, epochs=3)
        assert network.widths == alone.widths == (3, *shape.hidden, 2)
        outputs = [rlc.Runtime(rlc.Network(net.layers, _raw(net))) for net in (network, alone)]
        np.testing.assert_allclose(outputs[0](x), outputs[1](x), atol=2e-3)


def _raw(network):
    return rlc.Contract(network.contract.observation_shape, Raw(), normalisation=network.contract.normalisation)


def test_batch_norm_is_folded_exactly() -> None:
    shapes = [Architecture((6, 5), ("relu", "tanh"), ("batch_norm", "batch_norm")), Architecture.plain(3, 8)]
    random = [np.random.default_rng(seed) for seed in (0, 1)]
    stack = Stack(shapes, 4, 3, random, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    x = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(2)) * 3 + 1
    with torch.no_grad():
        for level in stack.levels:
            level.gain.uniform_(0.5, 2)
            level.shift.mul_(0).add_(0.3 * level.masks[2])
        for _ in range(5):
            stack.forward(x, True)  # moves the running statistics
        wanted = stack.forward(x, False)
    for member, shape in enumerate(shapes):
        layers = stack.folded(member, stack.snapshot(member))
        dense = [rlc.Dense(w, b, word) for (w, b), word in zip(layers, (*shape.activations, "identity"))]
        found = rlc.Runtime(rlc.Network(tuple(dense)))(x[member].numpy())
        np.testing.assert_allclose(found, wanted[member].numpy(), rtol=1e-4, atol=1e-5)


def test_training_ends_by_time_or_patience(rings) -> None:
    short = train_base(rings, Architecture.plain(50), seed=0, seconds=1e-6)
    assert short.metadata["ended_by"] == "seconds"
    patient = train_base(rings, Architecture.plain(300), seed=0, epochs=200, patience=1)
    assert patient.metadata["ended_by"] == "patience"


@pytest.mark.parametrize("settings", [{"seconds": 0}, {"epochs": 0}, {"patience": -1}])
def test_limits_are_positive(rings, settings: dict) -> None:
    with pytest.raises(InvalidValueError, match=next(iter(settings))):
        train_base(rings, MIXED, seed=0, **settings)


def test_seeds_fit_the_networks(rings) -> None:
    with pytest.raises(InvalidValueError, match="seeds"):
        train_bases(rings, [MIXED], seeds=[])
    with pytest.raises(InvalidValueError, match="seeds"):
        train_base(rings, MIXED, seed=-1)


def test_columns_far_from_zero_are_scaled_while_float32_tells_their_values_apart() -> None:
    spread = np.array([[-1], [1]] * 50) * [1e-3, 2, 0, 1e-9]
    centre = np.array([5, 1e6, 1e6, 0])
    scaling = input_scaling((centre + spread).astype(np.float32))
    np.testing.assert_allclose(scaling.scale, [1e-3, 2, 1, 1e-9], rtol=1e-3)
