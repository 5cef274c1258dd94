"""PoPS: policy pruning and shrinking, our default (`PoPS()`) and the published loop (`PoPS.paper()`).

Source: D. Livne, K. Cohen, "PoPS: Policy Pruning and Shrinking for Deep Reinforcement Learning", IEEE JSTSP 14(4),
2020.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rlcompress.algorithms.pops.config import LADDERS, Settings, parameters_of, students_of
from rlcompress.algorithms.pops.distilling import begin_wave, confirm, distil_round
from rlcompress.algorithms.pops.judge import episodes_for, pilot
from rlcompress.algorithms.pops.outcome import baseline_step, final_step, quantise_teacher, result_of
from rlcompress.algorithms.pops.polishing import polish_step
from rlcompress.algorithms.pops.state import State
from rlcompress.algorithms.pops.trimming import trim_step
from rlcompress.engine.config import to_config
from rlcompress.engine.events import Emit, PhaseStarted
from rlcompress.engine.result import Result
from rlcompress.problem import Problem
from rlcompress.training.labels import label, suited_losses

if TYPE_CHECKING:
    from rlcompress.algorithms.pops_paper import PaperPoPS

_BASE_OBSERVATIONS = 10_000
_EXPLORED_OBSERVATIONS = 4_000
_EXPLORE = 0.1


@dataclass(frozen=True)
class PoPS(Settings):
    """Compress a policy: distil students of rising size, accept the smallest on a bound, then search and quantise.

    Phases: `distil` (waves of students on their own states), `confirm` (held-out test, smallest first), `trim` (unused
    inputs), `polish` (CMA-ES on the return, int4 and int8 rounding inside the loop), `quantise` (the teacher itself,
    when no student was accepted), `baselines`, `final` (each winner once on untouched episodes).

    Deviates from the paper in what the modules of this package say; `PoPS.paper()` is the published loop.
    """

    algorithm: ClassVar[str] = "pops"
    state_type: ClassVar[type[State]] = State

    @staticmethod
    def paper(**settings: Any) -> PaperPoPS:
        """The published loop.

        Args:
            settings: fields of `PaperPoPS` that differ from its defaults.
        """
        from rlcompress.algorithms.pops_paper import PaperPoPS  # which itself imports this package

        return PaperPoPS(**settings)

    def start(self, problem: Problem, emit: Emit) -> State:
        """Judge the teacher and begin the first wave."""
        emit(PhaseStarted("teacher", "scoring the teacher"))
        task, teacher = problem.task, problem.teacher
        values = task.score(teacher, "accept", 0, episodes_for(pilot(problem), self)).values
        played = task.visit(teacher, 0, _BASE_OBSERVATIONS, problem.seed)
        explored = task.visit(teacher, 500, _EXPLORED_OBSERVATIONS, problem.seed, _EXPLORE)
        base = label(teacher, played.observations).joined(label(teacher, explored.observations))
        state = State(
            phase="distil",
            episode_length=len(played.observations) / played.scores.size,
            teacher_values=values,
            teacher_final=np.zeros(0),
            base=base,
        )
        inputs, outputs = teacher.input_size, teacher.output_size
        shapes = tuple(shape for shape in LADDERS[0] if parameters_of(shape, inputs, outputs) < teacher.parameter_count)
        return begin_wave(problem, state, students_of(shapes, suited_losses(teacher), range(self.variants)))

    def done(self, problem: Problem, state: State) -> bool:
        return state.phase == "done"

    def step(self, problem: Problem, state: State, emit: Emit) -> State:
        """One round, test, block of generations or final figure."""
        if state.phase == "distil":
            return distil_round(problem, self, state, emit)
        if state.phase == "confirm":
            return confirm(problem, self, state, emit)
        if state.phase == "trim":
            return trim_step(problem, self, state, emit)
        if state.phase == "polish":
            if not (self.polish and problem.task.searchable):
                return replace(state, phase="quantise")
            return polish_step(problem, self, state, emit)
        if state.phase == "quantise":
            return quantise_teacher(problem, self, state, emit)
        if state.phase == "baselines":
            return baseline_step(problem, self, state, emit)
        return final_step(problem, state, emit)

    def finish(self, problem: Problem, state: State, emit: Emit) -> Result:
        """The result so far."""
        return result_of(problem, self.algorithm, self, state, to_config(self))
