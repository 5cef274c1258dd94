"""Float networks to integer ones: weights, inputs and sums, with ranges measured on real observations.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference". Deviates: a scale per row, float32 between the layers, powers of two that level the first layer's inputs,
and weights rounded together (`rounding.py`) where that acts more like the float network. Hidden units behind a relu are
put in an order of which zeros come in groups of four, which the runtime leaves out; sums of integers do not depend on
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray, Int8Array
from rlcompress.calibration import acting_most_like, held_back, layer_inputs, observation_rows
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense, IntegerDense
from rlcompress.layers.integer_dense import INPUT_LIMIT, WEIGHT_LIMIT
from rlcompress.network import Network
from rlcompress.rounding import Float64Array, RoundedRows, fitted_rows, nearest_rows
from rlcompress.unit_order import zeros_together

_LARGEST_BIAS = 1 << 30
_LEVEL_FROM = 4.0
"""Inputs whose ranges differ by more than this factor are levelled by powers of two."""
_PERCENTILES = (100.0, 99.99, 99.95, 99.9)


def quantise_static(network: Network, observations: npt.ArrayLike, percentile: float | None = None) -> Network:
    """Integer sums in every layer: int8 weights with a float32 scale per row, inputs of every layer as bytes.

    Products and sums are exact integers; rounding to bytes, scales and activations stay float32 (`docs/format.md`).
    Hidden units may change places.

    The range of each layer's inputs is that of the float network on `observations`; values beyond it are clipped. Give
    observations of the kind that the policy will see (a few hundred to thousands, from whole episodes).

    Args:
        network: float32 dense layers (masks are lost; zeros stay zeros) of at most 65,536 inputs.
        observations: (n, *observation_shape) or (n, inputs), finite, n >= 1, before normalisation and selection.
        percentile: share of the inputs, above 50 and up to 100, that the range of a layer covers on either side; below
            100 rare large values are clipped and all others get finer steps. None: 100 for the observation, whose
            rare values matter most, and 100, 99.99, 99.95 or 99.9 for all other layers.

    Each weight is rounded by itself, or those of a layer together (Frantar et al. 2022): whichever, and at whichever
    percentile, acts clearly more like the float network on a quarter of the observations that is held back. Below 64
    observations each by itself, at 100.

    Raises:
        InvalidValueError: other layers, observations of another shape or not finite, or a percentile out of range.
    """
    return group_zeros(quantise_layers(network, observations, percentile), observations)


def quantise_layers(network: Network, observations: npt.ArrayLike, percentile: float | None = None) -> Network:
    """`quantise_static` with every hidden unit in its place."""
    layers = network.dense_layers()
    if percentile is not None and not 50 < percentile <= 100:
        raise InvalidValueError(f"percentile: above 50 and up to 100 expected, found {percentile}")
    widest = max(layer.in_features for layer in layers)
    if widest > INPUT_LIMIT:
        raise InvalidValueError(f"network: layers of at most {INPUT_LIMIT} inputs expected, found {widest}")
    rows = observation_rows(network, observations)
    shares = _PERCENTILES if percentile is None else (percentile,)
    judging = held_back(len(rows))
    candidates = [nearest_layers(network, rows, shares[0])]
    if judging.any():
        candidates += [fitted_layers(network, rows[~judging], shares[0], share) for share in shares]
    return acting_most_like(network, candidates, rows[judging])


def group_zeros(network: Network, observations: npt.ArrayLike) -> Network:
    """The same network, with the units between integer layers in the order of `zeros_together`, where a relu is.

    Args:
        network: layers of any kind, the integer ones without masks; units beside others stay where they are.
        observations: as in `quantise_static`.
    """
    rows = observation_rows(network, observations)
    for index in range(1, len(network.layers)):
        before, after = network.layers[index - 1 : index + 1]
        if isinstance(before, IntegerDense) and isinstance(after, IntegerDense) and before.activation == "relu":
            order = zeros_together(layer_inputs(network, index, rows) * np.float32(after.input_scale) > 0.5)
            bias, row_scale = before.bias[order], before.row_scale[order]
            pair = (
                replace(before, weight=before.weight[order], bias=bias, row_scale=row_scale),
                replace(after, weight=after.weight[:, order]),
            )
            network = network.with_layers((*network.layers[: index - 1], *pair, *network.layers[index + 1 :]))
    return network


def _levels(values: FloatArray, percentile: float) -> Int8Array | None:
    """Powers of two that bring the inputs' ranges within a factor of 2 of each other; None where they are near it."""
    size = np.percentile(np.abs(values), percentile, axis=0)
    used = size > 0
    if not used.any() or size[used].max() <= _LEVEL_FROM * size[used].min():
        return None
    size = np.where(used, size, size.max())
    exponent: Int8Array = np.clip(np.floor(np.log2(size.max()) - np.log2(size)), 0, 60).astype(np.int8)
    return exponent


def nearest_layers(network: Network, rows: FloatArray, percentile: float) -> Network:
    """Every weight rounded by itself.

    Args:
        network: float32 dense layers.
        rows: (n, inputs) float32 observations, which set the ranges.
        percentile: share of its inputs that the range of a layer covers on either side.
    """
    found: list[IntegerDense] = []
    for index, layer in enumerate(network.dense_layers()):
        grid = _grid_of(layer_inputs(network, index, rows), percentile, index == 0)
        weight = layer.weight.astype(np.float64) / grid.units
        rounded = nearest_rows(weight, layer.bias.astype(np.float64), WEIGHT_LIMIT, _LARGEST_BIAS)
        found.append(_integer_layer(layer, grid, rounded))
    return network.with_layers(found)


def fitted_layers(network: Network, rows: FloatArray, first: float, percentile: float) -> Network:
    """Weights rounded together, for what the integer layers before them give.

    Args:
        network: float32 dense layers.
        rows: (n, inputs) float32 observations, which set the ranges and are fitted to.
        first, percentile: share of its inputs that the range of the first layer, and of each other one, covers on
            either side.
    """
    layers: list[Dense] = list(network.dense_layers())
    found: list[IntegerDense] = []
    for index, layer in enumerate(layers):
        values = layer_inputs(network, index, rows)
        grid = _grid_of(values, percentile if found else first, index == 0)
        given = layer_inputs(network.with_layers([*found, *layers[index:]]), index, rows) if found else values
        weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
        sums = grid.clipped(values) @ weight.T + bias
        rounded = fitted_rows(grid.steps(given), sums, weight / grid.units, bias, WEIGHT_LIMIT, _LARGEST_BIAS)
        found.append(_integer_layer(layer, grid, rounded))
    return network.with_layers(found)


def _integer_layer(layer: Dense, grid: _Grid, rounded: RoundedRows) -> IntegerDense:
    whole: Any = np.rint(rounded.bias / rounded.step) - grid.zero * rounded.weight.sum(1)  # its range is checked there
    numbers = (grid.scale, grid.zero, rounded.step, layer.activation, layer.alpha, grid.exponent)
    return IntegerDense(rounded.weight.astype(np.int8), whole, *numbers)


@dataclass(frozen=True, eq=False)
class _Grid:
    """How a layer's inputs become bytes: rne(x * 2^exponent * scale) + zero, kept within 0..255."""

    scale: float
    zero: int
    exponent: Int8Array | None

    @property
    def units(self) -> Float64Array:
        """(in_features,) or a number: steps of one unit of each input."""
        power = 1.0 if self.exponent is None else np.exp2(self.exponent.astype(np.float64))
        return np.asarray(power * self.scale)

    def steps(self, values: FloatArray) -> Float64Array:
        """Whole steps from zero, as the layer reads them."""
        return np.clip(np.rint(values * self.units), -self.zero, 255 - self.zero)

    def clipped(self, values: FloatArray) -> Float64Array:
        """Values within the grid, not rounded."""
        return np.clip(values * self.units, -self.zero, 255 - self.zero) / self.units


def _grid_of(values: FloatArray, percentile: float, levelled: bool) -> _Grid:
    exponent = _levels(values, percentile) if levelled else None
    power = 1.0 if exponent is None else np.exp2(exponent.astype(np.float64))
    return _Grid(*_range(values.astype(np.float64) * power, percentile), exponent)


def _range(inputs: npt.NDArray[np.float64], percentile: float) -> tuple[float, int]:
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
