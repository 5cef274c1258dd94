"""The result of a NEON run: candidates and front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.front import FrontPoint, front_of
from rlcompress.algorithms.neon.menu import MENU
from rlcompress.algorithms.neon.notes import notes_of
from rlcompress.algorithms.neon.paid import Paid, paid
from rlcompress.algorithms.neon.scene import Scene
from rlcompress.algorithms.neon.state import State, Tested
from rlcompress.algorithms.neon.working import winner
from rlcompress.engine.config import to_config
from rlcompress.engine.measuring import measured
from rlcompress.engine.result import Candidate, Result
from rlcompress.engine.versions import versions
from rlcompress.network import Network
from rlcompress.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class NEONResult(Result):
    """A `Result` with the front.

    Scores of values are R2: 1 less the squared error over the variance, of each output by itself, a mean over outputs.
    The variance is that of the learning rows, so that every set of rows is measured in the same unit; scikit-learn's
    `r2_score` takes that of the rows it is given.

    Args:
        as_it_was: the teacher, with its cost and its score on the choosing rows.
        front: the networks, the teacher among them, that no other one beats in cost and score on the choosing rows: the
            costliest first, each with a score below the one before. The best is on it, or one on it beats it there.
        ratio: cost of the teacher over that of the best, in the unit that the settings name; 1 without one.
        balanced_drop: drop of balanced accuracy of the best on the testing rows; 0 for values or without one.
    """

    as_it_was: FrontPoint = field(kw_only=True)
    front: tuple[FrontPoint, ...] = ()
    ratio: float = 1.0
    balanced_drop: float = 0.0


_FIGURES = (
    *("method", "teacher", "seed", "task", "score", "drop_bound", "environment", "return", "return_interval"),
    *("episodes", "judged_on", "versions", "pruning", "tuned_epochs"),
)
"""Entries of metadata that say how one network was made and did; they do not hold for another."""


def outcome_of(problem: Problem, scene: Scene, settings: Settings, state: State) -> NEONResult:
    """The result of a state, finished or not."""
    best = winner(state, settings)
    costs = paid(scene, settings, state, best)
    by_tried = {test.candidate: test for test in state.tests}
    candidates = tuple(_candidate(problem, scene, state, index, by_tried.get(index), best, costs)
                       for index in range(len(state.tried)))  # fmt: skip
    chosen = None if best is None else candidates[best.candidate]
    cost = costs.teacher if best is None else costs.tried[best.candidate]
    own = float(state.teacher_choosing.mean()) + _offset(scene)
    as_it_was = FrontPoint("teacher", problem.teacher, costs.teacher, own, 0.0, 0.0, None)
    return NEONResult(
        algorithm="neon",
        task=problem.task.name,
        seed=problem.seed,
        teacher=_teacher(problem, scene, state, costs),
        best_candidate=chosen,
        best_without_reward=chosen,
        candidates=candidates,
        notes=notes_of(settings, state, best, scene, cost),
        seconds={},
        settings=to_config(settings),
        versions=versions(),
        as_it_was=as_it_was,
        front=front_of([as_it_was, *_points(scene, state, candidates, by_tried, costs)]),
        ratio=costs.teacher / cost,
        balanced_drop=0.0 if best is None else best.balanced_drop,
    )


def _teacher(problem: Problem, scene: Scene, state: State, costs: Paid) -> Candidate:
    final = state.teacher_final
    values = state.teacher_choosing if final is None else final
    rows = "screen" if final is None else "final"
    found = measured("teacher", "teacher", "teacher", problem.teacher, values + _offset(scene), rows, timed=False)
    return replace(found, latency_us=costs.teacher_us)


def _candidate(
    problem: Problem, scene: Scene, state: State, index: int, test: Tested | None, best: Tested | None, costs: Paid
) -> Candidate:
    one = state.tried[index]
    move, offset = MENU[one.move], _offset(scene)
    name = f"{move.arm} {'-'.join(map(str, one.network.widths))} #{index}"
    network = one.network.with_metadata(**_that_holds(problem.teacher))
    if test is None:
        values = np.array([one.mean + offset])
        return measured(name, "candidate", move.arm, network, values, "screen", reason="not tested", timed=False)
    reason = f"drop {100 * test.drop:+.2f} points, bound {100 * test.bound:+.2f} at z {test.z:.2f}"
    if scene.discrete:
        reason += f", balanced {100 * test.balanced_drop:+.2f}"
    values, rows = test.values + offset, "accept"
    if test is best and state.best_final is not None:
        values, rows = state.best_final + offset, "final"
        network = network.with_metadata(
            method=f"neon {move.arm}", teacher={"parameters": problem.teacher.parameter_count}, seed=problem.seed,
            task=dict(problem.task.describe()), score=float(values.mean()), drop_bound=test.bound,
        )  # fmt: skip
    found = measured(
        name, "candidate", move.arm, network, values, rows, accepted=test.accepted, reason=reason, timed=False
    )
    return replace(found, latency_us=costs.best_us if test is best else None)


def _that_holds(teacher: Network) -> dict[str, Any]:
    """Metadata of the teacher that is as true of a network in its place, such as the names of the classes."""
    return {name: entry for name, entry in teacher.metadata.items() if name not in _FIGURES}


def _offset(scene: Scene) -> float:
    """Turns minus a share of the variance into R2."""
    return 0.0 if scene.discrete else 1.0


def _points(
    scene: Scene, state: State, candidates: Sequence[Candidate], by_tried: Mapping[int, Tested], costs: Paid
) -> list[FrontPoint]:
    """The candidates that may be returned, before any is left out."""
    points = []
    for index, (one, candidate) in enumerate(zip(state.tried, candidates)):
        if one.sound:
            test: Any = by_tried.get(index)
            verdict = (None, None, None) if test is None else (test.drop, test.bound, test.accepted)
            cost, score = costs.tried[index], one.mean + _offset(scene)
            points.append(FrontPoint(candidate.name, candidate.network, cost, score, *verdict))
    return points
