"""How many weights each layer may keep: floors, an exact total, and the paper's grid. Pure arithmetic on counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlcompress.errors import InvalidValueError
from rlcompress.problem import Float64Array
from rlcompress.ranking import kept_at_most

Kept = tuple[int, ...]
CountArray = npt.NDArray[np.int64]
_BISECTIONS = 80


@dataclass(frozen=True, eq=False)
class Allotment:
    """What plans are allowed.

    Args:
        sizes: weights per layer, each >= 1.
        ceilings: most weights to keep per layer: all but those that were zero from the start.
        floors: fewest weights to keep per layer, 1..ceiling.
        total: weights to keep in all; raised to the sum of the floors where it lies below (`feasible` is then False).
        asked: weights to keep at most, as asked.
        levels: counts that a layer may keep, ascending, on the paper's grid; empty for every count.
    """

    sizes: Kept
    ceilings: Kept
    floors: Kept
    total: int
    asked: int
    levels: tuple[Kept, ...] = ()
    feasible: bool = True

    @property
    def layers(self) -> int:
        return len(self.sizes)

    @property
    def weights(self) -> int:
        """Prunable weights in all."""
        return sum(self.sizes)

    def sparsity(self, kept: Sequence[int]) -> float:
        """Share of zeros over all prunable weights."""
        return 1 - sum(kept) / self.weights

    def meets(self, kept: Sequence[int]) -> bool:
        """Whether a plan keeps no more than asked."""
        return sum(kept) <= self.asked

    def logs(self, kept: Sequence[int]) -> Float64Array:
        """A plan as the logarithm of each layer's density, the space in which plans are varied."""
        floors = np.maximum(np.asarray(self.floors), 1)
        logs: Float64Array = np.log(np.maximum(np.asarray(kept), floors) / np.asarray(self.sizes))
        return logs

    def project(self, logs: Float64Array) -> Kept:
        """The allowed plan nearest to these logarithms of densities, up to one factor that meets the total.

        Without a grid the total is met to the weight. On the grid it is the fullest plan near by that keeps no more.
        """
        kept = scaled_to(logs, self.sizes, self.ceilings, self.floors, self.total)
        return self.snap(kept) if self.levels else kept

    def snap(self, kept: Sequence[int]) -> Kept:
        """The plan on the grid near `kept` that keeps at most the total, filled up where a level still fits."""
        places = [nearest(levels, count) for levels, count in zip(self.levels, kept)]
        excess = sum(levels[at] for levels, at in zip(self.levels, places)) - self.total
        while excess > 0:
            steps = [self._loss(layer, at, kept[layer]) for layer, at in enumerate(places)]
            layer = int(np.argmin(steps))
            if not np.isfinite(steps[layer]):
                break
            excess -= self.levels[layer][places[layer]] - self.levels[layer][places[layer] - 1]
            places[layer] -= 1
        while True:
            gains = [self._gain(layer, at, kept[layer], -excess) for layer, at in enumerate(places)]
            layer = int(np.argmin(gains))
            if not np.isfinite(gains[layer]):
                return tuple(levels[at] for levels, at in zip(self.levels, places))
            excess += self.levels[layer][places[layer] + 1] - self.levels[layer][places[layer]]
            places[layer] += 1

    def _loss(self, layer: int, at: int, wanted: int) -> float:
        """How far below what was wanted one level less is, in logarithms."""
        if at == 0:
            return float("inf")
        return float(np.log(wanted / self.levels[layer][at - 1]))

    def _gain(self, layer: int, at: int, wanted: int, room: int) -> float:
        """How far above what was wanted one level more is; infinite where it does not fit."""
        levels = self.levels[layer]
        if at + 1 == len(levels) or levels[at + 1] - levels[at] > room:
            return float("inf")
        return float(np.log(levels[at + 1] / wanted))


def allotment(
    sizes: Sequence[int],
    sparsity: float,
    min_keep: float,
    ceilings: Sequence[int] | None = None,
    levels: Sequence[Sequence[int]] = (),
) -> Allotment:
    """The allowed plans of a target.

    Args:
        sizes: weights per layer.
        sparsity: share of all weights to prune at least, 0..1.
        min_keep: share of each layer's weights to keep at least, 0..1; one weight is always kept.
        ceilings: most weights to keep per layer; the sizes unless given.
        levels: counts on the grid per layer, any order; those below the floor are left out.

    Raises:
        InvalidValueError: a share outside 0..1, or nothing to prune.
    """
    if not sizes or min(sizes) < 1:
        raise InvalidValueError(f"layers: at least one with weights expected, found sizes {tuple(sizes)}")
    if not 0 <= sparsity <= 1:
        raise InvalidValueError(f"target_sparsity: a share in 0..1 expected (0.9 prunes 90 %), found {sparsity}")
    if not 0 <= min_keep <= 1:
        raise InvalidValueError(f"min_keep: a share in 0..1 expected, found {min_keep}")
    asked = kept_at_most(sum(sizes), sparsity)
    tops = tuple(sizes if ceilings is None else ceilings)
    floors = tuple(min(top, max(1, int(np.ceil(min_keep * size)))) for size, top in zip(sizes, tops))
    grid = tuple(_levels(counts, floor) for counts, floor in zip(levels, floors))
    lowest = sum(counts[0] for counts in grid) if grid else sum(floors)
    total = min(asked, sum(tops))
    return Allotment(tuple(sizes), tops, floors, max(total, lowest), asked, grid, feasible=total >= lowest)


def _levels(counts: Sequence[int], floor: int) -> Kept:
    allowed = sorted({int(count) for count in counts if count >= floor})
    return tuple(allowed) if allowed else (max(int(count) for count in counts),)


def nearest(levels: Sequence[int], count: int) -> int:
    """Index of the level nearest in logarithms; the lower one of two equally near."""
    return int(np.argmin(np.abs(np.log(np.asarray(levels) / max(1, count)))))


def scaled_to(
    logs: Float64Array, sizes: Sequence[int], ceilings: Sequence[int], floors: Sequence[int], total: int
) -> Kept:
    """Counts `clip(size * exp(log + shift), floor, ceiling)` whose sum is `total`, with one shift for all layers.

    Args:
        logs: (n,) finite logarithms of densities.
        sizes: weights per layer.
        ceilings, floors: most and fewest to keep per layer.
        total: sum wanted, from the sum of the floors to that of the ceilings.
    """
    size, floor, top = (np.asarray(counts, np.float64) for counts in (sizes, floors, ceilings))

    def at(shift: float) -> Float64Array:
        clipped: Float64Array = np.clip(size * np.exp(np.minimum(logs + shift, 0.0)), floor, top)
        return clipped

    low, high = -60.0 - float(np.max(logs)), -float(np.min(logs))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle).sum() < total else (low, middle)
    return whole(at(high), ceilings, floors, total)


def whole(counts: Float64Array, ceilings: Sequence[int], floors: Sequence[int], total: int) -> Kept:
    """Integers near `counts` with exactly this sum: the largest remainders go up first, ties by index."""
    down = np.clip(np.floor(counts), floors, ceilings).astype(np.int64)
    order = np.argsort(-(counts - down), kind="stable")
    while missing := total - int(down.sum()):
        if missing > 0:
            open_layers = [layer for layer in order if down[layer] < ceilings[layer]][:missing]
            down[open_layers] += 1
        else:
            open_layers = [layer for layer in order[::-1] if down[layer] > floors[layer]][:-missing]
            down[open_layers] -= 1
        if not open_layers:
            break
    return tuple(int(count) for count in down)
