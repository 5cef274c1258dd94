"""Random shapes of dense networks, drawn as NEON's authors drew theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.layers.activation import Activation

Before = Literal["none", "batch_norm", "dropout"]
"""What stands before a hidden layer's weights while the network is trained."""

HIDDEN_ACTIVATIONS: tuple[Activation, ...] = ("relu", "tanh", "sigmoid")
_ACTIVATION_SHARES = (0.90, 0.05, 0.05)
_BEFORE_SHARES = (0.34, 0.33, 0.33)


@dataclass(frozen=True)
class Architecture:
    """Hidden layers of a dense network; inputs and outputs follow from the data.

    Args:
        hidden: widths, first layer first, each >= 1.
        activations: of each hidden layer: relu, tanh or sigmoid.
        before: of each hidden layer; batch norm is folded into the weights after training, dropout (one half) vanishes.

    Raises:
        InvalidValueError: lengths that differ, a width below 1, an unknown word.
    """

    hidden: tuple[int, ...]
    activations: tuple[Activation, ...]
    before: tuple[Before, ...]

    def __post_init__(self) -> None:
        if not len(self.hidden) == len(self.activations) == len(self.before):
            lengths = f"{len(self.hidden)}, {len(self.activations)} and {len(self.before)}"
            raise InvalidValueError(f"architecture: one activation and one before per hidden layer, found {lengths}")
        if any(width < 1 for width in self.hidden):
            raise InvalidValueError(f"hidden: widths >= 1 expected, found {self.hidden}")
        for field, known in (("activations", HIDDEN_ACTIVATIONS), ("before", get_args(Before))):
            strange = [word for word in getattr(self, field) if word not in known]
            if strange:
                raise InvalidValueError(f"{field}: one of {', '.join(known)} expected, found {strange[0]!r}")

    @property
    def name(self) -> str:
        """Such as `300-100`; `linear` without a hidden layer."""
        return "-".join(str(width) for width in self.hidden) or "linear"

    @classmethod
    def plain(cls, *hidden: int) -> Architecture:
        """ReLU layers of these widths, nothing before them."""
        none: Before = "none"
        return cls(hidden, (HIDDEN_ACTIVATIONS[0],) * len(hidden), (none,) * len(hidden))


def random_architecture(
    rng: np.random.Generator,
    *,
    layers: tuple[int, int] = (1, 6),
    widths: tuple[int, int] = (100, 1000),
    step: int = 100,
) -> Architecture:
    """A random architecture.

    Depth and widths are uniform, widths in multiples of `step` from the smallest on; 90 % of the layers are ReLU, 5 %
    tanh, 5 % sigmoid; before a third of them stands batch norm, before a third dropout.

    Args:
        rng: decides everything.
        layers: fewest and most hidden layers, >= 0.
        widths: smallest and largest width.
        step: between two widths.

    Raises:
        InvalidValueError: empty ranges.

    Source: the code that the authors of NEON published (Hirsch and Katz, 2022).
    Deviates: networks give logits, where the authors' code has a softmax inside of the network and another in the loss.
    """
    if not 0 <= layers[0] <= layers[1]:
        raise InvalidValueError(f"layers: two numbers 0 <= fewest <= most expected, found {layers}")
    if not (1 <= widths[0] <= widths[1] and step >= 1):
        raise InvalidValueError(f"widths: 1 <= smallest <= largest and step >= 1 expected, found {widths}, {step}")
    depth = int(rng.integers(layers[0], layers[1] + 1))
    steps = rng.integers(0, (widths[1] - widths[0]) // step + 1, depth)
    activations = rng.choice(len(HIDDEN_ACTIVATIONS), depth, p=_ACTIVATION_SHARES)
    before = rng.choice(len(get_args(Before)), depth, p=_BEFORE_SHARES)
    return Architecture(
        tuple(widths[0] + step * int(count) for count in steps),
        tuple(HIDDEN_ACTIVATIONS[index] for index in activations),
        tuple(get_args(Before)[index] for index in before),
    )
