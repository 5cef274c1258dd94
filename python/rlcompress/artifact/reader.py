"""`.rlc` bytes -> Network. The C++ core validates; what is here only slices what was found valid."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.artifact import layout
from rlcompress.artifact.layout import HEADER, RECORD, Parts, padding
from rlcompress.contract import Argmax, Clip, Contract, Head, Normalisation, Raw, Squash
from rlcompress.errors import FormatError, UnsupportedError
from rlcompress.kernels import verify
from rlcompress.layers import ACTIVATIONS, Dense, IntegerDense, Layer, QuantizedDense
from rlcompress.layers.activation import ALPHA_RANGE
from rlcompress.network import Network

_UNPACKED_LIMIT = 1 << 24
_UNPACKED_SHARE = 1000


def decode(image: bytes) -> Network:
    """The network in an `.rlc` file. Its golden vectors are not part of it.

    A dense record gives a layer without a mask, also where the layer once had one.

    Raises:
        FormatError: malformed in any way; nothing of the size that a damaged field claims is allocated.
        UnsupportedError: a sparse layer that is huge for so small a file (`Runtime` executes it nevertheless).
    """
    image = bytes(image)
    verify(image)
    cursor = _Cursor(image)
    contract = _contract(cursor)
    layers: list[Layer] = []
    inputs = contract.network_inputs
    if cursor.flags & layout.ALIGNED_LAYERS:
        cursor.offset += padding(cursor.offset, layout.WIDE_ALIGNMENT)
    for _ in range(cursor.layer_count):
        if cursor.image[cursor.offset] == layout.INTEGER:
            layers.append(_integer_layer(cursor, inputs))
        else:
            layers.append(_layer(_parts(cursor, inputs)))
        inputs = layers[-1].out_features
    return Network(tuple(layers), contract, decode_metadata(image))


def decode_contract(image: bytes) -> Contract:
    """The contract in a valid image."""
    return _contract(_Cursor(image))


def decode_metadata(image: bytes) -> Mapping[str, Any]:
    """The metadata in an image that is valid but for them.

    Raises:
        FormatError: not an object in the one encoding.
    """
    length: int = HEADER.unpack_from(image)[-1]
    if not length:
        return {}
    start = len(image) - padding(length) - length
    data = image[start : start + length]
    try:
        metadata = json.loads(data.decode())
        canonical = isinstance(metadata, dict) and layout.canonical_json(metadata) == data
    except (ValueError, RecursionError) as error:
        raise FormatError("metadata", start, "UTF-8 JSON", str(error)) from None
    if not canonical:
        expected = "a JSON object with entries, keys sorted, no white space, numbers and text in their shortest form"
        raise FormatError("metadata", start, expected, repr(data[:80]))
    return dict(metadata)


def golden_count(image: bytes) -> int:
    """How many golden vectors a valid image holds."""
    count: int = HEADER.unpack_from(image)[10]
    return count


class _Cursor:
    """A position in a valid image."""

    def __init__(self, image: bytes) -> None:
        fields = HEADER.unpack_from(image)
        self.layer_count: int = fields[3]
        self.output_size: int = fields[7]
        self.head, self.flags = fields[8], fields[9]
        self.image = image
        self.offset = HEADER.size

    def unpack(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self.image, self.offset)
        self.offset += struct.calcsize(form)
        return values

    def array(self, dtype: npt.DTypeLike, count: int, alignment: int = 1) -> npt.NDArray[Any]:
        """A view of the image, in the machine's byte order."""
        self.offset += padding(self.offset, alignment)
        found = np.frombuffer(self.image, dtype, count, self.offset)
        self.offset += found.nbytes
        return found.astype(found.dtype.newbyteorder("="), copy=False)

    def floats(self, count: int) -> npt.NDArray[Any]:
        return self.array("<f4", count, 4)


def _contract(cursor: _Cursor) -> Contract:
    (rank,) = cursor.unpack("<B3x")
    shape = cursor.unpack(f"<{rank}I")
    size = math.prod(shape)
    low = high = normalisation = selected = None
    if cursor.flags & layout.HAS_RANGE:
        low, high = cursor.floats(size), cursor.floats(size)
    if cursor.flags & layout.HAS_NORMALISATION:
        (clip,) = cursor.unpack("<f")
        normalisation = Normalisation(clip=clip, mean=cursor.floats(size), scale=cursor.floats(size))
    if cursor.flags & layout.HAS_SELECTION:
        selected = layout.unpack_selection(cursor.array("u1", (size + 7) // 8), size)
        cursor.offset += padding(cursor.offset)
    return Contract(shape, _head(cursor), low, high, normalisation, selected)


def _head(cursor: _Cursor) -> Head:
    kind = layout.HEADS[cursor.head]
    if kind is Raw:
        return Raw()
    if kind is Argmax:
        return Argmax(*cursor.unpack("<i"))
    low, high, scale, offset = (cursor.floats(cursor.output_size) for _ in range(4))
    return (Clip if kind is Clip else Squash)(low=low, high=high, scale=scale, offset=offset)


def _integer_layer(cursor: _Cursor, inputs: int) -> IntegerDense:
    _, activation, _, scales, outputs = cursor.unpack(RECORD.format)
    name = ACTIVATIONS[activation]
    alpha = cursor.unpack("<f")[0] if name in ALPHA_RANGE else 0.0
    input_scale, input_zero = cursor.unpack("<fI")
    row = cursor.floats(outputs)
    column = cursor.array("i1", inputs) if scales & layout.COLUMN_EXPONENTS else None
    bias = cursor.array("<i4", outputs, 4)
    count = math.prod(layout.group_shape(inputs, outputs))
    groups = cursor.array("i1", count, layout.WIDE_ALIGNMENT if count >= layout.WIDE_BYTES else 1)
    weight = layout.unpack_groups(groups, inputs, outputs)
    return IntegerDense(weight, bias, input_scale, input_zero, row, name, alpha, column)


def _parts(cursor: _Cursor, inputs: int) -> Parts:
    kind, activation, weight_type, scales, outputs = cursor.unpack(RECORD.format)
    name, bits = ACTIVATIONS[activation], layout.WEIGHT_BITS[weight_type]
    alpha = cursor.unpack("<f")[0] if name in ALPHA_RANGE else 0.0
    nonzeros = cursor.unpack("<I")[0] if kind == layout.SPARSE else inputs * outputs
    row_code, bias_code = scales & 3, scales >> layout.BIAS_SHIFT
    row = column = bias = mask = None
    if row_code == layout.ROW_FLOAT:
        row = cursor.floats(outputs)
    elif row_code != layout.ROW_NONE:
        row = cursor.array("i1", 1 if row_code == layout.ROW_ONE_EXPONENT else outputs)
    if scales & layout.COLUMN_EXPONENTS:
        column = cursor.array("i1", inputs)
    if bias_code == layout.BIAS_FLOAT:
        bias = cursor.floats(outputs)
    if kind == layout.SPARSE:
        mask = _mask(cursor, inputs, outputs, nonzeros)
    extra = outputs if bias_code == layout.BIAS_INTEGER else 0
    if layout.has_wide_weights(bits, nonzeros, kind == layout.SPARSE):
        cursor.offset += padding(cursor.offset, layout.WIDE_ALIGNMENT)
        if not layout.output_major(inputs, outputs):
            filled = cursor.array("<f4", inputs * layout.filled_outputs(outputs)).reshape(inputs, -1)
            return Parts(bits, name, alpha, filled[:, :outputs].T, bias, row, column)
    values = _values(cursor, bits, nonzeros + extra)
    cursor.offset += padding(cursor.offset)
    if extra:
        bias = values[:extra]
    weight = _weight(values[extra:], inputs, outputs, mask)
    return Parts(bits, name, alpha, weight, bias, row, column, mask)


def _mask(cursor: _Cursor, inputs: int, outputs: int, nonzeros: int) -> npt.NDArray[np.bool_]:
    if inputs * outputs > max(_UNPACKED_LIMIT, _UNPACKED_SHARE * len(cursor.image)):
        raise UnsupportedError(
            f"sparse layer of {outputs} x {inputs} with {nonzeros} entries in a file of {len(cursor.image)} bytes: "
            "too large to unpack; give the file to Runtime, which executes it in place"
        )
    index = layout.index_type(inputs)
    counts = cursor.array(index, outputs, index.itemsize)
    columns = cursor.array(index, nonzeros)
    mask = np.zeros((outputs, inputs), np.bool_)
    mask[np.repeat(np.arange(outputs), counts), columns] = True
    return mask


def _values(cursor: _Cursor, bits: int, count: int) -> npt.NDArray[Any]:
    if bits == 32:
        return cursor.floats(count)
    if bits == 8:
        return cursor.array("i1", count)
    return layout.unpack_nibbles(cursor.array("u1", (count + 1) // 2), count)


def _weight(values: npt.NDArray[Any], inputs: int, outputs: int, mask: Any) -> npt.NDArray[Any]:
    if mask is not None:
        weight = np.zeros((outputs, inputs), values.dtype)
        weight[mask] = values
        return weight
    if layout.output_major(inputs, outputs):
        return values.reshape(outputs, inputs)
    return values.reshape(inputs, outputs).T


def _layer(parts: Parts) -> Layer:
    outputs = parts.weight.shape[0]
    if parts.bits == 32:
        bias = np.zeros(outputs, np.float32) if parts.bias is None else parts.bias
        return Dense(parts.weight, bias, parts.activation, parts.alpha, parts.mask)
    bias = np.zeros(outputs, np.int8) if parts.bias is None else parts.bias
    exact = parts.row is not None and parts.row.dtype == np.float32
    return QuantizedDense(
        weight=parts.weight,
        bias=bias,
        bits=8 if parts.bits == 8 else 4,
        activation=parts.activation,
        alpha=parts.alpha,
        row_scale=parts.row if exact else None,
        row_exponent=None if exact else parts.row,
        column_exponent=parts.column,
        mask=parts.mask,
    )
