"""Base networks: dense networks trained on the training rows of a task, to be narrowed later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.contract import Argmax, Contract, Normalisation, Raw
from rlcompress.corpus.architectures import Architecture
from rlcompress.corpus.stack import Stack
from rlcompress.engine.parallel import single_threaded
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Activation, Dense
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.tasks.dataset import DatasetTask
from rlcompress.tasks.row_splits import deal

if TYPE_CHECKING:
    import torch

LEARNING_RATE = 1e-3
CLIP = 8.0
_HELD_SHARE = 0.15
_FLAT = 2.0**-22  # of the mean: what float32 values vary by when they are the same
_BATCHES = (16, 128)
_STACKED_WEIGHTS = 60_000
"""Networks with more weights than this gain nothing from being trained side by side."""


@dataclass(frozen=True)
class TrainingLimits:
    """When training ends, whichever comes first.

    Args:
        seconds: wall clock of one network, > 0; a stack gets the sum of its members.
        epochs: over the training rows, >= 1.
        patience: epochs without a better validation loss, >= 1.
    """

    seconds: float = 20.0
    epochs: int = 60
    patience: int = 8

    def __post_init__(self) -> None:
        for name in ("seconds", "epochs", "patience"):
            if not getattr(self, name) > 0:
                raise InvalidValueError(f"{name}: a value > 0 expected, found {getattr(self, name)}")


def train_base(
    task: DatasetTask,
    architecture: Architecture,
    *,
    seed: int,
    seconds: float = 20.0,
    epochs: int = 60,
    patience: int = 8,
) -> Network:
    """A network of this architecture, trained on the task's training rows.

    Adam at 1e-3 in float32 on one thread, stopped on the loss over a seventh of the *training* rows, so that no split
    of the task is touched. The network takes raw rows: z-scores fitted on the training rows and clipped at 8 are in its
    contract; batch norm is folded into its weights.

    Args:
        task: gives rows and kind of target; argmax head for classes, raw head for values.
        architecture: of the hidden layers.
        seed: of first weights, batches and dropout, >= 0.
        seconds, epochs, patience: see `TrainingLimits`. Where `seconds` ends the training (`metadata` says so), another
            machine gives another network.

    Raises:
        InvalidValueError: settings out of range, or too few training rows.
        MissingExtraError: torch is not installed.
    """
    return train_bases(task, [architecture], seeds=[seed], limits=TrainingLimits(seconds, epochs, patience))[0]


def train_bases(
    task: DatasetTask,
    architectures: Sequence[Architecture],
    *,
    seeds: Sequence[int],
    limits: TrainingLimits | None = None,
) -> list[Network]:
    """One trained network per architecture, in order; small ones of one depth are trained side by side.

    Each is the network that `train_base` gives alone, but for the rounding of its sums.

    Args:
        task, architectures: as for `train_base`.
        seeds: one per architecture.
        limits: see `TrainingLimits`.

    Raises:
        InvalidValueError: not one seed per architecture, a negative seed, or too few training rows.
        MissingExtraError: torch is not installed.
    """
    require("torch")
    if len(seeds) != len(architectures) or min(seeds, default=0) < 0:
        raise InvalidValueError(f"seeds: {len(architectures)} values >= 0 expected, found {list(seeds)}")
    rows = _rows_of(task)
    made: list[Network | None] = [None] * len(architectures)
    for members in _groups(architectures, rows):
        with single_threaded():
            found = _train([architectures[i] for i in members], [seeds[i] for i in members], rows, limits)
        for index, network in zip(members, found):
            made[index] = network.with_metadata(data=task.name)
    return [network for network in made if network is not None]


def input_scaling(x: FloatArray) -> Normalisation:
    """z-scores of (rows, inputs) values, clipped at 8; a constant column is only shifted."""
    mean, std = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
    flat = std <= _FLAT * np.abs(mean) + 1e-12
    return Normalisation(mean.astype(np.float32), np.where(flat, 1.0, std).astype(np.float32), CLIP)


@dataclass(frozen=True)
class _Rows:
    """Training rows of a task, scaled.

    Args:
        contract: of the networks; x, y: tensors; fit, held: row numbers to learn from and to stop on.
        offset, spread: (outputs,) that map trained outputs back to values (0 and 1 for classes).
    """

    contract: Contract
    x: torch.Tensor
    y: torch.Tensor
    fit: torch.Tensor
    held: torch.Tensor
    outputs: int
    classes: bool
    offset: Any
    spread: Any


def _rows_of(task: DatasetTask) -> _Rows:
    import torch

    x, y = task.training_rows
    flat = x.reshape(len(x), -1)
    scaling = input_scaling(flat)
    classes = task.metric == "accuracy"
    head = Argmax() if classes else Raw()
    offset, spread = np.zeros(task.outputs), np.ones(task.outputs)
    if not classes:
        y = y.reshape(len(y), -1).astype(np.float64)
        offset, spread = y.mean(0), np.maximum(y.std(0), 1e-12)
        y = ((y - offset) / spread).astype(np.float32)
    pools = deal(y, ("held",), _HELD_SHARE, task.seed)
    fit, held = (torch.from_numpy(pools[name]) for name in ("data", "held"))
    contract = Contract(x.shape[1:], head, normalisation=scaling)
    inputs, targets = torch.from_numpy(scaling.apply(flat)), torch.from_numpy(np.ascontiguousarray(y))
    return _Rows(contract, inputs, targets, fit, held, task.outputs, classes, offset, spread)


def _groups(architectures: Sequence[Architecture], rows: _Rows) -> list[list[int]]:
    """Places of networks that are trained together: small ones by depth, every other one alone."""
    alone: list[list[int]] = []
    stacked: dict[int, list[int]] = {}
    for index, architecture in enumerate(architectures):
        widths = (rows.x.shape[1], *architecture.hidden, rows.outputs)
        if sum(a * b for a, b in pairwise(widths)) > _STACKED_WEIGHTS:
            alone.append([index])
        else:
            stacked.setdefault(len(architecture.hidden), []).append(index)
    return [*stacked.values(), *alone]


def _train(
    architectures: Sequence[Architecture], seeds: Sequence[int], rows: _Rows, limits: TrainingLimits | None
) -> list[Network]:
    import torch

    limits = limits or TrainingLimits()
    random = [np.random.default_rng((seed, 41, *each.hidden)) for each, seed in zip(architectures, seeds)]
    generators = [torch.Generator().manual_seed(int(rng.integers(2**62))) for rng in random]
    stack = Stack(architectures, rows.x.shape[1], rows.outputs, random, generators)
    optimiser = torch.optim.Adam(stack.parameters, lr=LEARNING_RATE, fused=True)
    began = time.monotonic()
    watch = _Watch(stack, limits.patience)
    for epoch in range(1, limits.epochs + 1):
        _epoch(stack, optimiser, rows, random)
        with torch.no_grad():
            held = rows.x[rows.held].expand(len(architectures), -1, -1)
            losses = _loss(
                stack.forward(held, False), rows.y[rows.held].expand(len(architectures), *[-1] * rows.y.ndim), rows
            )
        watch.after(epoch, losses.tolist())
        if not watch.running:
            break
        if time.monotonic() - began > limits.seconds * len(architectures):
            watch.stop("seconds")
            break
    seconds = (time.monotonic() - began) / len(architectures)
    return [
        _network(stack, member, watch, rows, architecture, seed, seconds)
        for member, (architecture, seed) in enumerate(zip(architectures, seeds))
    ]


def _epoch(stack: Stack, optimiser: Any, rows: _Rows, random: Sequence[np.random.Generator]) -> None:
    import torch

    count = len(rows.fit)
    size = max(2, min(count, int(np.clip(count // 16, *_BATCHES))))
    order = torch.from_numpy(np.stack([rng.permutation(count) for rng in random]))
    for start in range(0, count - size + 1, size):
        picks = rows.fit[order[:, start : start + size]]
        loss = _loss(stack.forward(rows.x[picks], True), rows.y[picks], rows).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        stack.mask_gradients()
        optimiser.step()


def _loss(found: torch.Tensor, wanted: torch.Tensor, rows: _Rows) -> torch.Tensor:
    """(members,) mean losses of (members, rows, outputs)."""
    from torch.nn import functional

    if rows.classes:
        each = functional.cross_entropy(found.reshape(-1, rows.outputs), wanted.reshape(-1), reduction="none")
        return each.view(found.shape[:2]).mean(1)
    return (found - wanted).square().mean((1, 2))


class _Watch:
    """The best epoch of each member, and who still learns."""

    def __init__(self, stack: Stack, patience: int) -> None:
        self.stack, self.patience = stack, patience
        members = len(stack.architectures)
        self.best = [float("inf")] * members
        self.at = [0] * members
        self.kept = [stack.snapshot(member) for member in range(members)]
        self.ended = ["epochs"] * members
        self.running = set(range(members))

    def after(self, epoch: int, losses: Sequence[float]) -> None:
        for member in sorted(self.running):
            if losses[member] < self.best[member]:
                self.best[member], self.at[member] = losses[member], epoch
                self.kept[member] = self.stack.snapshot(member)
            elif epoch - self.at[member] >= self.patience:
                self.ended[member] = "patience"
                self.running.discard(member)

    def stop(self, reason: str) -> None:
        for member in self.running:
            self.ended[member] = reason


def _network(
    stack: Stack, member: int, watch: _Watch, rows: _Rows, architecture: Architecture, seed: int, seconds: float
) -> Network:
    layers = stack.folded(member, watch.kept[member])
    weight, bias = layers[-1]
    layers[-1] = (weight * rows.spread[:, None], bias * rows.spread + rows.offset)
    words: tuple[Activation, ...] = (*architecture.activations, "identity")
    dense = tuple(Dense(w.astype(np.float32), b.astype(np.float32), word) for (w, b), word in zip(layers, words))
    notes = {
        "kind": "base network",
        "hidden": list(architecture.hidden),
        "before": list(architecture.before),
        "seed": seed,
        "epochs": watch.at[member],
        "ended_by": watch.ended[member],
        "validation_loss": round(watch.best[member], 6),
        "seconds": round(seconds, 3),
    }
    return Network(dense, rows.contract, notes)
