"""Trim phase: inputs that an accepted student does not need are dropped, one at a time, until one is missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlcompress.algorithms.pops.config import Settings
from rlcompress.algorithms.pops.judge import accepted, bar, screen, try_candidate
from rlcompress.algorithms.pops.state import State, Trial
from rlcompress.arrays import FloatArray
from rlcompress.engine.events import Emit, PhaseStarted
from rlcompress.network import Network
from rlcompress.problem import Problem
from rlcompress.shrink import drop_inputs, input_saliency
from rlcompress.training.distil import Distillation, Student, distil
from rlcompress.training.labels import Labels, label

_TRIED = 4
_ROUNDS = 2
_SCREEN = 100


def trim_step(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """Try the accepted student without each of its least salient inputs; test the best of them, or end the phase."""
    smallest = accepted(state, uses_reward=False)[0]
    if state.trimmed or smallest.student is None or len(smallest.network.contract.kept_inputs) < 2:
        return replace(state, phase="polish")
    kept = len(smallest.network.contract.kept_inputs)
    emit(PhaseStarted("trim", f"can the student do without one of its {kept} inputs?"))
    shorter = [drop_inputs(smallest.network, [index], _mean(state)) for index in least_salient(smallest.network, state)]
    taught = [_teach(problem, settings, state, smallest.student, network) for network in shorter]
    state, scores = screen(problem, settings, state, taught, _SCREEN)
    best = max(range(len(taught)), key=lambda index: float(scores[index].mean()))
    if float(scores[best].mean()) < bar(state.teacher_values, settings.keep_return):
        return replace(state, trimmed=True)
    name = f"{smallest.student.name} {kept - 1} inputs float32"
    tested = try_candidate(problem, settings, state, emit, taught[best], name, "distilled", smallest.student)
    tested = at_the_ceiling(tested, smallest)
    return tested if tested.trials[-1].accepted else replace(tested, trimmed=True)


def at_the_ceiling(state: State, before: Trial) -> State:
    """Take the last acceptance back if the network before earned the same in every episode and this one earns less."""
    last = state.trials[-1]
    if not last.accepted or before.values.std() > 0 or last.values.mean() >= before.values.mean():
        return state
    missed = f"an input is missed: mean {last.values.mean():.2f} after {before.values.mean():.2f} in every episode"
    taken_back = replace(last, accepted=False, reason=f"{last.reason}; {missed}")
    return replace(state, trials=(*state.trials[:-1], taken_back))


def least_salient(network: Network, state: State) -> list[int]:
    """Observation indices of the few inputs that move the network least, least first."""
    spread = state.base.observations.std(0)
    order = np.argsort(input_saliency(network.dense_float(), spread), kind="stable")
    kept = network.contract.kept_inputs
    return [kept[index] for index in order[:_TRIED]]


def _mean(state: State) -> FloatArray:
    return np.asarray(state.base.observations.mean(0), np.float32)


def _teach(problem: Problem, settings: Settings, state: State, student: Student, network: Network) -> Network:
    """Distil once more with the inputs that are left, on the student's own states too."""
    labels: Labels = state.base
    for index in range(_ROUNDS):
        seed = problem.seed * 1000 + 500 + index
        pass_settings = Distillation(steps=settings.train_steps, learning_rate=5e-3)
        network = distil([student], [labels], network.contract, pass_settings, seed, [network])[0]
        if index < _ROUNDS - 1:
            met = problem.task.visit(network, 60_000 + 100 * index, settings.visit_steps, problem.seed)
            labels = labels.joined(label(problem.teacher, met.observations[: 2 * settings.visit_steps]))
    return network
