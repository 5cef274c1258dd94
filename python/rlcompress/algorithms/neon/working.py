"""The steps of a run: one move, the tests, the final figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rlcompress.algorithms.neon.certify import (
    balanced,
    balanced_drops,
    next_test,
    paired,
    spread,
    standard_error,
    z_of_balanced,
    z_of_test,
)
from rlcompress.algorithms.neon.choosing import Seen, plan_tests
from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.menu import MENU, Move, Shape, make, shapes_of
from rlcompress.algorithms.neon.picking import Picker
from rlcompress.algorithms.neon.scene import HeldRows, Scene, cost_beside, cost_of
from rlcompress.algorithms.neon.state import State, Tested, Tried
from rlcompress.algorithms.neon.view import Facts, View, Wishes
from rlcompress.engine.events import CandidateScored, Emit, PhaseStarted, Progress
from rlcompress.network import Network
from rlcompress.problem import Problem
from rlcompress.training.together import Course, train_together

_WIDE = 48
_MANY_LESSONS = 1500


def students(scene: Scene, move: Move, shapes: Sequence[Shape], steps: int, seed: int) -> list[Network]:
    """Make and train the students of a move; the same arguments give the same bits."""
    made = [make(move, shape, scene.teacher, scene.anatomy, seed) for shape in shapes]
    return train_together(made, scene.lessons, course_of(scene, move, shapes, steps), seed)


def course_of(scene: Scene, move: Move, shapes: Sequence[Shape], steps: int) -> Course:
    """How the students of a move learn: wide and inherited ones in smaller steps; with many rows more from labels."""
    if move.arm in ("narrow", "shallow"):
        rate = 6e-3
    else:
        rate = 1e-2 if any(width >= _WIDE for shape in shapes for width in shape.hidden) else 2e-2
    distil = 0.7 if len(scene.lessons.inputs) < _MANY_LESSONS else 0.5
    return Course(steps=steps, batch_size=128, learning_rate=rate, distil=distil)


def facts_of(scene: Scene, score: float, keep_depth: bool, keep_inputs: bool) -> Facts:
    """The problem as numbers."""
    teacher = scene.teacher
    own, outputs = teacher.parameter_count, teacher.output_size
    gains: list[tuple[float, float]] = []
    for move in MENU:
        shapes = shapes_of(move, teacher, scene.anatomy, keep_depth, keep_inputs)
        found = [float(np.log(own / shape.parameters(outputs))) for shape in shapes]
        gains.append((min(found), max(found)) if found else (np.nan, np.nan))
    residuals = []
    for move in (move for move in MENU if move.arm == "narrow"):
        shapes = shapes_of(move, teacher, scene.anatomy, False, False)
        residuals.append(float(np.log(own / shapes[0].parameters(outputs))) if shapes else 0.0)
    return Facts(
        parameters=own,
        depth=len(teacher.layers) - 1,
        inputs=teacher.input_size,
        outputs=outputs,
        learning_rows=len(scene.lessons.inputs),
        choosing_rows=len(scene.choosing),
        testing_rows=len(scene.testing),
        score=score if scene.discrete else 1 + score,
        base_rate=scene.base_rate,
        residual_widths=np.array(residuals),
        lowest=np.array([low for low, _ in gains]),
        highest=np.array([high for _, high in gains]),
    )


def view_of(facts: Facts, settings: Settings, state: State) -> View:
    """What a picker sees of a state."""
    limit = np.inf if settings.target is None else float(np.log(state.teacher_cost / settings.target))
    keep = settings.keep_depth, settings.keep_inputs, settings.balanced
    wishes = Wishes(settings.max_drop, settings.z, settings.moves, limit, *keep)
    gains = np.log(state.teacher_cost / np.array([one.cost for one in state.tried], np.float64))
    move_of = np.array([one.move for one in state.tried], np.int64)
    seen = Seen(
        np.array([one.drop for one in state.tried], np.float64),
        np.array([one.power for one in state.tried], np.float64),
        np.minimum(gains, limit),
        np.array([one.sound for one in state.tried], bool),
        move_of,
        np.array([one.even_drop for one in state.tried], np.float64),
        np.array([one.even_error for one in state.tried], np.float64),
    )
    return View(facts, wishes, state.moves, move_of, seen)


def first_state(scene: Scene, settings: Settings) -> State:
    """The state before the first move; past all moves where the target is met already."""
    values, constant = scene.values(scene.judged, scene.choosing)
    cost = cost_of(scene.judged, settings.cost)
    notes = ("the network gives the same answer for every row",) if constant else ()
    enough = settings.target is not None and cost <= settings.target
    return State("final" if enough else "moves", cost, values, constant, notes=notes)


def move_step(
    scene: Scene, facts: Facts, settings: Settings, state: State, seed: int, pick: Picker, emit: Emit
) -> State:
    """Train the students of the next move, or go on to the tests."""
    view = view_of(facts, settings, state)
    choice = pick(view) if len(state.moves) < settings.moves else None
    if choice is None:
        order, chain = plan_tests(view.seen, view.chance())
        return replace(state, phase="tests", plan=tuple(order), chain=chain)
    move = MENU[choice]
    shapes = shapes_of(move, scene.teacher, scene.anatomy, settings.keep_depth, settings.keep_inputs)
    found = []
    for network in students(scene, move, shapes, settings.steps, seed):
        one = _judged(scene, settings, state, choice, network)
        emit(CandidateScored(_name(move, network), network.parameter_count, 4 * network.parameter_count,
                             one.mean, one.mean, one.mean, None, "screen"))  # fmt: skip
        found.append(one)
    emit(Progress((len(state.moves) + 1) / settings.moves, "moves"))
    return replace(state, moves=(*state.moves, choice), tried=(*state.tried, *found))


def _judged(scene: Scene, settings: Settings, state: State, move: int, network: Network) -> Tried:
    values, constant = scene.values(network, scene.choosing)
    differences = state.teacher_choosing - values
    sound = bool(np.isfinite(differences).all()) and (not constant or state.teacher_constant)
    drop, power = float(differences.mean()), spread(differences, scene.discrete)
    even = drop, float(standard_error(drop, power, len(differences)))
    if scene.discrete:
        drops, errors = balanced_drops(differences[None], scene.choosing.y)
        even = float(drops[0]), float(errors[0])
    cost = cost_beside(network, scene.judged, state.teacher_cost, settings.cost)
    return Tried(move, network, cost, drop, power, sound, float(values.mean()), *even)


def _name(move: Move, network: Network) -> str:
    return f"{move.arm} {'-'.join(map(str, network.widths))}"


def test_step(scene: Scene, settings: Settings, state: State, emit: Emit) -> State:
    """The next test of the series, or on to the final figures."""
    tests, chain = len(state.plan), state.chain
    position = next_test(tests, chain, [test.accepted for test in state.tests])
    if position is None:
        return replace(state, phase="final")
    if not state.tests:
        emit(PhaseStarted("tests", "on rows that no choice has seen"))
    z = z_of_test(settings.z, tests, chain, position)
    tested = judged_by_test(scene, settings, state, state.plan[position], z)
    return replace(state, tests=(*state.tests, tested))


def judged_by_test(scene: Scene, settings: Settings, state: State, candidate: int, z: float) -> Tested:
    """A candidate on the testing rows."""
    rows: HeldRows = scene.testing
    network = state.tried[candidate].network
    (teacher, constant), (values, alone) = scene.values(scene.judged, rows), scene.values(network, rows)
    verdict = paired(teacher, values, scene.discrete, z, settings.max_drop)
    accepted, even_drop, even_z = verdict.accepted and (not alone or constant), 0.0, z_of_balanced(settings.balanced, z)
    if scene.discrete:
        even = balanced(teacher, values, rows.y, even_z or 0.0, settings.max_drop)
        even_drop, accepted = even.drop, accepted and (even_z is None or even.accepted)
    return Tested(candidate, values, verdict.drop, verdict.bound, z, even_drop, accepted)


def winner(state: State, settings: Settings) -> Tested | None:
    """The cheapest accepted candidate; where the target is met by several, the one that scores best."""
    accepted = [test for test in state.tests if test.accepted]
    if not accepted:
        return None
    enough = [test for test in accepted if settings.target and state.tried[test.candidate].cost <= settings.target]
    if enough:
        return min(enough, key=lambda test: (test.drop, state.tried[test.candidate].cost))
    return min(accepted, key=lambda test: state.tried[test.candidate].cost)


def final_step(problem: Problem, scene: Scene, settings: Settings, state: State, emit: Emit) -> State:
    """Score teacher and winner on the final rows, once."""
    emit(PhaseStarted("final", "each once on the final rows"))
    pair = problem.task.rows("final")  # type: ignore[attr-defined]  # a task with labelled rows: see scene_of
    rows, best = HeldRows(pair.x, pair.y), winner(state, settings)
    teacher = scene.values(scene.judged, rows)[0]
    found = teacher if best is None else scene.values(state.tried[best.candidate].network, rows)[0]
    return replace(state, phase="done", teacher_final=teacher, best_final=found)
