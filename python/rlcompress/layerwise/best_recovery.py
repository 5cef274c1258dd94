"""Which recovery helps a plan, told by rows that it was not estimated from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rlcompress.errors import EvaluationError, InvalidValueError
from rlcompress.layerwise.calibration import CALIBRATION_ROWS, calibration_batch
from rlcompress.layerwise.data_evaluator import DataEvaluator
from rlcompress.layerwise.prunable import Prunable
from rlcompress.layerwise.recovery import Recovery
from rlcompress.layerwise.rows import Batch, part_of
from rlcompress.optional import require

NONE: frozenset[Recovery] = frozenset()
_MOST_OPERATIONS = 1e12
"""For the moments of all layers: about a minute of one core. Larger networks are not fitted by least squares here."""


@dataclass(frozen=True)
class BestRecovery:
    """What a plan is to be recovered by.

    Args:
        recovery: empty where none helps.
        spent: network evaluations that telling it took, those of a part of the rows by their share.
        score: over all rows, recovered so; NaN where none helps.
        reason: why none helps, with figures; empty where one does.
    """

    recovery: frozenset[Recovery]
    spent: float = 0.0
    score: float = math.nan
    reason: str = ""


class RecoveryTrial:
    """Recoveries tried on plans of one model, as `of` says. What is made for one plan serves the others.

    Args:
        judge: of plans as they are pruned, on labelled rows.
    """

    def __init__(self, judge: DataEvaluator) -> None:
        self._judge = judge
        seen, self._unseen = _halves(judge.batches)
        self._calibration = calibration_batch(seen) if seen else None
        self._possible = _possible(judge.prunable)
        self._halves: dict[frozenset[Recovery], DataEvaluator] = {}

    def of(
        self,
        kept: Sequence[int],
        rival: Sequence[int] | None = None,
        among: Sequence[frozenset[Recovery]] | None = None,
    ) -> BestRecovery:
        """The recovery that scores this plan best on one half of the judge's rows, estimated from the other half.

        Args:
            kept: weights kept per layer.
            rival: a plan that has to be beaten too, as it is pruned.
            among: recoveries to try; default: all that the network has layers for and its size allows.

        Returns:
            No recovery where none helps, there too or over all rows, or the model cannot be traced.
        """
        tried = list(self._possible if among is None else among)
        if (reason := self._hindrance(tried)) is not None:
            return BestRecovery(NONE, reason=reason)
        bar = max(self._merit(NONE, plan) for plan in (kept, rival or kept))
        best = max(tried, key=lambda recovery: self._merit(recovery, kept))
        found = self._merit(best, kept)
        spent = (len(tried) + 1) * sum(batch.rows for batch in self._unseen) / self._judge.rows
        if not found > bar:
            return BestRecovery(NONE, spent, reason=_refused("on rows held back from it", best, found, bar))
        whole, as_pruned = _score(self._judge.recovering(best), kept), self._judge.score(kept)
        spent += 1.0  # the plan itself was judged before
        if not whole > as_pruned:
            return BestRecovery(NONE, spent, reason=_refused("over all rows", best, whole, as_pruned))
        return BestRecovery(best, spent, whole)

    def _hindrance(self, tried: Sequence[frozenset[Recovery]]) -> str | None:
        """Why nothing can be tried, or None."""
        if self._judge.untraced:
            return self._judge.untraced
        if not self._unseen:
            return "one row leaves none to hold back"
        return None if tried else "the model has no BatchNorm and is too large for least squares"

    def _merit(self, recovery: frozenset[Recovery], kept: Sequence[int]) -> float:
        """Score on the rows held back; what was scored before is remembered."""
        if recovery not in self._halves:
            try:
                self._halves[recovery] = self._judge.recovering(recovery, self._unseen, self._calibration)
            except InvalidValueError:  # these rows take another way through the model than those that traced it
                return -math.inf
        return _score(self._halves[recovery], kept)


def _score(judge: DataEvaluator, kept: Sequence[int]) -> float:
    try:
        return judge.score(kept)
    except EvaluationError:  # nothing finite comes out: no recovery
        return -math.inf


def _refused(where: str, recovery: frozenset[Recovery], found: float, bar: float) -> str:
    return f"{where}, {' and '.join(sorted(recovery))} scores {found:.4f} and the plan as pruned {bar:.4f}"


def _possible(prunable: Prunable) -> list[frozenset[Recovery]]:
    """What the network has layers for, and its size allows."""
    names: list[Recovery] = []
    norms = require("torch.nn.modules.batchnorm")._BatchNorm
    if any(isinstance(module, norms) and module.track_running_stats for module in prunable.working_copy().modules()):
        names.append("batchnorm")
    if _operations(prunable) <= _MOST_OPERATIONS:
        names.append("least_squares")
    return [*(frozenset([name]) for name in names), *([frozenset(names)] if len(names) > 1 else [])]


def _operations(prunable: Prunable) -> float:
    """Multiplications and additions for the moments that least squares takes."""
    total = 0.0
    for layer in prunable.layers:
        columns = layer.size // layer.weight.shape[0]
        total += 2.0 * CALIBRATION_ROWS * layer.macs / layer.size * columns**2 * layer.groups
    return total


def _halves(batches: Sequence[Batch]) -> tuple[list[Batch], list[Batch]]:
    """Every second batch, as loaders may have an order; of a single one its rows."""
    if len(batches) > 1:
        return list(batches[::2]), list(batches[1::2])
    whole, middle = batches[0], batches[0].rows // 2
    if middle == 0:
        return [], []
    return [part_of(whole, 0, middle)], [part_of(whole, middle, whole.rows)]
