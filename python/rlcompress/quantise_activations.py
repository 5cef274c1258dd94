"""Float networks to integer ones: weights, inputs and sums, with ranges measured on real observations.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference". Deviates: a scale per row, float32 between the layers, and powers of two that level the first layer's
inputs. Hidden units behind a relu are put in an order of which zeros come in groups of four, which the runtime leaves
out; sums of integers do not depend on it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray, Int8Array, frozen
from rlcompress.artifact import encode
from rlcompress.contract import Raw
from rlcompress.errors import InvalidValueError
from rlcompress.kernels import Model
from rlcompress.layers import Dense, IntegerDense
from rlcompress.layers.integer_dense import INPUT_LIMIT, WEIGHT_LIMIT
from rlcompress.network import Network
from rlcompress.unit_order import zeros_together

_LARGEST_BIAS = 1 << 30
_LEVEL_FROM = 4.0
"""Inputs whose ranges differ by more than this factor are levelled by powers of two."""


def quantise_static(network: Network, observations: npt.ArrayLike, percentile: float = 100.0) -> Network:
    """Integer sums in every layer: int8 weights with a float32 scale per row, inputs of every layer as bytes.

    Products and sums are exact integers; rounding to bytes, scales and activations stay float32 (`docs/format.md`).
    Hidden units may change places.

    The range of each layer's inputs is that of the float network on `observations`; values beyond it are clipped. Give
    observations of the kind that the policy will see (a few hundred to thousands, from whole episodes).

    Args:
        network: float32 dense layers (masks are lost; zeros stay zeros) of at most 65,536 inputs.
        observations: (n, *observation_shape) or (n, inputs), finite, n >= 1, before normalisation and selection.
        percentile: share of the inputs, above 50 and up to 100, that the range of a layer covers on either side; below
            100 rare large values are clipped and all others get finer steps.

    Raises:
        InvalidValueError: other layers, observations of another shape or not finite, or a percentile out of range.
    """
    return group_zeros(quantise_layers(network, observations, percentile), observations)


def quantise_layers(network: Network, observations: npt.ArrayLike, percentile: float = 100.0) -> Network:
    """`quantise_static` with every hidden unit in its place."""
    layers = network.dense_layers()
    if not 50 < percentile <= 100:
        raise InvalidValueError(f"percentile: above 50 and up to 100 expected, found {percentile}")
    widest = max(layer.in_features for layer in layers)
    if widest > INPUT_LIMIT:
        raise InvalidValueError(f"network: layers of at most {INPUT_LIMIT} inputs expected, found {widest}")
    rows = _rows(network, observations)
    found: list[IntegerDense] = []
    for index, layer in enumerate(layers):
        values = _inputs_of(network, index, rows)
        exponent = _levels(values, percentile) if index == 0 else None
        found.append(_integer_layer(layer, values, exponent, percentile))
    return network.with_layers(found)


def group_zeros(network: Network, observations: npt.ArrayLike) -> Network:
    """The same network, with the units between integer layers in the order of `zeros_together`, where a relu is.

    Args:
        network: layers of any kind, the integer ones without masks; units beside others stay where they are.
        observations: as in `quantise_static`.
    """
    rows = _rows(network, observations)
    for index in range(1, len(network.layers)):
        before, after = network.layers[index - 1 : index + 1]
        if isinstance(before, IntegerDense) and isinstance(after, IntegerDense) and before.activation == "relu":
            order = zeros_together(_inputs_of(network, index, rows) * np.float32(after.input_scale) > 0.5)
            bias, row_scale = before.bias[order], before.row_scale[order]
            pair = (
                replace(before, weight=before.weight[order], bias=bias, row_scale=row_scale),
                replace(after, weight=after.weight[:, order]),
            )
            network = network.with_layers((*network.layers[: index - 1], *pair, *network.layers[index + 1 :]))
    return network


def _rows(network: Network, observations: npt.ArrayLike) -> FloatArray:
    """The observations as (n, inputs) float32."""
    array = np.asarray(observations)
    size = network.contract.input_size
    if array.ndim < 2 or array.shape[1:] not in ((size,), network.contract.observation_shape) or not len(array):
        wanted = f"(n, {', '.join(map(str, network.contract.observation_shape))}), n >= 1,"
        raise InvalidValueError(f"observations: shape {wanted} expected, found {array.shape}")
    return frozen(array.reshape(len(array), size), np.float32, (None, size), "observations")


def _inputs_of(network: Network, index: int, rows: FloatArray) -> FloatArray:
    """(n, in_features) that layer `index` reads, by the float arithmetic of the runtime."""
    contract = network.contract
    if index == 0:
        values = rows if contract.normalisation is None else contract.normalisation.apply(rows)
        return np.asarray(contract.select(values), np.float32)
    front = Network(network.layers[:index], replace(contract, head=Raw()))
    values = np.empty((len(rows), front.output_size), np.float32)
    Model(encode(front, golden=0, metadata=False)).run(np.ascontiguousarray(rows), values)
    if not np.isfinite(values).all():
        raise InvalidValueError(f"network: finite values expected, layer {index - 1} gives others on the observations")
    return values


def _levels(values: FloatArray, percentile: float) -> Int8Array | None:
    """Powers of two that bring the inputs' ranges within a factor of 2 of each other; None where they are near it."""
    size = np.percentile(np.abs(values), percentile, axis=0)
    used = size > 0
    if not used.any() or size[used].max() <= _LEVEL_FROM * size[used].min():
        return None
    size = np.where(used, size, size.max())
    exponent: Int8Array = np.clip(np.floor(np.log2(size.max()) - np.log2(size)), 0, 60).astype(np.int8)
    return exponent


def _integer_layer(layer: Dense, values: FloatArray, exponent: Int8Array | None, percentile: float) -> IntegerDense:
    weight, inputs = layer.weight.astype(np.float64), values.astype(np.float64)
    if exponent is not None:
        power = np.exp2(exponent.astype(np.float64))
        weight, inputs = weight / power, inputs * power
    scale, zero = _grid(inputs, percentile)
    bias = layer.bias.astype(np.float64)
    # What one step of a sum is worth: the weights fill 8 bits, and the bias fits its integer.
    step = np.maximum(np.abs(weight).max(1) / WEIGHT_LIMIT / scale, np.abs(bias) / _LARGEST_BIAS)
    row = np.clip(step, 1e-30, 1e30).astype(np.float32)
    integers = np.clip(np.rint(weight / (row[:, None].astype(np.float64) * scale)), -WEIGHT_LIMIT, WEIGHT_LIMIT)
    whole = np.rint(bias / row) - zero * integers.sum(1)
    return IntegerDense(integers, whole, scale, zero, row, layer.activation, layer.alpha, exponent)


def _grid(inputs: npt.NDArray[np.float64], percentile: float) -> tuple[float, int]:
    """Scale and zero of bytes over the range of the inputs, which holds 0."""
    low = min(float(np.percentile(inputs, 100 - percentile)), 0.0)
    high = max(float(np.percentile(inputs, percentile)), 0.0)
    if high - low < 1e-30:
        return 1.0, 0
    scale = float(np.float32(255 / (high - low)))
    zero = round(-low * scale)
    # A fraction of a step at the far end would be lost to the rounding of zero.
    if low < 0 < high:
        scale = float(np.float32(min(zero / -low if zero else scale, (255 - zero) / high if zero < 255 else scale)))
    return scale, zero
