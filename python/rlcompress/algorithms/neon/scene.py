"""A problem made ready: the teacher dissected, rows dealt to learning, choosing and testing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.anatomy import Anatomy, dissect
from rlcompress.arrays import FloatArray
from rlcompress.artifact import weights_bytes
from rlcompress.contract import Argmax
from rlcompress.engine.measuring import inferences_us
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.problem import Float64Array, Problem, Split
from rlcompress.runtime import Runtime
from rlcompress.training.together import Lessons

_LEARNING_ROWS = 8000
_DISSECTING_ROWS = 2000
_ROUNDS = 20
CHOOSING: tuple[Split, ...] = ("screen",)
TESTING: tuple[Split, ...] = ("search", "accept")
"""No candidate is trained or chosen by rows of these; together they decide acceptance."""


@dataclass(frozen=True, eq=False)
class HeldRows:
    """Rows to judge on.

    Args:
        x: (rows, ...) observations.
        y: (rows,) classes, or (rows, outputs) values.
    """

    x: FloatArray
    y: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Scene:
    """What every move works on.

    Args:
        teacher: float32 dense layers, answers as the problem's teacher does.
        judged: the problem's teacher itself.
        anatomy: of the teacher.
        lessons: learning rows.
        choosing, testing: held rows.
        discrete: whether answers are classes.
        units: (outputs,) float64 that squared errors are shares of: `Lessons.variances`.
        base_rate: share of the largest class among the learning rows; 0 for values.
    """

    teacher: Network
    judged: Network
    anatomy: Anatomy
    lessons: Lessons
    choosing: HeldRows
    testing: HeldRows
    discrete: bool
    units: Float64Array
    base_rate: float

    def values(self, network: Network, rows: HeldRows) -> tuple[Float64Array, bool]:
        """Value of each row, and whether a class network gives one answer for all.

        1 or 0 for the right or a wrong class; minus the mean over outputs of the squared error over that output's own
        variance on the learning rows, so that no output hides behind one of larger units.
        """
        found = answers(network, rows.x)
        if not self.discrete:
            errors = np.square(found.astype(np.float64) - rows.y.reshape(len(rows), -1))
            return -(errors / self.units).mean(1), False
        chosen = found if found.ndim == 1 else np.argmax(found, axis=1)
        return np.asarray(chosen == rows.y, np.float64), bool((chosen == chosen[0]).all())


def answers(network: Network, x: FloatArray) -> npt.NDArray[Any]:
    """(rows,) classes, or (rows, outputs) values."""
    runtime, shape = Runtime(network), network.contract.observation_shape
    found = np.concatenate([runtime(x[at : at + 4096].reshape(-1, *shape)) for at in range(0, len(x), 4096)])
    head = network.contract.head
    return found - head.start if isinstance(head, Argmax) else found


def dense_on_rows(problem: Problem) -> tuple[Any, Network]:
    """The task, which has labelled rows, and the teacher in float32 dense layers.

    Raises:
        InvalidValueError: the task has no labelled rows, or the teacher's layers are not dense.
    """
    task: Any = problem.task
    if not hasattr(task, "training_rows") or not hasattr(task, "rows"):
        raise InvalidValueError(f"task: labelled rows expected, as in DatasetTask(x, y); found {type(task).__name__}")
    teacher = problem.teacher.dense_float()
    teacher.dense_layers()
    return task, teacher


def scene_of(problem: Problem) -> Scene:
    """Make a problem ready.

    Raises:
        InvalidValueError: the task has no labelled rows, or the teacher's layers are not dense.
    """
    task, teacher = dense_on_rows(problem)
    discrete = task.metric == "accuracy"
    learning = task.training_rows
    chosen = np.random.default_rng((problem.seed, 7)).permutation(len(learning.x))[:_LEARNING_ROWS]
    x, y = learning.x[chosen], learning.y[chosen]
    observations = np.ascontiguousarray(x.reshape(len(x), -1))
    contract = teacher.contract
    inputs = observations if contract.normalisation is None else contract.normalisation.apply(observations)
    taught = teacher_outputs(teacher, contract.select(inputs))
    labels = y.astype(np.int64) if discrete else y.reshape(len(y), -1).astype(np.float32)
    lessons = Lessons(inputs, taught, labels)
    anatomy = dissect(teacher, inputs[:_DISSECTING_ROWS], np.sqrt(lessons.variances))
    base_rate = float(np.bincount(labels).max()) / len(labels) if discrete else 0.0
    choosing, testing = _held(task, CHOOSING), _held(task, TESTING)
    return Scene(teacher, problem.teacher, anatomy, lessons, choosing, testing, discrete, lessons.variances, base_rate)


def _held(task: Any, splits: Sequence[Split]) -> HeldRows:
    pairs = [task.rows(split) for split in splits]
    return HeldRows(np.concatenate([pair.x for pair in pairs]), np.concatenate([pair.y for pair in pairs]))


def teacher_outputs(teacher: Network, inputs: FloatArray) -> FloatArray:
    """(rows, outputs) float32 before the head, from what the first layer reads."""
    from rlcompress.importers.torch_module import to_torch
    from rlcompress.optional import require

    torch = require("torch")
    with torch.inference_mode():
        return cast(FloatArray, to_torch(teacher)(torch.from_numpy(np.ascontiguousarray(inputs))).numpy())


def cost_of(network: Network, cost: str) -> float:
    """Parameters, multiply-accumulates, stored bytes of weights, or measured microseconds of one inference."""
    if cost == "parameters":
        return float(network.parameter_count)
    if cost == "macs":
        return float(network.macs)
    if cost == "bytes":
        return float(weights_bytes(network))
    return inferences_us([network], rounds=_ROUNDS)[0]


def cost_beside(network: Network, teacher: Network, teacher_cost: float, cost: str) -> float:
    """The same of a student; microseconds as its share of the teacher's, timed in turns.

    A machine that is slower for a moment is slower for both, so that candidates timed at different moments compare.

    Args:
        network: the student.
        teacher: as judged.
        teacher_cost: of the teacher, in the unit of `cost`.
        cost: kind of cost.
    """
    if cost != "latency_us":
        return cost_of(network, cost)
    own, of_teacher = inferences_us([network, teacher], rounds=_ROUNDS)
    return teacher_cost * own / of_teacher
