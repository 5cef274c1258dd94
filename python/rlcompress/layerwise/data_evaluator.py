"""Judges plans on rows of data: exact, and from the layer on that changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlcompress.errors import EvaluationError, InvalidValueError, UnsupportedError
from rlcompress.layerwise.black_box import finite_score
from rlcompress.layerwise.cached_forward import CachedForward
from rlcompress.layerwise.calibration import LayerCalibration, calibration_batch
from rlcompress.layerwise.metrics import METRICS, Metric, Rows, joined
from rlcompress.layerwise.program import Program
from rlcompress.layerwise.prunable import Prunable
from rlcompress.layerwise.recovery import Recovery
from rlcompress.layerwise.rows import Batch
from rlcompress.layerwise.working_weights import WorkingWeights
from rlcompress.optional import require
from rlcompress.training.private_copy import preserved_generators, seeded_generators

Outputs = Iterator[tuple[Batch, Any]]


@dataclass(frozen=True)
class Verdict:
    """Whether a score reaches a bar, as far as it was looked at.

    Attributes:
        reached: whether it does.
        score: mean over the rows seen; the exact score when those are all.
        lower, upper: confidence bounds of the score over all rows.
        rows: rows seen.
    """

    reached: bool
    score: float
    lower: float
    upper: float
    rows: int


class DataEvaluator:
    """See `evaluator`, which makes it.

    Attributes:
        spent: network evaluations so far.
        recovery: with which plans are judged.
        notes: why nothing is cached, where that is so.
        untraced: why the model cannot be traced, so that it can be neither cached nor recovered; empty where it can.
    """

    def __init__(
        self,
        prunable: Prunable,
        batches: Sequence[Batch],
        metric: Metric,
        recovery: frozenset[Recovery],
        cache_bytes: int | None,
        calibration: Batch | None = None,
    ) -> None:
        self._prunable, self._metric, self._calibration = prunable, metric, calibration
        self._cache_bytes = cache_bytes
        self._model = prunable.working_copy()
        self._weights = WorkingWeights(prunable, self._model)
        self._batches = tuple(batches)
        if not callable(metric):
            _check_targets(self._batches)
        self.rows = sum(batch.rows for batch in self._batches)
        self.notes: tuple[str, ...] = ()
        self.untraced = ""
        self.spent = 0.0
        self._scores: dict[tuple[int, ...], float] | None = None if cache_bytes is None else {}
        self._forward: CachedForward | None = None
        self._recovering: dict[frozenset[Recovery], DataEvaluator] = {}
        self.recovery = recovery
        dense = self._dense_outputs()
        if cache_bytes is not None or recovery:
            with preserved_generators():
                self._forward = self._cached(dense, cache_bytes or 0, recovery)

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker process traces the model anew: not every traced graph can be pickled, and caches stay at home."""
        made_of = (self._prunable, self._batches, self._metric, self.recovery, self._cache_bytes, self._calibration)
        return DataEvaluator, made_of

    @property
    def prunable(self) -> Prunable:
        """The model that is judged."""
        return self._prunable

    @property
    def by_function(self) -> bool:
        """Whether the metric is a function of the user's, of which nothing is known."""
        return callable(self._metric)

    @property
    def batches(self) -> tuple[Batch, ...]:
        """The rows that judge."""
        return self._batches

    def recovering(
        self, recovery: frozenset[Recovery], batches: Sequence[Batch] | None = None, calibration: Batch | None = None
    ) -> DataEvaluator:
        """The same judge with another recovery; it keeps no activations. On the same rows it is made once.

        Args:
            recovery: what to estimate again.
            batches: other rows to judge on.
            calibration: rows to estimate from; default: the first ones that judge.

        Raises:
            InvalidValueError: the model cannot be traced.
        """
        if batches is not None or calibration is not None:
            return DataEvaluator(self._prunable, batches or self._batches, self._metric, recovery, 0, calibration)
        if recovery not in self._recovering:
            made = DataEvaluator(self._prunable, self._batches, self._metric, recovery, 0)
            self._recovering[recovery] = made
        return self._recovering[recovery]

    @property
    def cached(self) -> bool:
        """Whether forwards start in the middle."""
        return self._forward is not None

    def score(self, kept: Sequence[int]) -> float:
        """Score over all rows; see `Evaluator.score`."""
        plan = self._prunable.plan(kept).kept
        if self._scores is not None and plan in self._scores:
            return self._scores[plan]
        score = finite_score(self._judge(plan), plan)
        if self._scores is not None:
            self._scores[plan] = score
        return score

    def predictions(self, kept: Sequence[int]) -> Any:
        """The model's outputs over all rows, in the evaluator's order; see `joined`."""
        plan = self._prunable.plan(kept).kept
        with seeded_generators(0):
            return joined([output for _, output in self._outputs(plan)])

    def model(self, kept: Sequence[int]) -> Any:
        """The module that `score` judges under these counts, recovered as asked: a copy in the user's model's mode."""
        plan = self._prunable.plan(kept)
        twin = self._prunable.apply(plan)
        if not self.recovery or self._forward is None:
            return twin
        torch = require("torch")
        with preserved_generators(), torch.no_grad():
            self._forward.recover(plan.kept)
            found = dict([*self._model.named_parameters(), *self._model.named_buffers()])
            for name, value in (*twin.named_parameters(), *twin.named_buffers()):
                value.copy_(found[name])
        return twin

    def release(self) -> None:
        """Give the memory of cached activations back; scores stay, and what is judged next fills it again."""
        if self._forward is not None:
            self._forward.release()

    def score_layer(self, kept: Sequence[int], layer: int, counts: Sequence[int]) -> list[float]:
        """Scores with each of `counts` in one layer's place, all from the values cached at its entry."""
        return [self.score([*kept[:layer], count, *kept[layer + 1 :]]) for count in counts]

    def cost(self, layer: int) -> float:
        """Network evaluations that a change of this layer alone costs, once the values at its entry are cached."""
        if self._forward is None:
            return 1.0
        return next(stage.share for stage in reversed(self._forward.stages) if stage.first <= layer)

    def reaches(self, kept: Sequence[int], bar: float, z: float = 2.58) -> Verdict:
        """Whether the score is at least `bar`, looking at a growing part of the rows until the bounds say so.

        Args:
            kept: weights kept per layer.
            bar: score to reach.
            z: standard errors of benefit of the doubt, > 0. Infinity looks at all rows.

        Raises:
            InvalidValueError: the metric is a function: it has no value per row.
            EvaluationError: as `score`.

        Source: E. B. Wilson (1927), for shares; normal bounds for other metrics.
        """
        if callable(self._metric):
            raise InvalidValueError("metric: a named metric expected, a function of all rows has no bounds")
        plan = self._prunable.plan(kept).kept
        seen: list[Rows] = []
        checked = 1
        with seeded_generators(0):
            for batch, output in self._outputs(plan):
                seen.append(METRICS[self._metric](output, batch.targets))
                if len(seen) < checked or len(seen) == len(self._batches):
                    continue
                checked *= 2
                verdict = _verdict(np.concatenate(seen), bar, z, self._metric == "accuracy")
                if not verdict.lower < bar <= verdict.upper:
                    return verdict
        score = finite_score(np.concatenate(seen).mean(), plan)
        if self._scores is not None:
            self._scores[plan] = score
        return Verdict(score >= bar, score, score, score, self.rows)

    def _judge(self, plan: tuple[int, ...]) -> float:
        try:
            with seeded_generators(0):
                return self._measure(self._outputs(plan))
        except InvalidValueError:
            raise
        except Exception as error:
            raise EvaluationError(f"the model failed under {plan}: {type(error).__name__}: {error}") from error

    def _measure(self, outputs: Outputs) -> float:
        if not callable(self._metric):
            rows = METRICS[self._metric]
            return float(np.concatenate([rows(output, batch.targets) for batch, output in outputs]).mean())
        pairs = [(output, batch.targets) for batch, output in outputs]
        return float(self._metric(joined([pair[0] for pair in pairs]), joined([pair[1] for pair in pairs])))

    def _outputs(self, plan: tuple[int, ...]) -> Outputs:
        if self._forward is None:
            yield from self._plain(plan)
            return
        before = self._forward.spent
        try:
            yield from self._forward.outputs(plan)
        finally:
            self.spent += self._forward.spent - before

    def _plain(self, plan: tuple[int, ...]) -> Outputs:
        self._weights.set(plan)
        for batch in self._batches:
            with require("torch").no_grad():
                output = _call(self._model, batch)
            self.spent += batch.rows / self.rows
            yield batch, output

    def _dense_outputs(self) -> list[Any]:
        """Outputs of the dense model on the first and the last batch, plainly.

        Raises:
            InvalidValueError: data that do not fit the model or the metric.
        """
        found = []
        for batch in {id(batch): batch for batch in (self._batches[0], self._batches[-1])}.values():
            shapes = [tuple(value.shape) for value in (*batch.args, *batch.kwargs.values()) if hasattr(value, "shape")]
            try:
                with seeded_generators(0), require("torch").no_grad():
                    output = _call(self._model, batch)
            except Exception as error:
                raise InvalidValueError(
                    f"data: the model cannot run on rows of shape {shapes}: {type(error).__name__}: {error}"
                ) from error
            if not callable(self._metric):
                METRICS[self._metric](output, batch.targets)
            found.append((batch, output))
        return found

    def _cached(self, dense: list[Any], cache_bytes: int, recovery: frozenset[Recovery]) -> CachedForward | None:
        """The forward that starts in the middle, or None with a note where the module does not allow it."""
        try:
            # Another seed than the plain run: a model that draws gives other outputs, so nothing of it is cached.
            with seeded_generators(1), require("torch").no_grad():
                program = Program(self._model, self._weights.modules, self._weights.parameters)
                for batch, output in dense:
                    found = program.run(program.inputs(batch.args, batch.kwargs), 0, {})
                    if not _same(found, output):
                        raise UnsupportedError("gives other outputs when traced")
        except UnsupportedError as error:
            reason = f"{type(self._model).__name__} {error}"
            if recovery:
                raise InvalidValueError(f"recovery: {sorted(recovery)} needs a traced model, {reason}") from error
            self.notes, self.untraced = (f"no activations are cached: {reason}",), reason
            return None
        if not recovery:
            return CachedForward(program, self._weights, self._batches, cache_bytes)
        calibration = LayerCalibration(program, self._weights, recovery)
        self.notes = calibration.notes
        batches = [self._calibration or calibration_batch(self._batches), *self._batches]
        return CachedForward(program, self._weights, batches, cache_bytes, calibration)


def _check_targets(batches: Sequence[Batch]) -> None:
    """A function as metric may know what to do with NaN; a named one gives NaN as score."""
    found = sum(int((~batch.targets.isfinite()).sum()) for batch in batches)
    if found:
        raise InvalidValueError(f"data: finite targets expected, found {found} NaN or infinite values; drop such rows")


def _call(model: Any, batch: Batch) -> Any:
    """The model's output; it may work in place on what it is given, so it gets a copy."""
    torch = require("torch")
    args = [value.clone() if isinstance(value, torch.Tensor) else value for value in batch.args]
    kwargs = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in batch.kwargs.items()}
    return model(*args, **kwargs)


def _same(found: Any, wanted: Any) -> bool:
    torch = require("torch")
    if isinstance(wanted, torch.Tensor):
        return isinstance(found, torch.Tensor) and bool(torch.equal(found, wanted))
    if isinstance(wanted, (tuple, list)):
        return len(found) == len(wanted) and all(_same(one, other) for one, other in zip(found, wanted))
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[key], wanted[key]) for key in wanted)
    return bool(found == wanted)


def _verdict(values: Rows, bar: float, z: float, share: bool) -> Verdict:
    mean, count = float(values.mean()), values.size
    if math.isinf(z):
        return Verdict(mean >= bar, mean, -math.inf, math.inf, count)
    if share:
        centre = (mean + z * z / (2 * count)) / (1 + z * z / count)
        width = z * math.sqrt(mean * (1 - mean) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    else:
        centre, width = mean, z * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    return Verdict(mean >= bar, mean, centre - width, centre + width, count)
