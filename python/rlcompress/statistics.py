"""Intervals and decisions on mean scores. Deterministic: the same values and seed give the same bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Union

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.problem import Float64Array

Values = Union[Float64Array, Sequence[float]]

_BLOCK_DRAWS = 1 << 20


def bootstrap_interval(
    values: Values, level: float = 0.95, resamples: int = 4000, seed: int = 0
) -> tuple[float, float]:
    """Two-sided percentile bootstrap interval of the mean.

    Args:
        values: (n,) scores, n >= 1, finite. One value gives an interval of width 0: it says nothing about the spread.
        level: coverage, in (0, 1).
        resamples: bootstrap samples, >= 100.
        seed: of the resampling, >= 0.

    Returns:
        (lower, upper).

    Raises:
        InvalidValueError: no values, values that are not finite, or a setting out of range.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    sample = _sample(values, "values")
    _check_level(level)
    if resamples < 100:
        raise InvalidValueError(f"resamples: at least 100 expected, found {resamples}")
    means = np.empty(resamples, np.float64)
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK_DRAWS // sample.size)
    for start in range(0, resamples, rows):
        block = means[start : start + rows]
        block[:] = sample[rng.integers(sample.size, size=(block.size, sample.size))].mean(axis=1)
    tail = (1 - level) / 2
    lower, upper = np.quantile(means, [tail, 1 - tail])
    return float(lower), float(upper)


def paired_interval(
    student_values: Values, teacher_values: Values, level: float = 0.95, resamples: int = 4000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of the mean of `student - teacher`, both scored on the same units.

    Args:
        student_values: (n,) scores.
        teacher_values: (n,) scores on the same units in the same order.
        level: coverage, in (0, 1).
        resamples: bootstrap samples, >= 100.
        seed: of the resampling, >= 0.

    Returns:
        (lower, upper).

    Raises:
        InvalidValueError: different counts, or as `bootstrap_interval`.
    """
    student, teacher = _sample(student_values, "student_values"), _sample(teacher_values, "teacher_values")
    if student.size != teacher.size:
        raise InvalidValueError(
            "student_values and teacher_values: scores of the same units expected, "
            f"found {student.size} and {teacher.size} of them"
        )
    return bootstrap_interval(student - teacher, level, resamples, seed)


def episodes_needed(std: float, margin: float, power: float = 0.9, level: float = 0.95) -> int:
    """Episodes after which the lower bound of a two-sided interval clears the bar with the given power.

    `ceil(((z_level + z_power) * std / margin) ** 2)`, at least 2.

    Args:
        std: standard deviation of one episode (of one difference, for paired scores), >= 0.
        margin: true mean minus bar, > 0.
        power: wanted chance of acceptance, in (0, 1).
        level: coverage of the two-sided interval, in (0, 1).

    Raises:
        InvalidValueError: a setting out of range.
    """
    if not (0 <= std < math.inf and margin > 0):
        raise InvalidValueError(f"std and margin: std >= 0 and margin > 0 expected, found {std} and {margin}")
    if not 0 < power < 1:
        raise InvalidValueError(f"power: a value between 0 and 1 expected, found {power}")
    _check_level(level)
    normal = NormalDist()
    z = normal.inv_cdf(0.5 + level / 2) + normal.inv_cdf(power)
    return max(2, math.ceil((max(z, 0.0) * std / margin) ** 2))


def level_affordable(std: float, margin: float, count: int, power: float = 0.9) -> float:
    """The strictest level at which `count` episodes still accept with the given power; `episodes_needed` turned round.

    Args:
        std, margin, power: as in `episodes_needed`; std > 0.
        count: episodes, >= 1.

    Returns:
        Coverage of the two-sided interval, 0..1; 0 where no level has that power.

    Raises:
        InvalidValueError: a setting out of range.
    """
    if not (0 < std < math.inf and margin > 0 and count >= 1):
        raise InvalidValueError(
            f"std, margin and count: std > 0, margin > 0 and count >= 1 expected, found {std}, {margin} and {count}"
        )
    if not 0 < power < 1:
        raise InvalidValueError(f"power: a value between 0 and 1 expected, found {power}")
    normal = NormalDist()
    z = margin * math.sqrt(count) / std - normal.inv_cdf(power)
    return max(0.0, 2 * normal.cdf(z) - 1)


def sequential_reject(values: Values, bar: float, z: float = 2.58, minimum: int = 8) -> bool:
    """Whether scoring may stop early because the mean is below the bar: `mean + z * standard error < bar`.

    Only for dropping hopeless candidates while they are scored; acceptance needs the full sample.

    Args:
        values: (n,) scores so far.
        bar: mean score to reach.
        z: standard errors of benefit of the doubt, > 0.
        minimum: values before anything is rejected, >= 2.

    Raises:
        InvalidValueError: values that are not finite, or a setting out of range.
    """
    if minimum < 2 or not z > 0:
        raise InvalidValueError(f"minimum and z: minimum >= 2 and z > 0 expected, found {minimum} and {z}")
    if len(values) < minimum:
        return False
    sample = _sample(values, "values")
    error = float(sample.std(ddof=1)) / math.sqrt(sample.size)
    return float(sample.mean()) + z * error < bar


def _sample(values: Values, name: str) -> Float64Array:
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise InvalidValueError(f"{name}: at least one value in one dimension expected, found shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise InvalidValueError(f"{name}: finite values expected, found {sample[~np.isfinite(sample)][0]}")
    return sample


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InvalidValueError(f"level: a value between 0 and 1 expected, found {level}")
