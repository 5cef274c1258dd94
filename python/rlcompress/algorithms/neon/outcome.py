"""The result of a NEON run: candidates, front, notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.menu import MENU
from rlcompress.algorithms.neon.scene import Scene
from rlcompress.algorithms.neon.state import State, Tested
from rlcompress.algorithms.neon.working import winner
from rlcompress.engine.config import to_config
from rlcompress.engine.measuring import measured
from rlcompress.engine.result import Candidate, Result
from rlcompress.engine.versions import versions
from rlcompress.network import Network
from rlcompress.problem import Problem


@dataclass(frozen=True, eq=False)
class FrontPoint:
    """A network that no other one beats in both cost and score on the choosing rows.

    Args:
        name: arm and widths.
        network: itself.
        cost: in the unit that the settings name.
        score: on the choosing rows: accuracy, or R2 as in `NEONResult`.
        drop, bound: on the testing rows; None where it was not tested.
        accepted: verdict of the test, None where it was not tested.
    """

    name: str
    network: Network
    cost: float
    score: float
    drop: float | None
    bound: float | None
    accepted: bool | None


@dataclass(frozen=True, eq=False)
class NEONResult(Result):
    """A `Result` with the front.

    Scores of values are R2: 1 less the squared error over the variance, of each output by itself, a mean over outputs.
    The variance is that of the learning rows, so that every set of rows is measured in the same unit; scikit-learn's
    `r2_score` takes that of the rows it is given.

    Args:
        front: the teacher first, then smaller and smaller networks, each with a score below the one before.
        ratio: cost of the teacher over that of the best, in the unit that the settings name; 1 without one.
        balanced_drop: drop of balanced accuracy of the best on the testing rows; 0 for values or without one.
    """

    front: tuple[FrontPoint, ...] = ()
    ratio: float = 1.0
    balanced_drop: float = 0.0


def outcome_of(problem: Problem, scene: Scene, settings: Settings, state: State) -> NEONResult:
    """The result of a state, finished or not."""
    best = winner(state, settings)
    by_tried = {test.candidate: test for test in state.tests}
    candidates = {index: _candidate(problem, scene, state, index, by_tried.get(index), best)
                  for index in range(len(state.tried))}  # fmt: skip
    chosen = None if best is None else candidates[best.candidate]
    return NEONResult(
        algorithm="neon",
        task=problem.task.name,
        seed=problem.seed,
        teacher=_teacher(problem, scene, state),
        best_candidate=chosen,
        best_without_reward=chosen,
        candidates=tuple(candidates.values()),
        notes=_notes(settings, state, best, scene),
        seconds={},
        settings=to_config(settings),
        versions=versions(),
        front=_front(problem, scene, state, by_tried),
        ratio=1.0 if best is None else state.teacher_cost / state.tried[best.candidate].cost,
        balanced_drop=0.0 if best is None else best.balanced_drop,
    )


def _teacher(problem: Problem, scene: Scene, state: State) -> Candidate:
    final = state.teacher_final
    values = state.teacher_choosing if final is None else final
    rows = "screen" if final is None else "final"
    return measured(
        "teacher", "teacher", "teacher", problem.teacher, values + _offset(scene), rows, timed=final is not None
    )


def _candidate(
    problem: Problem, scene: Scene, state: State, index: int, test: Tested | None, best: Tested | None
) -> Candidate:
    one = state.tried[index]
    move, offset = MENU[one.move], _offset(scene)
    name = _label(state, index)
    if test is None:
        values = np.array([one.mean + offset])
        return measured(name, "candidate", move.arm, one.network, values, "screen", reason="not tested", timed=False)
    reason = f"drop {100 * test.drop:+.2f} points, bound {100 * test.bound:+.2f} at z {test.z:.2f}"
    if scene.discrete:
        reason += f", balanced {100 * test.balanced_drop:+.2f}"
    if test is not best or state.best_final is None:
        return measured(
            name, "candidate", move.arm, one.network, test.values + offset, "accept", accepted=test.accepted,
            reason=reason, timed=False,
        )  # fmt: skip
    values = state.best_final + offset
    network = one.network.with_metadata(
        method=f"neon {move.arm}", teacher={"parameters": problem.teacher.parameter_count}, seed=problem.seed,
        task=dict(problem.task.describe()), score=float(values.mean()), drop_bound=test.bound,
    )  # fmt: skip
    return measured(name, "candidate", move.arm, network, values, "final", accepted=True, reason=reason)


def _label(state: State, index: int) -> str:
    one = state.tried[index]
    return f"{MENU[one.move].arm} {'-'.join(map(str, one.network.widths))} #{index}"


def _offset(scene: Scene) -> float:
    """Turns minus a share of the variance into R2."""
    return 0.0 if scene.discrete else 1.0


def _front(problem: Problem, scene: Scene, state: State, by_tried: dict[int, Tested]) -> tuple[FrontPoint, ...]:
    offset = _offset(scene)
    points: list[FrontPoint] = []
    for index in sorted(range(len(state.tried)), key=lambda i: (state.tried[i].cost, -state.tried[i].mean)):
        one = state.tried[index]
        if one.sound and one.cost < state.teacher_cost and (not points or one.mean + offset > points[-1].score):
            test: Any = by_tried.get(index)
            verdict = (None, None, None) if test is None else (test.drop, test.bound, test.accepted)
            points.append(FrontPoint(_label(state, index), one.network, one.cost, one.mean + offset, *verdict))
    own = float(state.teacher_choosing.mean()) + offset
    return (FrontPoint("teacher", problem.teacher, state.teacher_cost, own, 0.0, 0.0, None), *reversed(points))


def _notes(settings: Settings, state: State, best: Tested | None, scene: Scene) -> tuple[str, ...]:
    notes = list(state.notes)
    if best is None:
        notes.append(f"not narrowed: {_why_not(settings, state, scene)}; the network is returned as it is")
    elif state.best_final is not None and state.teacher_final is not None:
        drop = float((state.teacher_final - state.best_final).mean())
        if drop > settings.max_drop:
            notes.append(f"on the final rows the drop is {100 * drop:.2f} points, over the tolerance")
        if best.balanced_drop > settings.max_drop:
            text = f"balanced accuracy drops by {100 * best.balanced_drop:.2f} points on the testing rows"
            notes.append(f"{text}; balanced='kept' would not accept that")
    if settings.target is not None and best is not None and state.tried[best.candidate].cost > settings.target:
        notes.append(f"the target of {settings.target:g} {settings.cost} was not reached within the tolerance")
    return tuple(notes)


def _why_not(settings: Settings, state: State, scene: Scene) -> str:
    if not state.tried:
        return "no smaller student exists under these settings" if state.phase != "moves" else "no move was made yet"
    if state.tests:
        test = min(state.tests, key=lambda test: test.bound)
        if test.bound <= settings.max_drop:
            seen = f"balanced accuracy dropped by {100 * test.balanced_drop:.2f} points"
            return (
                f"accuracy passed its test, but {seen} on {len(scene.testing):,} rows, {100 * settings.max_drop:g} "
                f"allowed; balanced={settings.balanced!r} asks that, more rows or a larger max_drop may prove more"
            )
        return (
            f"the least bound on the drop was {100 * test.bound:.2f} points on {len(scene.testing):,} rows, "
            f"{100 * settings.max_drop:g} allowed; more rows or a larger max_drop may prove more"
        )
    drop = 100 * min(one.drop for one in state.tried)
    return (
        f"no student had a chance to pass (least drop {drop:.2f} points on {len(scene.choosing):,} rows); "
        "more rows or a larger max_drop may prove more"
    )
