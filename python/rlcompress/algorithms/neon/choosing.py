"""Which candidates to test: chances foretold from the choosing rows alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.certify import standard_error
from rlcompress.problem import Float64Array

_STEP = 0.14
"""Least gain, in the logarithm of the ratio, that is worth another test."""
_CHAIN, _RESERVE = 6, 2
_NEAR = 0.5
"""Difference of logarithms of ratios at which candidates tell something of each other."""
_NOISE = 0.3
"""Share of the choosing rows' variance that the spread around neighbours holds: they are judged on the same rows."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Candidates as the choosing rows show them; all arrays are (candidates,) float64.

    Args:
        drops: mean drops.
        powers: `certify.spread` of the paired differences.
        gains: logarithm of the teacher's cost over the candidate's, after the target's limit.
        sound: bool, False where a candidate may not be tested (one answer for all rows).
        groups: int64; candidates of one group that are about as large are about as good.
        even_drops, even_errors: drops of balanced accuracy, and their standard errors.
    """

    drops: Float64Array
    powers: Float64Array
    gains: Float64Array
    sound: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.int64]
    even_drops: Float64Array
    even_errors: Float64Array


def chances(seen: Seen, choosing_rows: int, testing_rows: int, max_drop: float, z: float) -> Float64Array:
    """Probability that each candidate passes the test, from the drops and discordance on the choosing rows.

    The drop of a candidate is drawn towards that of others of its group and size, by as much as the spread around them
    is explained by the few rows: else the best of many would be the luckiest.

    Source: empirical Bayes as in Efron & Morris, "Data analysis using Stein's estimator", 1975, equation 2.1, around a
    kernel mean in place of a common one.
    """
    if not len(seen.drops):
        return np.zeros(0)
    doubt = np.square(standard_error(seen.drops, seen.powers, choosing_rows))
    error = standard_error(seen.drops, seen.powers, testing_rows)
    nearness = np.exp(-np.square((seen.gains[:, None] - seen.gains) / _NEAR) / 2)
    nearness *= seen.groups[:, None] == seen.groups
    mean = nearness @ seen.drops / nearness.sum(1)
    own = max(0.0, float(np.var(seen.drops - mean) - _NOISE * doubt.mean())) + 1e-8
    weight = own / (own + doubt)
    drops = weight * seen.drops + (1 - weight) * mean
    margin = (max_drop - z * error - drops) / np.sqrt(doubt + error**2)
    return np.where(seen.sound & (seen.gains > 0), _normal(margin), 0.0)


def even_chances(seen: Seen, choosing_rows: int, testing_rows: int, max_drop: float, z: float) -> Float64Array:
    """Probability that each candidate passes the test of balanced accuracy at `z`, from the choosing rows."""
    if not len(seen.drops):
        return np.zeros(0)
    error = seen.even_errors * np.sqrt(choosing_rows / testing_rows)
    return _normal((max_drop - z * error - seen.even_drops) / np.sqrt(seen.even_errors**2 + error**2 + 1e-12))


def prospects(seen: Seen, chance: Float64Array) -> Float64Array:
    """What a first test of each candidate promises: gain times the cube of the chance, because a failure ends much."""
    return np.asarray(chance**3 * seen.gains, np.float64)


def plan_tests(seen: Seen, chance: Float64Array) -> tuple[list[int], int]:
    """Order of tests, fixed before the testing rows are looked at.

    First the candidate with the best prospect (`prospects`), then smaller ones, each the best prospect
    among those left; last, larger ones with better chances, for the case that the first fails.

    Returns:
        (indices, length of the chain towards smaller ones).
    """
    order: list[int] = []
    prospect = prospects(seen, chance)
    if not len(prospect) or prospect.max() <= 0 or chance.max() < 0.01:
        return [], 0
    order.append(int(np.argmax(prospect)))
    while len(order) < _CHAIN:
        last = order[-1]
        prospect = np.where(
            (seen.gains > seen.gains[last] + _STEP) & (chance > 0.02), chance**2 * (seen.gains - seen.gains[last]), 0.0
        )
        if prospect.max() <= 0:
            break
        order.append(int(np.argmax(prospect)))
    chain, reference = len(order), order[0]
    for _ in range(_RESERVE):
        better = (seen.gains < seen.gains[reference] - _STEP) & (chance > chance[reference] + 0.02)
        if not better.any():
            break
        reference = int(np.argmax(np.where(better, prospects(seen, chance), 0.0)))
        order.append(reference)
    return order, chain


def _normal(x: Float64Array) -> Float64Array:
    """Standard normal distribution function, |error| < 1.5e-7 (Abramowitz & Stegun 7.1.26)."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x) / np.sqrt(2))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = 0.5 * poly * np.exp(-np.square(x) / 2)
    return np.asarray(np.where(x > 0, 1 - tail, tail), np.float64)
