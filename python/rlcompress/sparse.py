"""Masked matrices that multiply fast: packed once, the same bits on every target and for any number of columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rlcompress import kernels
from rlcompress.arrays import BoolArray, FloatArray
from rlcompress.errors import InvalidValueError

BLOCK = (16, 1)
_FEW_COLUMNS = 16  # below, slices are faster than rows


class SparseMatrix:
    """`weight` under `mask`, for `sparse @ x`.

    Each result is one chain of fused multiply-adds over the kept weights of its row in index order, starting at +0 (or
    the bias). What the mask drops takes no part, also where x is infinite or NaN.

    Args:
        weight: (outputs, inputs) float32; copied.
        mask: (outputs, inputs) bool, True = kept; None keeps what is not zero.
        block: (16, 1) where the mask keeps whole blocks of 16 outputs that share an input, counted from output 0 (the
            last group may be shorter); None looks for itself. Such masks take less memory and run at dense rates.
        columns: how many columns `x` mostly has. None packs for few and for many, in twice the memory; a number packs
            for it alone. Any other number still works, slower.

    Raises:
        InvalidValueError: another type or shape, or a mask without the blocks that `block` names.
    """

    def __init__(
        self,
        weight: FloatArray,
        mask: BoolArray | None = None,
        block: tuple[int, int] | None = None,
        columns: int | None = None,
    ) -> None:
        weight = _array(weight, np.float32, "weight")
        mask = weight != 0 if mask is None else _array(mask, np.bool_, "mask")
        if mask.shape != weight.shape:
            raise InvalidValueError(f"mask: the weight's shape {weight.shape} expected, {mask.shape} found")
        if block not in (None, BLOCK):
            raise InvalidValueError(f"block: {BLOCK} or None expected, found {block}")
        self._shape = (int(weight.shape[0]), int(weight.shape[1]))
        self._columns = columns
        if block == BLOCK or keeps_blocks(mask):
            self._few = self._many = kernels.SparseMatrix(weight, mask, "blocks")
            return
        if columns is None or columns < _FEW_COLUMNS:
            self._few = self._many = kernels.SparseMatrix(weight, mask, "slices")
        if columns is None or columns >= _FEW_COLUMNS:
            self._many = kernels.SparseMatrix(weight, mask, "rows")
            if columns is not None:
                self._few = self._many

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self._shape

    @property
    def nnz(self) -> int:
        """Weights that the mask keeps."""
        return self._few.nonzeros

    @property
    def density(self) -> float:
        """Share of the weights that the mask keeps; 0 of an empty matrix."""
        return self.nnz / max(1, self._shape[0] * self._shape[1])

    @property
    def size_bytes(self) -> int:
        """Memory that the packed weights take."""
        return self._few.size_bytes + (self._many.size_bytes if self._many is not self._few else 0)

    def __matmul__(self, x: FloatArray) -> FloatArray:
        return self.dot(x)

    def dot(self, x: FloatArray, out: FloatArray | None = None, bias: FloatArray | None = None) -> FloatArray:
        """`weight @ x` (+ bias).

        Args:
            x: (inputs,) or (inputs, n) C-contiguous float32.
            out: (outputs,) or (outputs, n) C-contiguous float32 to write to; None makes a new array.
            bias: (outputs,) float32 that the sums start from, or None.

        Returns:
            (outputs,) or (outputs, n) float32.

        Raises:
            InvalidValueError: another shape or memory layout, or `out` overlaps `x`.
            TypeError: another type.
        """
        if out is None:
            shape = getattr(x, "shape", (0,))
            out = np.empty((self._shape[0], *shape[1:]), np.float32)
        many = out.ndim == 2 and out.shape[1] >= _FEW_COLUMNS
        kernels.sparse_multiply(self._many if many else self._few, x, out, bias)
        return out

    def toarray(self) -> FloatArray:
        """(outputs, inputs) float32, +0 where nothing is kept."""
        return self._few.unpack()[0]

    def mask(self) -> BoolArray:
        """(outputs, inputs) bool, True = kept."""
        return self._few.unpack()[1]

    def __reduce__(self) -> tuple[Callable[..., SparseMatrix], tuple[Any, ...]]:
        weight, mask = self._few.unpack()
        places = np.flatnonzero(mask)
        narrow = np.uint32 if mask.size <= 1 << 32 else np.uint64
        return _rebuilt, (self._shape, places.astype(narrow), weight.reshape(-1)[places], self._columns)

    def __repr__(self) -> str:
        return f"SparseMatrix(shape={self._shape}, nnz={self.nnz}, size_bytes={self.size_bytes})"


def keeps_blocks(mask: BoolArray) -> bool:
    """Whether a mask keeps or drops whole blocks of 16 outputs with a common input, and drops at least one.

    Args:
        mask: (outputs, inputs) bool, True = kept.
    """
    whole = mask.shape[0] // BLOCK[0] * BLOCK[0]
    if mask.shape[0] < BLOCK[0] or mask.all() or not mask.any():
        return False
    groups = mask[:whole].reshape(-1, BLOCK[0], mask.shape[1])
    return bool((groups == groups[:, :1]).all() and (mask[whole:] == mask[whole : whole + 1]).all())


def _rebuilt(shape: tuple[int, int], places: Any, values: FloatArray, columns: int | None) -> SparseMatrix:
    weight = np.zeros(shape, np.float32)
    mask = np.zeros(shape, np.bool_)
    weight.reshape(-1)[places] = values
    mask.reshape(-1)[places] = True
    return SparseMatrix(weight, mask, columns=columns)


def _array(value: Any, dtype: Any, name: str) -> Any:
    array = np.asarray(value)
    if array.dtype != dtype:
        raise InvalidValueError(f"{name}: {np.dtype(dtype)} expected, {array.dtype} found; convert it with astype")
    if array.ndim != 2:
        raise InvalidValueError(f"{name}: shape (outputs, inputs) expected, {array.shape} found")
    return np.require(array, dtype, ["C", "A"])
