"""The result of a run of the published NEON."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcompress.algorithms.neon_paper.config import PaperSettings
from rlcompress.algorithms.neon_paper.state import State
from rlcompress.engine.config import to_config
from rlcompress.engine.measuring import measured
from rlcompress.engine.result import Candidate, Result, Role
from rlcompress.engine.versions import versions
from rlcompress.layerwise.narrowing_step import score_unit
from rlcompress.network import Network
from rlcompress.problem import Float64Array, Problem
from rlcompress.statistics import paired_interval

_LEVEL = 0.90
"""Of the two-sided interval whose lower bound decides: 95 % on one side."""


def result_of(problem: Problem, settings: PaperSettings, state: State) -> Result:
    """Teacher and the network that the last episode ended with."""
    finished = state.phase == "done"
    teacher_values = state.teacher_final if finished else _search_score(state)
    teacher = _candidate("teacher", "teacher", problem.teacher, teacher_values, finished, None, "")
    candidates: tuple[Candidate, ...] = ()
    best, notes = None, []
    if finished:
        accepted, reason = _verdict(problem, settings, state)
        hidden = "-".join(str(width) for width in state.network.widths[1:-1])
        network = state.network.with_metadata(algorithm="neon-paper", seed=problem.seed)
        narrowed = _candidate(f"{hidden} narrowed", "candidate", network, state.final, True, accepted, reason)
        candidates = (narrowed,)
        smaller = narrowed.parameters < teacher.parameters
        best = narrowed if accepted and smaller else None
        if not accepted:
            notes.append(f"the network that the last episode ended with was not accepted: {reason}")
        elif not smaller:
            notes.append("the agent kept every width: the network is returned as it is")
    else:
        notes.append("ended before the last episode: the network is returned as it is")
    return Result(
        algorithm="neon-paper",
        task=problem.task.name,
        seed=problem.seed,
        teacher=teacher,
        best_candidate=best,
        best_without_reward=None,
        candidates=candidates,
        notes=tuple(notes),
        seconds={},
        settings=to_config(settings),
        versions=versions(),
    )


def _verdict(problem: Problem, settings: PaperSettings, state: State) -> tuple[bool, str]:
    task: Any = problem.task
    unit = score_unit(task) / 100
    lower, upper = paired_interval(state.accept, state.teacher_accept, _LEVEL)
    accepted = lower / unit >= -settings.tolerance
    figures = f"difference {lower / unit:+.2f} .. {upper / unit:+.2f} points on {state.accept.size} rows"
    return accepted, f"{figures}, {-settings.tolerance:g} asked"


def _search_score(state: State) -> Float64Array:
    return np.array([state.baseline / 100])


def _candidate(
    name: str, role: Role, network: Network, values: Float64Array, finished: bool, accepted: bool | None, reason: str
) -> Candidate:
    return measured(
        name,
        role,
        "teacher" if role == "teacher" else "narrowed",
        network,
        values,
        "final" if finished else "search",
        accepted=accepted,
        reason=reason,
        uses_reward=role == "candidate",
    )
