"""Masks from magnitudes: per layer, over all layers, or by threshold. True = kept; exact on every target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from rlcompress import kernels
from rlcompress.arrays import BoolArray, FloatArray
from rlcompress.errors import InvalidValueError

Scope = Literal["layer", "global"]


def magnitude_masks(weights: Sequence[FloatArray], sparsity: float, scope: Scope = "layer") -> list[BoolArray]:
    """Keep the largest magnitudes and prune exactly `round(sparsity * n)` weights (`kept_count` keeps the rest).

    Equal magnitudes: the lower index is kept, counted in C order; over several arrays in list order.

    Args:
        weights: float32 arrays of any shape, also empty; infinities are the largest magnitudes, NaN is refused.
        sparsity: share to prune, 0..1.
        scope: `layer` ranks within each array, `global` over all of them together.

    Returns:
        One C-contiguous bool array per weight array, of the same shape; True = kept.

    Raises:
        InvalidValueError: NaN, another type than float32, a sparsity outside 0..1, or an unknown scope.
    """
    arrays = [_float32(weight, f"weights[{index}]") for index, weight in enumerate(weights)]
    masks = [np.empty(array.shape, np.bool_) for array in arrays]
    if scope == "global":
        groups = [slice(0, len(arrays))]
    elif scope == "layer":
        groups = [slice(index, index + 1) for index in range(len(arrays))]
    else:
        raise InvalidValueError(f"scope: 'layer' or 'global' expected, found {scope!r}")
    kept_count(0, sparsity)  # refuses a bad sparsity also when there is nothing to rank
    for group in groups:
        total = sum(array.size for array in arrays[group])
        try:
            kernels.keep_largest(arrays[group], kept_count(total, sparsity), masks[group])
        except InvalidValueError:
            for index, array in enumerate(arrays):
                _refuse_nan(array, f"weights[{index}]")
            raise
    return masks


def threshold_mask(weight: FloatArray, threshold: float) -> BoolArray:
    """Keep what is not below a threshold: `|weight| >= threshold`, so 0 keeps everything and infinity only infinities.

    Args:
        weight: float32 array of any shape; infinities allowed, NaN refused.
        threshold: >= 0; compared after rounding to float32.

    Returns:
        C-contiguous bool array of the same shape; True = kept.

    Raises:
        InvalidValueError: NaN in `weight`, another type than float32, or a threshold that is negative or NaN.

    Source: PuRL removes `|w| < alpha * sigma` (Gupta et al. 2020).
    """
    array = _float32(weight, "weight")
    if not threshold >= 0:
        raise InvalidValueError(f"threshold: a value >= 0 expected, found {threshold}")
    with np.errstate(over="ignore"):
        bound = float(np.float32(threshold))
    mask = np.empty(array.shape, np.bool_)
    try:
        kernels.keep_at_least(array, bound, mask)
    except InvalidValueError:
        _refuse_nan(array, "weight")
        raise
    return mask


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
