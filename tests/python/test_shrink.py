from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import random_networks
from rlcompress import artifact
from rlcompress.contract import Contract, Normalisation
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense, IntegerDense, QuantizedDense
from rlcompress.network import Network
from rlcompress.quantise import grid_for, quantise_grid
from rlcompress.runtime import Runtime
from rlcompress.shrink import drop_inputs, hidden_values, input_saliency, keep_neurons
from rlcompress.training.polish import float_space

CONSTANT = 0.75


def _network(rng: Any, selected: tuple[int, ...] | None = None) -> Network:
    normalisation = Normalisation(rng.standard_normal(6), rng.uniform(0.5, 2, 6))
    contract = Contract((2, 3), normalisation=normalisation, selected=selected)
    inputs = contract.network_inputs
    first = Dense(rng.standard_normal((7, inputs)), rng.standard_normal(7), "tanh", mask=rng.random((7, inputs)) < 0.8)
    return Network((first, Dense(rng.standard_normal((2, 7)), np.zeros(2))), contract, {"a": 1})


def _rows(rng: Any, network: Network, constant: tuple[int, ...]) -> Any:
    """Observations whose normalised value is CONSTANT at some indices."""
    rows = rng.standard_normal((50, 6)).astype(np.float32)
    normalisation = network.contract.normalisation
    assert normalisation is not None
    for k in constant:
        rows[:, k] = normalisation.mean[k] + CONSTANT * normalisation.scale[k]
    return rows


@pytest.mark.parametrize("selected", [None, (0, 1, 3, 4, 5)])
def test_dropping_constant_inputs_changes_nothing(selected: tuple[int, ...] | None) -> None:
    rng = np.random.default_rng(0)
    network = _network(rng, selected)
    rows = _rows(rng, network, (1, 4))
    assert network.contract.normalisation is not None
    smaller = drop_inputs(network, [4, 1], network.contract.normalisation.apply(rows).mean(0))
    assert smaller.contract.selected == ((0, 2, 3, 5) if selected is None else (0, 3, 5))
    assert smaller.input_size == network.input_size - 2
    assert smaller.metadata == network.metadata
    found, expected = Runtime(smaller)(rows.reshape(-1, 2, 3)), Runtime(network)(rows.reshape(-1, 2, 3))
    assert np.abs(found - expected).max() < 1e-5
    rows[:, [1, 4]] = np.nan
    assert np.array_equal(Runtime(smaller)(rows.reshape(-1, 2, 3)), found)  # they are not read


@pytest.mark.parametrize("float_bias", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_dropping_quantized_inputs(float_bias: bool, scaled: bool) -> None:
    rng = np.random.default_rng(1)
    weight = rng.integers(-7, 8, (3, 5))
    bias: Any = np.array([0.5, -1.0, 2.0], np.float32) if float_bias else np.array([1, -2, 3])
    column = np.array([0, 1, -1, 2, 0]) if scaled else None
    layer = QuantizedDense(weight, bias, 8, row_exponent=[-3] if scaled else None, column_exponent=column)
    network = Network((layer,))
    rows = rng.standard_normal((20, 5)).astype(np.float32)
    rows[:, 1], rows[:, 3] = 2.0, -3.0  # whole steps: nothing is rounded
    smaller = drop_inputs(network, [1, 3], rows.mean(0))
    first = smaller.layers[0]
    assert isinstance(first, QuantizedDense)
    assert first.bias.dtype == layer.bias.dtype
    assert (first.column_exponent is not None) is scaled
    assert np.allclose(Runtime(smaller)(rows), Runtime(network)(rows), atol=1e-5)


def test_integer_bias_is_rounded_in_its_own_steps() -> None:
    layer = QuantizedDense([[3, 1]], [2], 4, row_exponent=[-2], column_exponent=[1, 0])
    first = drop_inputs(Network((layer,)), [0], np.array([0.6, 9.0])).layers[0]
    assert first.bias.tolist() == [2 + round(3 * 2 * 0.6)]
    full = drop_inputs(Network((layer,)), [0], np.array([-9.0, 0.0])).layers[0]
    assert full.bias.tolist() == [-7]


@pytest.mark.parametrize("column", [None, [0, 1, -1, 2, 0]])
def test_dropping_inputs_of_an_integer_layer_is_exact(column: Any) -> None:
    rng = np.random.default_rng(3)
    integers = rng.integers(-127, 128, (3, 5))
    layer = IntegerDense(integers, [1, -2, 3], 16.0, 100, [0.01, 0.02, 0.03], column_exponent=column)
    rows = rng.standard_normal((20, 5)).astype(np.float32)
    rows[:, 1], rows[:, 3] = 2.0, -300.0  # clipped alike
    smaller = drop_inputs(Network((layer,)), [1, 3], rows.mean(0))
    assert np.array_equal(Runtime(smaller)(rows), Runtime(Network((layer,)))(rows))


def test_random_networks_lose_inputs_one_after_the_other() -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        network = random_networks.network(rng)
        zeros = np.zeros(network.contract.input_size)
        while network.input_size > 1:
            network = drop_inputs(network, rng.choice(network.contract.kept_inputs, 1).tolist(), zeros)
        assert artifact.decode(artifact.encode(network)).contract == network.contract


@pytest.mark.parametrize("drop", [[0, 0], [2], [6], [-1], [0, 1, 3]], ids=str)
def test_what_cannot_be_dropped_is_refused(drop: list[int]) -> None:
    network = Network((Dense(np.ones((2, 3)), np.zeros(2)),), Contract((6,), selected=(0, 1, 3)))
    with pytest.raises(InvalidValueError, match="drop_inputs"):
        drop_inputs(network, drop, np.zeros(6))
    assert drop_inputs(network, [], np.zeros(6)) == network
    with pytest.raises(InvalidValueError, match=r"mean: shape \(6\)"):
        drop_inputs(network, [0], np.zeros(3))


def test_saliency_is_spread_times_norm() -> None:
    network = Network((Dense([[3.0, 1.0], [4.0, 0.0]], [0.0, 0.0]),), Contract((3,), selected=(0, 2)))
    assert input_saliency(network, np.array([2, 100, 0.5])).tolist() == [10, 0.5]
    layer = QuantizedDense([[3, 1], [4, 0]], [0, 0], 8, row_exponent=[-1], column_exponent=[1, 0])
    assert input_saliency(Network((layer,)), np.array([2, 1])).tolist() == [10, 0.5]


def _reading_two(rng: Any) -> tuple[Network, Network, Any]:
    """A network that reads two of four values, the same on two values, and observations of four."""
    layers = (Dense(rng.standard_normal((5, 2)), rng.standard_normal(5), "relu"), Dense(np.ones((2, 5)), np.zeros(2)))
    return Network(layers, Contract((4,), selected=(1, 2))), Network(layers), rng.standard_normal((30, 4)) * 3 + 1


def test_neurons_are_measured_on_what_is_read() -> None:
    network, plain, rows = _reading_two(np.random.default_rng(3))
    for found, expected in zip(hidden_values(network, rows), hidden_values(plain, rows[:, 1:3])):
        assert np.array_equal(found, expected)
    smaller = keep_neurons(network, [3], rows)
    assert smaller.layers == keep_neurons(plain, [3], rows[:, 1:3]).layers
    assert smaller.contract == network.contract


def test_grid_and_search_take_the_whole_observations_statistics() -> None:
    network, plain, rows = _reading_two(np.random.default_rng(4))
    mean, spread = rows.mean(0), rows.std(0)
    grid, genome = grid_for(network, 4, spread)
    assert np.array_equal(genome, grid_for(plain, 4, spread[1:3])[1])
    assert quantise_grid(network, 4, spread).contract == grid.network_of(genome).contract == network.contract
    space, expected = float_space(network, mean, spread, 0.3), float_space(plain, mean[1:3], spread[1:3], 0.3)
    assert np.array_equal(space.origin, expected.origin)
    again = space.network_of(space.origin)
    assert again.contract == network.contract
    assert all(np.allclose(a.weight, b.weight) for a, b in zip(again.layers, network.layers))
