"""Options made from the fields of an algorithm's settings class."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from rlcompress.engine.config import REQUIRED, Setting, from_config, settings, to_config
from rlcompress.engine.hints import UNIONS

T = TypeVar("T")
_PREFIX = "setting_"


def setting_options(cls: type) -> list[click.Option]:
    """One option per field; none given means the default of the class or of its preset."""
    return [_option(setting) for setting in settings(cls)]


def chosen(cls: type[T], base: T, values: Mapping[str, Any]) -> T:
    """`base` with the settings that the user gave.

    Args:
        cls: the settings class.
        base: defaults or preset.
        values: parameters of the command; others than settings are left alone.

    Raises:
        InvalidValueError: a value that the class does not take.
    """
    given = {
        setting.name: values[_PREFIX + setting.name]
        for setting in settings(cls)
        if values.get(_PREFIX + setting.name) is not None
    }
    given = {name: None if value is _NO_VALUE else value for name, value in given.items()}
    return from_config(cls, {**to_config(base), **given})


_NO_VALUE: Any = object()
"""The user wrote `none`."""


class SettingValue(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click alone
    """Text of the command line as the JSON value of a setting; `from_config` checks it."""

    def __init__(self, hint: Any) -> None:
        self.hint = hint
        self.name = _words(hint)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        kinds = _alternatives(self.hint)
        if type(None) in kinds and value.lower() == "none":
            return _NO_VALUE
        if str in kinds or (float in kinds and value in ("inf", "-inf")):
            return value
        for kind in kinds:
            if get_origin(kind) is Literal:
                named = {str(choice): choice for choice in get_args(kind)}
                if value in named:
                    return named[value]
        return self._parsed(value, param, ctx)

    def _parsed(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        sequences = [kind for kind in _alternatives(self.hint) if get_origin(kind) in (tuple, list)]
        sequence = bool(sequences)
        if any(get_args(kind)[:1] == (str,) for kind in sequences) and not value.lstrip().startswith("["):
            return [name.strip() for name in value.split(",") if name.strip()]
        for text in (value, f"[{value}]") if sequence else (value,):
            try:
                found = json.loads(text)
            except ValueError:
                continue
            if isinstance(found, list) or not sequence:
                return found
        self.fail(f"{value!r} is not {self.name}", param, ctx)


def _option(setting: Setting) -> click.Option:
    flag = setting.name.replace("_", "-")
    text = setting.help
    if setting.default is not REQUIRED:
        text = f"{text}  [default: {_default_text(setting.default)}]".strip()
    name = _PREFIX + setting.name
    if setting.hint is bool:
        return click.Option([f"--{flag}/--no-{flag}", name], default=None, help=text)
    kind = SettingValue(setting.hint)
    return click.Option([f"--{flag}", name], type=kind, metavar=kind.name.upper(), default=None, help=text)


def _default_text(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if is_dataclass(default):
        return type(default).__name__
    return "none" if default is None else str(default)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in UNIONS else (hint,)


def _words(hint: Any) -> str:
    names = []
    for kind in _alternatives(hint):
        if get_origin(kind) is Literal:
            names.append("|".join(map(str, get_args(kind))))
        elif kind in (int, float, str, bool):
            names.append({"int": "integer", "float": "number", "str": "text", "bool": "true|false"}[kind.__name__])
        elif kind is type(None):
            names.append("none")
        else:
            names.append("list" if get_origin(kind) in (tuple, list) else "json")
    return "|".join(names)
