"""Small `.rlc` files whose docstrings say where each field lies, and little-endian numbers to patch them with."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from rlcompress import artifact
from rlcompress.contract import Argmax, Contract, Normalisation, Squash
from rlcompress.layers import Dense, IntegerDense, QuantizedDense
from rlcompress.network import Network


def u8(value: int) -> bytes:
    return struct.pack("<B", value)


def u16(value: int) -> bytes:
    return struct.pack("<H", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def f32(value: float) -> bytes:
    return struct.pack("<f", value)


NAN, INF, MINUS_ZERO = f32(np.nan), f32(np.inf), f32(-0.0)


def leaky() -> bytes:
    """Record at 40: alpha 48, bias 52, weights 60 (input-major), end 84."""
    layer = Dense([[1, 2, 3], [4, 5, 6]], [7, 8], "leaky_relu", 0.1)
    return artifact.encode(Network((layer,)), golden=0)


def sparse(activation: Any = "identity", alpha: float = 0.0) -> bytes:
    """Record at 40: nonzeros 48, row scale 52, columns 60, bias 80, counts 88, indices 90, weights 93, end 96."""
    mask = np.zeros((2, 20), bool)
    mask[0, [3, 7]] = mask[1, 19] = True
    layer = QuantizedDense(
        np.full((2, 20), 5), np.ones(2, np.float32), 8, activation, alpha, np.ones(2), None, np.ones(20, np.int8), mask
    )
    return artifact.encode(Network((layer,)), golden=0)


def sparse_float() -> bytes:
    """Record at 40: nonzeros 48, counts 52, indices 54, zeros 58..59, weights 60, end 76."""
    mask = np.zeros((2, 20), bool)
    mask[0, [3, 7]] = mask[1, [18, 19]] = True
    return artifact.encode(Network((Dense(np.ones((2, 20)), np.zeros(2), mask=mask),)), golden=0)


def nibbles() -> bytes:
    """Record at 40: exponents 48..50, bias and weights 51..57 (12 nibbles: 6 bytes), end 57, padding 57..59."""
    weight = np.arange(9).reshape(3, 3) - 4
    layer = QuantizedDense(weight, np.array([1, 2, 3]), 4, row_exponent=np.array([1, 2, 3]))
    return artifact.encode(Network((layer,)), golden=0)


def integers() -> bytes:
    """Record at 40: input scale 48, zero 52, row scale 56, columns 64, zeros 69..71, bias 72, weights 80, end 96.

    The second group of 4 inputs holds one: zeros 89..91 and 93..95.
    """
    layer = IntegerDense([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]], [-1, 1], 8.0, 100, [0.5, 0.25], column_exponent=[0] * 5)
    return artifact.encode(Network((layer,)), golden=0)


def odd_nibbles() -> bytes:
    """Record at 40: weights 48..49 (3 nibbles), padding 50."""
    return artifact.encode(Network((QuantizedDense([[1, 2, 3]], np.zeros(1, np.int8), 4),)), golden=0)


def full_contract() -> bytes:
    """low 40, high 52, clip 64, mean 68, scale 80, head low 92, high 100, scale 108, offset 116; record at 124."""
    contract = Contract(
        (3,),
        Squash(np.array([-1, -1]), np.array([1, 1]), np.ones(2), np.zeros(2)),
        np.full(3, -1),
        np.full(3, 1),
        Normalisation(np.zeros(3), np.ones(3), 5.0),
    )
    return artifact.encode(Network((Dense(np.ones((2, 3)), np.ones(2)),), contract), golden=0)


def selecting() -> bytes:
    """Selection of the values 1 and 8 of nine at 40..41, padding 42..43, record at 44: weights 52..60, end 60."""
    contract = Contract((9,), selected=(1, 8))
    return artifact.encode(Network((Dense([[3, 4]], [0]),), contract), golden=0)


def noted() -> bytes:
    """Record at 40 with one weight at 48; metadata at 52, 7 bytes and one of padding."""
    return artifact.encode(Network((Dense([[1]], [0]),), metadata={"a": 1}), golden=0)


def two_layers() -> bytes:
    """Records at 40 (weights 48..56) and 56."""
    return artifact.encode(Network((Dense([[1], [1]], [0, 0]), Dense([[1, 1]], [0]))), golden=0)


def discrete() -> bytes:
    """start 40, record at 44."""
    return artifact.encode(Network((Dense([[1]], [0]),), Contract((1,), Argmax(2))), golden=0)


def biased(bits: Any) -> Any:
    """Record at 40: biases of two outputs at 48 (one byte with 4 bits), then the weights."""
    layer = QuantizedDense([[1, 2], [3, 4]], np.array([5, 6]), bits)
    return lambda: artifact.encode(Network((layer,)), golden=0)


def one_output() -> bytes:
    """Record at 40: one exponent at 48, weights 49..50."""
    return artifact.encode(Network((QuantizedDense([[1, 2]], [0], 8, row_exponent=[1]),)), golden=0)


def almost_full() -> bytes:
    """A dense record of two int8 weights that reads as a sparse one without entries."""
    layer = QuantizedDense(np.zeros((1, 8)), [0], 8)
    return artifact.encode(Network((layer,)), golden=0)
