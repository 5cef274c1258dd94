"""Ways to make one base network smaller, each judged alike: ours, the published loop, and plain ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from neon_sections import record_of

from rlcompress.algorithms.neon import NEON
from rlcompress.algorithms.neon.certify import paired
from rlcompress.algorithms.neon.menu import Move, Shape, make
from rlcompress.algorithms.neon.scene import Scene, answers, scene_of
from rlcompress.algorithms.neon.working import course_of
from rlcompress.algorithms.neon_paper import PaperNEON
from rlcompress.algorithms.neon_paper.baselines import (
    always_narrowest,
    magnitude_neurons,
    random_actions,
    smallest_holding,
    uniform_width,
)
from rlcompress.algorithms.neon_paper.playing import drawn, play_episode
from rlcompress.corpus import CorpusItem
from rlcompress.engine.events import Event, Progress
from rlcompress.engine.run import compress
from rlcompress.layerwise.narrowing_step import score_of
from rlcompress.network import Network
from rlcompress.problem import Problem, Split
from rlcompress.training.together import train_together

TRAININGS = 8
"""Of every way that counts them: moves of ours, restarts at its final shape, rungs of a ladder."""
Z = 1.645
UNTOUCHED: dict[str, tuple[Split, ...]] = {"paper": ("screen", "accept"), "shape": ("search", "accept")}
"""Rows that certify: a way's own choices saw `search` in the published loop, `screen` in ours; as many in both."""


@dataclass(frozen=True, eq=False)
class Made:
    """What a way ends with.

    Args:
        network: the network.
        trainings: trainings that it took.
        certified: whether its way has tested it already.
        rows: kind of rows (`UNTOUCHED`) that may test it otherwise.
    """

    network: Network
    trainings: int
    certified: bool
    rows: str


def ways(item: CorpusItem, tolerance: float, paper_agent: Any, agent: Path) -> dict[str, Callable[[], Made]]:
    """Name to what makes the network; ways at ours's final shape come after ours."""
    settings = PaperNEON(tolerance=tolerance)
    network, task, rules = item.network, item.task, settings.rules
    steps, bar = rules.steps(network), score_of(network, task) - tolerance
    found: dict[str, Network] = {}

    def ours(name: str, **options: Any) -> Made:
        count = 0

        def tell(event: Event) -> None:
            nonlocal count
            count += isinstance(event, Progress) and event.phase == "moves"

        shared: dict[str, Any] = {"max_drop": tolerance / 100, "moves": TRAININGS, "balanced": "ignored"}
        chosen = NEON(agent=str(agent), **shared, **options)
        found[name] = compress(network, task, chosen, seed=0, jobs=1, on_event=tell).best
        return Made(found[name], count, True, "shape")

    def ladder(way: Callable[..., Network]) -> Made:
        count = 0

        def rung(share: float) -> Network:
            nonlocal count
            count += 1
            return way(network, task, share, rules.relearning, 0)

        best = smallest_holding(rung, lambda one: score_of(one, task) >= bar, TRAININGS)
        return Made(best or network, count, best is None, "paper")

    def shaped(name: str, distil: float | None) -> Made:
        same = found[name] == network
        made = network if same else at_shape(scene_of(Problem(network, task, 0)), found[name], distil)
        return Made(made, 0 if same else TRAININGS, same, "shape")

    kept = {"keep_depth": True, "keep_inputs": True}
    made_by: dict[str, Callable[[], Made]] = {
        "agent": lambda: ours("any"),
        "greedy": lambda: ours("greedy", mode="greedy"),
        "final shape of the agent, from scratch": lambda: shaped("any", 0.0),
        "final shape of the agent, distilled": lambda: shaped("any", None),
        "agent, depth and inputs kept": lambda: ours("kept", **kept),
        "greedy, depth and inputs kept": lambda: ours("greedy kept", mode="greedy", **kept),
        "final shape of that, from scratch": lambda: shaped("kept", 0.0),
        "final shape of that, distilled": lambda: shaped("kept", None),
        "uniform width, halving": lambda: ladder(uniform_width),
        "magnitude of neurons, halving": lambda: ladder(magnitude_neurons),
        "NEON.paper()": lambda: Made(
            play_episode(network, task, rules, drawn(paper_agent), (0, 0))[0], steps, False, "paper"
        ),
        "always 0.6": lambda: Made(always_narrowest(network, task, rules, 0), steps, False, "paper"),
        "random actions": lambda: Made(random_actions(network, task, rules, 0), steps, False, "paper"),
    }
    return made_by


def at_shape(scene: Scene, like: Network, distil: float | None) -> Network:
    """The best on the choosing rows of fresh networks of this shape, trained as students of ours are.

    Args:
        scene: of the problem.
        like: widths and inputs.
        distil: share of the teacher's outputs in the loss; None for that of ours, 0 for labels alone.
    """
    shapes = [Shape(tuple(like.widths[1:-1]), like.input_size, variant) for variant in range(TRAININGS)]
    move = Move("one hidden" if len(shapes[0].hidden) == 1 else "two hidden", 0)
    fresh = [make(move, shape, scene.teacher, scene.anatomy, 0) for shape in shapes]
    course = course_of(scene, move, shapes, NEON().steps)
    course = course if distil is None else replace(course, distil=distil)
    trained = train_together(fresh, scene.lessons, course, 0)
    return max(trained, key=lambda one: scene.values(one, scene.choosing)[0].mean())


def judged(item: CorpusItem, name: str, make_it: Callable[[], Made], tolerance: float) -> dict[str, Any]:
    """Figures of one way on one network; the test rows are scored here, once."""
    began = time.process_time()
    made = make_it()
    seconds = time.process_time() - began
    teacher, same = item.network, made.network == item.network
    accepted = made.certified or same
    if not accepted:
        rows = [item.task.rows(split) for split in UNTOUCHED[made.rows]]
        x, y = np.concatenate([one.x for one in rows]), np.concatenate([one.y for one in rows])
        before, after = ((answers(net, x) == y).astype(np.float64) for net in (teacher, made.network))
        one_answer = len(np.unique(answers(made.network, x))) == 1 < len(np.unique(answers(teacher, x)))
        accepted = paired(before, after, True, Z, tolerance / 100).accepted and not one_answer
    final, extra = item.task.rows("final"), item.extra
    x = final.x if extra is None else np.concatenate([final.x, extra.x])
    y = final.y if extra is None else np.concatenate([final.y, extra.y])
    right = [answers(net, x) == y for net in (teacher, made.network)]
    figures = record_of(right[0], right[1], y)
    return {
        "way": name,
        "set": item.data_set,
        "index": item.index,
        "widths": list(made.network.widths),
        "parameters": made.network.parameter_count,
        "ratio": teacher.parameter_count / made.network.parameter_count,
        "trainings": made.trainings,
        "accepted": bool(accepted),
        "seconds": round(seconds, 2),
        **figures,
    }
