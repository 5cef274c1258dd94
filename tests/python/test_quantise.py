from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import random_networks
from balancing import redundant
from rlcompress.contract import Argmax, Contract, Normalisation, clip_to
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense, QuantizedDense
from rlcompress.network import Network
from rlcompress.quantise import Bits, grid_for, quantise_grid, quantise_rows
from rlcompress.runtime import Runtime

SPREAD = np.array([1.0, 0.1, 10.0, 2.0], np.float32)
ROWS = (np.random.default_rng(0).normal(size=(200, 4)) * SPREAD).astype(np.float32)


def net(hidden: int, activation: str, head: object, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    layers = (
        Dense(rng.normal(size=(hidden, 4)) / SPREAD, rng.normal(size=hidden), activation),  # type: ignore[arg-type]
        Dense(rng.normal(size=(3, hidden)), rng.normal(size=3)),
    )
    return Network(layers, Contract((4,), head))  # type: ignore[arg-type]


CONTINUOUS = clip_to([-9.0] * 3, [9.0] * 3)


@pytest.mark.parametrize(("bits", "limit"), [(8, 127), (4, 7)])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("head", [Argmax(), CONTINUOUS])
def test_a_grid_holds_integers_within_its_bits(bits: Bits, limit: int, activation: str, head: object) -> None:
    network = net(6, activation, head)
    grid, genome = grid_for(network, bits, SPREAD)
    found = grid.network_of(genome)
    assert genome.shape == (network.parameter_count,)
    for layer in found.layers:
        assert isinstance(layer, QuantizedDense)
        assert layer.bias.dtype == np.int8
        assert np.abs(layer.weight.astype(int)).max() <= limit
        assert layer.row_scale is None
    assert found.contract == network.contract
    assert [layer.activation for layer in found.layers] == [layer.activation for layer in network.layers]
    assert grid.network_of(1e6 * np.sign(genome)) == grid.network_of(limit * np.sign(genome))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_eight_bits_keep_continuous_outputs(activation: str) -> None:
    network = net(6, activation, CONTINUOUS)
    wanted = Runtime(network)(ROWS)
    found = Runtime(quantise_grid(network, 8, SPREAD))(ROWS)
    assert np.abs(found - wanted).max() < 0.1 * wanted.std()


# A relu layer takes no exponent: its gain is shared with the next layer, which costs a little and saves the byte.
@pytest.mark.parametrize(
    ("activation", "bits", "share"), [("relu", 8, 0.95), ("relu", 4, 0.8), ("tanh", 8, 0.98), ("tanh", 4, 0.8)]
)
def test_quantised_policies_mostly_choose_the_same(bits: Bits, share: float, activation: str) -> None:
    for seed in range(5):
        network = net(8, activation, Argmax(), seed)
        found = Runtime(quantise_grid(network, bits, SPREAD))(ROWS)
        assert np.mean(found == Runtime(network)(ROWS)) > share


def test_an_argmax_feels_no_gain_so_none_is_stored() -> None:
    for layer in quantise_grid(net(6, "relu", Argmax()), 4, SPREAD).layers:
        assert layer.row_exponent is None  # type: ignore[union-attr]
    exact = quantise_grid(net(6, "tanh", CONTINUOUS), 4, SPREAD)
    assert all(layer.row_exponent.shape == (1,) for layer in exact.layers)  # type: ignore[union-attr]


def test_a_network_on_the_grid_stays_as_it_is() -> None:
    """Integers up to the limit, with a column of each scale, are their own best rounding."""
    weight = np.array([[7, 3, -4, 2], [-7, 5, 7, 1]]) * np.array([1, 0.5, 2, 0.25])
    network = Network((Dense(weight, np.array([7.0, -2.0])),), Contract((4,), clip_to([-99.0] * 2, [99.0] * 2)))
    found = quantise_grid(network, 4, np.ones(4, np.float32))
    assert np.array_equal(found.dense_float().dense_layers()[0].weight, weight)
    assert np.array_equal(Runtime(found)(ROWS), Runtime(network)(ROWS))


def test_rounding_is_the_nearest_network() -> None:
    """No other integers are nearer, weighed by the spread of the inputs, at the scales that the grid chose."""
    network = Network((Dense(np.array([[0.61, -0.4]]), np.array([0.2])),), Contract((2,), clip_to([-9.0], [9.0])))
    grid, genome = grid_for(network, 4, np.ones(2, np.float32))
    wanted = np.array([0.61, -0.4, 0.2])

    def error(integers: np.ndarray) -> float:
        layer = grid.network_of(integers).dense_float().dense_layers()[0]
        return float(np.abs(np.r_[layer.weight[0], layer.bias] - wanted).max())

    best = min(error(np.rint(genome) + step) for step in product((-1, 0, 1), repeat=3))
    assert error(genome) == pytest.approx(best)


def test_normalisation_must_be_folded_first() -> None:
    contract = Contract((4,), Argmax(), normalisation=Normalisation(np.zeros(4), np.ones(4)))
    with pytest.raises(InvalidValueError, match="normalisation"):
        grid_for(Network(redundant().layers, contract), 4, SPREAD)


@pytest.mark.parametrize("bits", [8, 4])
def test_layers_of_zeros_quantise(bits: Bits) -> None:
    zero = Network((Dense(np.zeros((2, 4)), np.zeros(2)),), Contract((4,), Argmax()))
    for found in (quantise_grid(zero, bits, SPREAD), quantise_rows(zero, bits)):
        assert not Runtime(found).logits(ROWS).any()


def test_rows_have_their_own_scales() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        layer = random_networks.dense(rng, *rng.integers(1, 40, 2))
        if np.abs(layer.weight).max() > 1e6:
            continue
        found = quantise_rows(Network((layer,)), 8).dense_float().dense_layers()[0]
        step = np.abs(layer.weight).max(1, keepdims=True) / 127
        assert (np.abs(found.weight - layer.weight) <= 0.5001 * step + 1e-30).all()
        assert np.array_equal(found.bias, layer.bias)
