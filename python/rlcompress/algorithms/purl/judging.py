"""What a search sees of a model: sizes to choose from, and a score per plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment, Kept, allotment
from rlcompress.algorithms.purl.config import Settings
from rlcompress.contract import Argmax, Raw
from rlcompress.engine.parallel import parallel_map
from rlcompress.errors import EvaluationError, InvalidValueError
from rlcompress.layerwise.allocate import BASELINES
from rlcompress.layerwise.best_recovery import RecoveryTrial
from rlcompress.layerwise.black_box import CallableEvaluator
from rlcompress.layerwise.data_evaluator import DataEvaluator
from rlcompress.layerwise.evaluate import Evaluator, evaluator
from rlcompress.layerwise.metrics import Metric
from rlcompress.layerwise.prepared_rows import prepared
from rlcompress.layerwise.prunable import Prunable, prunable
from rlcompress.layerwise.recovery import Recovery
from rlcompress.layerwise.rows import example_of
from rlcompress.layerwise.thresholds import alpha_counts
from rlcompress.network import Network
from rlcompress.problem import Problem, Split, Task


@dataclass(frozen=True)
class Scores:
    """What a judge says of plans.

    Args:
        values: one score per plan, -inf where the judge failed (then no candidate).
        spent: network evaluations.
        failure: what the judge said where it first failed; empty where it never did.
    """

    values: tuple[float, ...]
    spent: float
    failure: str


@dataclass(frozen=True)
class _Score:
    score: float
    spent: float
    failure: str


@dataclass(frozen=True, eq=False)
class Judge:
    """A model under judgement.

    Args:
        prunable: its weights.
        evaluator: scores plans.
        jobs: worker processes for several plans at once; no influence on scores.
    """

    prunable: Prunable
    evaluator: Evaluator
    jobs: int = 1

    @property
    def dense(self) -> Kept:
        """The plan that removes nothing."""
        return self.prunable.ceilings

    def dense_score(self) -> float:
        """Score of the model as it was given.

        Raises:
            EvaluationError: the judge failed on it, or gave no finite number.
        """
        return self.evaluator.score(self.dense)

    def scores(self, plans: Sequence[Kept]) -> Scores:
        """The scores of plans."""
        scoring = _Scoring(self.evaluator)
        if self.jobs > 1 and len(plans) > 1:
            found = parallel_map(scoring, list(plans), self.jobs)
        else:
            # Sorted, so that plans with the same first layers follow each other and share what is cached.
            by_plan = {plan: scoring(plan) for plan in sorted(set(plans))}
            found = [by_plan[plan] for plan in plans]
        failure = next((one.failure for one in found if one.failure), "")
        return Scores(tuple(one.score for one in found), sum(one.spent for one in found), failure)

    def model(self, kept: Kept) -> Any:
        """The module that a score speaks of: pruned to this plan, and recovered where plans are judged so."""
        if isinstance(self.evaluator, DataEvaluator):
            return self.evaluator.model(kept)
        return self.prunable.apply(self.prunable.plan(kept))

    @property
    def recovers(self) -> bool:
        """Whether models are recovered before they are judged."""
        return isinstance(self.evaluator, DataEvaluator) and bool(self.evaluator.recovery)

    @property
    def by_function(self) -> bool:
        """Whether a function of the user's scores: that larger is better is then only hoped."""
        if isinstance(self.evaluator, DataEvaluator):
            return self.evaluator.by_function
        return isinstance(self.evaluator, CallableEvaluator)

    def recovery_trial(self) -> RecoveryTrial | None:
        """Tells which recovery helps a plan; None where no rows judge, or every plan is recovered already."""
        if not isinstance(self.evaluator, DataEvaluator) or self.recovers:
            return None
        return RecoveryTrial(self.evaluator)

    def recovering(self, recovery: Sequence[Recovery]) -> Judge:
        """The same rows as judge of models that are recovered so; itself where nothing is."""
        if not recovery or not isinstance(self.evaluator, DataEvaluator):
            return self
        return replace(self, evaluator=self.evaluator.recovering(frozenset(recovery)))

    def release(self) -> None:
        """Give the memory of cached activations back."""
        if isinstance(self.evaluator, DataEvaluator):
            self.evaluator.release()

    def network(self, kept: Kept) -> Network:
        """The same as a `Network`, where it was made of one."""
        return self.prunable.network_of(self.model(kept), self.prunable.plan(kept))

    def start(self, allowed: Allotment, settings: Settings, name: str) -> Kept:
        """A free allocation at the budget; on the grid its nearest plan there."""
        if not allowed.feasible:
            return allowed.project(np.zeros(allowed.layers))
        # The budget counts in whole weights, so the share that is handed on is the one that gives it again.
        kept = BASELINES[name](self.prunable.layers, 1 - allowed.total / allowed.weights, settings.min_keep).kept
        return allowed.snap(kept) if allowed.levels else tuple(kept)

    def allotment(self, settings: Settings) -> Allotment:
        """The plans that the settings allow."""
        sizes, tops = self.prunable.sizes, self.prunable.ceilings
        levels: list[list[int]] = []
        if settings.grid == "alpha":
            counts = alpha_counts([layer.weight for layer in self.prunable.layers])
            levels = np.minimum(counts, np.array(tops)[:, None]).tolist()
        return allotment(sizes, settings.target_sparsity, settings.min_keep, tops, levels)


@dataclass(frozen=True, eq=False)
class _Scoring:
    """Callable for worker processes."""

    evaluator: Evaluator

    def __call__(self, plan: Kept) -> _Score:
        before = self.evaluator.spent
        try:
            score, failure = float(self.evaluator.score(plan)), ""
        except EvaluationError as error:
            score, failure = float("-inf"), str(error)
        return _Score(score, self.evaluator.spent - before, failure)


@dataclass(frozen=True, eq=False)
class ModelTask:
    """The name of what is pruned, where it is no task of the registry."""

    name: str


@dataclass(frozen=True, eq=False)
class FinalRows:
    """Rows for final figures, that no search sees.

    Args:
        plain: judge on them of models as they are pruned.
        data: as the module takes them.
        metric: of them.
    """

    plain: Judge
    data: Any
    metric: Metric

    def judge(self, judge: Judge) -> Judge:
        """The judge on these rows of the models that this judge of a search gives."""
        if not judge.recovers:
            return self.plain
        return Judge(judge.prunable, _Returned(judge, self.data, self.metric))


def final_rows(target: Prunable, test: Any, metric: Metric) -> FinalRows | None:
    """These rows for final figures; None without any.

    Raises:
        InvalidValueError: rows that do not fit.
    """
    if test is None:
        return None
    plain = evaluator(target, data=test, metric=metric, cache_bytes=0)  # a few plans, each once
    return FinalRows(Judge(target, plain), prepared(target.network, test), metric)


@dataclass(frozen=True, eq=False)
class ModelProblem:
    """A torch module to prune: what the process takes in place of a `Problem` of networks.

    Args:
        judge: of the search.
        task: its name for the log.
        final: rows that the search never sees, or None.
        seed, jobs: as in `Problem`.
        gradual: whether a training of the dense model follows, in which weights go down to the plan's counts.
    """

    judge: Judge
    task: ModelTask
    final: FinalRows | None = None
    seed: int = 0
    jobs: int = 1
    gradual: bool = False


def judge_of(problem: Problem | ModelProblem, settings: Settings) -> Judge:
    """The judge of a problem: rows of the task's search split from cached activations, or its own scoring.

    Raises:
        InvalidValueError: nothing to prune, or a task that does not fit.
    """
    if isinstance(problem, ModelProblem):
        return problem.judge
    model, task = prunable(problem.teacher), problem.task
    recovery = settings.judged_with
    rows = getattr(task, "rows", None)
    if rows is not None and isinstance(problem.teacher.contract.head, (Argmax, Raw)):
        x, y = rows("search")
        metric = getattr(task, "metric", "accuracy")
        data = x, y if metric == "accuracy" else y.reshape(len(y), -1)  # the evaluator prepares x
        return Judge(model, evaluator(model, data=data, metric=metric, recovery=recovery))
    if recovery is not None:
        raise InvalidValueError(f"recovery: {recovery} needs rows of data; task {task.name} gives none")
    return Judge(model, evaluator(model, task=task, episodes=units_of(task, "search", 32)))


def score_as_it_is(module: Any, metric: Metric, data: Any = None, evaluate: Any = None) -> float:
    """Score of a module, nothing pruned and nothing recovered; give `data`, as the module takes them, or `evaluate`."""
    target = prunable(module, None if data is None else example_of(data))
    judge = evaluator(target, data=data, evaluate=evaluate, metric=metric, cache=False)
    return judge.score(target.ceilings)


@dataclass
class _Returned:
    """Scores what was recovered on the rows of the search: recovered on these, it would be another model."""

    judge: Judge
    data: Any
    metric: Metric
    spent: float = 0.0

    def score(self, kept: Sequence[int]) -> float:
        self.spent += 1.0
        return score_as_it_is(self.judge.model(tuple(kept)), self.metric, self.data)


def units_of(task: Task, split: Split, otherwise: int) -> int:
    """Units to judge on: all that the split holds, or a number for tasks without end."""
    count = task.count(split)
    return otherwise if count is None else count
