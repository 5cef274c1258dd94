"""State trees as JSON and arrays, without pickle: what checkpoints store.

A state is built from frozen dataclasses (and so from `Network`s), tuples, lists, dicts with str or int keys, None,
bool, int, float, str and NumPy arrays of plain element types. Only dataclasses that the state's own type hints name are
written, and only those are built again.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.engine.hints import field_hints, matches, value_types
from rlcompress.errors import CheckpointError, InvalidValueError, RlcompressError

AnyArray = npt.NDArray[Any]
ELEMENT_TYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
_KIND = "$"


@dataclass(frozen=True, eq=False)
class Encoded:
    """A value as JSON that refers to arrays by index.

    Args:
        tree: JSON-able.
        arrays: C-contiguous, native byte order, element types of `ELEMENT_TYPES`.
    """

    tree: Any
    arrays: tuple[AnyArray, ...]


def encode(value: Any, hint: Any) -> Encoded:
    """Take `value`, declared as `hint`, apart.

    Raises:
        InvalidValueError: something in it is not of the kinds above; names the field.
    """
    arrays: list[AnyArray] = []
    types = value_types(hint)
    return Encoded(_encode(value, types, arrays, getattr(hint, "__name__", "state")), tuple(arrays))


def decode(encoded: Encoded, hint: Any) -> Any:
    """Build the value again; its arrays are read-only copies in C order.

    Raises:
        CheckpointError: the tree does not fit `hint`; names the field.
    """
    where = getattr(hint, "__name__", "state")
    try:
        value = _decode(encoded.tree, value_types(hint), encoded.arrays, where)
    except RecursionError as error:
        raise CheckpointError(f"{where}: nested too deeply") from error
    if not matches(value, hint):
        raise CheckpointError(f"{where}: {hint} expected, found {type(value).__name__}")
    return value


def round_trip(value: Any, hint: Any) -> Any:
    """The value exactly as a checkpoint would give it back."""
    return decode(encode(value, hint), hint)


def _encode(value: Any, types: Mapping[str, type], arrays: list[AnyArray], where: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if abs(value).bit_length() <= 4096 else _refuse(where, "an integer of more than 4096 bits")
    if isinstance(value, float):
        return float(value) if isfinite(value) else {_KIND: "float", "bits": struct.pack("<d", value).hex()}
    if isinstance(value, np.ndarray):
        return _encode_array(value, arrays, where)
    if type(value) is list:
        return [_encode(item, types, arrays, f"{where}[{index}]") for index, item in enumerate(value)]
    if type(value) is tuple:
        items = [_encode(item, types, arrays, f"{where}[{index}]") for index, item in enumerate(value)]
        return {_KIND: "tuple", "items": items}
    if isinstance(value, Mapping):
        return _encode_dict(value, types, arrays, where)
    cls: type = type(value)
    if is_dataclass(cls) and types.get(cls.__qualname__) is cls:
        entries = {name: _encode(getattr(value, name), types, arrays, f"{where}.{name}") for name in field_hints(cls)}
        return {_KIND: "value", "type": cls.__qualname__, "fields": entries}
    return _refuse(where, f"{cls.__qualname__}, which the type hints of the state do not name")


def _refuse(where: str, found: str) -> Any:
    raise InvalidValueError(
        f"{where}: JSON-able values, arrays and declared frozen dataclasses can be stored, found {found}"
    )


def _encode_array(value: AnyArray, arrays: list[AnyArray], where: str) -> dict[str, Any]:
    if value.dtype.name not in ELEMENT_TYPES or not value.dtype.isnative:
        _refuse(where, f"an array of {value.dtype!r}")
    arrays.append(np.array(value, order="C", copy=True))
    return {_KIND: "array", "index": len(arrays) - 1}


def _encode_dict(value: Mapping[Any, Any], types: Mapping[str, type], arrays: list[AnyArray], where: str) -> Any:
    for key in value:
        if type(key) not in (str, int):
            _refuse(where, f"the key {key!r} of type {type(key).__name__}")
    return {_KIND: "dict", "items": [[k, _encode(v, types, arrays, f"{where}[{k!r}]")] for k, v in value.items()]}


def _decode(node: Any, types: Mapping[str, type], arrays: tuple[AnyArray, ...], where: str) -> Any:
    if isinstance(node, list):
        return [_decode(item, types, arrays, f"{where}[{index}]") for index, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    try:
        match node:
            case {"$": "float", "bits": str(bits)}:
                return struct.unpack("<d", bytes.fromhex(bits))[0]
            case {"$": "array", "index": int(index)} if 0 <= index < len(arrays):
                return _read_only(arrays[index])
            case {"$": "tuple", "items": list(items)}:
                return tuple(_decode(items, types, arrays, where))
            case {"$": "dict", "items": list(items)}:
                return {key: _decode(item, types, arrays, f"{where}[{key!r}]") for key, item in items}
            case {"$": "value", "type": str(name), "fields": dict(entries)} if name in types:
                return _build(
                    types[name], {k: _decode(v, types, arrays, f"{where}.{k}") for k, v in entries.items()}, where
                )
    except (ValueError, TypeError, struct.error) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{where}: {error}") from error
    raise CheckpointError(f"{where}: not something this version writes: {str(node)[:80]}")


def _read_only(array: AnyArray) -> AnyArray:
    copy = np.array(array, order="C", copy=True)
    copy.flags.writeable = False
    return copy


def _build(cls: type, entries: dict[str, Any], where: str) -> Any:
    hints = field_hints(cls)
    if set(entries) != set(hints):
        odd = ", ".join(sorted(set(entries) ^ set(hints)))
        raise CheckpointError(f"{where}: {cls.__qualname__} has other fields in this version ({odd}); start a new run")
    for name, value in entries.items():
        if not matches(value, hints[name]):
            raise CheckpointError(
                f"{where}.{name}: {hints[name]} expected, found {type(value).__name__} {str(value)[:60]}"
            )
    try:
        return cls(**entries)
    except RlcompressError as error:
        raise CheckpointError(f"{where}: {error}") from error
