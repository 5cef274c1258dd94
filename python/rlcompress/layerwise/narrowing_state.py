"""What is observed of a network and of the layer whose width is decided next."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.errors import UnsupportedError
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.runtime import Runtime

MAX_LAYERS = 10
STATISTICS = ("mean", "std", "skewness", "kurtosis", "min", "max", "l1", "l2")
_TOPOLOGY = 8
ROW = _TOPOLOGY + 4 * len(STATISTICS)
OBSERVATION = (MAX_LAYERS + 1) * ROW


def observe(network: Network, layer: int, rows: FloatArray) -> FloatArray:
    """One row of features per layer, zeros up to `MAX_LAYERS`, then again that of the layer to decide about.

    A layer's features are its topology (inputs and outputs on a log scale, which activation, whether it is the last),
    and mean and spread over its neurons of eight statistics: of a neuron's incoming weights, and of its outputs over
    the rows (zeros for the last layer).

    Args:
        network: float32 dense layers, at most `MAX_LAYERS` of them.
        layer: hidden layer to decide about.
        rows: (n, inputs) observations to run the network on.

    Returns:
        (`OBSERVATION`,) float32.

    Raises:
        UnsupportedError: too many layers.

    Source: the maps that NEON's authors observe.
    Deviates: means and spreads over neurons stand for maps of 1000 neurons, so that a small encoder can learn from
        them; a signed logarithm, which keeps the scale, stands for standardising each map by itself; networks come
        with batch norm folded in and without dropout, so that those two entries are 0.
    """
    layers = network.dense_layers()
    if len(layers) > MAX_LAYERS:
        raise UnsupportedError(f"network: at most {MAX_LAYERS} layers can be observed, found {len(layers)}")
    outputs = _outputs(network, rows)
    found = np.zeros((MAX_LAYERS + 1, ROW), np.float64)
    for at, (dense, values) in enumerate(zip(layers, outputs)):
        found[at] = _row(dense, values, at == len(layers) - 1)
    found[-1] = found[layer]
    return (np.sign(found) * np.log1p(np.abs(found))).astype(np.float32).reshape(-1)


def neuron_statistics(values: Any) -> Any:
    """(8, neurons) float64: the `STATISTICS` of each column of (n, neurons) values."""
    values = np.asarray(values, np.float64)
    mean, std = values.mean(0), values.std(0)
    scaled = (values - mean) / np.where(std > 0, std, 1)
    square = scaled * scaled
    norms = np.abs(values).sum(0), np.sqrt((values * values).sum(0))
    # Norms are per value, so that they say the same over few rows and many.
    l1, l2 = norms[0] / len(values), norms[1] / np.sqrt(len(values))
    return np.stack(
        [mean, std, (square * scaled).mean(0), (square * square).mean(0), values.min(0), values.max(0), l1, l2]
    )


def _row(dense: Dense, outputs: Any, last: bool) -> Any:
    word = dense.activation
    topology = [0.0, 0.0, dense.in_features, dense.out_features]
    topology += [float(word == "relu"), float(last), float(word == "tanh"), float(word == "sigmoid")]
    statistics = [neuron_statistics(dense.weight.T)]
    statistics.append(np.zeros_like(statistics[0]) if last else neuron_statistics(outputs))
    return np.concatenate([topology, *(part for each in statistics for part in (each.mean(1), each.std(1)))])


def _outputs(network: Network, rows: FloatArray) -> list[Any]:
    """(n, neurons) outputs of each layer."""
    contract = network.contract
    values = rows.reshape(len(rows), -1)
    values = values if contract.normalisation is None else contract.normalisation.apply(values)
    values = np.ascontiguousarray(contract.select(values), np.float32)
    found = []
    for dense in network.dense_layers():
        values = Runtime(Network((dense,)))(values)
        found.append(values)
    return found
