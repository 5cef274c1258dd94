"""Labelled rows from ARFF files, plain or gzipped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np

from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.tasks.table_data import is_number, read_text, target_column

_NUMERIC = ("numeric", "real", "integer")
_ATTRIBUTE = re.compile(r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s*(\{.*\}|\S+).*$""", re.IGNORECASE)
_CELL = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]*?)\s*(,|$)""")


@dataclass(frozen=True)
class _Attribute:
    """A column: its name, and the values that it may take, None for numbers."""

    name: str
    values: tuple[str, ...] | None


def load_arff(path: Path, target: Union[str, int, None]) -> tuple[Any, Any, tuple[str, ...]]:
    """x (rows, inputs) float32, y (rows,) numbers or text, and the names of the inputs.

    A nominal input becomes the number that its value is, or its place in the declared list where values are text.

    Raises:
        InvalidValueError: not ARFF, gaps, undeclared values, no target; names row and column.
        UnsupportedError: sparse rows, or text, dates and relations among the inputs.
    """
    attributes, rows = _parsed(path)
    names = [attribute.name for attribute in attributes]
    if len(names) < 2:
        raise InvalidValueError(f"{path}: at least one column beside the target expected")
    at = target_column(path, names, True, target)
    columns = [index for index in range(len(names)) if index != at]
    x = np.empty((len(rows), len(columns)), np.float32)
    for place, index in enumerate(columns):
        x[:, place] = _numbers(path, attributes[index], [row[index] for row in rows])
    text = [row[at] for row in rows]
    if "?" in text:
        raise InvalidValueError(f"{path}: data row {text.index('?') + 1}: the target is missing")
    y = np.array([float(cell) for cell in text]) if all(map(is_number, text)) else np.array(text)
    return x, y, tuple(names[index] for index in columns)


def _parsed(path: Path) -> tuple[list[_Attribute], list[list[str]]]:
    """Attributes and the cells of every row."""
    attributes: list[_Attribute] = []
    rows: list[list[str]] = []
    in_data = False
    for number, line in enumerate(read_text(path).splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        if in_data:
            rows.append(_row(path, number, line, len(attributes)))
        elif line.lower().startswith("@attribute"):
            attributes.append(_attribute(path, number, line))
        elif line.lower().startswith("@data"):
            in_data = True
        elif not line.lower().startswith("@relation"):
            raise InvalidValueError(f"{path}: line {number}: @attribute or @data expected, found {line[:40]!r}")
    if not attributes or not rows:
        raise InvalidValueError(f"{path}: @attribute lines and rows below @data expected, none found")
    return attributes, rows


def _attribute(path: Path, number: int, line: str) -> _Attribute:
    found = _ATTRIBUTE.match(line)
    if found is None:
        raise InvalidValueError(f"{path}: line {number}: @attribute NAME TYPE expected, found {line[:60]!r}")
    name, kind = _unquoted(found[1]), found[2]
    if kind.startswith("{"):
        return _Attribute(name, tuple(_cells(kind[1:-1])))
    return _Attribute(name, None if kind.lower() in _NUMERIC else (kind,))


def _row(path: Path, number: int, line: str, count: int) -> list[str]:
    if line.startswith("{"):
        raise UnsupportedError(f"{path}: line {number}: sparse rows are not supported; save it with full rows")
    cells = _cells(line)
    if len(cells) != count:
        raise InvalidValueError(f"{path}: line {number}: {count} cells expected, found {len(cells)}")
    return cells


def _cells(line: str) -> list[str]:
    cells, at = [], 0
    while at <= len(line):
        found = _CELL.match(line, at)
        if found is None:  # text after a closing quote: taken as it stands
            cells.append(line[at:].strip())
            break
        cells.append(_unquoted(found[1]))
        if not found[2]:
            break
        at = found.end()
    return cells


def _unquoted(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] and cell[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", cell[1:-1])
    return cell


def _numbers(path: Path, attribute: _Attribute, cells: list[str]) -> Any:
    if "?" in cells:
        row = cells.index("?") + 1
        raise InvalidValueError(
            f"{path}: data row {row}, column {attribute.name}: a value expected, found none; fill it"
        )
    if attribute.values is None or all(map(is_number, attribute.values)):
        try:
            return np.array(cells, np.float64).astype(np.float32)
        except ValueError:
            row = next(index for index, cell in enumerate(cells) if not is_number(cell))
            message = f"{path}: data row {row + 1}, column {attribute.name}: a number expected, found {cells[row]!r}"
            raise InvalidValueError(message) from None
    if len(attribute.values) == 1 and attribute.values[0].lower() in ("string", "date", "relational"):
        raise UnsupportedError(
            f"{path}: column {attribute.name}: {attribute.values[0]} is not supported; encode it as numbers first"
        )
    places = {value: index for index, value in enumerate(attribute.values)}
    for row, cell in enumerate(cells, 1):
        if cell not in places:
            known = ", ".join(places)[:80]
            raise InvalidValueError(
                f"{path}: data row {row}, column {attribute.name}: one of {known} expected, found {cell!r}"
            )
    return np.array([places[cell] for cell in cells], np.float32)
