"""Spaces of Gym and Gymnasium, parsed from the plain-text fields that Stable-Baselines3 saves beside their pickles."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.errors import ImportFormatError, UnsupportedError

_SPACE = re.compile(r"<class 'gym(?:nasium)?\.spaces\.\w+\.(\w+)'>")
_SIZE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Box:
    """A box of numbers.

    Args:
        shape: of one value.
        dtype: NumPy name of its type.
        low, high: (size,) float32 bounds, or None where the text abbreviates them.
    """

    shape: tuple[int, ...]
    dtype: str
    low: FloatArray | None
    high: FloatArray | None

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Discrete:
    """The integers `start` .. `start + n - 1`."""

    n: int
    start: int


Space = Union[Box, Discrete]


def parse_space(fields: Mapping[str, Any], entry: str, name: str) -> Space:
    """The space that `fields` describe.

    Args:
        fields: of `observation_space` or `action_space` in `data`.
        entry: which of the two.
        name: of the file, for messages.

    Raises:
        ImportFormatError: fields that are missing or make no sense.
        UnsupportedError: another space than Box and Discrete.
    """
    found = _SPACE.fullmatch(str(fields.get(":type:", "")))
    if found is None and fields:
        raise UnsupportedError(
            f"{name}: {entry} is a {str(fields.get(':type:'))[:100]}; Box and Discrete are supported"
        )
    if found is None:
        raise ImportFormatError(f"{name}: 'data' has no {entry}; give a complete file")
    if found[1] == "Box":
        return _box(fields, f"{name}: {entry}")
    if found[1] == "Discrete":
        n = _integer(fields.get("n"), f"{name}: {entry}: n")
        start = _integer(fields.get("start", 0), f"{name}: {entry}: start")
        if not 1 <= n <= _SIZE_LIMIT:
            raise ImportFormatError(f"{name}: {entry}: n of 1..{_SIZE_LIMIT} expected, found {n}")
        return Discrete(n=n, start=start)
    raise UnsupportedError(
        f"{name}: {entry} is a {found[1]} space; Box and Discrete are supported: flatten it in a wrapper and train"
    )


def _box(fields: Mapping[str, Any], name: str) -> Box:
    shape = _shape(fields.get("_shape", fields.get("shape")), name)
    low, high = (_bounds(fields, key, math.prod(shape)) for key in ("low", "high"))
    return Box(shape=shape, dtype=str(fields.get("dtype", "float32")), low=low, high=high)


def _shape(value: Any, name: str) -> tuple[int, ...]:
    if isinstance(value, str) and re.fullmatch(r"[\[(][\d, ]{0,200}[\])]", value):
        value = [int(size) for size in re.findall(r"\d{1,9}", value)]
    if not isinstance(value, list) or not all(type(size) is int and 1 <= size <= _SIZE_LIMIT for size in value):
        raise ImportFormatError(f"{name}: a shape of sizes 1..{_SIZE_LIMIT} expected, found {str(value)[:100]}")
    if math.prod(value) > _SIZE_LIMIT:
        raise ImportFormatError(f"{name}: at most {_SIZE_LIMIT} values expected, shape {str(value)[:100]} found")
    return tuple(value)


def _bounds(fields: Mapping[str, Any], key: str, size: int) -> FloatArray | None:
    for candidate in (fields.get(key), fields.get(f"{key}_repr")):
        values = _numbers(candidate)
        if values is None or np.isnan(values).any():
            continue
        if values.size == size:
            return values
        if values.size == 1 and not (isinstance(candidate, str) and "[" in candidate):  # one number for all
            return np.full(size, values[0], np.float32)
    return None


def _numbers(value: Any) -> FloatArray | None:
    """float32 values in the text of an array, or None when it is abbreviated or no such text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, list):
        value = str(value)
    if not isinstance(value, str) or "..." in value:
        return None
    words = re.sub(r"[\[\],]", " ", value).split()
    try:
        with np.errstate(over="ignore"):
            return np.array([float(word) for word in words], np.float64).astype(np.float32) if words else None
    except ValueError:
        return None


def _integer(value: Any, name: str) -> int:
    if type(value) is int and abs(value) < 1 << 31:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value):
        return int(value)
    raise ImportFormatError(f"{name}: an integer expected, found {str(value)[:100]}")
