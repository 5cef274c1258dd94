"""Orders of hidden units: permutations that bring zeros together, and change no result."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rlcompress import quantise_activations, quantise_static
from rlcompress.arrays import BoolArray
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.quantise_activations import group_zeros, quantise_layers
from rlcompress.runtime import Runtime
from rlcompress.unit_order import zeros_together


def used_groups(active: BoolArray) -> float:
    """Share of groups of four neighbours with an active one."""
    whole = active[:, : active.shape[1] // 4 * 4]
    return float(whole.reshape(len(whole), -1, 4).any(2).mean())


@pytest.mark.parametrize("units", [1, 3, 4, 30, 64])
def test_it_is_a_permutation(units: int) -> None:
    active = np.random.default_rng(units).random((20, units)) < 0.5
    assert sorted(zeros_together(active).tolist()) == list(range(units))


def test_units_that_are_active_together_become_neighbours() -> None:
    rng = np.random.default_rng(0)
    causes = rng.random((400, 16)) < 0.3
    active = np.repeat(causes, 4, axis=1)[:, rng.permutation(64)]
    assert used_groups(active) > 0.7
    assert used_groups(active[:, zeros_together(active)]) == pytest.approx(causes.mean())


def test_many_rows_are_sampled_evenly() -> None:
    active = np.zeros((5000, 8), bool)
    active[:2500, :4] = True
    active[2500:, 4:] = True
    order = zeros_together(active[:, [0, 4, 1, 5, 2, 6, 3, 7]])
    assert used_groups(active[:, [0, 4, 1, 5, 2, 6, 3, 7]][:, order]) == 0.5


def relu_network(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    widths = (5, 70, 70, 3)
    return Network(
        tuple(
            Dense(rng.normal(size=(m, k)) / k**0.5, rng.normal(size=m) * 0.3, "relu" if m == 70 else "identity")
            for k, m in itertools.pairwise(widths)
        )
    )


def test_quantised_networks_group_their_zeros_and_answer_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = relu_network(1), np.random.default_rng(2).normal(size=(300, 5)).astype(np.float32)
    ordered = quantise_static(network, rows)
    monkeypatch.setattr(quantise_activations, "zeros_together", lambda active: np.arange(active.shape[1]))
    plain = quantise_static(network, rows)
    assert Runtime(ordered)(rows).tobytes() == Runtime(plain)(rows).tobytes()

    def hidden(found: Network) -> BoolArray:
        return np.asarray(Runtime(found.with_layers(found.layers[:1]))(rows) * found.layers[1].input_scale > 0.5)

    assert used_groups(hidden(ordered)) < used_groups(hidden(plain)) - 0.1


def test_units_beside_other_layers_stay_where_they_are() -> None:
    network, rows = relu_network(5), np.random.default_rng(6).normal(size=(200, 5)).astype(np.float32)
    integer = quantise_layers(network, rows)
    for own in ((0,), (2,), (0, 1), (1, 2), (0, 2)):
        mixed = network.with_layers([(integer if i in own else network).layers[i] for i in range(3)])
        found = group_zeros(mixed, rows)
        assert Runtime(found)(rows).tobytes() == Runtime(mixed)(rows).tobytes(), own
        moved = [not np.array_equal(a.weight, b.weight) for a, b in zip(found.layers, mixed.layers)]
        assert moved == [i in own and len(own) == 2 and own != (0, 2) for i in range(3)], own


def test_the_float_network_stays_as_it_is() -> None:
    network = relu_network(3)
    before = [layer.weight.copy() for layer in network.dense_layers()]
    quantise_static(network, np.random.default_rng(4).normal(size=(50, 5)).astype(np.float32))
    assert all(np.array_equal(a, layer.weight) for a, layer in zip(before, network.dense_layers()))
