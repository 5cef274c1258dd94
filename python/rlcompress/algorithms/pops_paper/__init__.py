"""The published PoPS: prune the policy under distillation, measure each layer's redundancy, rebuild it smaller, repeat.

Source: D. Livne, K. Cohen, "PoPS: Policy Pruning and Shrinking for Deep Reinforcement Learning", IEEE JSTSP 14(4),
2020, with constants and rules from the authors' reference code where the article leaves them open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from rlcompress.algorithms.pops.judge import episodes_for, final_episodes, pilot
from rlcompress.algorithms.pops.outcome import result_of
from rlcompress.algorithms.pops.state import State
from rlcompress.algorithms.pops_paper.config import PaperSettings
from rlcompress.algorithms.pops_paper.masked import copy_of
from rlcompress.algorithms.pops_paper.pruning import prune_step
from rlcompress.algorithms.pops_paper.shrinking import shrink_step
from rlcompress.algorithms.pops_paper.state import PaperState, begin_pruning
from rlcompress.engine.config import to_config
from rlcompress.engine.events import Emit, PhaseStarted
from rlcompress.engine.result import Result
from rlcompress.problem import Problem
from rlcompress.training.labels import Labels, label

_BASE_OBSERVATIONS = 10_000


@dataclass(frozen=True)
class PaperPoPS(PaperSettings):
    """Compress a policy with the published loop; the last shrunk network is the result.

    Each round: `prune` (a student that begins as the teacher, later as the last shrunk network, loses its smallest
    weights layer by layer along a cubic schedule; masks are drawn anew from all weights, so a pruned one may come back;
    pruning pauses below the lower bound and goes on at the objective), then `shrink` (widths from each layer's
    redundancy against the teacher, fresh weights, distillation until five evaluations in a row reach the objective).
    Both learn on the teacher's own states alone. The loop ends when a shrink gains less than `size_tolerance` points of
    the teacher's weights. The network goes through the acceptance test and the final figures of `PoPS()`, so that both
    can be compared.

    Deviates:
        The objective is a share of the teacher's mean return, and reaching it counts; the lower bound is `lower_margin`
        of that mean below it (the paper sets both by hand and asks for more than the objective).
        All schedules are scaled by `schedule_steps` (paper: 500,000), with fewer evaluations and larger learning rates.
        The reference code's tables of learning rates, and its jumps of the rate when a student does not recover, are
        one rate per phase that falls to a tenth.
        Pruning also ends once the schedule's last sparsity reached the objective, or stood still there for five
        iterations. A phase in which no pruned student reached the objective ends the loop (the reference code then has
        no network to measure).
        Teachers act deterministically; continuous actions are learnt with squared errors.
        Widths follow from any number of hidden layers (`sizing`); students normalise observations as the teacher does.

    Defects of the reference code that are not copied: measured redundancy replaced by constants (CartPole); a step
    counter that never moves, so that nothing is pruned (LunarLander); a ReLU on the outputs; another environment's
    settings in the shrink phase; a rule that can loop for ever (Pong); widths of zero; no seeds.
    """

    algorithm: ClassVar[str] = "pops-paper"
    state_type: ClassVar[type[PaperState]] = PaperState

    def start(self, problem: Problem, emit: Emit) -> PaperState:
        """Score the teacher, and make the first student: its copy."""
        emit(PhaseStarted("teacher", "scoring the teacher"))
        task, teacher = problem.task, problem.teacher
        values = task.score(teacher, "accept", 0, episodes_for(pilot(problem), self.gate)).values
        played = task.visit(teacher, 0, _BASE_OBSERVATIONS, problem.seed)
        base = label(teacher, played.observations)
        record = State("distil", len(played.observations) / played.scores.size, values, np.zeros(0), base)
        learner = copy_of(teacher)
        buffer = Labels(base.observations[:0], base.targets[:0])
        return begin_pruning(PaperState("prune", record, learner, buffer, sum(learner.kept)))

    def done(self, problem: Problem, state: PaperState) -> bool:
        return state.phase == "done"

    def step(self, problem: Problem, state: PaperState, emit: Emit) -> PaperState:
        """Minibatches and an evaluation, or a final figure."""
        if state.phase == "prune":
            return prune_step(problem, self, state, emit)
        if state.phase == "shrink":
            return shrink_step(problem, self, state, emit)
        return _final_step(problem, state, emit)

    def finish(self, problem: Problem, state: PaperState, emit: Emit) -> Result:
        """The result so far."""
        return result_of(problem, self.algorithm, self.gate, state.record, to_config(self))


def _final_step(problem: Problem, state: PaperState, emit: Emit) -> PaperState:
    """Score teacher and result once on the final split, also a result that was not accepted."""
    emit(PhaseStarted("final", "final figures on episodes that no decision saw"))
    record, task = state.record, problem.task
    count = final_episodes(record)
    if not record.teacher_final.size:
        values = task.score(problem.teacher, "final", 0, count).values
        return replace(state, record=replace(record, teacher_final=values))
    if not record.trials:
        return replace(state, phase="done")
    trial = record.trials[-1]
    trial = replace(trial, final=task.score(trial.network, "final", 0, count).values)
    return replace(state, phase="done", record=replace(record, trials=(*record.trials[:-1], trial)))


__all__ = ["PaperPoPS", "PaperSettings", "PaperState"]
