"""Distillation of one student whose weights may be masked: RMSProp on the published loss, single-threaded torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.arrays import BoolArray, FloatArray
from rlcompress.contract import Argmax, Contract
from rlcompress.engine.parallel import single_threaded
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.ranking import magnitude_masks
from rlcompress.training.labels import Labels

if TYPE_CHECKING:
    import torch

_SOFTEN = 1e-5
_DECAY = 0.9
_EPSILON = 1e-10


@dataclass(frozen=True, eq=False)
class Learner:
    """A student in training.

    Args:
        weights: raw ones, also where the mask is False, so that a later mask may keep them again.
        biases: never masked.
        masks: True = kept.
        squares: running mean squares of the gradients, weights then biases.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    masks: tuple[BoolArray, ...]
    squares: tuple[FloatArray, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """Weights that the masks keep, per layer."""
        return tuple(int(np.count_nonzero(mask)) for mask in self.masks)

    @property
    def hidden(self) -> tuple[int, ...]:
        return tuple(len(bias) for bias in self.biases[:-1])

    def network(self, teacher: Network) -> Network:
        """The student with the teacher's activations and contract."""
        parts = zip(teacher.layers, self.weights, self.biases, self.masks)
        return Network(
            tuple(
                Dense(weight, bias, layer.activation, layer.alpha, None if mask.all() else mask)
                for layer, weight, bias, mask in parts
            ),
            teacher.contract,
        )


def learner_of(weights: list[FloatArray], biases: list[FloatArray]) -> Learner:
    """A learner before its first step, nothing masked."""
    masks = tuple(np.ones(weight.shape, np.bool_) for weight in weights)
    squares = tuple(np.ones(array.shape, np.float32) for array in (*weights, *biases))
    return Learner(tuple(weights), tuple(biases), masks, squares)


def copy_of(teacher: Network) -> Learner:
    """A student that is the teacher; what its masks dropped is zero and may come back."""
    layers = teacher.dense_float().dense_layers()
    return learner_of([layer.weight for layer in layers], [layer.bias for layer in layers])


def fresh(widths: tuple[int, ...], rng: np.random.Generator) -> Learner:
    """Glorot-uniform weights, biases zero.

    Args:
        widths: inputs, hidden ones, outputs.
        rng: decides the weights.
    """
    shapes = list(zip(widths[1:], widths))
    bounds = [np.sqrt(6 / (rows + columns)) for rows, columns in shapes]
    weights = [rng.uniform(-bound, bound, shape).astype(np.float32) for bound, shape in zip(bounds, shapes)]
    return learner_of(weights, [np.zeros(rows, np.float32) for rows, _ in shapes])


@dataclass(frozen=True)
class Lesson:
    """A piece of training.

    Args:
        steps: minibatches.
        batch_size: observations of each.
        learning_rate: of RMSProp.
        temperature: of the teacher's outputs.
        pruning_frequency: steps between two masks; 0 leaves the masks alone.
        clock: steps of the pruning schedule before this piece.
    """

    steps: int
    batch_size: int
    learning_rate: float
    temperature: float
    pruning_frequency: int = 0
    clock: int = 0


def train(
    learner: Learner,
    teacher: Network,
    labels: Labels,
    lesson: Lesson,
    rng: np.random.Generator,
    sparsity_at: Callable[[int], float] = lambda step: 0.0,
) -> Learner:
    """The learner after a lesson.

    Args:
        learner: where to go on from.
        teacher: gives activations and contract.
        labels: what the teacher says about its own observations.
        lesson: what to do.
        rng: picks the observations.
        sparsity_at: sparsity of each layer by step of the schedule.
    """
    require("torch")
    with single_threaded():
        student = _Student(learner, teacher, lesson)
        inputs, targets = student.tensors(labels)
        for step in range(lesson.steps):
            if lesson.pruning_frequency and (lesson.clock + step) % lesson.pruning_frequency == 0:
                student.prune(sparsity_at(lesson.clock + step))
            picks = rng.integers(0, len(labels.observations), lesson.batch_size)
            student.learn(inputs[picks], targets[picks])
        return student.learner(learner)


class _Student:
    """The tensors of a learner."""

    def __init__(self, learner: Learner, teacher: Network, lesson: Lesson) -> None:
        import torch

        self.layers, self.contract, self.lesson = teacher.layers, teacher.contract, lesson
        self.weights = [torch.tensor(weight, requires_grad=True) for weight in learner.weights]
        self.biases = [torch.tensor(bias, requires_grad=True) for bias in learner.biases]
        self.squares = [torch.tensor(square) for square in learner.squares]
        self.set_masks(list(learner.masks))
        self.loss = loss_of(teacher.contract)

    def set_masks(self, masks: list[BoolArray]) -> None:
        import torch

        self.masks = masks
        self.factors = [torch.tensor(mask, dtype=torch.float32) for mask in masks]

    def tensors(self, labels: Labels) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        normalisation = self.contract.normalisation
        inputs = labels.observations if normalisation is None else normalisation.apply(labels.observations)
        targets = torch.tensor(labels.targets)
        if isinstance(self.contract.head, Argmax):
            targets = torch.softmax(targets.double() / self.lesson.temperature, -1).float() + _SOFTEN
        return torch.tensor(self.contract.select(inputs)), targets

    def prune(self, sparsity: float) -> None:
        raw = [weight.detach().numpy() for weight in self.weights]
        self.set_masks(magnitude_masks(raw, sparsity, "layer"))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        import torch

        for layer, weight, factor, bias in zip(self.layers, self.weights, self.factors, self.biases):
            values = activate(torch.addmm(bias, values, (weight * factor).t()), layer.activation, layer.alpha)
        return values

    def learn(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        import torch

        leaves = [*self.weights, *self.biases]
        slopes = torch.autograd.grad(self.loss(self.forward(inputs), targets), leaves)
        with torch.no_grad():
            for leaf, slope, square in zip(leaves, slopes, self.squares):
                square.mul_(_DECAY).addcmul_(slope, slope, value=1 - _DECAY)
                leaf.addcdiv_(slope, (square + _EPSILON).sqrt_(), value=-self.lesson.learning_rate)

    def learner(self, before: Learner) -> Learner:
        return replace(
            before,
            weights=tuple(weight.detach().numpy() for weight in self.weights),
            biases=tuple(bias.detach().numpy() for bias in self.biases),
            masks=tuple(self.masks),
            squares=tuple(square.numpy() for square in self.squares),
        )


def activate(values: torch.Tensor, activation: str, alpha: float) -> torch.Tensor:
    """An activation of `rlcompress.layers` in torch."""
    import torch.nn.functional as functional

    if activation == "identity":
        return values
    if activation == "gelu":
        return functional.gelu(values, approximate="tanh")
    if activation in ("elu", "leaky_relu"):
        found: Any = getattr(functional, activation)(values, alpha)
    else:
        found = getattr(functional, activation)(values)
    return found  # type: ignore[no-any-return]


Loss = Callable[[Any, Any], Any]


def loss_of(contract: Contract) -> Loss:
    """The published loss for an argmax head: the sum of `p ln(p / q)` over batch and actions; squares for others.

    A continuous student pays nothing beyond the action's bound where the teacher is at that bound.
    """
    import torch

    head: Any = contract.head
    if isinstance(head, Argmax):
        return lambda outputs, p: (p * (p.log() - (torch.softmax(outputs, -1) + _SOFTEN).log())).sum()
    if head.kind == "raw":
        return lambda outputs, actions: (outputs - actions).square().sum()
    scale, offset = torch.tensor(head.scale), torch.tensor(head.offset)
    if head.kind == "squash":
        return lambda outputs, actions: (scale * torch.tanh(outputs) + offset - actions).square().sum()
    ends = torch.stack([scale * torch.tensor(head.low) + offset, scale * torch.tensor(head.high) + offset])
    low, high = ends.min(0).values, ends.max(0).values

    def clipped(outputs: Any, actions: Any) -> Any:
        wanted = scale * outputs + offset
        free = ((actions >= high) & (wanted > high)) | ((actions <= low) & (wanted < low))
        return torch.where(free, torch.zeros_like(wanted), wanted - actions).square().sum()

    return clipped
