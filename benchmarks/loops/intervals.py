"""Means over seeds with their intervals, as all tables here show them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_T_975 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Student's t for a two-sided 95 % interval, by degrees of freedom from 1."""


def interval(values: Sequence[float]) -> str:
    """Mean and half the 95 % interval of the mean (Student's t); the value alone where there is one.

    Raises:
        ValueError: none, or more than ten values.
    """
    if not 0 < len(values) <= len(_T_975) + 1:
        raise ValueError(f"values: 1 to {len(_T_975) + 1} expected, found {len(values)}")
    if len(values) == 1:
        return f"{values[0]:.2f}"
    half = _T_975[len(values) - 2] * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.2f} ± {half:.2f}"
