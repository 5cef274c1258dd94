"""Ours: exact masks of the largest magnitudes."""

from __future__ import annotations

import inspect

import numpy as np
from timing import MissingError, Prepared
from work import RankingWork

from peers import public_name
from rlcompress.ranking import magnitude_masks


def fresh(work: RankingWork) -> Prepared:
    """`magnitude_masks(weights, 0.9)`: new masks in each call."""
    weights = work.weights
    return Prepared(lambda: magnitude_masks(weights, 0.9, "global"))


def reused(work: RankingWork) -> Prepared:
    """The same with `out=`."""
    function = public_name("rlcompress", "magnitude_masks")
    if "out" not in inspect.signature(function).parameters:
        raise MissingError("this version has no magnitude_masks(..., out=)")
    weights = work.weights
    masks = [np.empty(weight.shape, np.bool_) for weight in weights]
    return Prepared(lambda: function(weights, 0.9, "global", out=masks), lambda: masks)
