"""What type hints say about values: which dataclasses may occur, and whether a value is of its hint."""

from __future__ import annotations

import collections.abc
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import MappingProxyType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from rlcompress.errors import InvalidValueError

UNIONS = (Union, UnionType)
SEQUENCES = (list, collections.abc.Sequence)
MAPPINGS = (dict, collections.abc.Mapping)


@cache
def field_hints(cls: type) -> Mapping[str, Any]:
    """Resolved hints of the fields that the dataclass `cls` is built from, in order.

    Raises:
        InvalidValueError: a hint names something that is not imported where `cls` is defined.
    """
    try:
        resolved = get_type_hints(cls)
    except NameError as error:
        raise InvalidValueError(
            f"type hints of {cls.__qualname__}: {error}; import it in {cls.__module__} outside of TYPE_CHECKING"
        ) from error
    return MappingProxyType({field.name: resolved[field.name] for field in fields(cls) if field.init})


def value_types(hint: Any) -> dict[str, type]:
    """Every frozen dataclass that a value of `hint` may hold, by name.

    Raises:
        InvalidValueError: a dataclass is not frozen, or two share a name.
    """
    found: dict[str, type] = {}
    pending = [hint]
    while pending:
        current = pending.pop()
        if not is_value_type(current):
            pending.extend(() if get_origin(current) is Literal else get_args(current))
        elif found.get(current.__qualname__) is not current:
            _admit(current, found)
            pending.extend(field_hints(current).values())
    return found


def is_value_type(hint: Any) -> bool:
    """Whether `hint` is a dataclass."""
    return isinstance(hint, type) and is_dataclass(hint)


def _admit(cls: type, found: dict[str, type]) -> None:
    other = found.setdefault(cls.__qualname__, cls)
    if other is not cls:
        names = f"{other.__module__}.{other.__qualname__} and {cls.__module__}.{cls.__qualname__}"
        raise InvalidValueError(f"state types: {names} share a name; rename one")
    if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise InvalidValueError(f"state type {cls.__qualname__}: a frozen dataclass expected; add frozen=True")


def matches(value: Any, hint: Any) -> bool:
    """Whether `value` is of the type that `hint` declares, down to the elements of containers.

    An int passes for a float and a tuple for a Sequence. Arrays are checked for their element type.

    Raises:
        InvalidValueError: the hint is of a kind that states and settings do not use.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in (Any, object) or isinstance(hint, TypeVar):
        return True
    if hint in (None, type(None)):
        return value is None
    if origin in UNIONS:
        return any(matches(value, inner) for inner in arguments)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in arguments)
    if hint is np.ndarray or origin is np.ndarray:
        return isinstance(value, np.ndarray) and _element_matches(value, arguments)
    if hint is tuple or origin is tuple:
        return isinstance(value, tuple) and _tuple_matches(value, hint, arguments)
    if hint in SEQUENCES or origin in SEQUENCES:
        kinds = list if list in (hint, origin) else (list, tuple)
        return isinstance(value, kinds) and all(matches(item, inner) for inner in arguments for item in value)
    if hint in MAPPINGS or origin in MAPPINGS:
        key, item = arguments or (Any, Any)
        return isinstance(value, dict) and all(matches(k, key) and matches(v, item) for k, v in value.items())
    if hint in (bool, int, float, str):
        return _scalar_matches(value, hint)
    if is_value_type(hint):
        return isinstance(value, hint)
    raise InvalidValueError(f"type hint {hint}: states and settings use JSON-able values, arrays and dataclasses")


def _scalar_matches(value: Any, hint: type) -> bool:
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float)) if hint is float else isinstance(value, hint)


def _element_matches(value: np.ndarray[Any, Any], arguments: tuple[Any, ...]) -> bool:
    scalar = get_args(arguments[1]) if len(arguments) == 2 else ()
    return not scalar or not isinstance(scalar[0], type) or issubclass(value.dtype.type, scalar[0])


def _tuple_matches(value: tuple[Any, ...], hint: Any, arguments: tuple[Any, ...]) -> bool:
    if hint is tuple:
        return True
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return all(matches(item, arguments[0]) for item in value)
    return len(value) == len(arguments) and all(matches(*pair) for pair in zip(value, arguments))
