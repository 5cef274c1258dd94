"""Masks from magnitudes: per layer, over all layers, or by threshold. True = kept; exact on every target.

A mask has one bool per weight, or one bit: of flat index i (C order) bit i % 8 of byte i // 8, unused bits 0, which is
what `numpy.packbits(mask, bitorder="little")` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from rlcompress import kernels
from rlcompress.arrays import BoolArray, ByteArray, FloatArray, Int64Array
from rlcompress.errors import InvalidValueError

Scope = Literal["layer", "global"]
Mask = TypeVar("Mask", bound=np.generic)

_FLOAT32 = np.dtype(np.float32)


def magnitude_masks(
    weights: Sequence[FloatArray], sparsity: float, scope: Scope = "layer", out: Sequence[BoolArray] | None = None
) -> list[BoolArray]:
    """Keep the largest magnitudes and prune exactly `round(sparsity * n)` weights (`kept_count` keeps the rest).

    Equal magnitudes: the lower index is kept, counted in C order; over several arrays in list order.

    Args:
        weights: float32 arrays of any shape, also empty; infinities are the largest magnitudes, NaN is refused.
        sparsity: share to prune, 0..1.
        scope: `layer` ranks within each array, `global` over all of them together.
        out: masks to write, C-contiguous bool arrays of the weights' shapes that overlap nothing. Using masks again
            spares the first touch of fresh memory, which counts from millions of weights on.

    Returns:
        One C-contiguous bool array per weight array, of the same shape; True = kept. They are `out` where it is given;
        after an error its content is undefined.

    Raises:
        InvalidValueError: NaN, another type than float32, a sparsity outside 0..1, an unknown scope, or an `out` that
            does not fit.
    """
    arrays = _float32_arrays(weights)
    masks = _masks([array.shape for array in arrays], np.bool_, out)
    _rank(arrays, sparsity, scope, masks, kernels.keep_largest)
    return masks


def magnitude_bitmasks(
    weights: Sequence[FloatArray], sparsity: float, scope: Scope = "layer", out: Sequence[ByteArray] | None = None
) -> list[ByteArray]:
    """`magnitude_masks` with one bit per weight.

    Args:
        weights: as for `magnitude_masks`.
        sparsity: share to prune, 0..1.
        scope: `layer` or `global`.
        out: masks to write, C-contiguous uint8 arrays of shape (ceil(size / 8),) that overlap nothing.

    Returns:
        One uint8 array of shape (ceil(size / 8),) per weight array.

    Raises:
        InvalidValueError: as `magnitude_masks`.
    """
    arrays = _float32_arrays(weights)
    masks = _masks([_packed_shape(array) for array in arrays], np.uint8, out)
    _rank(arrays, sparsity, scope, masks, kernels.keep_largest_bits)
    return masks


def threshold_mask(weight: FloatArray, threshold: float, out: BoolArray | None = None) -> BoolArray:
    """Keep what is not below a threshold: `|weight| >= threshold`, so 0 keeps everything and infinity only infinities.

    Args:
        weight: float32 array of any shape; infinities allowed, NaN refused.
        threshold: >= 0; compared after rounding to float32.
        out: mask to write, a C-contiguous bool array of the same shape that does not overlap the weights.

    Returns:
        C-contiguous bool array of the same shape; True = kept. It is `out` where that is given.

    Raises:
        InvalidValueError: NaN in `weight`, another type than float32, a threshold that is negative or NaN, or an `out`
            that does not fit.

    Source: PuRL removes `|w| < alpha * sigma` (Gupta et al. 2020).
    """
    array = _float32(weight, "weight")
    mask = _mask(array.shape, np.bool_, out, "out")
    bound = float(_thresholds(threshold))
    _call(lambda: kernels.keep_at_least(array, bound, mask), [array], "weight")
    return mask


def threshold_bitmask(weight: FloatArray, threshold: float, out: ByteArray | None = None) -> ByteArray:
    """`threshold_mask` with one bit per weight.

    Args:
        weight: as for `threshold_mask`.
        threshold: >= 0; compared after rounding to float32.
        out: mask to write, a C-contiguous uint8 array of shape (ceil(size / 8),) that does not overlap the weights.

    Returns:
        uint8 array of shape (ceil(size / 8),).

    Raises:
        InvalidValueError: as `threshold_mask`.
    """
    array = _float32(weight, "weight")
    mask = _mask(_packed_shape(array), np.uint8, out, "out")
    bound = float(_thresholds(threshold))
    _call(lambda: kernels.keep_at_least_bits(array, bound, mask), [array], "weight")
    return mask


@dataclass(frozen=True)
class WeightStatistics:
    """Of one weight array; all zero for an empty one.

    Attributes:
        mean: mean weight.
        std: population standard deviation (`numpy.std`; `torch.std` divides by size - 1).
        largest: largest magnitude.
        size: number of weights.
    """

    mean: float
    std: float
    largest: float
    size: int


def weight_statistics(weights: Sequence[FloatArray]) -> tuple[WeightStatistics, ...]:
    """Statistics of each array in one pass over it, summed in float64; the same bits on every target.

    Args:
        weights: float32 arrays of any shape, also empty.

    Raises:
        InvalidValueError: NaN or infinity, or another type than float32.
    """
    found = []
    for index, array in enumerate(_float32_arrays(weights)):
        try:
            mean, std, largest = kernels.weight_statistics(array)
        except InvalidValueError:
            finite = np.isfinite(array).reshape(-1)
            place = int(finite.argmin()) if finite.size else 0
            if not finite.size or finite[place]:
                raise
            raise InvalidValueError(
                f"weights[{index}]: {array.reshape(-1)[place]} at flat index {place} of {array.size} has no"
                " statistics; replace it first"
            ) from None
        found.append(WeightStatistics(mean, std, largest, array.size))
    return tuple(found)


def counts_at_least(weights: Sequence[FloatArray], thresholds: npt.ArrayLike) -> Int64Array:
    """How many weights each threshold keeps (`|weight| >= threshold`), for all thresholds in one pass over the weights.

    Args:
        weights: float32 arrays of any shape, also empty; infinities allowed, NaN refused.
        thresholds: >= 0, compared after rounding to float32; shape (thresholds,) for all arrays, or
            (arrays, thresholds) for each its own, such as a few multiples of its standard deviation.

    Returns:
        int64 array of shape (arrays, thresholds).

    Raises:
        InvalidValueError: NaN, a negative threshold, a shape that does not fit, or another type than float32.
    """
    arrays = _float32_arrays(weights)
    bounds = _thresholds(thresholds)
    if bounds.ndim not in (1, 2) or (bounds.ndim == 2 and len(bounds) != len(arrays)):
        raise InvalidValueError(
            f"thresholds: shape (thresholds,) or ({len(arrays)}, thresholds) expected, found {bounds.shape}"
        )
    bounds = np.ascontiguousarray(np.broadcast_to(bounds, (len(arrays), bounds.shape[-1])))
    counts = np.empty(bounds.shape, np.int64)
    for index, array in enumerate(arrays):
        row, count = bounds[index], counts[index]
        _call(lambda: kernels.counts_at_least(array, row, count), [array], f"weights[{index}]")  # noqa: B023
    return counts


def kept_count(count: int, sparsity: float) -> int:
    """Weights kept of `count`: `count - round(sparsity * count)`, halves to even, as `torch.nn.utils.prune` counts.

    Args:
        count: >= 0.
        sparsity: share to prune, 0..1.

    Raises:
        InvalidValueError: a sparsity outside 0..1.
    """
    if not 0 <= sparsity <= 1:
        raise InvalidValueError(f"sparsity: a share in 0..1 expected (0.9 prunes 90 %), found {sparsity}")
    return count - round(float(sparsity) * count)


def kept_at_most(count: int, sparsity: float) -> int:
    """Weights kept of `count` where a share is a promise: rounded down, so that the sparsity is never below it.

    Args and errors as for `kept_count`.
    """
    return min(kept_count(count, sparsity), int(count * (1 - float(sparsity)) + 1e-9))


def _rank(
    arrays: list[FloatArray],
    sparsity: float,
    scope: Scope,
    masks: list[npt.NDArray[Mask]],
    keep: Callable[[list[FloatArray], int, list[npt.NDArray[Mask]]], None],
) -> None:
    if not arrays:
        kept_count(0, sparsity)  # refuses a bad sparsity also when there is nothing to rank
    try:
        if scope == "global" or (scope == "layer" and len(arrays) == 1):
            keep(arrays, kept_count(sum([array.size for array in arrays]), sparsity), masks)
        elif scope == "layer":
            for array, mask in zip(arrays, masks):
                keep([array], kept_count(array.size, sparsity), [mask])
        else:
            raise InvalidValueError(f"scope: 'layer' or 'global' expected, found {scope!r}")
    except InvalidValueError:
        for index, array in enumerate(arrays):
            _refuse_nan(array, f"weights[{index}]")
        raise


def _call(kernel: Callable[[], None], arrays: list[FloatArray], name: str) -> None:
    try:
        kernel()
    except InvalidValueError:
        for array in arrays:
            _refuse_nan(array, name)
        raise


def _packed_shape(array: FloatArray) -> tuple[int, ...]:
    return ((array.size + 7) // 8,)


def _masks(
    shapes: list[tuple[int, ...]], dtype: type[Mask], out: Sequence[npt.NDArray[Mask]] | None
) -> list[npt.NDArray[Mask]]:
    if out is None:
        return [np.empty(shape, dtype) for shape in shapes]
    if len(out) != len(shapes):
        raise InvalidValueError(f"out: {len(shapes)} masks expected, one per weight array, found {len(out)}")
    return [_mask(shape, dtype, mask, f"out[{index}]") for index, (shape, mask) in enumerate(zip(shapes, out))]


def _mask(shape: tuple[int, ...], dtype: type[Mask], out: npt.NDArray[Mask] | None, name: str) -> npt.NDArray[Mask]:
    if out is None:
        return np.empty(shape, dtype)
    if not (isinstance(out, np.ndarray) and out.dtype == dtype and out.shape == shape and out.flags.carray):
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InvalidValueError(
            f"{name}: a writable C-contiguous {np.dtype(dtype)} array of shape {shape} expected, found {found}"
        )
    return out


def _thresholds(thresholds: npt.ArrayLike) -> FloatArray:
    with np.errstate(over="ignore"):
        bounds = np.asarray(thresholds, np.float64)
        if not (bounds >= 0).all():
            raise InvalidValueError(f"threshold: a value >= 0 expected, found {thresholds!r}")
        return bounds.astype(np.float32)


def _float32_arrays(weights: Sequence[Any]) -> list[FloatArray]:
    return [
        weight if _is_ready(weight) else _float32(weight, f"weights[{index}]") for index, weight in enumerate(weights)
    ]


def _is_ready(weight: Any) -> bool:
    return type(weight) is np.ndarray and weight.dtype is _FLOAT32 and weight.flags.carray


def _float32(weight: Any, name: str) -> FloatArray:
    array = np.asarray(weight)
    if array.dtype != np.float32:
        raise InvalidValueError(
            f"{name}: a float32 array expected, {array.dtype} found; convert it with astype('float32')"
        )
    return np.require(array, np.float32, ["C", "A"])


def _refuse_nan(array: FloatArray, name: str) -> None:
    found = np.isnan(array).reshape(-1)
    if found.any():
        raise InvalidValueError(
            f"{name}: NaN at flat index {int(found.argmax())} of {array.size} cannot be ranked; replace it first"
        )
