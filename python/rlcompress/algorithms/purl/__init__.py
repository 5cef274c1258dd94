"""PuRL: sparsity per layer by search and learning, our default (`PuRL()`) and the paper's (`PuRL.paper()`).

Source: M. Gupta, S. Aravindan, A. Kalisz, V. Chandrasekhar, L. Jie, "Learning to Prune Deep Neural Networks via
Reinforcement Learning", arXiv 2007.04756, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from rlcompress.algorithms.purl.agent import Agent, agent_step
from rlcompress.algorithms.purl.allotment import Allotment
from rlcompress.algorithms.purl.config import Settings
from rlcompress.algorithms.purl.judging import Judge, ModelProblem, judge_of
from rlcompress.algorithms.purl.outcome import final_step, outcome_of
from rlcompress.algorithms.purl.searching import damage_step, pareto_step, search_step, start
from rlcompress.algorithms.purl.state import State
from rlcompress.engine.events import Emit
from rlcompress.engine.last_made import LastMade
from rlcompress.problem import Problem


@dataclass(frozen=True)
class PuRL(Settings):
    """Choose how sparse each layer gets, at a sparsity that is promised.

    Phases: `starts` (LAMP, ERK, global magnitude, uniform), `distortion` and `around` (damages of single layers, from
    the dense model and from the best plan, and the dynamic programme over each), `agent` (DQN whose plans are projected
    onto the budget), `search` (variations of the best plans), `pareto`, `final`. The plan returned is the best one ever
    judged that keeps the promise, so it is never worse than the starts. At the end it and the starts are recovered
    without training where rows judge, rows held back gain by it and no gradual training follows, and the best of them
    all is returned (`recovery`).

    Deviates from the paper in all but the agent and its environment; `PuRL.paper()` is the published one.
    """

    algorithm: ClassVar[str] = "purl"
    state_type: ClassVar[type[State]] = State

    @classmethod
    def paper(cls, **settings: Any) -> PuRL:
        """The published agent: 23 thresholds, dense reward, soft targets, no start but the dense network.

        Args:
            settings: fields that differ from these.
        """
        base: dict[str, Any] = {"exact": False, "grid": "alpha", "starts": (), "distortion": False, "search": "none"}
        base |= {"episodes": 100, "reward": "dense", "pareto": 0, "recovery": "none"}
        return cls(**{**base, **settings})

    def start(self, problem: Problem, emit: Emit) -> State:
        """Judge the dense network and the free allocations."""
        return start(*self._scene(problem), self, emit)

    def done(self, problem: Problem, state: State) -> bool:
        return state.phase == "done"

    def step(self, problem: Problem, state: State, emit: Emit) -> State:
        """One batch of plans, block of episodes, or the final figures."""
        judge, allowed = self._scene(problem)
        if state.phase in ("distortion", "around"):
            return damage_step(judge, allowed, self, state, emit)
        if state.phase == "agent":
            if self.agent_share == 0 and self.episodes == 0:
                return replace(state, phase="search")
            made = self._made(problem)  # its agent spares replaying; the state alone decides what comes next
            state, made.live = agent_step(judge, allowed, self, state, problem.seed, emit, made.live)
            return state
        if state.phase == "search":
            return search_step(judge, allowed, self, state, problem.seed, emit)
        if state.phase == "pareto":
            return pareto_step(judge, allowed, self, state, emit)
        return final_step(problem, judge, allowed, self, state, emit)

    def finish(self, problem: Problem, state: State, emit: Emit) -> Any:
        """The result so far: a `PruningResult`, or `Findings` where a torch module is pruned."""
        judge, allowed = self._scene(problem)
        found = outcome_of(problem, judge, allowed, self, state)
        judge.release()  # what was made last outlives the run, and fine-tuning may follow
        return found

    def _scene(self, problem: Problem | ModelProblem) -> tuple[Judge, Allotment]:
        """Judge and budget of a problem, made once: the judge holds the caches."""
        made = self._made(problem)
        return made.judge, made.allowed

    def _made(self, problem: Problem | ModelProblem) -> _Made:
        return _MADE.get((self, problem), lambda: _made(self, problem))


@dataclass
class _Made:
    """What a run keeps from step to step."""

    judge: Judge
    allowed: Allotment
    live: Any = None


_MADE: LastMade[_Made] = LastMade()


def _made(settings: PuRL, problem: Problem | ModelProblem) -> _Made:
    judge = judge_of(problem, settings)
    return _Made(judge, judge.allotment(settings))


__all__ = ["Agent", "PuRL"]
