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
    """

    recovery: frozenset[Recovery]
    spent: float = 0.0


def best_recovery(judge: DataEvaluator, kept: Sequence[int]) -> BestRecovery:
    """The recovery that scores this plan best on one half of the judge's rows, estimated from the other half.

    Args:
        judge: of plans as they are pruned, on labelled rows.
        kept: weights per layer.

    Returns:
        No recovery where none helps, there too or over all rows, or the model cannot be traced.
    """
    seen, unseen = _halves(judge.batches)
    if not seen or not unseen:
        return BestRecovery(NONE)
    calibration = calibration_batch(seen)

    def merit(recovery: frozenset[Recovery]) -> float:
        return _score(judge, recovery, kept, unseen, calibration)

    tried = (NONE, *_possible(judge.prunable))
    spent = len(tried) * sum(batch.rows for batch in unseen) / judge.rows
    best = max(tried, key=merit)
    if not best:
        return BestRecovery(NONE, spent)
    helps = _score(judge, best, kept) > judge.score(kept)
    return BestRecovery(best if helps else NONE, spent + 1.0)  # the plan itself was judged before


def _score(
    judge: DataEvaluator,
    recovery: frozenset[Recovery],
    kept: Sequence[int],
    batches: Sequence[Batch] | None = None,
    calibration: Batch | None = None,
) -> float:
    try:
        return judge.recovering(recovery, batches, calibration).score(kept)
    except (EvaluationError, InvalidValueError):  # not traceable, or nothing finite comes out: no recovery
        return -math.inf


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
