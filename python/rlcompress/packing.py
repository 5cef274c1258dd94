"""`pack`: of the forms that each layer can take in a file, the fastest (or the smallest), by measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from rlcompress.artifact import weights_bytes
from rlcompress.calibration import action_error, observation_rows
from rlcompress.contract import Contract
from rlcompress.errors import InvalidValueError
from rlcompress.latency import call_latencies_us
from rlcompress.layers import Layer
from rlcompress.network import Network
from rlcompress.quantise_activations import group_zeros, quantise_layers
from rlcompress.runtime import Runtime

Prefer = Literal["latency", "size"]
_PREFERENCES: tuple[Prefer, ...] = ("latency", "size")
_NOISE = 1.05
"""Times closer than this factor count as equal."""


@dataclass(frozen=True)
class Form:
    """One way to store a layer.

    Args:
        layer: its index.
        name: `dense`, `sparse` (only kept weights stored) or `integer` (int8 weights on inputs rounded to bytes).
        latency_us: measured microseconds of one inference of this layer, the call included.
        size_bytes: stored bytes of weights, biases, scales and indices.
        chosen: whether the packed network has it.
    """

    layer: int
    name: str
    latency_us: float
    size_bytes: int
    chosen: bool


@dataclass(frozen=True, eq=False)
class Packing:
    """A network in its chosen forms.

    Args:
        network: ready for `save`.
        forms: every form that was measured.
        action_error: share of the observations in which another action is chosen than before; of continuous actions
            the mean distance, in their standard deviations; None without observations.
    """

    network: Network
    forms: tuple[Form, ...]
    action_error: float | None = None


def pack(network: Network, observations: npt.ArrayLike | None = None, prefer: Prefer = "latency") -> Packing:
    """Choose the form of each layer by measuring all of them on this machine.

    Dense and sparse forms hold the same weights and may differ in the last bits, because their orders of operations do.
    Times closer than 5 % count as equal, and then the smaller form wins. `save` alone never measures: it stores a
    masked layer sparse where that takes fewer bytes.

    Args:
        network: what to pack; masks of its layers offer the sparse form.
        observations: (n, *observation_shape) typical inputs; with them the integer form is offered too, which rounds
            weights and inputs to 8 bits as `quantise_static` does. None: only forms with the weights as they are.
        prefer: `latency` for the fastest forms, `size` for the smallest (the faster one where equal).

    Raises:
        InvalidValueError: another `prefer`, or observations that do not fit.
    """
    if prefer not in _PREFERENCES:
        raise InvalidValueError(f"prefer: 'latency' or 'size' expected, found {prefer!r}")
    integer = None if observations is None else quantise_layers(network.dense_float(), observations)
    layers: list[Layer] = []
    forms: list[Form] = []
    for index in range(len(network.layers)):
        options = _options(network, integer, index)
        times = dict(zip(options, _latencies(list(options.values()))))
        sizes = {name: weights_bytes(_alone(layer)) for name, layer in options.items()}
        chosen = _choose(times, sizes, prefer)
        layers.append(options[chosen])
        forms.extend(Form(index, name, times[name], sizes[name], name == chosen) for name in options)
    packed = network.with_layers(layers)
    if observations is None:
        return Packing(packed, tuple(forms))
    error = action_error(network, packed, observation_rows(network, observations))
    return Packing(group_zeros(packed, observations), tuple(forms), error)


def _options(network: Network, integer: Network | None, index: int) -> Mapping[str, Layer]:
    """The forms of a layer by name; a masked layer whose sparse form takes more bytes has none."""
    layer = network.layers[index]
    dense = replace(layer, mask=None)
    options: dict[str, Layer] = {"dense": dense}
    if layer.mask is not None and weights_bytes(_alone(layer)) < weights_bytes(_alone(dense)):
        options["sparse"] = layer
    if integer is not None:
        options["integer"] = replace(integer.layers[index], mask=None)
    return options


def _alone(layer: Layer) -> Network:
    return Network((layer,), Contract((layer.in_features,)))


def _latencies(layers: Sequence[Layer]) -> list[float]:
    x = np.random.default_rng(0).standard_normal(layers[0].in_features).astype(np.float32)
    out = np.empty(layers[0].out_features, np.float32)
    return call_latencies_us([partial(Runtime(_alone(layer)), x, out=out) for layer in layers])


def _choose(times: Mapping[str, float], sizes: Mapping[str, int], prefer: Prefer) -> str:
    if prefer == "size":
        return min(times, key=lambda name: (sizes[name], times[name]))
    fastest = min(times.values())
    return min((name for name in times if times[name] <= _NOISE * fastest), key=lambda name: sizes[name])
