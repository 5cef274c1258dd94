"""What the networks of a run cost when it ends: teacher and chosen network timed in turns."""

from __future__ import annotations

from dataclasses import dataclass

from rlcompress.algorithms.neon.config import Settings
from rlcompress.algorithms.neon.scene import Scene
from rlcompress.algorithms.neon.state import State, Tested
from rlcompress.engine.measuring import inferences_us


@dataclass(frozen=True)
class Paid:
    """Costs in the unit that the settings name, and microseconds whatever that unit is.

    Args:
        teacher: cost of the teacher.
        tried: of each candidate.
        teacher_us, best_us: one inference of the teacher and of the best; None where it was not timed.
    """

    teacher: float
    tried: tuple[float, ...]
    teacher_us: float | None = None
    best_us: float | None = None


def paid(scene: Scene, settings: Settings, state: State, best: Tested | None) -> Paid:
    """The costs of a state, finished or not.

    Where microseconds are the cost, those of teacher and best are the ones measured here, side by side; those of the
    others follow the teacher, beside which each was timed in the search.
    """
    networks = [] if best is None else [state.tried[best.candidate].network]
    if not networks and state.teacher_final is None:
        return Paid(state.teacher_cost, tuple(one.cost for one in state.tried))
    teacher_us, *of_best = inferences_us([scene.judged, *networks])
    best_us = of_best[0] if of_best else None
    if settings.cost != "latency_us":
        return Paid(state.teacher_cost, tuple(one.cost for one in state.tried), teacher_us, best_us)
    costs = [one.cost * teacher_us / state.teacher_cost for one in state.tried]
    if best is not None and best_us is not None:
        costs[best.candidate] = best_us
    return Paid(teacher_us, tuple(costs), teacher_us, best_us)
