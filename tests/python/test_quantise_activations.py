"""Static quantisation: integers throughout, near the float network where observations are like those it measured."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
import rlcompress as rlc
from rlcompress import artifact, kernels
from rlcompress.contract import Argmax, Contract, Normalisation
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense, IntegerDense, QuantizedDense
from rlcompress.network import Network
from rlcompress.runtime import Runtime

RNG = np.random.default_rng(0)


def net(*widths: int, activation: Any = "relu", contract: Contract | None = None, seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        name = activation if index + 2 < len(widths) else "identity"
        weight = rng.standard_normal((outputs, inputs)) / np.sqrt(inputs)
        layers.append(Dense(weight, 0.1 * rng.standard_normal(outputs), name))
    return Network(tuple(layers), contract or Contract((widths[0],)))


def error(network: Network, quantised: Network, rows: np.ndarray) -> float:
    """Root mean square error of the outputs as a share of their standard deviation."""
    wanted = Runtime(network).logits(rows)
    return float(np.sqrt(np.mean((Runtime(quantised).logits(rows) - wanted) ** 2)) / wanted.std())


@pytest.mark.parametrize("widths", [(4, 24, 24, 2), (8, 64, 64, 4), (17, 256, 256, 6), (784, 300, 100, 10)])
def test_outputs_stay_near_on_held_out_observations(widths: tuple[int, ...]) -> None:
    network = net(*widths)
    rows = RNG.standard_normal((1500, widths[0])).astype(np.float32)
    found = rlc.quantise_static(network, rows[:1000], percentile=99.99)
    assert all(isinstance(layer, IntegerDense) for layer in found.layers)
    assert found.contract == network.contract
    assert error(network, found, rows[:1000]) < 0.03
    assert error(network, found, rows[1000:]) < 0.03


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu", "silu", "gelu", "leaky_relu", "sigmoid"])
def test_every_activation(activation: Any) -> None:
    alpha = {"elu": 1.0, "leaky_relu": 0.01}.get(activation, 0.0)
    first, *rest = net(6, 40, 40, 3, activation="relu").layers
    layers = [Dense(layer.weight, layer.bias, activation, alpha) for layer in (first, *rest[:-1])]  # type: ignore[union-attr]
    network = Network((*layers, rest[-1]), Contract((6,)))
    rows = RNG.standard_normal((800, 6)).astype(np.float32)
    found = rlc.quantise_static(network, rows[:400])
    assert error(network, found, rows[400:]) < 0.05
    assert found.layers[1].input_zero == (0 if activation in ("relu", "sigmoid") else found.layers[1].input_zero)


def test_relu_inputs_use_every_byte() -> None:
    network = net(5, 30, 2)
    rows = RNG.standard_normal((300, 5)).astype(np.float32)
    last = rlc.quantise_static(network, rows).layers[1]
    values = Runtime(Network(network.layers[:1], network.contract))(rows)
    assert last.input_zero == 0  # type: ignore[union-attr]
    assert last.input_scale == np.float32(255 / values.max())  # type: ignore[union-attr]


def test_inputs_of_different_size_are_levelled() -> None:
    network = net(3, 32, 2)
    spread = np.array([1.0, 300.0, 0.01])
    first = network.layers[0]
    assert isinstance(first, Dense)
    scaled = network.with_layers((Dense(first.weight / spread, first.bias, "relu"), *network.layers[1:]))
    rows = (RNG.standard_normal((800, 3)) * spread).astype(np.float32)
    found = rlc.quantise_static(scaled, rows[:400])
    assert isinstance(found.layers[0], IntegerDense)
    assert found.layers[0].column_exponent is not None
    assert error(scaled, found, rows[400:]) < 0.05
    assert artifact.decode(artifact.encode(found)) == found


def test_normalisation_and_selection_come_first() -> None:
    contract = Contract(
        (2, 3), Argmax(), normalisation=Normalisation(np.full(6, 50), np.full(6, 9), 5.0), selected=(0, 2, 3, 5)
    )
    network = net(4, 30, 3, contract=contract)
    rows = (50 + 9 * RNG.standard_normal((900, 2, 3))).astype(np.float32)
    found = rlc.quantise_static(network, rows[:500])
    assert error(network, found, rows[500:]) < 0.03
    assert np.mean(Runtime(found)(rows[500:]) == Runtime(network)(rows[500:])) > 0.97
    assert rlc.quantise_static(network, rows[:500].reshape(500, 6)) == found


def test_rare_outliers_are_clipped_on_request() -> None:
    network = net(6, 40, 2)
    rows = RNG.standard_normal((2000, 6)).astype(np.float32)
    rows[0] = 100
    usual = rows[1:]
    whole, clipped = (rlc.quantise_static(network, rows, percentile=share) for share in (100.0, 99.9))
    assert error(network, clipped, usual) < 0.5 * error(network, whole, usual)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_observations_and_layers_of_zeros(value: float) -> None:
    zero = Network((Dense(np.zeros((3, 4)), [0, 1, -1e6], "relu"), Dense(np.zeros((2, 3)), [1e-20, 5])))
    found = rlc.quantise_static(zero, np.full((2, 4), value))
    expected = np.broadcast_to(np.array([1e-20, 5], np.float32), (2, 2))
    np.testing.assert_allclose(Runtime(found)(np.full((2, 4), value, np.float32)), expected, rtol=1e-6)


def test_a_large_bias_of_small_weights_keeps_its_integer() -> None:
    network = Network((Dense([[1e-12, -1e-12]], [1e6]), Dense([[1.0]], [0.0])))
    found = rlc.quantise_static(network, [[1.0, -1.0]])
    np.testing.assert_allclose(Runtime(found)(np.ones(2, np.float32)), [1e6], rtol=1e-2)


def test_what_cannot_be_measured_is_refused() -> None:
    network = net(4, 8, 2)
    rows = np.zeros((5, 4), np.float32)
    for wrong in (np.zeros(4), np.zeros((0, 4)), np.zeros((5, 3)), np.full((2, 4), np.nan), np.full((2, 4), np.inf)):
        with pytest.raises(InvalidValueError, match="observations"):
            rlc.quantise_static(network, wrong)
    for share in (50.0, 100.1, float("nan")):
        with pytest.raises(InvalidValueError, match="percentile"):
            rlc.quantise_static(network, rows, share)
    with pytest.raises(InvalidValueError, match="dense_float"):
        rlc.quantise_static(Network((QuantizedDense([[1]], [0], 8),)), [[1.0]])
    huge = Network((Dense([[3e38]], [0.0]), Dense([[1.0]], [0.0])))
    with pytest.raises(InvalidValueError, match="finite"):
        rlc.quantise_static(huge, [[1e3]])


INTEGER = {"weight": [[1, 2], [3, 4]], "bias": [1, 2], "input_scale": 1.0, "input_zero": 0, "row_scale": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": [[-128, 0], [0, 0]]}, "weight"),
        ({"bias": [1 << 31, 0]}, "bias"),
        ({"bias": [(1 << 31) - 2 * 32_385, 0]}, "bias"),
        ({"bias": [0.5, 0]}, "bias"),
        ({"input_scale": 0.0}, "input_scale"),
        ({"input_scale": float("nan")}, "input_scale"),
        ({"input_scale": 1e39}, "input_scale"),
        ({"input_zero": 256}, "input_zero"),
        ({"input_zero": -1}, "input_zero"),
        ({"input_zero": 1.5}, "input_zero"),
        ({"row_scale": [1.0, 0.0]}, "row_scale"),
        ({"row_scale": [1.0, np.inf]}, "row_scale"),
        ({"column_exponent": [121, 0]}, "column_exponent"),
        ({"weight": np.zeros((1, 65_537)), "bias": [0], "row_scale": [1.0]}, "65536 inputs"),
    ],
)
def test_layers_that_no_file_holds_are_refused(change: dict[str, Any], message: str) -> None:
    IntegerDense(**INTEGER)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match=message):
        IntegerDense(**{**INTEGER, **change})


@pytest.mark.parametrize("target", kernels.targets())
@pytest.mark.parametrize("outputs", [1, 2, 18, 31, 63, 64, 65, 100, 255, 300])
@pytest.mark.parametrize("inputs", [1, 3, 4, 5, 24, 33, 130])
def test_extreme_integers_are_exact(inputs: int, outputs: int, target: str) -> None:
    """Sums at the ends of their range, at every width of lanes and number of chains."""
    rng = np.random.default_rng((inputs, outputs))
    weight = rng.choice([-127, 127], (outputs, inputs)).astype(np.int8)
    weight[0] = 127
    bias = np.full(outputs, (1 << 31) - 1 - 32_385 * inputs)
    layers = (
        IntegerDense(weight, bias, 1.0, 0, np.full(outputs, 2.0**-22)),
        IntegerDense(rng.integers(-127, 128, (3, outputs)), [1, 2, 3], 0.25, 128, np.ones(3)),
    )
    rows = rng.choice([-3e38, 0, 1, 254, 255, 3e38, np.nan], (5, inputs)).astype(np.float32)
    rows[0] = 3e38
    with kernels.forced_target(target):
        for network in (Network(layers[:1]), Network(layers)):
            expected = reference.run(network, rows, [False] * len(network.layers))
            assert Runtime(network)(rows).tobytes() == expected.tobytes()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=40), st.floats(2.0**-10, 1024, width=32), st.integers(0, 255))
def test_inputs_become_the_bytes_of_the_format(values: list[float], scale: float, zero: int) -> None:
    """Halves go to the even integer, NaN and what lies below to the lower bound."""
    with np.errstate(all="ignore"):
        rows = np.array([values, np.round(values) + np.float32(0.5)], np.float32) / np.float32(scale)
    count = len(values)
    network = Network((IntegerDense(np.eye(count), np.zeros(count), scale, zero, np.ones(count)),))
    with np.errstate(all="ignore"):
        expected = reference.run(network, rows, [False])
    for target in kernels.targets():
        with kernels.forced_target(target):
            found = Runtime(network)(rows)
        assert found.tobytes() == expected.tobytes()
        assert found.min() >= 0
        assert found.max() <= 255


def test_outputs_without_a_head_keep_aligned_weights() -> None:
    """The raw copy of a file has other offsets, so its padding differs."""
    network = net(8, 256, 256, 4, contract=Contract((8,), Argmax(3)))
    rows = RNG.standard_normal((50, 8)).astype(np.float32)
    runtime = Runtime(rlc.quantise_static(network, rows))
    assert np.array_equal(runtime.logits(rows).argmax(1) + 3, runtime(rows))
