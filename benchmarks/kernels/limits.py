"""What the core could do at best, measured in the same run: time to read the operands and to do the arithmetic."""

from __future__ import annotations

import functools
from typing import Any

import in_process
from groups import INTEGER_TOLERANCE
from timing import MissingError
from work import DenseWork, RankingWork, SparseWork, StepWork

_WIDEST = 16
_SPARSE = "multiply-adds on values read"
"""An entry of a sparse matrix meets values that no other entry in reach shares: each multiply-add reads one."""


@functools.cache
def peaks(core: int) -> dict[str, float]:
    """Operations per nanosecond (a multiply-add is two) by name."""
    return {line["name"]: line["value"] for line in in_process.run("limits", [], core)}


@functools.cache
def pass_us(kind: str, size: int, core: int) -> float:
    """Microseconds to read `size` bytes again (`read`), or `size` weights with a byte written each (`mask`)."""
    return float(in_process.run("limits", [kind, str(size)], core)[0]["value"])


def of(work: Any, core: int) -> dict[str, Any] | None:
    """The limit of a piece of work, or why there is none.

    Returns:
        `us`, and `by`: what bounds it.
    """
    try:
        bounds = _bounds(work, core)
    except MissingError as error:
        return {"missing": str(error)}
    by = max(bounds, key=lambda name: bounds[name])
    return {"us": bounds[by], "by": by}


def _bounds(work: Any, core: int) -> dict[str, float]:
    if isinstance(work, RankingWork):
        return {"one pass": pass_us("mask", work.count, core)}
    real = _best("fma", core)
    if isinstance(work, DenseWork):
        weights, integer = work.network.macs, work.tolerance >= INTEGER_TOLERANCE
        operations = peaks(core).get("int8_dot", 4 * real) if integer else real
        read = pass_us("read", weights * (1 if integer else 4), core)
        return {"reading weights": read, "arithmetic": 2e-3 * weights * work.batch / operations}
    if isinstance(work, SparseWork):
        bounds = {"reading entries": pass_us("read", 6 * work.nonzeros, core)}
        if work.columns % _WIDEST == 0:
            return bounds | {_SPARSE: 2e-3 * work.nonzeros * work.columns / _best("read_fma", core)}
        return bounds | {"arithmetic": 2e-3 * work.nonzeros * work.columns / real}
    assert isinstance(work, StepWork)
    kept = [layer.kept_weights for layer in work.network.dense_layers()]
    products = 3 * sum(kept) - kept[0]  # forward, weight gradient, input gradient of all but the first
    return {_SPARSE: 2e-3 * products * work.batch / _best("read_fma", core)}


def _best(name: str, core: int) -> float:
    """The peak of this name over the widths of vectors."""
    return max(value for found, value in peaks(core).items() if found.startswith(name))
