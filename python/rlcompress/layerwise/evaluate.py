"""`evaluator`: how good a model is under a plan, exactly and as cheaply as may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from rlcompress.errors import InvalidValueError
from rlcompress.layerwise.black_box import CallableEvaluator, TaskEvaluator
from rlcompress.layerwise.data_evaluator import DataEvaluator
from rlcompress.layerwise.metrics import METRICS, Metric
from rlcompress.layerwise.prepared_rows import prepared
from rlcompress.layerwise.prunable import Prunable
from rlcompress.layerwise.recovery import Recovery, recoveries
from rlcompress.layerwise.rows import read_batches
from rlcompress.problem import Task

if TYPE_CHECKING:
    import torch

CACHE_BYTES = 1 << 30


@runtime_checkable
class Evaluator(Protocol):
    """Judges plans. The same counts always give the same score.

    Attributes:
        spent: network evaluations so far: 1.0 is one forward over the whole evaluation set, a run from the middle
            counts its share of multiply-accumulates, a remembered score nothing. May be set.
    """

    spent: float

    def score(self, kept: Sequence[int]) -> float:
        """Score of the model that keeps these counts per layer; larger is better.

        Raises:
            EvaluationError: the judge failed or gave no finite number.
            InvalidValueError: counts that do not fit the layers.
        """
        ...


def evaluator(
    prunable: Prunable,
    *,
    data: Any = None,
    metric: Metric = "accuracy",
    evaluate: Callable[[torch.nn.Module], float] | None = None,
    task: Task | None = None,
    cache: bool = True,
    recovery: Recovery | Sequence[Recovery] | None = None,
    batch_size: int = 250,
    cache_bytes: int = CACHE_BYTES,
    episodes: int = 16,
) -> Evaluator:
    """The judge of a model's plans; give exactly one of `data`, `evaluate` and `task`.

    Args:
        prunable: the model.
        data: `(x, y)` arrays or a DataLoader; read once and held in memory.
        metric: `accuracy`, `cross_entropy`, `squared_error` (one number per row each, larger is better) or a function
            of (outputs, targets).
        evaluate: any function of a module with real zeros in evaluation mode, larger is better. It gets a fresh copy
            at each call and may do with it what it likes.
        task: judges a `Network` on the `search` split, such as `PolicyTask` by episodic return.
        cache: keep activations and scores. The scores are the same without.
        recovery: `batchnorm` (statistics estimated again) and `least_squares` (what is kept of a layer is fitted to
            what its dense weights give), on the first 512 rows of `data`, layer by layer from the front.
        batch_size: rows per batch of arrays.
        cache_bytes: memory for activations.
        episodes: units of the task per score.

    Raises:
        InvalidValueError: none or several judges, a setting out of range, or data that do not fit the model.
    """
    given = [name for name, value in (("data", data), ("evaluate", evaluate), ("task", task)) if value is not None]
    if len(given) != 1:
        raise InvalidValueError(f"exactly one of data, evaluate and task expected, found {given or 'none'}")
    if recovery is not None and data is None:
        raise InvalidValueError(f"recovery: {recovery!r} needs data; {given[0]} was given")
    if batch_size < 1 or cache_bytes < 0 or episodes < 1:
        raise InvalidValueError(
            "batch_size and episodes >= 1 and cache_bytes >= 0 expected, "
            f"found {batch_size}, {episodes} and {cache_bytes}"
        )
    if evaluate is not None:
        return CallableEvaluator(prunable, evaluate, cache)
    if task is not None:
        return TaskEvaluator(prunable, task, episodes, cache)
    if not callable(metric) and metric not in METRICS:
        raise InvalidValueError(f"metric: one of {sorted(METRICS)} or a function expected, found {metric!r}")
    batches = read_batches(prepared(prunable.network, data), prunable.working_copy(), batch_size)
    return DataEvaluator(prunable, batches, metric, recoveries(recovery), cache_bytes if cache else None)
