"""Read-only NumPy arrays: the only kind that values hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.errors import InvalidValueError

FloatArray = npt.NDArray[np.float32]
Int8Array = npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]


def frozen(
    value: Any, dtype: npt.DTypeLike, shape: Sequence[int | None], name: str, finite: bool = True
) -> npt.NDArray[Any]:
    """A read-only C-contiguous copy of `value`.

    Args:
        value: anything that NumPy takes as an array.
        dtype: wanted type; integers are refused when they do not fit.
        shape: wanted shape; None stands for any size.
        name: used in error messages.
        finite: refuse NaN and infinities in floating-point arrays.

    Raises:
        InvalidValueError: wrong shape, values that do not fit the type, or not finite.
    """
    source = np.asarray(value)
    if source.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, source.shape)):
        wanted = "(" + ", ".join("any" if want is None else str(want) for want in shape) + ")"
        raise InvalidValueError(f"{name}: shape {wanted} expected, {source.shape} found")
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(source, dtype=dtype, order="C", copy=True)
    if array.dtype.kind in "iu" and not np.array_equal(array, source):
        raise InvalidValueError(f"{name}: values must fit {array.dtype}, found {source.min()}..{source.max()}")
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidValueError(f"{name}: finite {array.dtype} values expected, found NaN or infinity")
    array.flags.writeable = False
    return array


def same_array(left: npt.NDArray[Any] | None, right: npt.NDArray[Any] | None) -> bool:
    """Whether two optional arrays have the same type, shape and bytes."""
    if left is None or right is None:
        return left is right
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
