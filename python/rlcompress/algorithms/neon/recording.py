"""Tables: every student of every move of one network, trained once and judged row by row, so that choices replay."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.menu import MENU, shapes_of
from rlcompress.algorithms.neon.scene import HeldRows, Scene, cost_of, scene_of
from rlcompress.algorithms.neon.view import Facts
from rlcompress.algorithms.neon.working import facts_of, students
from rlcompress.engine.durable import write_durably
from rlcompress.errors import FormatError
from rlcompress.problem import Problem

VERSION = 1
"""Raise it whenever a move would train other students of the same arguments."""
POOLS = ("screen", "testing", "final", "extra")
KEEPS = ((False, False), (False, True), (True, False), (True, True))
"""Settings (keep_depth, keep_inputs) whose facts a table holds."""
_LATENCY = (0.25, 0.06, 4e-5)
"""Microseconds of a call, a layer and a multiply-accumulate: for tables, which measure no time."""


@dataclass(frozen=True, eq=False)
class Table:
    """One network's students and how they did.

    Args:
        name: of the data set and network.
        move: (students,) int64 place in the menu.
        parameters, macs, bytes, latency_us: (students,) float64; the last is an estimate.
        depth, inputs: (students,) int64 hidden layers, and values read.
        right: (students + 1, rows) bool: whether each row's class was found; the teacher is the last.
        constant: (students + 1,) bool: one answer for all rows.
        pool: (rows,) int64 index in `POOLS`.
        y: (rows,) int64 classes.
        teacher_costs: of `parameters`, `macs`, `bytes`, `latency_us`.
        facts: for each entry of `KEEPS`.
        seconds: (moves + 1,) float64 processor seconds of each move, and of making ready (last).
    """

    name: str
    move: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.float64]
    macs: npt.NDArray[np.float64]
    bytes: npt.NDArray[np.float64]
    latency_us: npt.NDArray[np.float64]
    depth: npt.NDArray[np.int64]
    inputs: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]
    constant: npt.NDArray[np.bool_]
    pool: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    teacher_costs: tuple[float, float, float, float]
    facts: tuple[Facts, ...]
    seconds: npt.NDArray[np.float64]

    def cost(self, kind: str) -> npt.NDArray[np.float64]:
        """(students,) costs of a kind."""
        found: npt.NDArray[np.float64] = getattr(self, kind)
        return found

    def teacher_cost(self, kind: str) -> float:
        """Cost of the teacher."""
        return self.teacher_costs[("parameters", "macs", "bytes", "latency_us").index(kind)]


def record(
    name: str, problem: Problem, extra: Any, steps: int, clock: Callable[[], float] = time.process_time
) -> Table:
    """Make every move for a network.

    Args:
        name: for the table.
        problem: a network and a task of classes.
        extra: (x, y) of further rows, or None.
        steps: of each training.
        clock: seconds.
    """
    began = clock()
    scene = scene_of(problem)
    pools = _pools(problem, scene, extra)
    answered = [scene.values(scene.judged, rows) for rows in pools]
    score = float(answered[0][0].mean())
    facts = tuple(facts_of(scene, score, *keep) for keep in KEEPS)
    seconds, columns, right, constant = [], [], [], []
    made = clock() - began
    for index, move in enumerate(MENU):
        began = clock()
        shapes = shapes_of(move, scene.teacher, scene.anatomy, False, False)
        for network in students(scene, move, shapes, steps, problem.seed) if shapes else []:
            values = [scene.values(network, rows) for rows in pools]
            right.append(np.concatenate([found for found, _ in values]) > 0.5)
            constant.append(all(alone for _, alone in values[:2]))
            hidden = len(network.layers) - 1
            columns.append((index, *_costs(network, hidden), hidden, network.input_size))
        seconds.append(clock() - began)
    right.append(np.concatenate([found for found, _ in answered]) > 0.5)
    constant.append(answered[0][1])
    whole = np.array(columns, np.float64).reshape(-1, 7).T
    teacher = problem.teacher
    return Table(
        name, whole[0].astype(np.int64), whole[1], whole[2], whole[3], whole[4], whole[5].astype(np.int64),
        whole[6].astype(np.int64), np.array(right), np.array(constant),
        np.repeat(np.arange(len(pools)), [len(rows) for rows in pools]),
        np.concatenate([rows.y for rows in pools]).astype(np.int64),
        _costs(teacher, len(teacher.layers) - 1), facts, np.array([*seconds, made]),
    )  # fmt: skip


def _pools(problem: Problem, scene: Scene, extra: Any) -> list[HeldRows]:
    final = problem.task.rows("final")  # type: ignore[attr-defined]  # a task with labelled rows: see scene_of
    pools = [scene.choosing, scene.testing, HeldRows(final.x, final.y)]
    return pools if extra is None else [*pools, HeldRows(extra.x, extra.y)]


def _costs(network: Any, hidden: int) -> tuple[float, float, float, float]:
    call, layer, mac = _LATENCY
    latency = call + layer * (hidden + 1) + mac * network.macs
    return cost_of(network, "parameters"), cost_of(network, "macs"), cost_of(network, "bytes"), latency


def save_table(table: Table, path: Path) -> None:
    """Write a table, atomically."""
    arrays = {name: getattr(table, name) for name in _ARRAYS}
    arrays["right"] = np.packbits(table.right, axis=1)
    head = {
        "version": VERSION, "name": table.name, "rows": len(table.y), "teacher_costs": table.teacher_costs,
        "facts": [{key: value.tolist() if isinstance(value, np.ndarray) else value
                   for key, value in asdict(facts).items()} for facts in table.facts],
    }  # fmt: skip
    buffer = io.BytesIO()
    np.savez_compressed(buffer, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
    write_durably(path, buffer.getvalue())


_ARRAYS = ("move", "parameters", "macs", "bytes", "latency_us", "depth", "inputs", "constant", "pool", "y", "seconds")


def load_table(path: Path) -> Table:
    """Read a table.

    Raises:
        FormatError: damaged, or of another version.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes())) as stored:
            head = json.loads(bytes(stored["head"]))
            arrays = {name: stored[name] for name in _ARRAYS}
            right = np.unpackbits(stored["right"], axis=1, count=head["rows"]).astype(bool)
        if head["version"] != VERSION:
            raise FormatError("version", 0, str(VERSION), f"{head['version']} (file {path})")
        facts = tuple(_facts(entry) for entry in head["facts"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError("table", 0, "a table of `record`", f"{error} (file {path})") from error
    return Table(name=head["name"], right=right, teacher_costs=tuple(head["teacher_costs"]), facts=facts, **arrays)


def _facts(entry: dict[str, Any]) -> Facts:
    arrays = {key: np.array(value, np.float64) for key, value in entry.items() if isinstance(value, list)}
    return Facts(**{**entry, **arrays})
