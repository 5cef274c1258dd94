"""Network -> `.rlc` bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.artifact import layout
from rlcompress.artifact.golden import golden_inputs
from rlcompress.artifact.layout import HEADER, RECORD, Parts, padding
from rlcompress.artifact.reader import decode_contract
from rlcompress.contract import Argmax, Contract, Raw
from rlcompress.errors import InvalidValueError
from rlcompress.kernels import Model
from rlcompress.layers import ACTIVATIONS, Dense, IntegerDense, Layer, QuantizedDense
from rlcompress.layers.activation import ALPHA_RANGE
from rlcompress.network import Network

_EXACT_INTEGER = 1 << 24


def encode(network: Network, golden: int = 8, metadata: bool = True) -> bytes:
    """The network as the bytes of an `.rlc` file: the same network always gives the same bytes.

    A masked layer is written as a sparse record when that has fewer bytes than the dense one; otherwise its mask is not
    stored.

    Args:
        network: up to 64 layers of 1..1,048,576 inputs and outputs.
        golden: test vectors to add, 0..65,535; they cost (inputs + action) x 4 bytes each.
        metadata: whether to add the network's metadata.

    Raises:
        InvalidValueError: more than the format holds, or metadata that is not JSON.
    """
    _check(network, golden)
    contract, size = network.contract, network.output_size
    notes = metadata_bytes(network.metadata) if metadata else b""
    layers, aligned = _layer_block(network.layers)
    image = _assemble(contract, len(network.layers), size, [layers], 0, b"" if golden else notes, aligned)
    if not golden:
        return image
    inputs = golden_inputs(contract, golden)
    actions = np.empty((golden, contract.action_size(size)), np.float32)
    Model(image).run(inputs, actions)
    blocks = [layers, _floats(np.concatenate([inputs, actions], axis=1))]
    return _assemble(contract, len(network.layers), size, blocks, golden, notes, aligned)


def weights_bytes(network: Network) -> int:
    """Bytes that an `.rlc` file spends on weights, biases, scales, indices and the selection."""
    return len(layout.pack_selection(network.contract)) + sum(
        _chosen_record(layer, 0).stored for layer in network.layers
    )


def without_head(image: bytes) -> bytes:
    """A valid image that gives the outputs of the last layer: head raw, no golden vectors, no metadata."""
    fields = HEADER.unpack_from(image)
    golden, notes = fields[10], fields[11]
    contract = decode_contract(image)
    aligned = bool(fields[9] & layout.ALIGNED_LAYERS)
    start = HEADER.size + len(_contract_block(contract, aligned))
    vector = 4 * (contract.input_size + contract.action_size(fields[7]))
    layers = image[start : len(image) - notes - padding(notes) - golden * vector]
    raw = replace(contract, head=Raw())
    return _assemble(raw, fields[3], fields[7], [layers], 0, b"", aligned)


def _contract_block(contract: Contract, aligned: bool) -> bytes:
    """The contract, padded to where the layers start."""
    block = contract_bytes(contract)
    return block + bytes(padding(HEADER.size + len(block), layout.WIDE_ALIGNMENT)) if aligned else block


def _layer_block(layers: tuple[Layer, ...]) -> tuple[bytes, bool]:
    """The records one after the other, and whether the first must start at a multiple of 64."""
    block, aligned = bytearray(), False
    for layer in layers:
        record = _chosen_record(layer, len(block))
        block += record.data
        aligned |= record.aligned
    return bytes(block), aligned


def _assemble(
    contract: Contract,
    layer_count: int,
    output_size: int,
    blocks: list[bytes],
    golden: int,
    notes: bytes,
    aligned: bool,
) -> bytes:
    """A file of these blocks, of which the first holds the layers."""
    blocks = [_contract_block(contract, aligned), *blocks]
    flags = 0 if contract.observation_low is None else layout.HAS_RANGE
    flags |= 0 if contract.normalisation is None else layout.HAS_NORMALISATION
    flags |= 0 if contract.selected is None else layout.HAS_SELECTION
    flags |= layout.ALIGNED_LAYERS if aligned else 0
    total = HEADER.size + sum(map(len, blocks)) + len(notes) + padding(len(notes))
    if total > layout.FILE_LIMIT:
        raise InvalidValueError(f"network: a file of up to {layout.FILE_LIMIT} bytes expected, found {total}")
    header = HEADER.pack(
        layout.MAGIC,
        layout.VERSION,
        layout.ARITHMETIC,
        layer_count,
        total,
        0,
        contract.input_size,
        output_size,
        layout.HEADS.index(type(contract.head)),
        flags,
        golden,
        len(notes),
    )
    image = bytearray(b"".join([header, *blocks, notes, bytes(padding(len(notes)))]))
    struct.pack_into("<I", image, layout.CHECKSUM_OFFSET, zlib.crc32(image))
    return bytes(image)


def _check(network: Network, golden: int) -> None:
    if len(network.layers) > layout.LAYER_LIMIT:
        raise InvalidValueError(f"network: 1..{layout.LAYER_LIMIT} layers expected, found {len(network.layers)}")
    if not all(1 <= width <= layout.SIZE_LIMIT for width in network.widths):
        raise InvalidValueError(f"network: widths of 1..{layout.SIZE_LIMIT} expected, found {network.widths}")
    if network.contract.input_size > layout.SIZE_LIMIT:
        found = network.contract.input_size
        raise InvalidValueError(f"network: an observation of 1..{layout.SIZE_LIMIT} values expected, found {found}")
    if not 0 <= golden <= layout.GOLDEN_LIMIT:
        raise InvalidValueError(f"golden: 0..{layout.GOLDEN_LIMIT} vectors expected, found {golden}")
    head = network.contract.head
    if isinstance(head, Argmax) and abs(head.start) + network.output_size > _EXACT_INTEGER:
        raise InvalidValueError(f"argmax start: within +-({_EXACT_INTEGER} - outputs) expected, found {head.start}")


def contract_bytes(contract: Contract) -> bytes:
    """The contract block."""
    shape = contract.observation_shape
    block = [struct.pack(f"<B3x{len(shape)}I", len(shape), *shape)]
    if contract.observation_low is not None and contract.observation_high is not None:
        block += [_floats(contract.observation_low), _floats(contract.observation_high)]
    if contract.normalisation is not None:
        normalisation = contract.normalisation
        block += [struct.pack("<f", normalisation.clip), _floats(normalisation.mean), _floats(normalisation.scale)]
    selection = layout.pack_selection(contract)
    block.append(selection + bytes(padding(len(selection))))
    head = contract.head
    if isinstance(head, Argmax):
        block.append(struct.pack("<i", head.start))
    elif not isinstance(head, Raw):
        block += [_floats(head.low), _floats(head.high), _floats(head.scale), _floats(head.offset)]
    return b"".join(block)


def metadata_bytes(metadata: Mapping[str, Any]) -> bytes:
    """The metadata block without its padding.

    Raises:
        InvalidValueError: not JSON (numbers finite, keys text).
    """
    remedy = "give dicts with text keys, lists, text, finite numbers, booleans and None (float(x) of a NumPy number)"
    try:
        data = layout.canonical_json(metadata)
        if _has_text_keys(metadata):
            return data
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValueError(f"metadata: JSON expected, found {error}; {remedy}") from None
    raise InvalidValueError(f"metadata: text keys expected, found others in {metadata!r:.200}; {remedy}")


def _has_text_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_has_text_keys, value.values()))
    return all(map(_has_text_keys, value)) if isinstance(value, (list, tuple)) else True


def record_bytes(layer: Layer) -> bytes:
    """The record of one layer, padded, as the first of a file has it."""
    return bytes(_chosen_record(layer).data)


class _Record:
    """A growing record that knows how many of its bytes are weights, biases, scales and indices.

    Args:
        head: its first bytes.
        start: where it begins, counted from a multiple of 64.
    """

    def __init__(self, head: bytes, start: int) -> None:
        self.data = bytearray(head)
        self.start = start
        self.stored = 0
        self.aligned = False
        self._gap = 0

    def add(self, part: bytes, alignment: int = 1) -> None:
        self.data += bytes(padding(len(self.data), alignment)) + part
        self.stored += len(part)

    def add_wide(self, part: bytes, filling: int = 0) -> None:
        """Add weights at a multiple of 64; `filling` of their bytes are zeros that fill cache lines."""
        gap = padding(self.start + len(self.data), layout.WIDE_ALIGNMENT)
        self.data += bytes(gap)
        self.add(part)
        self.stored -= filling
        self._gap = gap + filling
        self.aligned = True

    @property
    def packed_size(self) -> int:
        """Bytes without those that align and fill wide weights."""
        return len(self.data) - self._gap


def _chosen_record(layer: Layer, start: int = 0) -> _Record:
    if isinstance(layer, IntegerDense):
        return _integer_record(layer, start)
    parts = _parts(layer)
    dense = _record(parts, None, start)
    if parts.mask is None:
        return dense
    sparse = _record(parts, parts.mask, start)
    return sparse if sparse.packed_size < dense.packed_size else dense


def _parts(layer: Layer) -> Parts:
    """What the record stores: a bias of zeros is left out where that changes no result."""
    bias = None if layer.bias.dtype == np.int8 and not layer.bias.any() else layer.bias
    if isinstance(layer, Dense):
        bias = layer.bias if layer.bias.any() else None
        return Parts(32, layer.activation, layer.alpha, layer.weight, bias, mask=layer.mask)
    assert isinstance(layer, QuantizedDense)
    row = layer.row_scale if layer.row_scale is not None else layer.row_exponent
    return Parts(layer.bits, layer.activation, layer.alpha, layer.weight, bias, row, layer.column_exponent, layer.mask)


def _record(parts: Parts, mask: npt.NDArray[np.bool_] | None, start: int) -> _Record:
    outputs, inputs = parts.weight.shape
    kind = layout.DENSE if mask is None else layout.SPARSE
    codes = (kind, ACTIVATIONS.index(parts.activation), layout.WEIGHT_BITS.index(parts.bits), parts.scales, outputs)
    head = RECORD.pack(*codes)
    if parts.activation in ALPHA_RANGE:
        head += struct.pack("<f", parts.alpha)
    if mask is not None:
        head += struct.pack("<I", np.count_nonzero(mask))
    record = _Record(head, start)
    if parts.row is not None:
        record.add(_floats(parts.row) if parts.row.dtype == np.float32 else parts.row.tobytes())
    if parts.column is not None:
        record.add(parts.column.tobytes())
    integer_bias = parts.bias if parts.bias is not None and parts.bias.dtype == np.int8 else None
    if parts.bias is not None and integer_bias is None:
        record.add(_floats(parts.bias), 4)
    if mask is not None:
        index = layout.index_type(inputs)
        counts = np.count_nonzero(mask, axis=1).astype(index)
        record.add(counts.tobytes() + np.nonzero(mask)[1].astype(index).tobytes(), index.itemsize)
    _add_weights(record, parts, mask, integer_bias)
    record.data += bytes(padding(len(record.data)))
    return record


def _integer_record(layer: IntegerDense, start: int) -> _Record:
    scales = layout.ROW_FLOAT | (0 if layer.column_exponent is None else layout.COLUMN_EXPONENTS)
    codes = (layout.INTEGER, ACTIVATIONS.index(layer.activation), layout.WEIGHT_BITS.index(8), scales)
    head = RECORD.pack(*codes, layer.out_features)
    if layer.activation in ALPHA_RANGE:
        head += struct.pack("<f", layer.alpha)
    record = _Record(head, start)
    record.add(struct.pack("<fI", layer.input_scale, layer.input_zero) + _floats(layer.row_scale))
    if layer.column_exponent is not None:
        record.add(layer.column_exponent.tobytes())
    record.add(layer.bias.astype("<i4").tobytes(), 4)
    groups = layout.pack_groups(layer.weight)
    add = record.add_wide if groups.size >= layout.WIDE_BYTES else record.add
    add(groups.tobytes())
    record.stored -= groups.size - layer.weight.size
    return record


def _add_weights(record: _Record, parts: Parts, mask: Any, integer_bias: Any) -> None:
    outputs, inputs = parts.weight.shape
    if mask is not None:
        weights = parts.weight[mask]
    else:
        weights = (parts.weight if layout.output_major(inputs, outputs) else parts.weight.T).reshape(-1)
    if layout.has_wide_weights(parts.bits, weights.size, mask is not None):
        if not layout.output_major(inputs, outputs):
            weights = np.zeros((inputs, layout.filled_outputs(outputs)), np.float32)
            weights[:, :outputs] = parts.weight.T
        record.add_wide(_floats(weights), 4 * (weights.size - inputs * outputs))
        return
    if parts.bits == 32:
        record.add(_floats(weights), 4)
        return
    integers = weights if integer_bias is None else np.concatenate([integer_bias, weights])
    integers = np.ascontiguousarray(integers, np.int8)
    record.add(integers.tobytes() if parts.bits == 8 else layout.pack_nibbles(integers))


def _floats(array: npt.NDArray[Any]) -> bytes:
    return array.astype("<f4", copy=False).tobytes()
