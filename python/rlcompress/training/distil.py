"""Distillation of many small students at once.

Students of one depth are one batched tensor job, padded to the widest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.contract import Argmax, Contract, clip_to
from rlcompress.engine.parallel import single_threaded
from rlcompress.layers import Activation, Dense
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.training.labels import Labels, Loss

if TYPE_CHECKING:
    import torch

_TEMPERATURE = 0.01


@dataclass(frozen=True)
class Student:
    """What a student looks like and how it is taught.

    Args:
        hidden: widths of the hidden layers; empty for a linear policy.
        activation: of the hidden layers: relu or tanh.
        loss: see `Loss`.
        variant: tells students apart that differ in their random numbers alone.
    """

    hidden: tuple[int, ...]
    activation: Activation = "relu"
    loss: Loss = "sharp"
    variant: int = 0

    @property
    def name(self) -> str:
        shape = "-".join(str(width) for width in self.hidden) if self.hidden else "linear"
        activation = f" {self.activation}" if self.hidden else ""
        return f"{shape}{activation} {self.loss} #{self.variant}"


@dataclass(frozen=True)
class Distillation:
    """Settings of one training pass.

    Args:
        steps: optimiser steps (Adam).
        batch_size: observations per step and student.
        learning_rate: at the start; falls to a tenth along a cosine.
        least_spread: share of the range that an input was seen in, which it is taken to vary by at least: no large
            weights on what rarely changes, such as single points of pictures.
    """

    steps: int = 800
    batch_size: int = 256
    learning_rate: float = 1e-2
    least_spread: float = 0.0


def student_contract(teacher: Network) -> Contract:
    """Contract of a student of this teacher.

    The teacher's observation, selection and actions, without its normalisation (which the first layer absorbs).
    """
    source = teacher.contract
    head: Any = source.head
    if not isinstance(head, Argmax):
        low, high = _action_range(head, teacher.output_size)
        head = clip_to(low, high)
    low, high = source.observation_low, source.observation_high
    return Contract(source.observation_shape, head, low, high, selected=source.selected)


def _action_range(head: Any, outputs: int) -> tuple[Any, Any]:
    if head.kind == "raw":
        bound = np.full(outputs, np.inf, np.float32)
        return -bound, bound
    edge = np.tanh if head.kind == "squash" else np.asarray
    low = head.scale * edge(head.low) + head.offset
    high = head.scale * edge(head.high) + head.offset
    return np.minimum(low, high), np.maximum(low, high)


def distil(
    students: Sequence[Student],
    data: Sequence[Labels],
    contract: Contract,
    settings: Distillation,
    seed: int,
    start: Sequence[Network | None] | None = None,
) -> list[Network]:
    """Train each student on its own labels.

    Args:
        students: any mix of depths and widths.
        data: one `Labels` per student.
        contract: of the students; no normalisation. With a selection they learn from the values that it reads.
        settings: of the training pass.
        seed: with each student's variant, decides its first weights and batches.
        start: networks to go on from (same widths), None for fresh weights.

    Returns:
        One float32 network per student, in order.
    """
    require("torch")
    start = start or [None] * len(students)
    networks: list[Network | None] = [None] * len(students)
    for depth in sorted({len(student.hidden) for student in students}):
        members = [index for index, student in enumerate(students) if len(student.hidden) == depth]
        group = _Group(
            [students[i] for i in members], [data[i] for i in members], contract, seed, settings.least_spread
        )
        group.begin([start[i] for i in members])
        with single_threaded():
            group.train(settings)
        for index, network in zip(members, group.networks()):
            networks[index] = network
    return [network for network in networks if network is not None]


class _Group:
    """Students of one depth as stacked tensors: weights (students, out, in), zero beyond each student's widths."""

    def __init__(
        self, students: Sequence[Student], data: Sequence[Labels], contract: Contract, seed: int, least_spread: float
    ) -> None:
        import torch

        self.students, self.data, self.contract = students, data, contract
        outputs = data[0].targets.shape[1]
        self.widths = [(contract.network_inputs, *student.hidden, outputs) for student in students]
        self.padded = [max(widths[level] for widths in self.widths) for level in range(len(self.widths[0]))]
        read = contract.select(data[0].observations)
        self.mean = read.mean(0, dtype=np.float64)
        span = np.ptp(read, 0)
        self.varies = span > 0
        scale = np.maximum(read.std(0, dtype=np.float64) + 1e-6, least_spread * span)
        self.scale = np.where(self.varies, scale, 1.0)
        self.random = [np.random.default_rng((seed, 17, *student.hidden, student.variant)) for student in students]
        self.parameters: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.tanh = torch.tensor([student.activation == "tanh" for student in students]).view(-1, 1, 1)

    def begin(self, start: Sequence[Network | None]) -> None:
        import torch

        first = [self._unfolded(net) if net is not None else self._fresh(i) for i, net in enumerate(start)]
        for level, (rows, columns) in enumerate(zip(self.padded[1:], self.padded[:-1])):
            weight = np.zeros((len(first), rows, columns), np.float32)
            bias = np.zeros((len(first), 1, rows), np.float32)
            for index, layers in enumerate(first):
                w, b = layers[level]
                weight[index, : w.shape[0], : w.shape[1]] = w
                bias[index, 0, : b.shape[0]] = b
            self.parameters.append((torch.from_numpy(weight), torch.from_numpy(bias)))
        self.masks = [
            (
                torch.stack([_box(widths[level + 1], widths[level], rows, columns) for widths in self.widths]),
                torch.stack([_box(1, widths[level + 1], 1, rows) for widths in self.widths]),
            )
            for level, (rows, columns) in enumerate(zip(self.padded[1:], self.padded[:-1]))
        ]
        self.masks[0][0][:, :, ~torch.from_numpy(self.varies)] = 0

    def _fresh(self, index: int) -> list[tuple[Any, Any]]:
        """Glorot-uniform weights and small random biases (so that kinks of narrow relu layers spread)."""
        layers = []
        for columns, rows in zip(self.widths[index], self.widths[index][1:]):
            bound = np.sqrt(6 / (rows + columns))
            rng = self.random[index]
            layers.append((rng.uniform(-bound, bound, (rows, columns)), rng.uniform(-0.5, 0.5, rows)))
        layers[0][0][:, ~self.varies] = 0  # what never varied teaches nothing, and must not matter where it varies
        return layers

    def _unfolded(self, network: Network) -> list[tuple[Any, Any]]:
        """Layers in terms of standardised observations."""
        layers = [(layer.weight.astype(np.float64), layer.bias.astype(np.float64)) for layer in network.dense_layers()]
        weight, bias = layers[0]
        layers[0] = (weight * self.scale, bias + weight @ self.mean)
        return layers

    def train(self, settings: Distillation) -> None:
        import torch

        leaves = [tensor.requires_grad_(True) for pair in self.parameters for tensor in pair]
        optimiser = torch.optim.Adam(leaves, lr=settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimiser, settings.steps, eta_min=settings.learning_rate / 10
        )
        inputs, targets, weights = (torch.cat(pool) for pool in self._tensors())
        begins = np.cumsum([0, *(len(labels.observations) for labels in self.data[:-1])])
        losses = _Losses(self.students, self.contract)
        masks = [mask for pair in self.masks for mask in pair]
        for _ in range(settings.steps):
            picks = torch.from_numpy(
                np.concatenate([begin + self._pick(i, settings.batch_size) for i, begin in enumerate(begins)])
            )
            shape = (len(begins), settings.batch_size, -1)
            x, y = (pool[picks].view(shape) for pool in (inputs, targets))
            w = weights[picks].view(shape[:2])
            loss = losses(self.forward(x), y, w)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            for tensor, mask in zip(leaves, masks):
                assert tensor.grad is not None
                tensor.grad *= mask
            optimiser.step()
            schedule.step()

    def _pick(self, index: int, size: int) -> Any:
        return self.random[index].integers(0, len(self.data[index].observations), size)

    def _tensors(self) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
        """Standardised inputs, targets and observation weights, one tensor per student."""
        import torch

        inputs, targets, weights = [], [], []
        for student, labels in zip(self.students, self.data):
            read = self.contract.select(labels.observations)
            inputs.append(torch.from_numpy(((read - self.mean) / self.scale).astype(np.float32)))
            targets.append(torch.tensor(prepare_targets(labels.targets, student.loss)))
            spread = labels.targets.max(1) - labels.targets.min(1)
            flat = np.ones(len(spread), np.float32)
            weights.append(torch.from_numpy(spread / max(spread.mean(), 1e-9) if student.loss == "weighted" else flat))
        return inputs, targets, weights

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(students, batch, inputs) -> (students, batch, outputs)."""
        import torch

        values = inputs
        for level, (weight, bias) in enumerate(self.parameters):
            values = torch.baddbmm(bias, values, weight.transpose(1, 2))
            if level < len(self.parameters) - 1:
                values = torch.where(self.tanh, torch.tanh(values), torch.relu(values))
        return values

    def networks(self) -> list[Network]:
        """The students as networks on raw observations: the standardisation goes into the first layer."""
        found = []
        for index, widths in enumerate(self.widths):
            layers = []
            for level, (weight, bias) in enumerate(self.parameters):
                w = weight[index, : widths[level + 1], : widths[level]].detach().numpy().astype(np.float64)
                b = bias[index, 0, : widths[level + 1]].detach().numpy().astype(np.float64)
                if level == 0:
                    w = w / self.scale
                    b = b - w @ self.mean
                last = level == len(self.parameters) - 1
                activation = "identity" if last else self.students[index].activation
                layers.append(Dense(w.astype(np.float32), b.astype(np.float32), activation))
            found.append(Network(tuple(layers), self.contract))
        return found


class _Losses:
    """Sum over students of their mean losses."""

    def __init__(self, students: Sequence[Student], contract: Contract) -> None:
        import torch

        self.discrete = isinstance(contract.head, Argmax)
        if not self.discrete:
            self.low = torch.from_numpy(np.array(contract.head.low))  # type: ignore[union-attr]
            self.high = torch.from_numpy(np.array(contract.head.high))  # type: ignore[union-attr]

    def __call__(self, outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        import torch

        if self.discrete:
            each = -(targets * torch.log_softmax(outputs, -1)).sum(-1)
        else:
            free = ((targets >= self.high) & (outputs > self.high)) | ((targets <= self.low) & (outputs < self.low))
            each = torch.where(free, 0.0, outputs - targets).square().sum(-1)
        return (each * weights).mean(1).sum()


def prepare_targets(targets: Any, loss: Loss) -> Any:
    """Teacher outputs as what the loss compares with.

    (n, outputs) float32 probabilities, or the continuous actions themselves.
    """
    if loss == "square":
        return targets
    temperature = 1.0 if loss == "soft" else _TEMPERATURE
    logits = targets.astype(np.float64) / temperature
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


def _box(rows: int, columns: int, padded_rows: int, padded_columns: int) -> torch.Tensor:
    import torch

    mask = torch.zeros(padded_rows, padded_columns)
    mask[:rows, :columns] = 1
    return mask
