"""Activations and their derivatives on tensors, for training loops that write their own backward pass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rlcompress.layers import Activation
from rlcompress.optional import require

if TYPE_CHECKING:
    import torch


def activated(kind: Activation, alpha: float, sums: torch.Tensor) -> torch.Tensor:
    """The activation of `sums`, element by element; `alpha` as in `Dense`."""
    torch = require("torch")
    functional = torch.nn.functional
    made: Any
    if kind == "identity":
        return sums
    if kind == "elu":
        made = functional.elu(sums, alpha)
    elif kind == "leaky_relu":
        made = functional.leaky_relu(sums, alpha)
    elif kind == "gelu":
        made = functional.gelu(sums, approximate="tanh")
    elif kind == "silu":
        made = functional.silu(sums)
    else:
        made = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}[kind](sums)
    return made  # type: ignore[no-any-return]


def slope(
    kind: Activation, alpha: float, sums: torch.Tensor, values: torch.Tensor, outer: torch.Tensor
) -> torch.Tensor:
    """`outer` times the activation's derivative.

    Args:
        kind, alpha: of the activation.
        sums: before it.
        values: after it.
        outer: derivative by `values`.
    """
    torch = require("torch")
    made: Any
    if kind == "identity":
        return outer
    if kind == "relu":
        made = outer * (sums > 0)
    elif kind == "tanh":
        made = outer * (1 - values * values)
    elif kind == "sigmoid":
        made = outer * (values * (1 - values))
    elif kind == "leaky_relu":
        made = torch.where(sums > 0, outer, alpha * outer)
    elif kind == "elu":
        made = torch.where(sums > 0, outer, outer * (values + alpha))
    elif kind == "silu":
        gate = torch.sigmoid(sums)
        made = outer * (gate * (1 + sums * (1 - gate)))
    else:  # gelu by tanh
        inner = math.sqrt(2 / math.pi) * (sums + 0.044715 * sums**3)
        bent = torch.tanh(inner)
        rise = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * sums**2)
        made = outer * (0.5 * (1 + bent) + 0.5 * sums * (1 - bent * bent) * rise)
    return made  # type: ignore[no-any-return]
