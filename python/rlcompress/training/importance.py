"""What each weight is worth to the loss: its diagonal curvature with the bias set free, and the loss gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlcompress.optional import require
from rlcompress.training.labelled_rows import LabelledRows
from rlcompress.training.model_inputs import outputs_of, pieces
from rlcompress.training.objective import Objective

if TYPE_CHECKING:
    import torch

_PIECES = 32  # few would leave no curvature once the bias is free
_LARGEST_PIECE = 64
_ROUNDING = 1e-4


@dataclass(frozen=True, eq=False)
class Importance:
    """Per weight tensor, in its shape.

    Args:
        curvature: second derivative of the loss (Gauss-Newton), with the bias of the same output free to follow; >= 0.
        pull: how much the bias makes up for each unit of weight removed; zeros without a bias.
        gradient: of the loss, with the bias free to follow.
    """

    curvature: list[torch.Tensor]
    pull: list[torch.Tensor]
    gradient: list[torch.Tensor]

    def blended(self, before: Importance | None, share: float = 0.5) -> Importance:
        """Curvature averaged with that of an earlier look, which is noisy in the same way; the rest is as now."""
        if before is None:
            return self
        mixed = [share * now + (1 - share) * old for now, old in zip(self.curvature, before.curvature)]
        return Importance(mixed, self.pull, self.gradient)

    def cost(self, weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Rise of the loss where a weight is removed, to second order.

        A unit that nothing hangs on, or whose inputs are gone, has curvature 0: its weights cost nothing and go first.
        """
        return [weight.detach() ** 2 * curve for weight, curve in zip(weights, self.curvature)]

    def gain(self) -> list[torch.Tensor]:
        """Fall of the loss where a weight that is zero is set free, to second order, with damped curvature."""
        return [slope**2 / (curve + 0.01 * curve.mean() + 1e-12) for slope, curve in zip(self.gradient, self.curvature)]


def importance(
    forward: Callable[[Any], Any],
    weights: Sequence[torch.Tensor],
    biases: Sequence[torch.Tensor | None],
    rows: LabelledRows,
    objective: Objective,
    count: int,
    seed: int,
) -> Importance:
    """Look at `count` rows.

    Labels drawn from the network itself make gradients independent with mean zero, so that the square of their sum over
    some rows has the mean of their squares' sum: no gradient per row is needed, and any module will do.

    Args:
        forward: batch to outputs.
        weights: leaves that need gradients.
        biases: leaf beside each weight, or None.
        rows: training rows.
        objective: whose curvature and gradient are asked for.
        count: rows to look at.
        seed: of the rows and the labels drawn.

    Source: LeCun et al., Optimal Brain Damage (1990).
    Deviates: Gauss-Newton by drawn labels; the Schur complement of the bias instead of the plain diagonal.
    """
    torch = require("torch")
    generator = torch.Generator().manual_seed(seed)
    leaves = [*weights, *(bias for bias in biases if bias is not None)]
    sums = [_Sums(weight, bias) for weight, bias in zip(weights, biases)]
    seen, piece = 0, min(_LARGEST_PIECE, max(1, count // _PIECES))
    for batch in rows.sample(count, seed):
        for x, y, taught in zip(*(pieces(part, len(batch[1]), piece) for part in batch)):
            outputs = outputs_of(forward, x)
            own = objective.own_beliefs(outputs, generator)
            drawn = torch.autograd.grad(own, leaves, retain_graph=True, allow_unused=True)
            slopes = torch.autograd.grad(objective.loss(outputs, y, taught) * len(y), leaves, allow_unused=True)
            of_bias = iter(zip(drawn[len(weights) :], slopes[len(weights) :]))
            for one, pair in zip(sums, zip(drawn, slopes)):
                one.add(pair, next(of_bias) if one.own is not None else (None, None))
            seen += len(y)
    freed = [one.freed(seen) for one in sums]
    return Importance([f[0] for f in freed], [f[1] for f in freed], [f[2] for f in freed])


class _Sums:
    """Over pieces of rows: squares and products of gradients of one weight tensor and its bias."""

    def __init__(self, weight: Any, bias: Any) -> None:
        torch = require("torch")
        self.curve, self.cross, self.slope = (torch.zeros_like(weight, requires_grad=False) for _ in range(3))
        self.own, self.bias_slope = (None if bias is None else torch.zeros_like(bias).detach() for _ in range(2))

    def add(self, of_weight: tuple[Any, Any], of_bias: tuple[Any, Any]) -> None:
        (drawn, slope), (bias, bias_slope) = of_weight, of_bias
        if drawn is not None:
            self.curve += drawn**2
            self.slope += slope
        if drawn is not None and bias is not None:
            self.cross += drawn * _along(bias, drawn)
            self.own += bias**2
            self.bias_slope += bias_slope

    def freed(self, seen: int) -> tuple[Any, Any, Any]:
        """Curvature, pull and gradient with the bias free to follow."""
        if self.own is None:
            return self.curve / seen, self.cross, self.slope / seen
        pull = self.cross / (_along(self.own, self.cross) + 1e-30)
        curve = self.curve - self.cross * pull
        curve[curve < _ROUNDING * self.curve] = 0  # an input that never changes: its weight is a second bias
        slope = self.slope - pull * _along(self.bias_slope, pull)
        return curve / seen, pull, slope * (curve > 0) / seen


def _along(bias: Any, weight: Any) -> Any:
    return bias.reshape(-1, *[1] * (weight.ndim - 1))
