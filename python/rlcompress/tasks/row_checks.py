"""Rows and targets that a `DatasetTask` takes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.tasks.labelled import Pair, Targets, inputs, missing_row
from rlcompress.tasks.plain_arrays import as_array

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
    labels, counts = np.unique(y, return_counts=True)
    if (counts == 1).any():
        raise InvalidValueError(
            f"y: at least two rows of each class expected, found one of class {labels[counts == 1][0]}; drop it, or "
            "merge the class with another; if y holds values, say metric='squared_error' (kind='values' for a file, "
            "--kind values for a command)"
        )


def checked_rows(x: Any, y: Any, metric: Metric, name: str) -> Pair:
    """float32 rows with int64 classes or float32 values.

    Raises:
        InvalidValueError: names the array and what is wrong with it.
    """
    rows, targets = inputs(x, f"{name}: x"), as_array(y)
    if len(rows) != len(targets):
        raise InvalidValueError(f"{name}: the same number of rows expected, found {len(rows)} and {len(targets)}")
    row = missing_row(targets)
    if row is not None:
        raise InvalidValueError(
            f"{name}: y: a target for every row expected, found {targets[row]} in row {row}; drop it"
        )
    if metric == "accuracy":
        if targets.dtype.kind not in "iub" or targets.ndim != 1:
            raise InvalidValueError(
                f"{name}: y: (rows,) class indices or labels as text expected, found {targets.dtype} {targets.shape}; "
                f"{_class_remedy(targets)}"
            )
        if targets.min() < 0:
            raise InvalidValueError(
                f"{name}: y: class indices 0, 1, ... expected, found {targets.min()}; number them as the "
                "network's outputs are: np.searchsorted(classifier.classes_, y), or give labels as text: y.astype(str)"
            )
        return Pair(rows, targets.astype(np.int64))
    if targets.dtype.kind not in "iuf" or targets.ndim not in (1, 2):
        raise InvalidValueError(
            f"{name}: y: (rows,) or (rows, outputs) numbers expected, found {targets.dtype} {targets.shape}"
        )
    return Pair(rows, targets.astype(np.float32))


def digest_of(arrays: Sequence[Any]) -> str:
    """SHA-256 over the shapes and bytes of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _class_remedy(y: Any) -> str:
    if y.ndim == 2 and y.shape[1] == 1:
        return "flatten it: y.ravel()"
    if y.ndim == 2 and y.dtype.kind in "iubf" and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
        return "it is one-hot: give y.argmax(1)"
    if y.dtype.kind == "f" and y.ndim == 1 and (y == np.round(y)).all():
        return "for classes give y.astype(int), for values metric='squared_error'"
    return "for values give metric='squared_error', for classes of scikit-learn np.searchsorted(classifier.classes_, y)"
