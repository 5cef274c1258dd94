"""A pickle reader that runs nothing: each class or function it names becomes an inert `Record` of its arguments.

Not one name in the file is imported or called, NumPy's included: arrays are decoded afterwards from what was recorded.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rlcompress.errors import ImportFormatError

_NAME_LIMIT = 512
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_BUFFER_MODULES = ("numpy.core.numeric", "numpy._core.numeric")
_MEMO_WRITES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_NUMBER_TYPES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})


class Record:
    """What a pickle said about one object: the callable's name, its arguments, the state given afterwards."""

    origin: ClassVar[tuple[str, str]] = ("", "")
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any, **named: Any) -> Record:
        record = object.__new__(cls)
        record.arguments = arguments
        record.state = None
        return record

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *arguments: Any, **named: Any) -> Record:
        return Record(*arguments)

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        pass

    def extend(self, items: Any) -> None:
        pass

    def add(self, item: Any) -> None:
        pass


class _RecordingUnpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._seen: dict[tuple[str, str], type[Record]] = {}

    def find_class(self, module: str, name: str) -> type[Record]:
        origin = (module, name)
        if origin not in self._seen:
            if len(self._seen) >= _NAME_LIMIT:
                raise pickle.UnpicklingError(f"more than {_NAME_LIMIT} different names")
            self._seen[origin] = type("Record", (Record,), {"origin": origin})
        return self._seen[origin]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("a persistent reference")


def record_pickle(content: bytes, name: str) -> Any:
    """What the pickle describes, with `Record` in place of every object that is not plain data.

    Args:
        content: the whole pickle.
        name: of the file, for messages.

    Raises:
        ImportFormatError: not a pickle, or one that asks for more memory than it has bytes.
    """
    try:
        _check_sizes(content)
        return _RecordingUnpickler(content).load()
    except Exception as error:  # damaged pickles raise many unrelated types
        raise ImportFormatError(f"{name}: not a readable pickle ({str(error)[:200]}); fetch the file again") from error


def _check_sizes(content: bytes) -> None:
    """Walk the opcodes, which checks every length against the bytes, before the unpickler allocates anything."""
    for opcode, argument, _ in pickletools.genops(content):
        # A memo index makes the unpickler allocate a table that long.
        if opcode.name in _MEMO_WRITES and not 0 <= int(argument or 0) <= len(content):
            raise ValueError(f"memo index {argument} in {len(content)} bytes")


def recorded_array(value: Any) -> npt.NDArray[Any] | None:
    """The numeric array or scalar that a record describes, or None when it describes none."""
    if isinstance(value, (bool, int, float)):
        return np.asarray(value)
    if not isinstance(value, Record):
        return None
    module, function = value.origin
    state = value.state if isinstance(value.state, tuple) else ()
    if module in _ARRAY_MODULES and function == "_reconstruct" and len(state) == 5:
        _, shape, dtype, fortran, content = state
        return _decode(content, dtype, shape, "F" if fortran else "C")
    if module in _ARRAY_MODULES and function == "scalar" and len(value.arguments) == 2:
        return _decode(value.arguments[1], value.arguments[0], (), "C")
    if module in _BUFFER_MODULES and function == "_frombuffer" and len(value.arguments) == 4:
        content, dtype, shape, order = value.arguments
        return _decode(content, dtype, shape, "F" if order == "F" else "C")
    return None


def _decode(content: Any, dtype: Any, shape: Any, order: Any) -> npt.NDArray[Any] | None:
    kind = _number_type(dtype)
    if isinstance(content, Record) and content.origin == ("_codecs", "encode") and len(content.arguments) == 2:
        text = content.arguments[0]  # how pickle protocols 0 to 2 write bytes
        content = text.encode("latin1", "replace") if isinstance(text, str) else None
    if kind is None or not isinstance(content, (bytes, bytearray)) or not isinstance(shape, tuple):
        return None
    if not all(type(size) is int and 0 <= size <= len(content) for size in shape):
        return None
    values = np.frombuffer(content, kind) if len(content) % kind.itemsize == 0 else np.empty(0)
    count = 1
    for size in shape:
        count *= size
    return values.reshape(shape, order=order).copy() if values.size == count else None


def _number_type(dtype: Any) -> np.dtype[Any] | None:
    if not isinstance(dtype, Record) or dtype.origin != ("numpy", "dtype") or not dtype.arguments:
        return None
    code, state = dtype.arguments[0], dtype.state
    if code not in _NUMBER_TYPES:
        return None
    byte_order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "=") else "="
    number_type: np.dtype[Any] = np.dtype(byte_order + code)
    return number_type
