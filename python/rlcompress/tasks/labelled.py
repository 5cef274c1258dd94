"""`Labelled`: rows with targets, as every reader of data gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray
from rlcompress.errors import InvalidValueError
from rlcompress.tasks.plain_arrays import plain_array

Targets = npt.NDArray[Any]
TargetKind = Literal["auto", "classes", "values"]


class Pair(NamedTuple):
    """x: (rows, ...) float32; y: (rows,) int64 class indices, or (rows,) or (rows, outputs) float32 values."""

    x: FloatArray
    y: Targets


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows and targets.

    Args:
        x: (rows, ...) float32, finite.
        y: (rows,) int64 class indices, or (rows,) or (rows, outputs) float32 values.
        test: the test rows that the source keeps apart, or None.
        classes: name of each class index; empty for values.
        columns: names of the inputs, where the source has them.
        source: where the rows come from.
    """

    x: FloatArray
    y: Targets
    test: Pair | None
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    source: str

    @property
    def arrays(self) -> Pair:
        """(x, y) of the rows that are not kept apart."""
        return Pair(self.x, self.y)


def labelled(
    x: Any, y: Any, test: tuple[Any, Any] | None, kind: TargetKind, source: str, columns: tuple[str, ...] = ()
) -> Labelled:
    """Checked rows with targets as class indices or float32 values.

    Raises:
        InvalidValueError: names the array and what is wrong with it.
    """
    rows = inputs(x, f"{source}: x")
    targets = np.asarray(y)
    test_rows = inputs(test[0], f"{source}: x_test") if test else None
    test_targets = np.asarray(test[1]) if test else None
    if test_rows is not None and test_rows.shape[1:] != rows.shape[1:]:
        raise InvalidValueError(f"{source}: x_test has rows of {test_rows.shape[1:]}, x of {rows.shape[1:]}")
    names: tuple[str, ...] = ()
    if kind == "classes" or (kind == "auto" and _are_classes(targets)):
        both = [_column(targets, f"{source}: y")]
        both += [] if test_targets is None else [_column(test_targets, f"{source}: y_test")]
        names, targets, test_targets = _indices(both, source)
    else:
        targets = _values(targets, f"{source}: y")
        test_targets = None if test_targets is None else _values(test_targets, f"{source}: y_test")
    _same_rows(rows, targets, f"{source}: x and y")
    held = None
    if test_rows is not None and test_targets is not None:
        _same_rows(test_rows, test_targets, f"{source}: x_test and y_test")
        held = Pair(test_rows, test_targets)
    return Labelled(rows, targets, held, names, columns, source)


def inputs(x: Any, name: str) -> FloatArray:
    """(rows, ...) float32; uint8 is divided by 255.

    Raises:
        InvalidValueError: no rows, no numbers, or not finite.
    """
    array = plain_array(x, name)
    if array.dtype.kind not in "biuf":
        raise InvalidValueError(f"{name}: numbers expected, found {array.dtype}")
    if array.ndim < 2 or array.size == 0:
        raise InvalidValueError(f"{name}: at least one row of at least one value expected, found shape {array.shape}")
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(array, np.float32)
    if array.dtype == np.uint8:
        rows = rows / np.float32(255)
    if not np.isfinite(rows).all():
        at = np.argwhere(~np.isfinite(rows))[0]
        raise InvalidValueError(
            f"{name}: finite numbers expected, found {rows[tuple(at)]} in row {at[0]}; drop or fill such rows"
        )
    return rows


def missing_row(y: Targets) -> int | None:
    """First row without a target: NaN, infinity, or None and its kin among objects; None where all have one."""
    if y.dtype.kind == "f":
        gaps = ~np.isfinite(y.reshape(len(y), -1)).all(axis=1)
    elif y.dtype.kind == "O" and y.ndim == 1:
        gaps = np.array([one is None or not isinstance(one == one, (bool, np.bool_)) or one != one for one in y])  # NA
    else:
        return None
    return int(np.flatnonzero(gaps)[0]) if gaps.any() else None


def _are_classes(y: Targets) -> bool:
    if y.dtype.kind in "biuUSO":
        return True
    return y.ndim == 1 and bool(np.isfinite(y).all()) and bool((y == np.round(y)).all())


def _column(y: Targets, name: str) -> Targets:
    if y.ndim > 1 and y.shape != (len(y), 1):
        remedy = "for classes give indices or names (of one-hot rows: y.argmax(axis=1)), for values kind='values'"
        raise InvalidValueError(f"{name}: one class a row expected, found shape {y.shape}; {remedy}")
    return y.reshape(-1)


def _indices(both: list[Targets], source: str) -> tuple[tuple[str, ...], Targets, Targets | None]:
    """Class names in order, and each target's place among them."""
    together = np.concatenate(both)
    if together.dtype.kind == "f" and not np.isfinite(together).all():
        raise InvalidValueError(f"{source}: y: a class for every row expected, found NaN or infinity")
    values, index = np.unique(together.astype(str) if together.dtype.kind in "OS" else together, return_inverse=True)
    if values.dtype.kind == "f" and (values == np.round(values)).all():
        values = values.astype(np.int64)
    if values.dtype.kind in "iub" and values.min() >= 0 and values.max() < 2 * len(values):
        # Indices already: kept, so that an index means the same in every file of a set.
        names = tuple(str(name) for name in range(int(values.max()) + 1))
        index = together.astype(np.int64)
    else:
        names = tuple(str(value) for value in values)
    index = index.reshape(-1).astype(np.int64)
    first = len(both[0])
    return names, index[:first], (index[first:] if len(both) > 1 else None)


def _values(y: Targets, name: str) -> Targets:
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2):
        raise InvalidValueError(f"{name}: (rows,) or (rows, outputs) numbers expected, found {y.dtype} {y.shape}")
    values = np.ascontiguousarray(y, np.float32)
    if not np.isfinite(values).all():
        raise InvalidValueError(f"{name}: finite numbers expected, found NaN or infinity; drop such rows")
    return values


def _same_rows(x: FloatArray, y: Targets, name: str) -> None:
    if len(x) != len(y):
        raise InvalidValueError(f"{name}: the same number of rows expected, found {len(x)} and {len(y)}")
