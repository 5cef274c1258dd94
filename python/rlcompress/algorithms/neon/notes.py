"""What the user must know of a NEON run, in words."""

from __future__ import annotations

from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.scene import Scene
from rlcompress.algorithms.neon.state import State, Tested


def notes_of(settings: Settings, state: State, best: Tested | None, scene: Scene, cost: float) -> tuple[str, ...]:
    """Notes of a state, finished or not.

    Args:
        settings, state, scene: of the run.
        best: the accepted candidate that is returned; None where the network stays as it is.
        cost: of the network that is returned, in the unit that the settings name.
    """
    notes = list(state.notes)
    if best is None:
        notes.append(f"not narrowed: {_why_not(settings, state, scene)}; the network is returned as it is")
    else:
        notes += _final_notes(settings, state, best)
    if settings.target is not None and cost > settings.target:
        within = " within the tolerance" if state.phase == "done" else ""
        notes.append(f"the target of {settings.target:g} {settings.cost} was not reached{within}")
    return tuple(notes)


def _final_notes(settings: Settings, state: State, best: Tested) -> list[str]:
    if state.best_final is None or state.teacher_final is None:
        return []
    notes = []
    drop = float((state.teacher_final - state.best_final).mean())
    if drop > settings.max_drop:
        notes.append(f"on the final rows the drop is {100 * drop:.2f} points, over the tolerance")
    if best.balanced_drop > settings.max_drop:
        text = f"balanced accuracy drops by {100 * best.balanced_drop:.2f} points on the testing rows"
        notes.append(f"{text}; balanced='kept' would not accept that")
    return notes


def _why_not(settings: Settings, state: State, scene: Scene) -> str:
    if settings.target is not None and state.teacher_cost <= settings.target:
        how = "less" if state.teacher_cost < settings.target else "no more"
        return (
            f"it already costs {how} than the target, {state.teacher_cost:,.6g} against {settings.target:,.6g} "
            f"{settings.cost}"
        )
    if not state.tried:
        return "no smaller student exists under these settings" if state.phase != "moves" else "no move was made yet"
    if not state.tests and (state.phase == "moves" or state.plan):
        return f"the run ended before any of {len(state.tried)} students was tested"
    if state.tests:
        return _after_tests(settings, min(state.tests, key=lambda test: test.bound), len(scene.testing))
    drop = 100 * min(one.drop for one in state.tried)
    return (
        f"no student had a chance to pass (least drop {drop:.2f} points on {len(scene.choosing):,} rows); "
        "more rows or a larger max_drop may prove more"
    )


def _after_tests(settings: Settings, nearest: Tested, rows: int) -> str:
    allowed = f"{100 * settings.max_drop:g} allowed"
    if nearest.bound <= settings.max_drop:
        seen = f"balanced accuracy dropped by {100 * nearest.balanced_drop:.2f} points"
        return (
            f"accuracy passed its test, but {seen} on {rows:,} rows, {allowed}; balanced={settings.balanced!r} asks "
            "that, more rows or a larger max_drop may prove more"
        )
    return (
        f"the least bound on the drop was {100 * nearest.bound:.2f} points on {rows:,} rows, {allowed}; more rows or a "
        "larger max_drop may prove more"
    )
