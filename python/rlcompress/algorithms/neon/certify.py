"""The acceptance test: a bound on the paired drop of the score, and how often it may be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rlcompress.problem import Float64Array

_NORMAL = NormalDist()
Even = Literal["kept", "proven", "ignored"]
"""What is asked of balanced accuracy: a drop within the tolerance as it was seen, one that is proven, or nothing."""
MAIN_SHARE = 0.8
"""Of the error that may be made, for the chain towards smaller networks; the rest is kept for larger ones."""


@dataclass(frozen=True)
class Verdict:
    """What a test said.

    Args:
        drop: mean of the teacher's values less the candidate's.
        bound: upper confidence bound of the drop.
        z: of that bound.
        accepted: whether the bound is within the tolerance.
    """

    drop: float
    bound: float
    z: float
    accepted: bool


def level_of(z: float) -> float:
    """One-sided error of a test at `z` standard errors."""
    return 1.0 - _NORMAL.cdf(z)


def quantile(level: float) -> float:
    """Standard errors of a one-sided test with this error; infinity for none."""
    return _NORMAL.inv_cdf(1.0 - level) if level > 0 else float("inf")


def standard_error(drop: Float64Array | float, power: Float64Array | float, count: int) -> Float64Array:
    """Standard error of a mean of paired differences, as if one more row differed by the most.

    For classes that is `sqrt(b + c - (b - c)^2 / n + 1) / n`, with b and c the rows that only one of the two gets
    right: no agreement on few rows proves anything.

    Args:
        drop: mean difference.
        power: mean square of the differences (the share b + c of n), with the largest one added: see `spread`.
        count: rows.
    """
    return np.asarray(np.sqrt(np.maximum(np.asarray(power) - np.square(drop), 0.0) / count), np.float64)


def spread(differences: Float64Array, discrete: bool) -> float:
    """Mean square of differences with the largest one counted once more; for classes at least one whole row."""
    extra = 1.0 if discrete else float(np.square(differences).max())
    return (float(np.square(differences).sum()) + extra) / len(differences)


def paired(teacher: Float64Array, candidate: Float64Array, discrete: bool, z: float, max_drop: float) -> Verdict:
    """The test on rows that no choice has seen.

    Args:
        teacher, candidate: (rows,) values on the same rows: 1 or 0, or minus squared errors over variances.
        discrete: whether they are 1 or 0.
        z: standard errors to allow for.
        max_drop: tolerance.
    """
    differences = teacher - candidate
    drop = float(differences.mean())
    bound = drop + z * float(standard_error(drop, spread(differences, discrete), len(differences)))
    return Verdict(drop, bound, z, bound <= max_drop)


def balanced(
    teacher: Float64Array, candidate: Float64Array, classes: npt.NDArray[np.int64], z: float, max_drop: float
) -> Verdict:
    """The same test on balanced accuracy: the mean over classes of the drop inside each."""
    drops, errors = balanced_drops((teacher - candidate)[None], classes)
    bound = float(drops[0] + z * errors[0])
    return Verdict(float(drops[0]), bound, z, bound <= max_drop)


def balanced_drops(
    differences: npt.NDArray[np.floating[Any]], classes: npt.NDArray[np.int64]
) -> tuple[Float64Array, Float64Array]:
    """Drops of balanced accuracy and their standard errors, each class as `standard_error` has it.

    Args:
        differences: (candidates, rows) the teacher's values less theirs.
        classes: (rows,) classes.
    """
    labels, place = np.unique(classes, return_inverse=True)
    member = (place[:, None] == np.arange(len(labels))).astype(np.float64)
    counts = member.sum(0)
    drops = differences @ member / counts
    powers = (np.square(differences) @ member + 1.0) / counts
    variances = np.maximum(powers - np.square(drops), 0.0) / counts
    return drops.mean(1), np.asarray(np.sqrt(variances.sum(1)) / len(labels), np.float64)


def z_of_balanced(even: Even, z: float) -> float | None:
    """Standard errors that the test of balanced accuracy allows for; None where there is none.

    Proof of every class takes many rows of the smallest; so the default asks that no drop over the tolerance was seen.
    """
    return {"kept": 0.0, "proven": z, "ignored": None}[even]


def z_of_test(z: float, tests: int, chain: int, position: int) -> float:
    """Standard errors for a test of a series that was fixed before its rows were looked at.

    The series is a chain, which ends at its first failure, and reserves, which are tested when the chain fails at once.
    The chain has 80 % of the error of `z` (all of it without reserves), each of its tests the whole of that; the
    reserves share the rest, the first twice as much as the second. So the chance of accepting any network over the
    tolerance is at most the error of `z`, whatever the number of tests.

    Args:
        z: of the whole series.
        tests: in the series.
        chain: how many of them are the chain, the first ones.
        position: of this test.

    Source: Maurer, Hothorn, Lehmacher, "Multiple comparisons in drug clinical trials", 1995 (fixed sequence);
    Bonferroni between chain and reserves.
    """
    level, reserves = level_of(z), tests - chain
    if position < chain:
        return quantile(level * (MAIN_SHARE if reserves else 1.0))
    weights = [2.0 ** (reserves - 1 - index) for index in range(reserves)]
    return quantile(level * (1 - MAIN_SHARE) * weights[position - chain] / sum(weights))


def next_test(tests: int, chain: int, passed: Sequence[bool]) -> int | None:
    """Position of the next test of such a series; None at its end.

    Args:
        tests, chain: as in `z_of_test`.
        passed: outcomes so far; tests of the chain that its failure spared are left out.
    """
    if not passed:
        return 0 if tests else None
    if passed[0]:
        return len(passed) if all(passed) and len(passed) < chain else None
    position = chain + len(passed) - 1
    return position if position < tests and not any(passed) else None
