"""Observations that a network is fitted to: what its layers read there, and which of its copies acts most like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import BoolArray, FloatArray, frozen
from rlcompress.artifact import encode
from rlcompress.contract import Argmax, Raw
from rlcompress.errors import InvalidValueError
from rlcompress.kernels import Model
from rlcompress.network import Network

_FEWEST = 64
_PARTS = 16
_CLEARLY = 0.75
"""A copy is preferred that leaves at most this share of another one's error."""


def observation_rows(network: Network, observations: npt.ArrayLike) -> FloatArray:
    """The observations as (n, inputs) float32.

    Args:
        network: whose observations they are.
        observations: (n, *observation_shape) or (n, inputs), finite, n >= 1.

    Raises:
        InvalidValueError: another shape, or values that are not finite.
    """
    array = np.asarray(observations)
    size = network.contract.input_size
    if array.ndim < 2 or array.shape[1:] not in ((size,), network.contract.observation_shape) or not len(array):
        wanted = f"(n, {', '.join(map(str, network.contract.observation_shape))}), n >= 1,"
        raise InvalidValueError(f"observations: shape {wanted} expected, found {array.shape}")
    return frozen(array.reshape(len(array), size), np.float32, (None, size), "observations")


def layer_inputs(network: Network, index: int, rows: FloatArray) -> FloatArray:
    """(n, in_features) that layer `index` reads, by the arithmetic of the runtime.

    Raises:
        InvalidValueError: the layer before gives values that are not finite.
    """
    contract = network.contract
    if index == 0:
        values = rows if contract.normalisation is None else contract.normalisation.apply(rows)
        return np.asarray(contract.select(values), np.float32)
    values = _run(Network(network.layers[:index], replace(contract, head=Raw())), rows)
    if not np.isfinite(values).all():
        raise InvalidValueError(f"network: finite values expected, layer {index - 1} gives others on the observations")
    return values


def held_back(count: int) -> BoolArray:
    """(count,) True for the rows that are not fitted to, but choose: one part in four, of rows that follow each other.

    None, where there are fewer than 64.
    """
    if count < _FEWEST:
        return np.zeros(count, np.bool_)
    return np.asarray(np.arange(count) * _PARTS // count % 4 == 3)


def acting_most_like(network: Network, candidates: Sequence[Network], rows: FloatArray) -> Network:
    """The first candidate, unless the actions of a later one are clearly nearer to the network's, and so on.

    Clearly: at most three quarters of the error, and by twice the standard error of the difference.

    Args:
        network: acts as it should.
        candidates: one at least, with the contract of the network.
        rows: (n, inputs) float32 observations; none chooses the first.
    """
    chosen = candidates[0]
    if len(candidates) == 1 or not len(rows):
        return chosen
    wanted = _run(network, rows)
    least = _errors(network, _run(chosen, rows), wanted)
    for candidate in candidates[1:]:
        errors = _errors(network, _run(candidate, rows), wanted)
        with np.errstate(invalid="ignore"):
            gain = least - errors
            chance = 2 * gain.std() / len(gain) ** 0.5
        if errors.mean() <= _CLEARLY * least.mean() and gain.mean() > chance:
            chosen, least = candidate, errors
    return chosen


def action_error(network: Network, found: Network, rows: FloatArray) -> float:
    """How far the actions of `found` are from the network's.

    Args:
        network: acts as it should.
        found: with the contract of the network.
        rows: (n, inputs) float32 observations, n >= 1.

    Returns:
        The share of rows in which another action is chosen; of continuous actions the mean distance, in standard
        deviations of the network's.
    """
    return float(_errors(network, _run(found, rows), _run(network, rows)).mean())


def _errors(network: Network, actions: FloatArray, wanted: FloatArray) -> npt.NDArray[np.float64]:
    """(n,) for each row: whether another action is chosen, or the mean distance in spreads of the wanted numbers."""
    if isinstance(network.contract.head, Argmax):
        return np.asarray((actions != wanted).any(1), np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # outputs may be infinite; their distance then decides nothing
        spread = wanted.std(0, dtype=np.float64)
        distances = np.abs(actions.astype(np.float64) - wanted) / np.where(spread > 0, spread, 1.0)
    return np.asarray(distances.mean(1))


def _run(network: Network, rows: FloatArray) -> FloatArray:
    model = Model(encode(network, golden=0, metadata=False))
    found = np.empty((len(rows), model.action_size), np.float32)
    model.run(np.ascontiguousarray(rows), found)
    return found
