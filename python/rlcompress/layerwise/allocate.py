"""Free baselines: how a budget of kept weights is spread over layers without looking at data. All meet it exactly.

Magnitudes alone decide which weights of a layer stay, so an allocation is a count per layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rlcompress import kernels
from rlcompress.errors import InvalidValueError
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.prunable import PrunableLayer
from rlcompress.ranking import kept_count

Counts = npt.NDArray[np.int64]


def uniform(layers: Sequence[PrunableLayer], sparsity: float, floor: float = 0.0) -> Plan:
    """The same sparsity in every layer.

    Args:
        layers: of a `Prunable`.
        sparsity: share of all weights to prune, 0..1; exactly `kept_count` of them are kept.
        floor: share of each layer's weights that is kept at least (rounded up, at least one weight).

    Raises:
        InvalidValueError: a share outside 0..1, or floors or held zeros that make the budget impossible.
    """
    return _proportional(layers, sparsity, floor, [layer.size for layer in layers])


def erk(layers: Sequence[PrunableLayer], sparsity: float, floor: float = 0.0) -> Plan:
    """Density in proportion to the sum of a weight's dimensions over their product (Erdos-Renyi-Kernel).

    Args and errors as for `uniform`.

    Source: Evci et al., Rigging the Lottery (ICML 2020).
    """
    return _proportional(layers, sparsity, floor, [sum(layer.weight.shape) for layer in layers])


def global_magnitude(layers: Sequence[PrunableLayer], sparsity: float, floor: float = 0.0) -> Plan:
    """The largest magnitudes over all layers together; equal ones by lower index in forward order.

    Args and errors as for `uniform`.
    """

    def choose(chosen: Sequence[int], budget: int) -> list[int]:
        weights = [layers[index].weight for index in chosen]
        masks = [np.empty(weight.shape, np.bool_) for weight in weights]
        kernels.keep_largest(weights, budget, masks)
        return [int(np.count_nonzero(mask)) for mask in masks]

    return _ranked(layers, sparsity, floor, choose)


def lamp(layers: Sequence[PrunableLayer], sparsity: float, floor: float = 0.0) -> Plan:
    """Global ranking of each weight's square over the squares at least as large in its layer.

    Args and errors as for `uniform`.

    Source: Lee et al., Layer-adaptive Sparsity for the Magnitude-based Pruning (ICLR 2021).
    """
    scores = [_lamp_scores(layer.weight) for layer in layers]

    def choose(chosen: Sequence[int], budget: int) -> list[int]:
        parts = [scores[index] for index in chosen]
        masks = [np.empty(part.shape, np.bool_) for part in parts]
        kernels.keep_largest(parts, budget, masks)
        return [int(np.count_nonzero(mask)) for mask in masks]

    return _ranked(layers, sparsity, floor, choose)


BASELINES: dict[str, Callable[[Sequence[PrunableLayer], float, float], Plan]] = {
    "uniform": uniform,
    "erk": erk,
    "global": global_magnitude,
    "lamp": lamp,
}


def floor_counts(layers: Sequence[PrunableLayer], floor: float) -> tuple[int, ...]:
    """Weights that each layer keeps at least: `ceil(floor * size)`, one or more, never above its ceiling.

    Raises:
        InvalidValueError: a share outside 0..1.
    """
    if not 0 <= floor <= 1:
        raise InvalidValueError(f"floor: a share of kept weights in 0..1 expected, found {floor}")
    return tuple(min(layer.ceiling, max(1, math.ceil(floor * layer.size))) for layer in layers)


def spread(shares: Sequence[float], floors: Sequence[int], ceilings: Sequence[int], budget: int) -> list[int]:
    """Whole counts in proportion to `shares`, inside their bounds, with sum `budget`.

    Counts at a bound stay there and the rest is shared again; the remainder goes to the largest fractions, equal ones
    by lower index.

    Args:
        shares: > 0.
        floors, ceilings: bounds, `0 <= floor <= ceiling`.
        budget: between the sums of the bounds.
    """
    low, high = np.array(floors, np.float64), np.array(ceilings, np.float64)
    weights = np.array(shares, np.float64)
    # The sum of clipped counts grows with the scale: bisect it.
    below, above = 0.0, float(np.max(high / weights)) + 1
    for _ in range(200):
        middle = (below + above) / 2
        if np.clip(weights * middle, low, high).sum() > budget:
            above = middle
        else:
            below = middle
    ideal = np.clip(weights * below, low, high)
    counts = np.floor(ideal).astype(np.int64)
    order = np.argsort(-(ideal - counts), kind="stable")
    while (missing := budget - int(counts.sum())) > 0:
        free = [index for index in order if counts[index] < high[index]]
        counts[free[:missing]] += 1
    return [int(count) for count in counts]


def _proportional(layers: Sequence[PrunableLayer], sparsity: float, floor: float, shares: Sequence[float]) -> Plan:
    floors, ceilings, budget = _bounds(layers, sparsity, floor)
    return _plan(layers, spread(shares, floors, ceilings, budget))


def _ranked(
    layers: Sequence[PrunableLayer],
    sparsity: float,
    floor: float,
    choose: Callable[[Sequence[int], int], list[int]],
) -> Plan:
    """Counts by a ranking over layers; what falls below its floor is set to it, and the rest is ranked again."""
    floors, ceilings, budget = _bounds(layers, sparsity, floor)
    kept: list[int] = list(floors)
    free = list(range(len(layers)))
    while free:
        rest = budget - sum(kept[index] for index in range(len(layers)) if index not in free)
        found = dict(zip(free, choose(free, rest)))
        outside = [index for index in free if not floors[index] <= found[index] <= ceilings[index]]
        low = [index for index in outside if found[index] < floors[index]]
        fixed = low or outside  # floors first: they take from what ceilings leave
        for index in free:
            kept[index] = min(max(found[index], floors[index]), ceilings[index])
        if not fixed:
            break
        free = [index for index in free if index not in fixed]
    return _plan(layers, kept)


def _bounds(layers: Sequence[PrunableLayer], sparsity: float, floor: float) -> tuple[list[int], list[int], int]:
    if not layers:
        raise InvalidValueError("layers: at least one expected")
    floors = list(floor_counts(layers, floor))
    ceilings = [layer.ceiling for layer in layers]
    total = sum(layer.size for layer in layers)
    budget = kept_count(total, sparsity)
    if budget < sum(floors):
        raise InvalidValueError(
            f"sparsity: {sparsity} keeps {budget} of {total} weights, the floors {sum(floors)}; at most "
            f"{1 - sum(floors) / total:.6f} is possible with this floor"
        )
    return floors, ceilings, min(budget, sum(ceilings))


def _plan(layers: Sequence[PrunableLayer], kept: Sequence[int]) -> Plan:
    return Plan(tuple(layer.name for layer in layers), tuple(layer.size for layer in layers), tuple(kept))


def _lamp_scores(weight: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scores in order of falling magnitude (the order is all that counts), as float32.

    Deviates: scaled into float32, where the last digits of a score may tie; ties keep the earlier layer.
    """
    squares = np.sort(np.square(weight.reshape(-1).astype(np.float64)))[::-1]
    sums = np.cumsum(squares)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(sums > 0, squares / sums, 0.0)
    return np.ascontiguousarray(scores.astype(np.float32))
