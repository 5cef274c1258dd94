"""Inputs of the golden vectors: fixed pseudo-random observations that look like real ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray
from rlcompress.contract import Contract

_WIDE = 1e4


def golden_inputs(contract: Contract, count: int) -> FloatArray:
    """Observations that depend on the contract alone, on every platform and NumPy version.

    Values whose range is known and within +-10,000 are uniform over it. The others are bell-shaped with the
    normalisation's mean and scale (0 and 1 without one), clipped to the range if there is one: a range such as +-3e38
    says nothing about real observations.

    Args:
        contract: of the network.
        count: vectors wanted.

    Returns:
        (count, inputs) float32, finite.
    """
    size = contract.input_size
    values = _bell(count * size).reshape(count, size)
    if contract.normalisation is not None:
        values = values * contract.normalisation.scale.astype(np.float64) + contract.normalisation.mean
    if contract.observation_low is not None and contract.observation_high is not None:
        largest = float(np.finfo(np.float32).max)
        low = np.clip(contract.observation_low.astype(np.float64), -largest, largest)
        high = np.clip(contract.observation_high.astype(np.float64), -largest, largest)
        narrow = (low >= -_WIDE) & (high <= _WIDE)
        uniform = low + (high - low) * _uniform(count * size, 4).reshape(count, size)
        values = np.where(narrow, uniform, np.clip(values, low, high))
    return np.clip(values, -3e38, 3e38).astype(np.float32)


def _uniform(count: int, stream: int) -> npt.NDArray[np.float64]:
    """(count,) numbers in [0, 1) from a counter hash.

    Source: SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
    """
    state = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(stream << 40)
    state = state * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _bell(count: int) -> npt.NDArray[np.float64]:
    """(count,) numbers of mean 0 and variance 1 in +-3.5: sums of four uniform ones, rounded alike by every library."""
    total = _uniform(count, 0)
    for stream in (1, 2, 3):
        total += _uniform(count, stream)
    return (total - 2) * 1.7320508075688772
