"""Final figures and the result of a PuRL run on a `Network`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment
from rlcompress.algorithms.purl.config import Settings
from rlcompress.algorithms.purl.findings import Findings, chosen, findings, starts_of
from rlcompress.algorithms.purl.judging import Judge, ModelProblem, units_of
from rlcompress.algorithms.purl.state import Figure, State
from rlcompress.engine.config import to_config
from rlcompress.engine.events import CandidateScored, Emit, PhaseStarted
from rlcompress.engine.measuring import measured
from rlcompress.engine.result import Candidate, Result, Role
from rlcompress.engine.versions import versions
from rlcompress.problem import Problem
from rlcompress.statistics import bootstrap_interval

_FINAL_EPISODES = 200


@dataclass(frozen=True, eq=False, repr=False)
class PuRLResult(Result):
    """A `Result` with what the search found.

    Args:
        findings: plan, layers, starts and Pareto front; its plan applies to the teacher.
    """

    findings: Findings = None  # type: ignore[assignment]  # after fields with defaults; always given

    def with_note(self, note: str) -> PuRLResult:
        """The same result that tells this as well."""
        found = replace(self.findings, notes=(*self.findings.notes, note))
        return replace(self, findings=found, notes=found.notes)


def final_step(
    problem: Problem | ModelProblem, judge: Judge, allowed: Allotment, settings: Settings, state: State, emit: Emit
) -> State:
    """One of dense, best and starts per call on the final split; done after the last."""
    wanted = _to_judge(judge, allowed, settings, state)
    missing = [entry for entry in wanted if entry[0] not in {figure.name for figure in state.figures}]
    if not missing or (isinstance(problem, ModelProblem) and problem.final is None):
        return replace(state, phase="done")
    if not state.figures:
        emit(PhaseStarted("final", "each once on the final rows"))
    name, index = missing[0]
    kept = state.journal.plan(index)
    if isinstance(problem, ModelProblem):
        assert problem.final is not None
        values = np.array(problem.final.judge(judge).scores([kept]).values)
    else:
        task = problem.task
        network = judge.network(kept)
        values = task.score(network, "final", 0, units_of(task, "final", _FINAL_EPISODES)).values
    lower, upper = bootstrap_interval(values)
    emit(CandidateScored(name, sum(kept), 4 * sum(kept), float(values.mean()), lower, upper, None, "final"))
    return replace(state, figures=(*state.figures, Figure(name, index, values)))


def _to_judge(judge: Judge, allowed: Allotment, settings: Settings, state: State) -> list[tuple[str, int]]:
    journal = state.journal
    rollouts = [tuple(int(count) for count in row) for row in state.rollouts]
    best = chosen(journal, rollouts, allowed, settings)
    starts = [entry for entry in starts_of(judge, allowed, settings, journal) if entry[0] != "dp"]
    return [("teacher", 0), ("best", best), *starts]


def outcome_of(
    problem: Problem | ModelProblem, judge: Judge, allowed: Allotment, settings: Settings, state: State
) -> Any:
    """The findings, and for a `Network` the result around them."""
    found = findings(judge, allowed, settings, state, _recovers(problem, settings))
    recovered = judge.recovering(found.recovery)
    if isinstance(problem, ModelProblem):
        if problem.final is None or not found.recovery or state.phase != "done":
            return found
        return _with_final_score(found, problem.final.judge(recovered))
    state = replace(state, figures=tuple(_final_figure(problem, recovered, figure, found) for figure in state.figures))
    candidates = {
        figure.name: _candidate(problem, recovered if figure.name == "best" else judge, state, figure, found)
        for figure in state.figures
        if figure.name != "teacher"
    }
    final = next((figure for figure in state.figures if figure.name == "teacher"), None)
    if final is None:
        final = Figure("teacher", 0, np.array([found.dense.score]))
        candidates["best"] = _candidate(
            problem, recovered, state, Figure("best", 0, np.array([found.best.score])), found
        )
    best = candidates.get("best")
    return PuRLResult(
        algorithm="purl",
        task=problem.task.name,
        seed=problem.seed,
        teacher=_candidate(problem, judge, state, final, found),
        best_candidate=best,
        best_without_reward=None,
        candidates=tuple(candidates.values()),
        notes=found.notes,
        seconds={},
        settings=to_config(settings),
        versions=versions(),
        findings=found,
    )


def _recovers(problem: Problem | ModelProblem, settings: Settings) -> bool:
    """Whether the plan is to be recovered: not where a training follows that starts from the dense model."""
    return settings.recovery == "auto" and not (isinstance(problem, ModelProblem) and problem.gradual)


def _with_final_score(found: Findings, final: Judge) -> Findings:
    """The findings with the recovered model's final score in place of the pruned one's."""
    return replace(found, best=replace(found.best, final=final.scores([found.best.kept]).values[0]))


def _final_figure(problem: Problem, recovered: Judge, figure: Figure, found: Findings) -> Figure:
    """The final figure; of the best plan that of its recovered network."""
    if figure.name != "best" or not found.recovery:
        return figure
    count = units_of(problem.task, "final", _FINAL_EPISODES)
    return replace(figure, values=problem.task.score(recovered.network(found.best.kept), "final", 0, count).values)


def _candidate(problem: Problem, judge: Judge, state: State, figure: Figure, found: Findings) -> Candidate:
    roles: dict[str, Role] = {"teacher": "teacher", "best": "candidate"}
    role = roles.get(figure.name, "baseline")
    kept = found.best.kept if role == "candidate" else state.journal.plan(figure.index)
    network = problem.teacher if role == "teacher" else judge.network(kept)
    if role == "candidate":
        network = network.with_metadata(
            pruning=found.plan.to_json(), score=float(figure.values.mean()), seed=problem.seed
        )
    share = 1 - sum(kept) / sum(found.plan.sizes)
    reason = f"{100 * share:.3f} % of the weights removed, {100 * found.target_sparsity:g} % asked"
    if role == "candidate":
        reason += _targets(found)
    return measured(
        "teacher" if role == "teacher" else f"{found.best.origin if role == 'candidate' else figure.name} plan",
        role,
        "teacher" if role == "teacher" else "recovered" if judge.recovers else "pruned",
        network,
        figure.values,
        "final" if state.figures else "search",
        accepted=found.best.meets if role == "candidate" else None,
        reason="" if role == "teacher" else reason,
        uses_reward=role == "candidate",
    )


def _targets(found: Findings) -> str:
    """Which of the targets is missed, if one is: that the sparsity is met alone says nothing of the score."""
    best, wanted = found.best, found.target_score
    words = "sparsity met" if best.meets else "sparsity not met"
    if best.score >= wanted:
        return "" if best.meets else f"; {words}"
    return f"; {words}, score target not met: {best.score:.4f} on the rows of the search, {wanted:.4f} asked"
