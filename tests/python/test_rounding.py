"""Weights rounded together: what one loses others make up for, on inputs that hang together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.calibration import acting_most_like, held_back
from rlcompress.contract import Argmax, Contract
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.quantise import quantise_rows
from rlcompress.rounding import fitted_rows, nearest_rows
from rlcompress.runtime import Runtime

RNG = np.random.default_rng(3)


def related(rows: int, columns: int, rank: int) -> Any:
    return RNG.standard_normal((rows, rank)) @ RNG.standard_normal((rank, columns))


def error(rounded: Any, inputs: Any, sums: Any) -> float:
    found = inputs @ (rounded.weight * rounded.step[:, None]).T + rounded.bias
    return float(np.sqrt(np.square(found - sums).mean()))


@pytest.mark.parametrize(("columns", "limit"), [(40, 127), (200, 127), (200, 7)])
def test_inputs_that_hang_together_lose_little(columns: int, limit: int) -> None:
    weight, bias = RNG.standard_normal((9, columns)), RNG.standard_normal(9)
    inputs = related(900, columns, 6)
    sums = inputs @ weight.T + bias
    alone = nearest_rows(weight, bias, limit)
    together = fitted_rows(inputs[:600], sums[:600], weight, bias, limit)
    assert np.array_equal(together.weight, np.rint(together.weight))
    assert np.abs(together.weight).max() <= limit
    assert error(together, inputs[600:], sums[600:]) < 0.2 * error(alone, inputs[600:], sums[600:])


def test_rounded_inputs_are_fitted_to_as_they_are() -> None:
    weight, bias, inputs = RNG.standard_normal((5, 30)), np.zeros(5), 3 + related(500, 30, 4)
    sums, coarse = inputs @ weight.T, np.floor(inputs)
    assert error(fitted_rows(coarse, sums, weight, bias, 127), coarse, sums) < 0.5 * error(
        nearest_rows(weight, bias, 127), coarse, sums
    )


def test_zeros_stay_zeros_and_unseen_inputs_keep_their_weights() -> None:
    weight, bias, inputs = RNG.standard_normal((6, 50)), np.ones(6), related(300, 50, 5)
    weight[:, ::3] = 0
    inputs[:, 1] = 0
    found = fitted_rows(inputs, inputs @ weight.T + bias, weight, bias, 127)
    assert not found.weight[:, ::3].any()
    assert np.allclose(found.weight[:, 1] * found.step, weight[:, 1], atol=found.step.max())


@pytest.mark.parametrize("value", [0.0, 1.0, 1e20, 1e-20])
def test_constant_inputs(value: float) -> None:
    weight, bias, inputs = RNG.standard_normal((3, 4)), RNG.standard_normal(3), np.full((80, 4), value)
    sums = inputs @ weight.T + bias
    assert error(fitted_rows(inputs, sums, weight, bias, 127), inputs, sums) <= 1e-3 * np.abs(sums).max()


def test_very_wide_layers_are_rounded_weight_by_weight() -> None:
    weight, bias, inputs = RNG.standard_normal((2, 4097)), np.zeros(2), RNG.standard_normal((3, 4097))
    found, plain = fitted_rows(inputs, inputs @ weight.T, weight, bias, 127), nearest_rows(weight, bias, 127)
    assert np.array_equal(found.weight, plain.weight)


def test_a_quarter_is_held_back_in_parts_that_follow_each_other() -> None:
    back = held_back(6400)
    assert back.mean() == 0.25
    assert np.count_nonzero(np.diff(back.astype(int))) == 7
    assert not held_back(63).any()
    assert held_back(64).any()


def q_network(seed: int = 0) -> Network:
    """Two actions whose values lie close together, far from zero, as a trained Q-network's do."""
    rng = np.random.default_rng(seed)
    first = Dense(rng.standard_normal((64, 4)), rng.standard_normal(64), "relu")
    common = rng.standard_normal(64)
    last = Dense(common + 0.02 * rng.standard_normal((2, 64)), [100, 100])
    return Network((first, last), Contract((4,), Argmax()))


ROWS = np.random.default_rng(5).standard_normal((2000, 4)).astype(np.float32)


def changed(network: Network, found: Network) -> float:
    unseen = np.random.default_rng(6).standard_normal((2000, 4)).astype(np.float32)
    return float(np.mean(Runtime(network)(unseen) != Runtime(found)(unseen)))


@pytest.mark.parametrize("bits", [8, 4])
def test_a_q_network_keeps_its_actions(bits: Any) -> None:
    network = q_network()
    alone, together = quantise_rows(network, bits), quantise_rows(network, bits, ROWS)
    assert changed(network, together) < 0.6 * changed(network, alone)
    integer = rlc.quantise_static(network, ROWS)
    assert changed(network, integer) < 0.6 * changed(network, rlc.quantise_static(network, ROWS[:60]))


def test_what_is_as_good_stays_as_it_is() -> None:
    network = q_network()
    plain, worse = quantise_rows(network, 8), quantise_rows(network, 4)
    assert acting_most_like(network, [plain, worse], ROWS) is plain
    assert acting_most_like(network, [worse, plain], ROWS) is plain
    assert acting_most_like(network, [worse, plain], ROWS[:0]) is worse
    assert acting_most_like(network, [plain, quantise_rows(network, 8)], ROWS) is plain


def test_rare_hidden_outliers_are_clipped_and_rare_observations_are_not() -> None:
    first = Dense(np.r_[np.eye(4), [[0, 0, 0, 1e4]]], [0, 0, 0, 0, -39e3], "relu")  # the last unit wakes up seldom
    last = Dense(np.random.default_rng(9).standard_normal((3, 5)), np.zeros(3))
    network = Network((first, last), Contract((4,), Argmax()))
    rows = np.abs(ROWS)
    rows[::400, 3] = 5.0
    auto, whole = rlc.quantise_static(network, rows), rlc.quantise_static(network, rows, 100.0)
    usual = np.abs(np.random.default_rng(8).standard_normal((1000, 4))).astype(np.float32).clip(0, 3.5)
    wrong = [np.mean(Runtime(network)(usual) != Runtime(found)(usual)) for found in (auto, whole)]
    assert wrong[0] < 0.5 * wrong[1]
    assert auto.layers[0].input_scale == whole.layers[0].input_scale  # type: ignore[union-attr]
