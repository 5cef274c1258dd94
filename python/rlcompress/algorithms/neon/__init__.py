"""NEON: a dense network narrowed, or replaced by a smaller one, at a tolerance that is tested.

Source: L. Hirsch, G. Katz, "Multi-objective pruning of dense neural networks using deep reinforcement learning",
Information Sciences 610, 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.outcome import NEONResult, outcome_of
from rlcompress.algorithms.neon.picking import Picker, picker_of
from rlcompress.algorithms.neon.scene import Scene, dense_on_rows, scene_of
from rlcompress.algorithms.neon.state import State
from rlcompress.algorithms.neon.view import Facts
from rlcompress.algorithms.neon.working import facts_of, final_step, first_state, move_step, test_step
from rlcompress.engine.events import Emit, PhaseStarted
from rlcompress.engine.last_made import LastMade
from rlcompress.problem import Problem

if TYPE_CHECKING:
    from rlcompress.algorithms.neon_paper import PaperNEON


@dataclass(frozen=True)
class NEON(Settings):
    """Make a dense network small at a tolerance that is tested, with an agent that picks what to try.

    Phases: `moves` (each trains a handful of students at once: narrower layers with inherited weights, fewer layers,
    fewer inputs, or fresh flat students; the agent chooses arm and size and when to stop), `tests` (a series that is
    fixed beforehand, on rows that no choice has seen), `final`. What is not proven within the tolerance is not
    returned: then the network stays as it is, with the reason.

    Rows: the task's training rows teach the students, `screen` chooses among them, `search` and `accept` together test,
    `final` is for the reported figure. Give rows that the network was not trained on; a task with a large `validation`
    share proves more. Costs in microseconds are measured, so such a run repeats only roughly.

    Scores of values are R2, a mean over outputs, each by its own variance on the learning rows: see `NEONResult`.

    Deviates from the paper in actions, state, reward and learner: one agent for all tolerances and targets, inherited
    weights instead of fresh ones, and acceptance by a paired bound.
    """

    algorithm: ClassVar[str] = "neon"
    state_type: ClassVar[type[State]] = State

    @classmethod
    def paper(cls, **settings: Any) -> PaperNEON:
        """The published algorithm, for comparison.

        Args:
            settings: fields of `PaperNEON` that differ from its defaults.
        """
        from rlcompress.algorithms.neon_paper import PaperNEON

        return PaperNEON(**settings)

    def check(self, problem: Problem) -> None:
        """Refuse a task without rows, layers that are not dense, and a file that holds no agent."""
        dense_on_rows(problem)
        picker_of(self, problem.seed)

    def start(self, problem: Problem, emit: Emit) -> State:
        """Dissect the teacher and judge it on the choosing rows."""
        scene = self._made(problem)[0]
        emit(PhaseStarted("moves", f"{self.moves} at most, picked by {self.mode}"))
        return first_state(scene, self)

    def done(self, problem: Problem, state: State) -> bool:
        return state.phase == "done"

    def step(self, problem: Problem, state: State, emit: Emit) -> State:
        """One move, one test, or the final figures."""
        scene, facts, pick = self._made(problem)
        if state.phase == "moves":
            return move_step(scene, facts, self, state, problem.seed, pick, emit)
        if state.phase == "tests":
            return test_step(scene, self, state, emit)
        return final_step(problem, scene, self, state, emit)

    def finish(self, problem: Problem, state: State, emit: Emit) -> NEONResult:
        """The smallest network that passed its test, with the whole front."""
        return outcome_of(problem, self._made(problem)[0], self, state)

    def _made(self, problem: Problem) -> tuple[Scene, Facts, Picker]:
        """Scene, facts and picker of a problem, made once; all three follow from (problem, settings)."""
        return _MADE.get((self, problem), lambda: _made(self, problem))


_MADE: LastMade[tuple[Scene, Facts, Picker]] = LastMade()


def _made(settings: NEON, problem: Problem) -> tuple[Scene, Facts, Picker]:
    scene = scene_of(problem)
    values, _ = scene.values(scene.judged, scene.choosing)
    facts = facts_of(scene, float(values.mean()), settings.keep_depth, settings.keep_inputs)
    return scene, facts, picker_of(settings, problem.seed)


__all__ = ["NEON", "NEONResult"]
