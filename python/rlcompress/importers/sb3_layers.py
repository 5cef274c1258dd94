"""Linear layers and activations in the state dict of a Stable-Baselines3 policy.

Where activations sit follows from the keys: `nn.Sequential` numbers its modules, so linear layers at 0, 2, 4 .. have
one activation without parameters between them, and anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from rlcompress.errors import ImportFormatError, UnsupportedError
from rlcompress.importers.torch_state import StateDict
from rlcompress.layers import Dense
from rlcompress.layers.activation import DEFAULT_ALPHA, Activation

_ACTIVATION = re.compile(r"<class 'torch\.nn\.modules\.(?:activation|linear)\.(\w+)'>")
_ACTIVATIONS: dict[str, Activation] = {
    "ReLU": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "ELU": "elu",
    "SiLU": "silu",
    "LeakyReLU": "leaky_relu",
    "Identity": "identity",
}


def activation_of(kwargs: Mapping[str, Any], default: str, name: str) -> Activation:
    """Of the hidden layers, as `policy_kwargs` say or, where they are silent, the default (a name of torch.nn).

    Raises:
        UnsupportedError: one that the runtime has not.
    """
    text = kwargs.get("activation_fn")
    found = None if text is None else _ACTIVATION.fullmatch(str(text))
    torch_name = default if text is None else found[1] if found else ""
    if torch_name not in _ACTIVATIONS:
        raise UnsupportedError(
            f"{name}: activation {str(text)[:100]} is not supported; train with one of {', '.join(_ACTIVATIONS)}"
        )
    return _ACTIVATIONS[torch_name]


def linear_chain(state: StateDict, prefix: str, activation: Activation, last_activated: bool) -> tuple[Dense, ...]:
    """Linear layers of an `nn.Sequential` with an activation after each (but perhaps the last).

    Raises:
        ImportFormatError: shapes that do not fit.
        UnsupportedError: other modules with parameters among them.
    """
    numbers: set[int] = set()
    for key in state.tensors:
        if key.startswith(prefix):
            found = re.fullmatch(r"(\d{1,4})\.(?:weight|bias)", key[len(prefix) :])
            if found is None:
                raise UnsupportedError(
                    f"{state.name}: {key[:100]!r} belongs to no linear layer; only plain MLPs are supported"
                )
            numbers.add(int(found[1]))
    if numbers != set(range(0, 2 * len(numbers), 2)):
        raise UnsupportedError(
            f"{state.name}: {prefix}* has modules with parameters at {sorted(numbers)}, not linear layers at "
            "every second place: only plain MLP policies are supported"
        )
    order = sorted(numbers)
    activations: list[Activation] = [activation] * len(order)
    if order and not last_activated:
        activations[-1] = "identity"
    return tuple(linear(state, f"{prefix}{number}.", chosen) for number, chosen in zip(order, activations))


def linear(state: StateDict, prefix: str, activation: Activation) -> Dense:
    """One linear layer; without a bias in the file it is zero.

    Raises:
        ImportFormatError: missing, or shapes that do not fit.
    """
    weight = state.array(f"{prefix}weight", dimensions=2)
    bias = np.zeros(weight.shape[0], np.float32)
    if f"{prefix}bias" in state:
        bias = state.array(f"{prefix}bias", dimensions=1)
    if bias.shape != weight.shape[:1]:
        raise ImportFormatError(f"{state.name}: {prefix}bias: {weight.shape[0]} values expected, {bias.shape[0]} found")
    return Dense(weight=weight, bias=bias, activation=activation, alpha=DEFAULT_ALPHA.get(activation, 0.0))
