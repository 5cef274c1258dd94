"""Rows and targets that a `DatasetTask` takes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.tasks.labelled import Pair, Targets, inputs

Metric = Literal["accuracy", "squared_error"]


def check_varies(y: Targets, metric: Metric) -> None:
    """Refuse targets that are the same in every row.

    Raises:
        InvalidValueError: names the value.
    """
    if metric == "squared_error" and (y == y[0]).all():
        raise InvalidValueError(f"y: a target that varies expected, found {y[0]} in every row")
    if metric == "accuracy" and y.min() == y.max():
        raise InvalidValueError(f"y: at least two classes expected, found {y.min()} in every row")


def check_classes(y: Targets) -> None:
    """Refuse a class with a single row, which can be learnt or tested but not both.

    Raises:
        InvalidValueError: names the class.
    """
    alone = np.flatnonzero(np.bincount(y) == 1)
    if alone.size:
        raise InvalidValueError(
            f"y: at least two rows of each class expected, found one of class {alone[0]}; drop it, or merge the class "
            "with another"
        )


def checked_rows(x: Any, y: Any, metric: Metric, name: str) -> Pair:
    """float32 rows with int64 classes or float32 values.

    Raises:
        InvalidValueError: names the array and what is wrong with it.
    """
    rows, targets = inputs(x, f"{name}: x"), np.asarray(y)
    if len(rows) != len(targets):
        raise InvalidValueError(f"{name}: the same number of rows expected, found {len(rows)} and {len(targets)}")
    if metric == "accuracy":
        if targets.dtype.kind not in "iub" or targets.ndim != 1:
            raise InvalidValueError(
                f"{name}: y: (rows,) class indices expected, found {targets.dtype} {targets.shape}; for text use "
                "np.unique(y, return_inverse=True)[1], for values metric='squared_error'"
            )
        if targets.min() < 0:
            raise InvalidValueError(f"{name}: y: class indices 0, 1, ... expected, found {targets.min()}")
        return Pair(rows, targets.astype(np.int64))
    if targets.dtype.kind not in "iuf" or targets.ndim not in (1, 2) or not np.isfinite(targets).all():
        raise InvalidValueError(
            f"{name}: y: (rows,) or (rows, outputs) finite numbers expected, found {targets.dtype} {targets.shape}"
        )
    return Pair(rows, targets.astype(np.float32))
