"""Settings as frozen dataclasses: to JSON, back with checks, and as a list of fields to make a command line from.

The explanation of a field is `dataclasses.field(metadata={"help": "..."})`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any, Literal, TypeVar, get_args, get_origin

import numpy as np

from rlcompress.engine.hints import MAPPINGS, SEQUENCES, UNIONS, field_hints, is_value_type, matches, value_types
from rlcompress.errors import InvalidValueError

T = TypeVar("T")
_TYPE = "type"
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "True or False", type(None): "None"}
REQUIRED: Any = object()
"""Default of a setting that has none."""


@dataclass(frozen=True)
class Setting:
    """One field of a settings class.

    Args:
        name: of the field.
        hint: its resolved type.
        default: its default, or `REQUIRED`.
        help: what it means, in a sentence.
    """

    name: str
    hint: Any
    default: Any
    help: str


def settings(cls: type) -> tuple[Setting, ...]:
    """The fields of a settings class, in order."""
    hints = field_hints(cls)
    found = []
    for field in fields(cls):
        if field.init:
            default = field.default if field.default_factory is MISSING else field.default_factory()
            default = REQUIRED if default is MISSING else default
            found.append(Setting(field.name, hints[field.name], default, str(field.metadata.get("help", ""))))
    return tuple(found)


def to_config(value: Any) -> dict[str, Any]:
    """A settings dataclass as a JSON-able dict; infinities and NaN become the strings `inf`, `-inf`, `nan`.

    Raises:
        InvalidValueError: not a dataclass, or a field holds something that is not JSON-able.
    """
    if not is_dataclass(value) or isinstance(value, type):
        raise InvalidValueError(f"settings: a dataclass instance expected, found {value!r}")
    return {name: _write(getattr(value, name), name) for name in field_hints(type(value))}


def from_config(cls: type[T], config: Mapping[str, Any]) -> T:
    """A settings dataclass from what `to_config` gave or a user wrote; missing fields take their defaults.

    Raises:
        InvalidValueError: unknown or missing field, or a value of the wrong type; names the field and what is taken.
    """
    return _build(cls, config, "")


def settle_types(value: Any) -> None:
    """Refuse a settings dataclass whose fields hold what their type hints do not allow; for its `__post_init__`.

    Numbers that mean the same become the same, so that they make the same run: 1 where a float is wanted becomes 1.0,
    and those of NumPy become Python's.

    Raises:
        InvalidValueError: names the field, what is expected and what was found.
    """
    cls: type = type(value)
    for name, hint in field_hints(cls).items():
        found = getattr(value, name)
        plain = _plain_number(found, get_args(hint) if get_origin(hint) in UNIONS else (hint,))
        if not matches(plain, hint):
            raise InvalidValueError(f"{name}: {_words(hint)} expected, found {found!r}")
        if plain is not found:
            object.__setattr__(value, name, plain)


def _plain_number(found: Any, kinds: tuple[Any, ...]) -> Any:
    if isinstance(found, np.bool_):
        return bool(found)
    if isinstance(found, bool) or not isinstance(found, Real):
        return found
    if isinstance(found, Integral) and int in kinds:
        return int(found)
    return float(found) if float in kinds else found


def _write(value: Any, where: str) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else repr(value)
    if isinstance(value, (list, tuple)):
        return [_write(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _write(item, f"{where}.{key}") for key, item in value.items()}
    if is_value_type(type(value)):
        return {_TYPE: type(value).__name__, **to_config(value)}
    raise InvalidValueError(f"{where}: JSON-able settings expected, found {type(value).__name__}")


def _build(cls: type[T], config: Any, where: str) -> T:
    if not isinstance(config, Mapping):
        raise InvalidValueError(f"{where or cls.__name__}: a JSON object expected, found {config!r}")
    known = {setting.name: setting for setting in settings(cls)}
    for name in config:
        if name not in known and not (name == _TYPE and config[_TYPE] == cls.__name__):
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
            raise InvalidValueError(f"{_join(where, name)}: {cls.__name__} has no such setting{hint}")
    missing = [name for name, setting in known.items() if setting.default is REQUIRED and name not in config]
    if missing:
        raise InvalidValueError(f"{_join(where, missing[0])}: {cls.__name__} needs this setting")
    return cls(**{name: _take(config[name], known[name].hint, _join(where, name)) for name in known if name in config})


def _join(where: str, name: object) -> str:
    return f"{where}.{name}" if where else str(name)


def _take(value: Any, hint: Any, where: str) -> Any:
    """`value`, read from JSON, as `hint` wants it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in UNIONS:
        return _take_union(value, hint, where)
    if is_value_type(hint):
        return _build(hint, value, where)
    if hint is float and (value in ("inf", "-inf", "nan") or (isinstance(value, int) and not isinstance(value, bool))):
        return float(value)
    if isinstance(value, (list, tuple)) and (origin is tuple or origin in SEQUENCES):
        kind = list if origin is list else tuple
        each = arguments[:1] * len(value) if origin is not tuple or arguments[1:] == (Ellipsis,) else arguments
        if len(each) != len(value):
            raise InvalidValueError(f"{where}: {len(each)} values expected, {len(value)} found")
        return kind(_take(item, inner, f"{where}[{i}]") for i, (item, inner) in enumerate(zip(value, each)))
    if isinstance(value, Mapping) and origin in MAPPINGS:
        return {key: _take(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    if not matches(value, hint):
        raise InvalidValueError(f"{where}: {_words(hint)} expected, found {value!r}")
    return value


def _take_union(value: Any, hint: Any, where: str) -> Any:
    if isinstance(value, Mapping) and _TYPE in value:
        named = value_types(hint).get(str(value[_TYPE]))
        if named is not None:
            return _build(named, value, where)
    exact = [inner for inner in get_args(hint) if inner is not float and matches(value, inner)]
    if exact:
        return value
    for inner in get_args(hint):
        try:
            return _take(value, inner, where)
        except InvalidValueError:
            if isinstance(value, Mapping) and is_value_type(inner):
                raise
    raise InvalidValueError(f"{where}: {_words(hint)} expected, found {value!r}")


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(hint))
    if get_origin(hint) in UNIONS:
        return " or ".join(_words(inner) for inner in get_args(hint))
    return _WORDS.get(hint) or str(getattr(hint, "__name__", hint) if not get_args(hint) else hint)
