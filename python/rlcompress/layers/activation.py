"""Activations that the runtime knows; the order is the code in the `.rlc` file."""

from __future__ import annotations

from typing import Literal, get_args

from rlcompress.errors import InvalidValueError

Activation = Literal["identity", "relu", "tanh", "sigmoid", "elu", "silu", "gelu", "leaky_relu"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
ALPHA_RANGE: dict[str, tuple[float, float]] = {"elu": (0.0, 3.4028234663852886e38), "leaky_relu": (0.0, 1.0)}
DEFAULT_ALPHA: dict[str, float] = {"elu": 1.0, "leaky_relu": 0.01}


def check_activation(activation: str, alpha: float) -> None:
    """Refuse an unknown activation or an `alpha` outside its range (0.0 for activations without one).

    Raises:
        InvalidValueError: names the value and what is taken.
    """
    if activation not in ACTIVATIONS:
        raise InvalidValueError(f"activation: one of {', '.join(ACTIVATIONS)} expected, found {activation!r}")
    low, high = ALPHA_RANGE.get(activation, (0.0, 0.0))
    if not low <= alpha <= high:
        raise InvalidValueError(f"alpha of {activation}: {low}..{high} expected, found {alpha}")
