"""Order of hidden units by which zeros come together: integer layers leave out groups of four inputs of zero."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import BoolArray, FloatArray

_ROWS = 512
"""Rows looked at, spread over all."""


def zeros_together(active: BoolArray, group: int = 4) -> npt.NDArray[np.intp]:
    """Units in an order in which few groups of neighbours have an active one, found greedily.

    A group begins with the unit that is active most often among those that are left, and takes in what is active along
    with it and seldom else.

    Args:
        active: (n, units), whether a unit is not zero, n >= 1.
        group: units of a group.

    Returns:
        (units,) indices: a permutation.
    """
    rows = active[np.linspace(0, len(active) - 1, min(len(active), _ROWS)).astype(int)]
    units: FloatArray = np.ascontiguousarray(rows.T, np.float32)
    often = units.sum(1)
    left = np.ones(len(units), bool)
    order: list[int] = []
    together = units[0]
    for place in range(len(units)):
        first = place % group == 0
        gain = often if first else units @ together - often / 2
        unit = int(np.where(left, gain, -np.inf).argmax())
        together = units[unit] if first else np.maximum(together, units[unit])
        left[unit] = False
        order.append(unit)
    return np.array(order, np.intp)
