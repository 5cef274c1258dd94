"""Kept counts of a layer's actions: multiples of its standard deviation, or shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rlcompress import kernels, ranking
from rlcompress.arrays import FloatArray
from rlcompress.errors import InvalidValueError

ALPHAS: tuple[float, ...] = tuple(round(0.1 * step, 1) for step in range(23))
"""Multiples 0.0, 0.1 ... 2.2 of the standard deviation.

Source: Gupta et al., Learning to Prune Deep Neural Networks via Reinforcement Learning (2020).
"""

Counts = npt.NDArray[np.int64]


def alpha_counts(weights: Sequence[FloatArray], alphas: Sequence[float] = ALPHAS) -> Counts:
    """Weights that each multiple of its layer's population standard deviation keeps: `|w| < alpha * std` is pruned.

    Args:
        weights: finite float32 arrays.
        alphas: >= 0.

    Returns:
        (layers, alphas) int64.

    Raises:
        InvalidValueError: an alpha that is negative or not finite.
    """
    multiples = np.array(alphas, np.float64)
    if multiples.ndim != 1 or not (np.isfinite(multiples) & (multiples >= 0)).all():
        raise InvalidValueError(f"alphas: finite multiples >= 0 expected, found {list(alphas)}")
    deviations = np.array(_deviations(weights))
    return _counts_at_least(weights, deviations[:, None] * multiples)


def share_counts(sizes: Sequence[int], shares: Sequence[float]) -> Counts:
    """Weights kept when each of `shares` is kept of a layer, rounded.

    Raises:
        InvalidValueError: a share outside 0..1.
    """
    kept = np.array(shares, np.float64)
    if kept.ndim != 1 or not ((kept >= 0) & (kept <= 1)).all():
        raise InvalidValueError(f"actions: shares of kept weights in 0..1 expected, found {list(shares)}")
    return np.rint(np.outer(np.array(sizes, np.float64), kept)).astype(np.int64)


def quantile_shares(actions: int, least: float) -> tuple[float, ...]:
    """Shares of kept weights from 1 down to `least`, in equal ratios: as fine at 99 % sparsity as at 50 %.

    Args:
        actions: number of shares, >= 2.
        least: in (0, 1).
    """
    return tuple(float(least ** (step / (actions - 1))) for step in range(actions))


def _deviations(weights: Sequence[FloatArray]) -> list[float]:
    """Population standard deviations, in float64; by the core's statistics where it has them."""
    statistics = getattr(ranking, "weight_statistics", None)
    if statistics is not None:
        return [float(found.std) for found in statistics(weights)]
    return [float(np.std(weight, dtype=np.float64)) for weight in weights]


def _counts_at_least(weights: Sequence[FloatArray], thresholds: npt.NDArray[np.float64]) -> Counts:
    """How many magnitudes are not below each threshold (after rounding to float32): one pass where the core has it."""
    count = getattr(ranking, "counts_at_least", None)
    if count is not None:
        found: Counts = count(weights, thresholds)
        return found
    counts = np.empty(thresholds.shape, np.int64)
    for layer, weight in enumerate(weights):
        mask = np.empty(weight.shape, np.bool_)
        for place, bound in enumerate(thresholds[layer].astype(np.float32)):
            kernels.keep_at_least(weight, float(bound), mask)
            counts[layer, place] = np.count_nonzero(mask)
    return counts
