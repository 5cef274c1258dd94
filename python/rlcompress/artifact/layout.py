"""What the writer and the reader of `.rlc` files share: codes, block shapes and the layer record in parts."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.arrays import BoolArray, Int8Array
from rlcompress.contract import Argmax, Clip, Contract, Raw, Squash
from rlcompress.layers import Activation

MAGIC = b"RLC\x1a"
VERSION = 1
ARITHMETIC = 1
LAYER_LIMIT = 64
SIZE_LIMIT = 1 << 20
FILE_LIMIT = (1 << 32) - 1
GOLDEN_LIMIT = (1 << 16) - 1

HEADER = struct.Struct("<4sBBHIIIIBBHI")
RECORD = struct.Struct("<BBBBI")
CHECKSUM_OFFSET = 12
HEADS = (Raw, Argmax, Clip, Squash)
HAS_RANGE, HAS_NORMALISATION, HAS_SELECTION, ALIGNED_LAYERS = 1, 2, 4, 8
WIDE_BYTES, WIDE_ALIGNMENT = 4096, 64
DENSE, SPARSE, INTEGER = 1, 2, 3
WEIGHT_BITS = (32, 8, 4)
ROW_NONE, ROW_FLOAT, ROW_ONE_EXPONENT, ROW_EXPONENTS = 0, 1, 2, 3
COLUMN_EXPONENTS = 4
BIAS_SHIFT = 3
BIAS_NONE, BIAS_FLOAT, BIAS_INTEGER = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Parts:
    """A layer as its record holds it.

    Args:
        bits: 32 (float32), 8 or 4.
        activation, alpha: as in `Dense`.
        weight: (outputs, inputs) float32 or int8; zero where the mask is False.
        bias: (outputs,) float32 or int8, or None where it is not stored.
        row: (outputs,) float32, (1,) or (outputs,) int8, or None.
        column: (inputs,) int8, or None.
        mask: (outputs, inputs) bool: the entries of a sparse record; None = a dense one.
    """

    bits: int
    activation: Activation
    alpha: float
    weight: npt.NDArray[Any]
    bias: npt.NDArray[Any] | None
    row: npt.NDArray[Any] | None = None
    column: Int8Array | None = None
    mask: BoolArray | None = None

    @property
    def scales(self) -> int:
        """The record's `scales` byte."""
        row = ROW_NONE
        if self.row is not None:
            row = ROW_FLOAT if self.row.dtype == np.float32 else ROW_ONE_EXPONENT
            if row == ROW_ONE_EXPONENT and self.row.size > 1:
                row = ROW_EXPONENTS
        bias = BIAS_NONE
        if self.bias is not None:
            bias = BIAS_FLOAT if self.bias.dtype == np.float32 else BIAS_INTEGER
        return row | (0 if self.column is None else COLUMN_EXPONENTS) | bias << BIAS_SHIFT


def partial_sums(inputs: int, outputs: int) -> int:
    """P of the format: accumulators per output of a dense record."""
    if outputs <= 32 and inputs >= 64:
        return 16
    if outputs <= 16:
        return 4
    return 2 if outputs < 128 else 1


def output_major(inputs: int, outputs: int) -> bool:
    """Whether a dense record stores its weights row by row."""
    return partial_sums(inputs, outputs) == 16


def has_wide_weights(bits: int, count: int, sparse: bool) -> bool:
    """Whether `count` weights are aligned to `WIDE_ALIGNMENT`."""
    return bits == 32 and not sparse and 4 * count >= WIDE_BYTES


def filled_outputs(outputs: int) -> int:
    """Outputs of an integer record, or of wide float32 weights, with the zeros that fill the last cache line."""
    return outputs + (padding(outputs, 16) if outputs >= 64 else 0)


def group_shape(inputs: int, outputs: int) -> tuple[int, int]:
    """Inputs and outputs of an integer record's weights with the zeros that fill groups and cache lines."""
    return inputs + padding(inputs), filled_outputs(outputs)


def pack_groups(weight: Int8Array) -> Int8Array:
    """(outputs, inputs) weights of an integer record as stored: groups of 4 inputs, filled with zeros."""
    outputs, inputs = weight.shape
    columns, rows = group_shape(inputs, outputs)
    padded = np.zeros((rows, columns), np.int8)
    padded[:outputs, :inputs] = weight
    return np.ascontiguousarray(padded.reshape(rows, -1, 4).transpose(1, 0, 2)).reshape(-1)


def unpack_groups(values: Int8Array, inputs: int, outputs: int) -> Int8Array:
    """The (outputs, inputs) weights of `pack_groups`."""
    columns, rows = group_shape(inputs, outputs)
    return values.reshape(-1, rows, 4).transpose(1, 0, 2).reshape(rows, columns)[:outputs, :inputs]


def index_type(inputs: int) -> np.dtype[Any]:
    """Type of the counts and indices of a sparse record."""
    return np.dtype("<u1" if inputs <= 255 else "<u2" if inputs <= 65_535 else "<u4")


def padding(offset: int, alignment: int = 4) -> int:
    """Zero bytes from `offset` to the next multiple of `alignment`."""
    return -offset % alignment


def pack_selection(contract: Contract) -> bytes:
    """One bit for each value of the observation, set = read by the layers; nothing where all are."""
    if contract.selected is None:
        return b""
    bits = np.zeros(contract.input_size, np.uint8)
    bits[list(contract.selected)] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def unpack_selection(data: npt.NDArray[np.uint8], count: int) -> tuple[int, ...]:
    """Indices of the set bits among the first `count`."""
    return tuple(np.flatnonzero(np.unpackbits(data, count=count, bitorder="little")).tolist())


def canonical_json(metadata: Mapping[str, Any]) -> bytes:
    """The one encoding of metadata; nothing for no entries.

    Raises:
        TypeError, ValueError, RecursionError: not JSON.
    """
    if not metadata:
        return b""
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def pack_nibbles(values: Int8Array) -> bytes:
    """int4 values as two's complement nibbles, low nibble first; a last unused nibble is 0."""
    nibbles = np.zeros(values.size + values.size % 2, np.uint8)
    nibbles[: values.size] = values.view(np.uint8) & 15
    return (nibbles[::2] | nibbles[1::2] << 4).tobytes()


def unpack_nibbles(data: npt.NDArray[np.uint8], count: int) -> Int8Array:
    """The first `count` values of `pack_nibbles`."""
    nibbles = np.empty(2 * data.size, np.uint8)
    nibbles[::2] = data & 15
    nibbles[1::2] = data >> 4
    return ((nibbles[:count] ^ 8).astype(np.int8) - 8).astype(np.int8)
