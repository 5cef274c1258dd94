"""Which weights stay while a network is trained: fewer and fewer, the costly ones kept, better ones taken back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rlcompress.engine.config import settle_types
from rlcompress.errors import InvalidValueError
from rlcompress.training.importance import Importance
from rlcompress.training.weight_masks import largest_of_all, largest_of_each

if TYPE_CHECKING:
    import torch


_FEWEST_CHANGES = 10


@dataclass(frozen=True)
class Schedule:
    """When and how masks change in gradual pruning.

    Args:
        start: sparsity that is jumped to at once, 0..1.
        ramp: share of the training in which sparsity rises to its target, 0..1; cubic.
        refresh_steps: steps between changes.
        regrow: share of the kept weights that is exchanged at a change, at first; falls to 0 as a cosine.
        regrow_until: share of the training after which masks are held, 0..1.
        importance: rank by `loss` (rise of the loss to second order) or `magnitude`.
        rows: rows that importance is measured on at each change.
        floor: weights that a layer keeps at least (all, where it has fewer), where the ranking decides the split.

    Source: Zhu and Gupta, To prune, or not to prune (2017) for the cubic rise; Evci et al., Rigging the Lottery (2020)
        for regrowth.
    Deviates: second-order scores for both removal and regrowth, over all layers together.
    """

    start: float = field(default=0.9, metadata={"help": "sparsity jumped to at once"})
    ramp: float = field(default=0.5, metadata={"help": "share of training in which sparsity rises"})
    refresh_steps: int = field(default=100, metadata={"help": "steps between changes of the masks"})
    regrow: float = field(default=0.2, metadata={"help": "share of kept weights exchanged at a change, at first"})
    regrow_until: float = field(default=0.8, metadata={"help": "share of training after which masks are held"})
    importance: Literal["loss", "magnitude"] = field(default="loss", metadata={"help": "how weights are ranked"})
    rows: int = field(default=2048, metadata={"help": "rows that importance is measured on"})
    floor: int = field(default=1, metadata={"help": "weights that every layer keeps"})

    def __post_init__(self) -> None:
        settle_types(self)
        for name in ("start", "ramp", "regrow", "regrow_until"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidValueError(f"{name}: a share in 0..1 expected, found {getattr(self, name)}")
        for name, least in (("refresh_steps", 1), ("rows", 1), ("floor", 0)):
            if getattr(self, name) < least:
                raise InvalidValueError(f"{name}: at least {least} expected, found {getattr(self, name)}")

    def changes(self, progress: float) -> bool:
        """Whether masks still change at this share of the training."""
        return progress <= max(self.ramp, self.regrow_until if self.exchanges else 0.0)

    @property
    def exchanges(self) -> bool:
        """Whether weights are taken back."""
        return self.regrow > 0

    def density(self, progress: float, final: float) -> float:
        """Share of kept weights at a share of the training."""
        first = max(final, 1 - self.start)
        if progress >= self.ramp:
            return final
        return final + (first - final) * (1 - progress / self.ramp) ** 3

    def exchanged(self, progress: float) -> float:
        """Share of kept weights exchanged at a share of the training."""
        if progress >= self.regrow_until:
            return 0.0
        return self.regrow * 0.5 * (1 + math.cos(math.pi * progress / self.regrow_until))


class MaskSearch:
    """The masks of a training, which change as the schedule says.

    Args:
        names: of the weights.
        sizes: of the weights.
        target: weights kept in the end by name, or their number over all layers (then the ranking splits it).
        schedule: when and how.
        held: masks that must stay: False is never taken back.
    """

    def __init__(
        self,
        names: Sequence[str],
        sizes: Sequence[int],
        target: Mapping[str, int] | int,
        schedule: Schedule,
        held: Sequence[torch.Tensor],
    ) -> None:
        self.schedule = schedule
        self._names, self._sizes, self._target = tuple(names), tuple(sizes), target
        self._held = list(held)

    @property
    def identity(self) -> str:
        """Tells one search from another."""
        return f"{self._target} {self.schedule}"

    def due(self, step: int, steps: int, masks: Sequence[Any]) -> bool:
        """Whether masks change before this step; the target is met when the ramp ends, however few steps there are."""
        schedule = self.schedule
        progress = step / max(1, steps)
        if steps == step or progress >= schedule.ramp:
            final = self.counts(1.0)
            have = [int(mask.sum()) for mask in masks]
            if sum(have) > final if isinstance(final, int) else any(a > b for a, b in zip(have, final)):
                return True
        every = max(1, min(schedule.refresh_steps, int(steps * schedule.ramp) // _FEWEST_CHANGES))
        return step < steps and step % every == 0 and schedule.changes(progress)

    def counts(self, progress: float) -> list[int] | int:
        """Weights kept at a share of the training, by layer or in all."""
        total = sum(self._sizes)
        if isinstance(self._target, int):
            return max(self._target, round(total * self.schedule.density(progress, self._target / total)))
        final = [self._target[name] for name in self._names]
        wanted = self.schedule.density(progress, sum(final) / total) * total / max(1, sum(final))
        return [max(count, min(size, round(count * wanted))) for count, size in zip(final, self._sizes)]

    def change(
        self, progress: float, weights: Sequence[Any], masks: Sequence[Any], seen: Importance | None
    ) -> list[Any]:
        """The next masks.

        Args:
            progress: share of the training, 0..1.
            weights: as they are.
            masks: as they are.
            seen: None ranks by magnitude.
        """
        scores = [weight.detach().abs() for weight in weights] if seen is None else seen.cost(weights)
        scores = [score * mask * held for score, mask, held in zip(scores, masks, self._held)]
        wanted = self.counts(progress)
        regrows = seen is not None and self.schedule.exchanges
        free = [held.bool() if regrows else held.bool() & mask.bool() for held, mask in zip(self._held, masks)]
        spare = [(1 + weight.detach().abs()) * place for weight, place in zip(weights, free)]
        share = self.schedule.exchanged(progress) if seen is not None else 0.0
        kept = self._with_floors(_best(scores, _less(wanted, share)), scores, spare, wanted, share)
        if regrows and seen is not None:
            gains = [gain * place * ~mask for gain, place, mask in zip(seen.gain(), free, kept)]
            kept = _joined(kept, _best(gains, _rest(wanted, kept)))
        # Where neither cost nor gain tells weights apart, the largest fill the count: never fewer than asked.
        return _joined(kept, _best([extra * ~mask for extra, mask in zip(spare, kept)], _rest(wanted, kept)))

    def _with_floors(
        self, found: list[Any], scores: list[Any], spare: list[Any], wanted: list[int] | int, share: float
    ) -> list[Any]:
        """What was found, or the best that leaves every layer its floor where the ranking splits the count."""
        floors = [min(self.schedule.floor, int((extra > 0).sum())) for extra in spare]
        if not isinstance(wanted, int) or all(int(mask.sum()) >= floor for mask, floor in zip(found, floors)):
            return found
        always = _best(scores, floors)
        always = _joined(always, _best([extra * ~mask for extra, mask in zip(spare, always)], _rest(floors, always)))
        rest = [score * ~mask for score, mask in zip(scores, always)]
        left = wanted - int(share * wanted) - sum(floors)
        return _joined(always, _best(rest, max(0, left)))


def _best(scores: list[Any], counts: list[int] | int) -> list[Any]:
    """The largest scores above 0, which may be fewer than asked: what is worth nothing makes room for others."""
    live = [int((score.float() > 0).sum()) for score in scores]
    if isinstance(counts, int):
        return largest_of_all(scores, min(counts, sum(live)))
    return largest_of_each(scores, [min(count, n) for count, n in zip(counts, live)])


def _joined(masks: list[Any], more: list[Any]) -> list[Any]:
    return [mask | other for mask, other in zip(masks, more)]


def _less(counts: list[int] | int, share: float) -> list[int] | int:
    if isinstance(counts, int):
        return counts - int(share * counts)
    return [count - int(share * count) for count in counts]


def _rest(counts: list[int] | int, kept: Sequence[Any]) -> list[int] | int:
    have = [int(mask.sum()) for mask in kept]
    if isinstance(counts, int):
        return max(0, counts - sum(have))
    return [max(0, count - found) for count, found in zip(counts, have)]
