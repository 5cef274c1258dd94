"""`Stack`: several networks of one depth as batched tensors, padded with zeros to the widest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.corpus.architectures import HIDDEN_ACTIVATIONS, Architecture

if TYPE_CHECKING:
    import torch

_EPSILON = 1e-5
_MOMENTUM = 0.1


@dataclass(frozen=True)
class _Level:
    """One layer of every member.

    Args:
        weight: (members, in, out), so that its gradient needs no transposing; zero beyond a member's own widths.
        bias: (members, 1, out), zero there too.
        gain, shift: (members, in) of batch norm; of no use where no member has one.
        mean, variance: (members, in) running statistics.
        normed, dropped: (members, 1, 1) bool: whether batch norm or dropout stands before it.
        masks: of weight, bias and shift, 1 inside of a member's own widths.
        sizes: (in, out) of each member.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    gain: torch.Tensor
    shift: torch.Tensor
    mean: torch.Tensor
    variance: torch.Tensor
    normed: torch.Tensor
    dropped: torch.Tensor
    masks: tuple[torch.Tensor, ...]
    sizes: tuple[tuple[int, int], ...]


class Stack:
    """Networks of one depth that are trained side by side.

    Args:
        architectures: all of one depth.
        inputs, outputs: of every network.
        random: one generator per member, of its first weights.
        generators: one torch generator per member, of its dropout.
    """

    def __init__(
        self,
        architectures: Sequence[Architecture],
        inputs: int,
        outputs: int,
        random: Sequence[np.random.Generator],
        generators: Sequence[torch.Generator],
    ) -> None:
        self.architectures, self.generators = tuple(architectures), tuple(generators)
        widths = [(inputs, *architecture.hidden, outputs) for architecture in architectures]
        self.levels = [
            _level([(w[at], w[at + 1]) for w in widths], [_before(a, at) for a in architectures], random)
            for at in range(len(widths[0]) - 1)
        ]
        self._activations = [self._activation_of(at) for at in range(len(self.levels) - 1)]
        self._padded = len({*widths}) > 1

    @property
    def parameters(self) -> list[torch.Tensor]:
        """What the optimiser changes."""
        found = []
        for level in self.levels:
            found += [level.weight, level.bias]
            if level.normed.any():
                found += [level.gain, level.shift]
        return found

    def forward(self, values: torch.Tensor, training: bool) -> torch.Tensor:
        """(members, rows, inputs) -> (members, rows, outputs)."""
        import torch

        for at, level in enumerate(self.levels):
            if level.normed.any():
                normed = _batch_norm(level, values, training)
                values = normed if level.normed.all() else torch.where(level.normed, normed, values)
            if training and level.dropped.any():
                values = values * self._dropout(level, values.shape)
            values = torch.baddbmm(level.bias, values, level.weight)
            if at < len(self.levels) - 1:
                values = self._activations[at](values)
        return values

    def mask_gradients(self) -> None:
        """Keep what lies beyond a member's own widths at zero."""
        if not self._padded:
            return
        for level in self.levels:
            for tensor, mask in zip((level.weight, level.bias, level.shift), level.masks):
                if tensor.grad is not None:
                    tensor.grad *= mask

    def snapshot(self, member: int) -> list[tuple[Any, ...]]:
        """A copy of all of a member's arrays, layer by layer."""
        names = ("weight", "bias", "gain", "shift", "mean", "variance")
        return [tuple(getattr(level, name)[member].detach().clone() for name in names) for level in self.levels]

    def folded(self, member: int, snapshot: list[tuple[Any, ...]]) -> list[tuple[FloatArray, FloatArray]]:
        """(out, in) float64 weights and (out,) biases of a member's layers, batch norm folded into them."""
        layers = []
        for level, arrays in zip(self.levels, snapshot):
            columns, rows = level.sizes[member]
            weight, bias, gain, shift, mean, variance = (array.double().numpy() for array in arrays)
            weight, bias = weight[:columns, :rows].T, bias[0, :rows]
            if bool(level.normed[member]):
                scale = (gain / np.sqrt(variance + _EPSILON))[:columns]
                bias = bias + weight @ (shift[:columns] - mean[:columns] * scale)
                weight = weight * scale
            layers.append((weight, bias))
        return layers

    def _dropout(self, level: _Level, shape: Sequence[int]) -> torch.Tensor:
        import torch

        factors = torch.ones(tuple(shape))
        for member, generator in enumerate(self.generators):
            if bool(level.dropped[member]):
                width = level.sizes[member][0]
                drawn = torch.empty(shape[1], width).bernoulli_(0.5, generator=generator)
                factors[member, :, :width] = 2 * drawn
        return factors

    def _activation_of(self, at: int) -> Callable[[torch.Tensor], torch.Tensor]:
        import torch

        functions = dict(zip(HIDDEN_ACTIVATIONS, (torch.relu, torch.tanh, torch.sigmoid)))
        words = [architecture.activations[at] for architecture in self.architectures]
        if len(set(words)) == 1:
            return functions[words[0]]
        chosen = {word: torch.tensor([w == word for w in words]).view(-1, 1, 1) for word in sorted(set(words))}

        def mixed(values: torch.Tensor) -> torch.Tensor:
            made = torch.zeros_like(values)
            for word, members in chosen.items():
                made = torch.where(members, functions[word](values), made)
            return made

        return mixed


def _before(architecture: Architecture, at: int) -> str:
    return architecture.before[at] if at < len(architecture.before) else "none"


def _level(sizes: Sequence[tuple[int, int]], before: Sequence[str], random: Sequence[np.random.Generator]) -> _Level:
    import torch

    count, columns, rows = len(sizes), max(size[0] for size in sizes), max(size[1] for size in sizes)
    weight, bias = np.zeros((count, columns, rows), np.float32), np.zeros((count, 1, rows), np.float32)
    masks = (np.zeros_like(weight), np.zeros_like(bias), np.zeros((count, columns), np.float32))
    for member, ((fan_in, fan_out), rng) in enumerate(zip(sizes, random)):
        bound = fan_in**-0.5
        weight[member, :fan_in, :fan_out] = rng.uniform(-bound, bound, (fan_in, fan_out))
        bias[member, 0, :fan_out] = rng.uniform(-bound, bound, fan_out)
        masks[0][member, :fan_in, :fan_out] = masks[1][member, 0, :fan_out] = masks[2][member, :fan_in] = 1
    return _Level(
        weight=torch.from_numpy(weight).requires_grad_(True),
        bias=torch.from_numpy(bias).requires_grad_(True),
        gain=torch.ones(count, columns, requires_grad=True),
        shift=torch.zeros(count, columns, requires_grad=True),
        mean=torch.zeros(count, columns),
        variance=torch.ones(count, columns),
        normed=torch.tensor([word == "batch_norm" for word in before]).view(-1, 1, 1),
        dropped=torch.tensor([word == "dropout" for word in before]).view(-1, 1, 1),
        masks=tuple(torch.from_numpy(mask) for mask in masks),
        sizes=tuple(sizes),
    )


def _batch_norm(level: _Level, values: torch.Tensor, training: bool) -> torch.Tensor:
    from torch.nn import functional

    members, rows, width = values.shape
    side_by_side = values.transpose(0, 1).reshape(rows, members * width)
    made = functional.batch_norm(
        side_by_side,
        level.mean.view(-1),
        level.variance.view(-1),
        level.gain.reshape(-1),
        level.shift.reshape(-1),
        training,
        _MOMENTUM,
        _EPSILON,
    )
    return made.view(rows, members, width).transpose(0, 1)
