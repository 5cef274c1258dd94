"""Baselines, final figures and the `Result` of a PoPS run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rlcompress.algorithms.pops.config import Settings
from rlcompress.algorithms.pops.judge import accepted, bar, final_episodes, judge, try_candidate
from rlcompress.algorithms.pops.polishing import scratch_generations
from rlcompress.algorithms.pops.state import Judged, State, Trial
from rlcompress.engine.events import Emit, PhaseStarted, Progress
from rlcompress.engine.measuring import measured
from rlcompress.engine.result import Candidate, Result, Role
from rlcompress.engine.versions import versions
from rlcompress.latency import call_latency_us
from rlcompress.network import Network
from rlcompress.problem import Float64Array, Problem
from rlcompress.quantise import quantise_rows
from rlcompress.ranking import magnitude_masks
from rlcompress.training.labels import agreement

_SCRATCH_BLOCK = 5


def one_shot_pruned(teacher: Network, parameters: int) -> Network:
    """The teacher with only its `parameters` largest weights (global magnitude), no retraining."""
    layers = teacher.dense_float().dense_layers()
    weights = sum(layer.weight.size for layer in layers)
    masks = magnitude_masks([layer.weight for layer in layers], 1 - min(parameters, weights) / weights, "global")
    return teacher.with_layers([layer.with_mask(mask) for layer, mask in zip(layers, masks)])


def quantise_teacher(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """Without an accepted student: the teacher itself with int8 weights and a scale per row, tested like any other."""
    following = replace(state, phase="baselines")
    if accepted(state, uses_reward=False):
        return following
    network = quantise_rows(problem.teacher.dense_float(), 8, state.base.observations)
    return try_candidate(problem, settings, following, emit, network, "teacher int8", "quantised")


def baseline_step(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """The next piece of a baseline: one-shot pruning, then the same search from zero weights without a teacher.

    The search ends early when every generation of a block is at the bar in the mean.
    """
    best = accepted(state)
    if not settings.baselines or not best:
        return replace(state, phase="final")
    if not state.judged:
        emit(PhaseStarted("baselines", "one-shot pruning, and a search without a teacher"))
    smallest = best[0].network.dense_float()
    count = final_episodes(state)
    if not state.judged:
        pruned = one_shot_pruned(problem.teacher, smallest.parameter_count)
        values = problem.task.score(pruned, "final", 0, count).values
        judged = Judged("one-shot magnitude pruning", "one-shot pruning", pruned, values, False)
        return replace(state, judged=(judged,))
    if not (settings.polish and problem.task.searchable) or smallest.parameter_count > settings.polish_parameters:
        return replace(state, phase="final")
    journal, centre = scratch_generations(problem, settings, state, smallest, _SCRATCH_BLOCK)
    emit(Progress(len(journal) / settings.generations, "baselines"))
    there = bool((journal[-_SCRATCH_BLOCK:].mean(1) >= bar(state.teacher_values, settings.keep_return)).all())
    if len(journal) < settings.generations and not there:
        return replace(state, scratch=journal)
    values = problem.task.score(centre, "final", 0, count).values
    judged = Judged("search from zero weights, no teacher", "from scratch", centre, values, True)
    return replace(state, scratch=journal, judged=(*state.judged, judged), phase="final")


def final_step(problem: Problem, state: State, emit: Emit) -> State:
    """Score the teacher, then the winners, on the final split: each once."""
    count = final_episodes(state)
    if not state.teacher_final.size:
        emit(PhaseStarted("final", "final figures on episodes that no decision saw"))
        return replace(state, teacher_final=problem.task.score(problem.teacher, "final", 0, count).values)
    winners = [found[0] for found in (accepted(state), accepted(state, False), accepted(state, True)) if found]
    for winner in winners:
        if not winner.final.size:
            values = problem.task.score(winner.network, "final", 0, count).values
            trials = tuple(replace(trial, final=values) if trial is winner else trial for trial in state.trials)
            return replace(state, trials=trials)
    return replace(state, phase="done")


def result_of(problem: Problem, algorithm: str, settings: Settings, state: State, config: Mapping[str, Any]) -> Result:
    """The result of a state, finished or not."""
    teacher = _teacher(problem, state)
    candidates = [_candidate(problem, settings, state, trial) for trial in state.trials]
    by_trial = dict(zip((id(trial) for trial in state.trials), candidates))
    best, distilled = accepted(state), accepted(state, uses_reward=False)
    baselines = [_candidate_of(judged.name, "baseline", judged.method, judged.network, judged.values, "final", state,
                           uses_reward=judged.uses_reward) for judged in state.judged]  # fmt: skip
    screened = [
        _candidate_of(entry.student.name, "candidate", "distilled", entry.network, entry.screened, "screen", state)
        for entry in state.shelf
        if entry.screened.size
    ]
    return Result(
        algorithm=algorithm,
        task=problem.task.name,
        seed=problem.seed,
        teacher=teacher,
        best_candidate=by_trial[id(best[0])] if best else None,
        best_without_reward=by_trial[id(distilled[0])] if distilled else None,
        candidates=(*baselines, *candidates, *screened),
        notes=_notes(problem, settings, state),
        seconds={},
        settings=dict(config),
        versions=versions(),
    )


def _teacher(problem: Problem, state: State) -> Candidate:
    final = bool(state.teacher_final.size)
    values = state.teacher_final if final else state.teacher_values
    candidate = _candidate_of(
        "teacher", "teacher", "teacher", problem.teacher, values, "final" if final else "accept", state
    )
    return replace(candidate, torch_latency_us=_torch_latency(problem.teacher), agreement=1.0)


def _candidate(problem: Problem, settings: Settings, state: State, trial: Trial) -> Candidate:
    final = bool(trial.final.size)
    reason = trial.reason
    if final and state.teacher_final.size:
        verdict = judge(trial.final, state.teacher_final, settings.keep_return, paired=trial.rule == "paired")
        reason += f"; final: {verdict.reason}"
    values = trial.final if final else trial.values
    judged_on = "final" if final else "accept"
    candidate = _candidate_of(
        trial.name, "candidate", trial.method, trial.network, values, judged_on, state, uses_reward=trial.uses_reward
    )
    labelled = trial.network.with_metadata(**_provenance(problem, candidate, state))
    return replace(candidate, network=labelled, accepted=trial.accepted, reason=reason)


def _provenance(problem: Problem, candidate: Candidate, state: State) -> dict[str, Any]:
    """What travels in the file: where the network comes from and how it did. The same run gives the same entries."""
    teacher_values = state.teacher_final if state.teacher_final.size else state.teacher_values
    return {
        "environment": dict(problem.task.describe()),
        "teacher": {**problem.teacher.metadata, "return": float(teacher_values.mean())},
        "method": candidate.method,
        "seed": problem.seed,
        "return": candidate.mean,
        "return_interval": list(candidate.interval),
        "episodes": int(candidate.values.size),
        "judged_on": candidate.judged_on,
        "versions": versions(),
    }


def _candidate_of(
    name: str,
    role: Role,
    method: str,
    network: Network,
    values: Float64Array,
    judged_on: str,
    state: State,
    uses_reward: bool = False,
) -> Candidate:
    """A candidate with its agreement with the teacher; what was only screened is not timed."""
    return measured(
        name,
        role,
        method,
        network,
        values,
        judged_on,
        agreement=agreement(state.base, network),
        uses_reward=uses_reward,
        observation=state.base.observations[0],
        timed=judged_on != "screen",
    )


def _torch_latency(network: Network) -> float:
    import torch

    from rlcompress.importers.torch_module import to_torch

    module = to_torch(network.dense_float())
    observation = torch.zeros(1, network.input_size)
    with torch.inference_mode():
        return call_latency_us(lambda: module(observation))


def _notes(problem: Problem, settings: Settings, state: State) -> tuple[str, ...]:
    notes = list(state.notes)
    wanted = bar(state.teacher_values, settings.keep_return)
    if not accepted(state):
        tried = ", ".join(trial.name for trial in state.trials) or "none got as far as the test"
        text = f"no candidate was accepted at the bar of {wanted:.2f} (tried: {tried}); the teacher stays the best"
        notes.append(text)
    if settings.polish and not problem.task.searchable:
        notes.append("the task does not allow optimising the return: distilled students only")
    winners = [trial for trial in accepted(state)[:1] + accepted(state, False)[:1] if trial.final.size]
    for trial in winners:
        verdict = judge(trial.final, state.teacher_final, settings.keep_return, paired=trial.rule == "paired")
        if not verdict.accepted:
            text = f"{trial.name} passed the acceptance test but not the same test on the final episodes"
            notes.append(f"{text}: {verdict.reason}")
    return tuple(notes)
