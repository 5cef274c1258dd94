"""NumPy's quickselect and a comparison."""

from __future__ import annotations

import numpy as np
from timing import MissingError, Prepared
from work import RankingWork


def partition(work: RankingWork) -> Prepared:
    """As it is written by hand: `np.partition(np.abs(w), k)`, then the mask."""
    flat, k = _one_array(work), work.count - work.keep

    def call() -> object:
        magnitude = np.abs(flat)
        return magnitude >= np.partition(magnitude, k)[k]

    return Prepared(call)


def buffered(work: RankingWork) -> Prepared:
    """The same with every array made in advance."""
    flat, k = _one_array(work), work.count - work.keep
    magnitude, shuffled, mask = np.empty_like(flat), np.empty_like(flat), np.empty(flat.shape, np.bool_)

    def call() -> None:
        np.abs(flat, out=magnitude)
        np.copyto(shuffled, magnitude)
        shuffled.partition(k)
        np.greater_equal(magnitude, shuffled[k], out=mask)

    return Prepared(call, lambda: mask)


def _one_array(work: RankingWork) -> np.ndarray:
    if work.layers > 1:
        raise MissingError("one array only")
    return work.flat
