"""Judges that see a whole model: a function of the user's, or a task."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rlcompress.errors import EvaluationError, UnsupportedError
from rlcompress.importers.torch_module import from_torch
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.prunable import Prunable
from rlcompress.problem import Task
from rlcompress.training.private_copy import preserved_generators

if TYPE_CHECKING:
    import torch


class _WholeModel(ABC):
    """Remembers scores; one call of the judge is one network evaluation."""

    def __init__(self, prunable: Prunable, cache: bool) -> None:
        self.spent = 0.0
        self.notes: tuple[str, ...] = ()
        self._prunable = prunable
        self._scores: dict[tuple[int, ...], float] | None = {} if cache else None

    def score(self, kept: Sequence[int]) -> float:
        """Score under these counts; see `Evaluator.score`."""
        plan = self._prunable.plan(kept)
        if self._scores is not None and plan.kept in self._scores:
            return self._scores[plan.kept]
        self.spent += 1.0
        try:
            with preserved_generators():
                value = self._judge(plan)
        except Exception as error:
            raise EvaluationError(f"the judge failed on {plan.kept}: {type(error).__name__}: {error}") from error
        score = finite_score(value, plan.kept)
        if self._scores is not None:
            self._scores[plan.kept] = score
        return score

    def cost(self, layer: int) -> float:
        """Network evaluations that a change of this layer alone costs."""
        return 1.0

    @abstractmethod
    def _judge(self, plan: Plan) -> Any:
        """What the judge says of a plan."""


class CallableEvaluator(_WholeModel):
    """A function of a module with real zeros. Each call gets its own copy, in evaluation mode."""

    def __init__(self, prunable: Prunable, evaluate: Callable[[torch.nn.Module], float], cache: bool) -> None:
        super().__init__(prunable, cache)
        self._evaluate = evaluate

    def _judge(self, plan: Plan) -> Any:
        return self._evaluate(self._prunable.apply(plan).eval())


class TaskEvaluator(_WholeModel):
    """A task that judges networks on its `search` split.

    Raises:
        UnsupportedError: the model is no `Network` and cannot become one.
        InvalidValueError: the task refuses the network.
    """

    def __init__(self, prunable: Prunable, task: Task, units: int, cache: bool) -> None:
        super().__init__(prunable, cache)
        self._task = task
        self._units = units
        task.check(self._network(prunable.plan(prunable.ceilings)))

    def _network(self, plan: Plan) -> Any:
        network = self._prunable.network
        if network is not None:
            return self._prunable.apply_network(plan)
        found = from_torch(self._prunable.apply(plan))
        contract = getattr(self._task, "contract", None)
        if contract is None:
            return found
        try:
            return replace(found, contract=contract)
        except ValueError as error:
            raise UnsupportedError(f"the model does not fit the task: {error}; give a Network instead") from error

    def _judge(self, plan: Plan) -> Any:
        return self._task.score(self._network(plan), "search", 0, self._units).mean


def finite_score(value: Any, kept: Sequence[int]) -> float:
    """The value as a finite number.

    Raises:
        EvaluationError: it is none.
    """
    try:
        score = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise EvaluationError(f"the judge gave {value!r} for {tuple(kept)}; a number was expected") from None
    if not math.isfinite(score):
        raise EvaluationError(f"the judge gave {score} for {tuple(kept)}; a finite number was expected")
    return score
