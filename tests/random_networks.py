"""Random networks and observations that reach every corner of the format, from a seeded generator."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from rlcompress.contract import Argmax, Clip, Contract, Head, Normalisation, Raw, Squash
from rlcompress.layers import ACTIVATIONS, Dense, IntegerDense, Layer, QuantizedDense
from rlcompress.network import Network

Generator = np.random.Generator
ODD_VALUES = np.array(
    [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-40, 1.17549435e-38, 3.4e38, -3.4e38, 1e20, 88.8, -103.9], np.float32
)


def _normal(rng: Generator, *shape: int) -> Any:
    """float32 of mixed magnitude, now and then all subnormal or all huge."""
    scale = rng.choice([1.0, 0.3, 3.0, 1e-39, 1e25], p=[0.5, 0.25, 0.21, 0.02, 0.02])
    return (rng.standard_normal(shape, np.float32) * np.float32(scale)).astype(np.float32)


def _mask(rng: Generator, outputs: int, inputs: int) -> Any:
    if rng.random() < 0.7:
        return None
    return rng.random((outputs, inputs)) < rng.choice([0.0, 0.05, 0.2, 0.5, 0.9])


def _activation(rng: Generator) -> tuple[Any, float]:
    name = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
    alpha = {"elu": float(rng.choice([0.0, 1.0, 2.5])), "leaky_relu": float(rng.choice([0.0, 0.01, 1.0]))}
    return name, alpha.get(name, 0.0)


def dense(rng: Generator, inputs: int, outputs: int) -> Dense:
    bias = _normal(rng, outputs) if rng.random() < 0.7 else np.zeros(outputs, np.float32)
    return Dense(_normal(rng, outputs, inputs), bias, *_activation(rng), mask=_mask(rng, outputs, inputs))


def quantized(rng: Generator, inputs: int, outputs: int) -> QuantizedDense:
    bits = 8 if rng.random() < 0.5 else 4
    limit = 127 if bits == 8 else 7
    weight = rng.integers(-limit, limit + 1, (outputs, inputs), np.int8)
    bias: Any = [
        np.zeros(outputs, np.int8),
        rng.integers(-limit, limit + 1, outputs, np.int8),
        _normal(rng, outputs),
    ][rng.integers(3)]
    row = rng.integers(4)
    wide = 120 if rng.random() < 0.05 else 12
    return QuantizedDense(
        weight,
        bias,
        bits,
        *_activation(rng),
        row_scale=np.exp2(rng.uniform(-12, 3, outputs)).astype(np.float32) if row == 1 else None,
        row_exponent=rng.integers(-wide, 4, 1 if row == 2 else outputs, np.int8) if row >= 2 else None,
        column_exponent=rng.integers(-wide, wide + 1, inputs, np.int8) if rng.random() < 0.3 else None,
        mask=_mask(rng, outputs, inputs),
    )


def integer(rng: Generator, inputs: int, outputs: int) -> IntegerDense:
    reach = int(rng.choice([1000, 1 << 20, (1 << 31) - 1 - 32_385 * inputs]))
    return IntegerDense(
        rng.integers(-127, 128, (outputs, inputs), np.int8),
        rng.integers(-reach, reach + 1, outputs),
        float(np.exp2(rng.uniform(-3, 9))),
        int(rng.choice([0, 255, rng.integers(256)])),
        np.exp2(rng.uniform(-18, -4, outputs)).astype(np.float32),
        *_activation(rng),
        column_exponent=rng.integers(-8, 9, inputs, np.int8) if rng.random() < 0.2 else None,
        mask=_mask(rng, outputs, inputs),
    )


def layer(rng: Generator, inputs: int, outputs: int) -> Layer:
    return (dense, quantized, integer)[rng.choice(3, p=[0.4, 0.35, 0.25])](rng, inputs, outputs)


def head(rng: Generator, outputs: int) -> Head:
    kind = rng.integers(4)
    if kind == 0:
        return Raw()
    if kind == 1:
        return Argmax(int(rng.integers(-3, 4)))
    bound = np.abs(_normal(rng, outputs)) if rng.random() < 0.7 else np.full(outputs, np.inf, np.float32)
    return (Clip if kind == 2 else Squash)(-bound, bound, _normal(rng, outputs), _normal(rng, outputs))


def contract(rng: Generator, network_inputs: int, outputs: int) -> Contract:
    inputs, selected = network_inputs, None
    if rng.random() < 0.3:
        inputs += int(rng.integers(1, 20))
        selected = tuple(np.sort(rng.permutation(inputs)[:network_inputs]))
    shape = (inputs,) if inputs % 2 or rng.random() < 0.8 else (2, inputs // 2)
    low = high = normalisation = None
    if rng.random() < 0.3:
        high = np.abs(_normal(rng, inputs))
        low = -high if rng.random() < 0.5 else np.full(inputs, -np.inf, np.float32)
    if rng.random() < 0.3:
        clip = float(rng.choice([5.0, 10.0, np.inf]))
        normalisation = Normalisation(_normal(rng, inputs), rng.uniform(0.01, 3, inputs), clip)
    return Contract(shape, head(rng, outputs), low, high, normalisation, selected)


def widths(rng: Generator, depth: int) -> list[int]:
    """Mostly 1..40, some around the steps of the arithmetic's shape rule (16, 32, 64, 128)."""
    edges = (15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 160)
    return [int(rng.choice(edges)) if rng.random() < 0.12 else int(rng.integers(1, 41)) for _ in range(depth + 1)]


def network(rng: Generator) -> Network:
    sizes = widths(rng, int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2])))
    layers = tuple(layer(rng, inputs, outputs) for inputs, outputs in itertools.pairwise(sizes))
    return Network(layers, contract(rng, sizes[0], sizes[-1]))


def observations(rng: Generator, count: int, inputs: int) -> Any:
    """(count, inputs) float32; some rows have a few values that are NaN, infinite, subnormal or huge."""
    rows = rng.standard_normal((count, inputs), np.float32) * np.float32(rng.choice([1.0, 10.0, 0.01]))
    odd = (rng.random((count, inputs)) < 0.1) & (rng.random((count, 1)) < 0.4)
    rows[odd] = rng.choice(ODD_VALUES, np.count_nonzero(odd))
    return rows
