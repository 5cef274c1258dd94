"""Errors that rlcompress raises: one base, and under it the natural built-in where there is one.

Every message names the thing, the value found and the remedy.
"""

from __future__ import annotations

from operator import index
from typing import Any


class RlcompressError(Exception):
    """Base of every error that rlcompress raises on purpose."""


class InvalidValueError(RlcompressError, ValueError):
    """A value given by the caller is outside what the function takes."""


class DivergenceError(InvalidValueError):
    """A training whose loss is not finite: settings or rows that do not suit the model."""


def whole_number(value: Any, name: str, least: int) -> int:
    """A whole number of Python, NumPy or the like as `int`.

    Args:
        value: what was given.
        name: of the argument, for the message.
        least: the smallest that is taken.

    Raises:
        InvalidValueError: another type (bool too), or below `least`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or index(value) < least:
        raise InvalidValueError(f"{name}: a whole number >= {least} expected, found {value!r}")
    return index(value)


class FormatError(RlcompressError, ValueError):
    """A `.rlc` image is malformed.

    Attributes:
        field: name of the field in `docs/format.md`.
        offset: byte offset of that field.
        expected: what the format asks for.
        found: what the image holds.
    """

    def __init__(self, field: str, offset: int, expected: str, found: str) -> None:
        super().__init__(f"malformed .rlc image: {field} at byte {offset}: expected {expected}, found {found}")
        self.field = field
        self.offset = offset
        self.expected = expected
        self.found = found

    def __reduce__(self) -> tuple[type[FormatError], tuple[str, int, str, str]]:
        return type(self), (self.field, self.offset, self.expected, self.found)


class MissingFileError(RlcompressError, FileNotFoundError):
    """A file that should be read does not exist; the message names it."""


class ImportFormatError(RlcompressError, ValueError):
    """A file or object given to an importer cannot be read as a network."""


class UnsupportedError(RlcompressError, NotImplementedError):
    """The input is well formed but uses something that rlcompress does not support."""


class CheckpointError(RlcompressError, ValueError):
    """A run folder or checkpoint is missing, damaged or of another run."""


class MissingExtraError(RlcompressError, ImportError):
    """An optional dependency is missing; the message names the extra to install."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed; install it with: pip install 'rlcompress[{extra}]'")
        self.module = module
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.module, self.extra)


class MissingToolError(RlcompressError, FileNotFoundError):
    """A program outside Python is missing or cannot do what is asked; the message says what to install."""

    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} is missing or too old: {remedy}")
        self.tool = tool
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[MissingToolError], tuple[str, str]]:
        return type(self), (self.tool, self.remedy)


class EvaluationError(RlcompressError, RuntimeError):
    """A judge failed on a candidate or gave no finite number."""


class StatisticsWarning(UserWarning):
    """Observation statistics seem to be needed and were not given: the policy would be wrong."""
