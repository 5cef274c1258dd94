"""Training of many small dense networks at once: stacked weights, padded with zeros, one batch of rows for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray
from rlcompress.engine.parallel import single_threaded
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.problem import Float64Array
from rlcompress.training.slopes import activated, slope

if TYPE_CHECKING:
    import torch

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True, eq=False)
class Lessons:
    """Rows to learn from, the same for all students.

    Args:
        inputs: (rows, inputs) float32, normalised whole observations.
        taught: (rows, outputs) float32 of the teacher.
        labels: (rows,) int64 classes, or (rows, outputs) float32 values.
    """

    inputs: FloatArray
    taught: FloatArray
    labels: npt.NDArray[Any]

    @property
    def discrete(self) -> bool:
        """Whether the labels are classes."""
        return self.labels.dtype.kind == "i"

    @property
    def variances(self) -> Float64Array:
        """(outputs,) what squared errors are measured in: variances of values, 1 for classes.

        An output whose value never changes is measured in the square of that value, or in 1 where it is 0.
        """
        if self.discrete:
            return np.ones(self.taught.shape[1])
        first = self.labels[0].astype(np.float64)
        still = np.where(first == 0, 1.0, np.square(first))
        changes = np.ptp(self.labels, axis=0) > 0  # the variance of equal values is not always 0: their sum rounds
        return np.where(changes, self.labels.var(0, dtype=np.float64), still)


@dataclass(frozen=True)
class Course:
    """How students are taught.

    Args:
        steps: of Adam, >= 1.
        batch_size: rows per step, the same ones for all students.
        learning_rate: at the start; falls to a hundredth along a cosine.
        distil: share of the teacher's outputs in the loss, 0..1; the rest are labels.
        temperature: of soft targets.
    """

    steps: int = 400
    batch_size: int = 256
    learning_rate: float = 1e-2
    distil: float = 0.7
    temperature: float = 2.0


def train_together(students: Sequence[Network], lessons: Lessons, course: Course, seed: int) -> list[Network]:
    """Train each student from the weights that it has.

    The loss is `distil * temperature^2 * KL(teacher, student)` at that temperature plus `(1 - distil)` cross entropy;
    for values the mean square error to both, in units of the labels' standard deviation.

    Args:
        students: float32 dense networks, any widths, depths and selections of inputs.
        lessons: what they see.
        course: how they learn.
        seed: of the batches, >= 0.

    Returns:
        The students in order, with their contracts. The same arguments give the same bits.

    Raises:
        InvalidValueError: steps < 1.

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """
    require("torch")
    if course.steps < 1:
        raise InvalidValueError(f"steps: at least 1 expected, found {course.steps}")
    found: list[Network | None] = [None] * len(students)
    kinds = [tuple((layer.activation, layer.alpha) for layer in student.dense_layers()) for student in students]
    for kind in dict.fromkeys(kinds):
        members = [index for index, other in enumerate(kinds) if other == kind]
        with single_threaded():
            trained = _Stack([students[index] for index in members], lessons, course).trained(seed)
        for index, network in zip(members, trained):
            found[index] = network
    return [network for network in found if network is not None]


class _Stack:
    """Students with the same activations; parameters and gradients are views of one flat tensor each."""

    def __init__(self, students: Sequence[Network], lessons: Lessons, course: Course) -> None:
        torch = require("torch")
        self.students, self.lessons, self.course = students, lessons, course
        self.kinds = [(layer.activation, layer.alpha) for layer in students[0].dense_layers()]
        widths = [(len(lessons.inputs[0]), *student.widths[1:]) for student in students]
        self.padded = [max(each[level] for each in widths) for level in range(len(widths[0]))]
        shapes = [shape for pair in zip(self.padded, self.padded[1:]) for shape in (pair, (1, pair[1]))]
        sizes = [len(students) * rows * columns for rows, columns in shapes]
        self.flat, self.gradient, self.mask = (torch.zeros(sum(sizes)) for _ in range(3))
        self.views, self.slopes, masks = (
            [part.view(len(students), *shape) for part, shape in zip(torch.split(flat, sizes), shapes)]
            for flat in (self.flat, self.gradient, self.mask)
        )
        self.linear = self.kinds[-1][0] == "identity"
        self.mean, self.scale = _units(lessons, self.linear)
        self.variances = torch.tensor(lessons.variances, dtype=torch.float32)
        for index, student in enumerate(students):
            self._write(index, student, masks)

    def _write(self, index: int, student: Network, masks: list[torch.Tensor]) -> None:
        torch = require("torch")
        layers = student.dense_layers()
        for level, layer in enumerate(layers):
            weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
            if level == len(layers) - 1:
                weight, bias = weight / self.scale[:, None], (bias - self.mean) / self.scale
            columns = list(student.contract.kept_inputs) if level == 0 else list(range(layer.in_features))
            rows = layer.out_features
            kept = np.ones(weight.shape) if layer.mask is None else layer.mask
            self.views[2 * level][index, columns, :rows] = torch.tensor(weight.T, dtype=torch.float32)
            self.views[2 * level + 1][index, 0, :rows] = torch.tensor(bias, dtype=torch.float32)
            masks[2 * level][index, columns, :rows] = torch.tensor(kept.T.copy(), dtype=torch.float32)
            masks[2 * level + 1][index, 0, :rows] = 1

    def trained(self, seed: int) -> list[Network]:
        torch = require("torch")
        course, lessons = self.course, self.lessons
        inputs = torch.from_numpy(np.ascontiguousarray(lessons.inputs))
        soft, hard = self._targets()
        first, second = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        picks = torch.from_numpy(
            np.random.default_rng((seed, 31)).integers(0, len(inputs), (course.steps, course.batch_size))
        )
        with torch.inference_mode():
            for step in range(course.steps):
                rows = picks[step]
                self._backward(inputs[rows], soft[rows], hard[rows])
                self.gradient.mul_(self.mask)
                first.lerp_(self.gradient, 1 - _BETAS[0])
                second.mul_(_BETAS[1]).addcmul_(self.gradient, self.gradient, value=1 - _BETAS[1])
                fall = 0.505 + 0.495 * float(np.cos(np.pi * step / course.steps))
                unbias = 1 - _BETAS[1] ** (step + 1)
                rate = course.learning_rate * fall * unbias**0.5 / (1 - _BETAS[0] ** (step + 1))
                self.flat.addcdiv_(first, second.sqrt().add_(_EPSILON * unbias**0.5), value=-rate)
        return [self._read(index) for index in range(len(self.students))]

    def _targets(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Soft and hard targets, (rows, outputs) each."""
        torch = require("torch")
        lessons = self.lessons
        if lessons.discrete:
            soft = torch.softmax(torch.tensor(lessons.taught) / self.course.temperature, 1)
            hard = torch.nn.functional.one_hot(torch.tensor(lessons.labels), lessons.taught.shape[1]).float()
            return soft, hard
        return tuple(
            torch.tensor(((values - self.mean) / self.scale).astype(np.float32))
            for values in (lessons.taught, lessons.labels)
        )

    def _backward(self, x: torch.Tensor, soft: torch.Tensor, hard: torch.Tensor) -> None:
        """Fill `gradient` with that of the sum over students of their mean losses on a batch."""
        torch = require("torch")
        count = len(self.students)
        values, sums = [x.expand(count, *x.shape)], []
        for level, (kind, alpha) in enumerate(self.kinds):
            sums.append(torch.baddbmm(self.views[2 * level + 1], values[-1], self.views[2 * level]))
            values.append(activated(kind, alpha, sums[-1]))
        delta = self._outer(values[-1], soft, hard).div_(len(x))
        for level in range(len(self.kinds) - 1, -1, -1):
            delta = slope(*self.kinds[level], sums[level], values[level + 1], delta)
            torch.bmm(values[level].transpose(1, 2), delta, out=self.slopes[2 * level])
            torch.sum(delta, 1, keepdim=True, out=self.slopes[2 * level + 1])
            if level:
                delta = torch.bmm(delta, self.views[2 * level].transpose(1, 2))

    def _outer(self, outputs: torch.Tensor, soft: torch.Tensor, hard: torch.Tensor) -> torch.Tensor:
        """Derivative of each row's loss by the outputs."""
        torch = require("torch")
        share, heat = self.course.distil, self.course.temperature
        if not self.lessons.discrete:
            made: Any = outputs - (share * soft + (1 - share) * hard)
            if not self.linear:
                made.div_(self.variances)
            return made.mul_(2 / outputs.shape[-1])  # type: ignore[no-any-return]
        made = torch.softmax(outputs / heat, -1).sub_(soft).mul_(share * heat)
        return made.add_(torch.softmax(outputs, -1).sub_(hard), alpha=1 - share)  # type: ignore[no-any-return]

    def _read(self, index: int) -> Network:
        student, layers = self.students[index], []
        for level, layer in enumerate(student.dense_layers()):
            columns = list(student.contract.kept_inputs) if level == 0 else list(range(layer.in_features))
            weight = self.views[2 * level][index][columns, : layer.out_features].numpy().T.astype(np.float64)
            bias = self.views[2 * level + 1][index, 0, : layer.out_features].numpy().astype(np.float64)
            if level == len(self.kinds) - 1:
                weight, bias = weight * self.scale[:, None], bias * self.scale + self.mean
            layers.append(replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32)))
        return student.with_layers(layers)


def _units(lessons: Lessons, linear: bool) -> tuple[Float64Array, Float64Array]:
    """Mean and scale of the outputs: those of the labels where they are values of a linear layer, else 0 and 1.

    Before an activation another scale would be another function.
    """
    if lessons.discrete or not linear:
        return np.zeros(lessons.taught.shape[1]), np.ones(lessons.taught.shape[1])
    return lessons.labels.mean(0, dtype=np.float64), np.sqrt(lessons.variances)
