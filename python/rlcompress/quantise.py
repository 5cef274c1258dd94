"""Float networks to int8 or int4 ones: row scales for large layers, and a power-of-two grid for the smallest networks.

On a grid every weight and bias is an integer; the only other bytes are one exponent per input of the first layer and,
where the outputs' scale matters (tanh, continuous actions), one exponent per layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import FloatArray, Int8Array
from rlcompress.calibration import acting_most_like, held_back, layer_inputs, observation_rows
from rlcompress.contract import Argmax
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense, QuantizedDense
from rlcompress.layers.quantized_dense import INTEGER_LIMIT
from rlcompress.network import Network
from rlcompress.rounding import fitted_rows, nearest_rows

Bits = Literal[8, 4]
Genome = npt.NDArray[np.float64]
_GAINS = np.exp2(-np.linspace(0, 6, 73)[:-1])


def quantise_rows(network: Network, bits: Bits = 8, observations: npt.ArrayLike | None = None) -> Network:
    """Integer weights with a float32 scale per row and float32 biases: for layers of any size.

    Args:
        network: float32 dense layers (masks are lost; zeros stay zeros).
        bits: 8 or 4.
        observations: (n, *observation_shape) or (n, inputs) typical ones; with 64 or more, weights of a layer are
            rounded together where that acts clearly more like the float network on a quarter of them that is held back.
            None: each weight by itself.

    Raises:
        InvalidValueError: observations of another shape or not finite.

    Source: Frantar et al. 2022, for rounding together; see `rounding.py`.
    """
    plain = row_layers(network, bits, None)
    if observations is None:
        return plain
    rows = observation_rows(network, observations)
    judging = held_back(len(rows))
    candidates = [plain, row_layers(network, bits, rows[~judging])] if judging.any() else [plain]
    return acting_most_like(network, candidates, rows[judging])


def row_layers(network: Network, bits: Bits, rows: FloatArray | None) -> Network:
    """Rounded together for what the layers before give on `rows`, or each weight by itself."""
    layers = network.dense_layers()
    found: list[QuantizedDense] = []
    for index, layer in enumerate(layers):
        weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
        if rows is None:
            rounded = nearest_rows(weight, bias, INTEGER_LIMIT[bits])
        else:
            sums = layer_inputs(network, index, rows).astype(np.float64) @ weight.T + bias
            given = layer_inputs(network.with_layers([*found, *layers[index:]]), index, rows)
            rounded = fitted_rows(given.astype(np.float64), sums, weight, bias, INTEGER_LIMIT[bits])
        numbers = (rounded.weight.astype(np.int8), rounded.bias.astype(np.float32), bits, layer.activation, layer.alpha)
        found.append(QuantizedDense(*numbers, row_scale=rounded.step))
    return network.with_layers(found)


@dataclass(frozen=True, eq=False)
class GridLayer:
    """Scales of one layer on a grid; None where the scale is 1."""

    rows: int
    columns: int
    layer: Dense
    row_exponent: Int8Array | None
    column_exponent: Int8Array | None

    @property
    def size(self) -> int:
        return self.rows * self.columns + self.rows


@dataclass(frozen=True, eq=False)
class Grid:
    """A network's shape and fixed power-of-two scales; genomes are its weights and biases in integer steps, not yet
    rounded.

    Args:
        network: gives shape, activations and contract.
        bits: 8 or 4.
        layers: scales of each layer.
    """

    network: Network
    bits: Bits
    layers: tuple[GridLayer, ...]

    @property
    def limit(self) -> int:
        return INTEGER_LIMIT[self.bits]

    def network_of(self, genome: Genome) -> Network:
        """Round a genome to the nearest network on the grid.

        Args:
            genome: (parameters,) float64, layer by layer: weights in row order, then biases.
        """
        integers = np.clip(np.rint(genome), -self.limit, self.limit).astype(np.int8)
        layers, at = [], 0
        for grid in self.layers:
            weight = integers[at : at + grid.rows * grid.columns].reshape(grid.rows, grid.columns)
            at += grid.rows * grid.columns
            bias = integers[at : at + grid.rows]
            at += grid.rows
            source = grid.layer
            layers.append(
                QuantizedDense(
                    weight,
                    bias,
                    self.bits,
                    source.activation,
                    source.alpha,
                    row_exponent=grid.row_exponent,
                    column_exponent=grid.column_exponent,
                )
            )
        return self.network.with_layers(layers)


def grid_of(network: Network) -> tuple[Grid, Genome]:
    """The grid that a network of int8 or int4 layers with power-of-two scales is on already, and the network as a
    genome.

    Raises:
        InvalidValueError: other layers, float32 biases or scales, or mixed bits.
    """
    layers, genomes, bits = [], [], set()
    for layer in network.layers:
        on_grid = isinstance(layer, QuantizedDense) and layer.row_scale is None and layer.bias.dtype == np.int8
        if not isinstance(layer, QuantizedDense) or not on_grid:
            raise InvalidValueError(f"grid: integer layers with power-of-two scales expected, found {layer.kind}")
        rows, columns = layer.weight.shape
        layers.append(GridLayer(rows, columns, layer.dense_float(), layer.row_exponent, layer.column_exponent))
        genomes.append(np.concatenate([layer.weight.reshape(-1), layer.bias]).astype(np.float64))
        bits.add(layer.bits)
    if len(bits) != 1:
        raise InvalidValueError(f"grid: layers of one width in bits expected, found {sorted(bits)}")
    return Grid(network, bits.pop(), tuple(layers)), np.concatenate(genomes)


def grid_for(network: Network, bits: Bits, spread: FloatArray) -> tuple[Grid, Genome]:
    """Fit a grid to a float network, and the network as a genome on it.

    Gains that the outputs do not feel (all of an argmax head; each relu layer's against the next) are used to make
    rounding errors small.

    Args:
        network: float32 dense layers; no normalisation in the contract.
        bits: 8 or 4.
        spread: (inputs,) float32, typical size of each value of an observation: errors are weighed by it.

    Raises:
        InvalidValueError: the contract still normalises.
    """
    if network.contract.normalisation is not None:
        raise InvalidValueError("grid: fold the normalisation into the first layer before quantising")
    limit = INTEGER_LIMIT[bits]
    sources = network.dense_layers()
    layers, genomes, carried = [], [], 1.0
    for index, source in enumerate(sources):
        sizes = np.asarray(network.contract.select(np.asarray(spread, np.float64))) if index == 0 else None
        following = sources[index + 1] if index + 1 < len(sources) else None
        free = isinstance(network.contract.head, Argmax) if following is None else _scales_through(source)
        fits = _fits(source, carried, limit, free, sizes)
        if free and following is not None:
            end = isinstance(network.contract.head, Argmax) if index + 2 == len(sources) else _scales_through(following)
            best = min(
                fits, key=lambda fit: fit.error**2 + _best(_fits(following, fit.gain, limit, end, None)).error ** 2
            )
        else:
            best = _best(fits)
        layers.append(best.layer)
        genomes.append(best.genome)
        carried = best.gain if free else 1.0
    return Grid(network, bits, tuple(layers)), np.concatenate(genomes)


@dataclass(frozen=True, eq=False)
class _Fit:
    """One way to put a layer on a grid.

    Its rounding error as a share of the layer, and the gain the next layer must undo.
    """

    error: float
    layer: GridLayer
    genome: Genome
    gain: float


def _scales_through(layer: Dense) -> bool:
    """Whether a gain before the activation is the same gain after it."""
    return layer.activation in ("relu", "leaky_relu", "identity")


def _best(fits: Sequence[_Fit]) -> _Fit:
    return min(fits, key=lambda fit: fit.error)


def _fits(source: Dense, carried: float, limit: int, free: bool, sizes: Genome | None) -> list[_Fit]:
    """A layer at gains over six octaves below the largest that its values allow.

    `carried` is the gain of its inputs.
    """
    weight, bias = source.weight.astype(np.float64) / carried, source.bias.astype(np.float64)
    reach = float(np.abs(bias).max()) if sizes is not None else float(np.abs(np.c_[weight, bias]).max())
    top = limit / max(reach, 1e-9)
    whole = np.square(source.weight * (1.0 if sizes is None else sizes)).sum()
    size = float(np.sqrt(max(whole + np.square(bias).sum(), 1e-18)))
    fits = []
    for gain in top * _GAINS:
        if not free:
            gain = float(np.exp2(np.floor(np.log2(gain))))
        error, layer, genome = _round_at(source, weight * gain, bias * gain, limit, sizes, carried)
        if not free:
            layer = _with_row_exponent(layer, -round(float(np.log2(gain))))
        fits.append(_Fit(error / gain / size, layer, genome, float(gain)))
    return fits


def _round_at(
    source: Dense, weight: Genome, bias: Genome, limit: int, sizes: Genome | None, carried: float
) -> tuple[float, GridLayer, Genome]:
    rows, columns = weight.shape
    exponent = None
    if sizes is not None:
        largest = np.maximum(np.abs(weight).max(0), 1e-9)
        exponent = np.clip(np.ceil(np.log2(largest / (limit + 0.49))), -60, 60)
        weight = weight / np.exp2(exponent)
        sizes = sizes * np.exp2(exponent)
    rounded = np.clip(np.rint(weight), -limit, limit)
    error = np.square((rounded - weight) * (carried if sizes is None else sizes)).sum()
    error += np.square(np.clip(np.rint(bias), -limit, limit) - bias).sum()
    layer = GridLayer(rows, columns, source, None, None if exponent is None else exponent.astype(np.int8))
    return float(np.sqrt(error)), layer, np.concatenate([weight.reshape(-1), bias])


def _with_row_exponent(layer: GridLayer, exponent: int) -> GridLayer:
    one = np.array([np.clip(exponent, -120, 120)], np.int8)
    return GridLayer(layer.rows, layer.columns, layer.layer, one, layer.column_exponent)


def quantise_grid(network: Network, bits: Bits, spread: FloatArray | Sequence[float]) -> Network:
    """`network` rounded onto its own best grid."""
    grid, genome = grid_for(network, bits, np.asarray(spread, np.float32))
    return grid.network_of(genome)
