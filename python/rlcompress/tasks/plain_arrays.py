"""Rows as users hold them: data frames, tensors, sparse matrices, arrays of objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rlcompress.errors import InvalidValueError


def plain_array(x: Any, name: str) -> Any:
    """x as a NumPy array of numbers or truth values.

    Args:
        x: anything that NumPy takes; a torch tensor, detached; a data frame whose columns are numbers or truth values,
            nullable ones too, their gaps as NaN.
        name: for messages.

    Raises:
        InvalidValueError: a sparse matrix, or a column that holds something else; names the column.
    """
    if hasattr(x, "toarray"):
        raise InvalidValueError(f"{name}: dense rows expected, found a sparse {type(x).__name__}; give x.toarray()")
    array = as_array(x)
    if array.dtype.kind in "biuf" or array.ndim != 2 or array.dtype.kind not in "OUS":
        return array
    if array.dtype.kind in "US":
        raise InvalidValueError(f"{name}: {_text(array)}")
    columns = [_numbers(column, kind, f"{name}: column {label!r}") for label, kind, column in _columns(x, array)]
    return np.stack(columns, axis=1) if columns else array


def as_array(values: Any) -> Any:
    """A NumPy array of anything that NumPy takes, or of a torch tensor, detached."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _columns(x: Any, array: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Label, type and values of each column."""
    if not hasattr(x, "columns") or not hasattr(x, "dtypes"):
        for index in range(array.shape[1]):
            yield index, array.dtype, array[:, index]
        return
    for index, (label, kind) in enumerate(zip(x.columns, x.dtypes)):
        yield label, kind, array[:, index]


def _numbers(column: Any, kind: Any, name: str) -> Any:
    """(rows,) float64 of a column of numbers or truth values."""
    values = np.empty(len(column), np.float64)
    for row, value in enumerate(column):
        if type(value).__name__ in ("NAType", "NoneType"):
            values[row] = np.nan
        elif isinstance(value, (bool, int, float, np.number, np.bool_)) and str(kind) != "category":
            values[row] = float(value)
        else:
            raise InvalidValueError(
                f"{name}: numbers expected, found {kind} with {str(value)[:40]!r} in row {row}; encode it as numbers, "
                "or leave it out"
            )
    return values


def _text(array: Any) -> str:
    """What is wrong with (rows, columns) of text: the first column that is no numbers, which made text of all."""
    for index in range(array.shape[1]):
        try:
            array[:, index].astype(np.float64)
        except ValueError:
            return (
                f"column {index}: numbers expected, found text such as {str(array[0, index])!r}; encode it as numbers"
            )
    return "numbers expected, found text that reads as numbers; give x.astype(float)"
