"""Labelled rows from CSV and TSV files, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import Any, Union

import numpy as np

from rlcompress.errors import InvalidValueError

_TARGETS = ("target", "label", "class", "y")


def load_table(path: Path, target: Union[str, int, None]) -> tuple[Any, Any, tuple[str, ...]]:
    """x (rows, inputs) float32, y (rows,) numbers or text, and the names of the inputs.

    A nameless first column of distinct whole numbers, the index that pandas writes, is no input.

    Raises:
        InvalidValueError: ragged rows, no target column, text or gaps among the inputs; names row and column.
    """
    rows = _cells(path)
    header = rows[0] if _is_header(rows) else None
    names = header if header is not None else [str(index) for index in range(len(rows[0]))]
    first = 0 if header is None else 1
    body = rows[first:]
    if not body:
        raise InvalidValueError(f"{path}: rows below the names expected, none found")
    for number, row in enumerate(body, first + 1):
        if len(row) != len(names):
            raise InvalidValueError(f"{path}: row {number}: {len(names)} cells expected, found {len(row)}")
    at = target_column(path, names, header is not None, target)
    columns = [index for index in range(len(names)) if index != at and not (index == 0 and _is_index(names, body))]
    if not columns:
        raise InvalidValueError(f"{path}: at least one column beside the target expected")
    x = _numbers(path, body, columns, names, first)
    text = [row[at] for row in body]
    if "" in text:
        raise InvalidValueError(f"{path}: row {text.index('') + first + 1}: the target is missing")
    y = np.array([float(cell) for cell in text]) if all(map(is_number, text)) else np.array(text)
    return x, y, tuple(names[index] for index in columns)


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: text alone, text above numbers as target, or columns counted from 0."""
    top, body = rows[0], rows[1:]
    if not any(map(is_number, top)) or any(cell.lower() in _TARGETS for cell in top):
        return True
    names = top if top[0] else top[1:]  # pandas leaves the name of its index empty
    counted = [str(index) for index in range(len(names))]
    if names[:-1] == counted[:-1] and len(names) > 1 and not is_number(names[-1]):
        return True
    if top[-1] and not is_number(top[-1]):
        return bool(body) and all(row and is_number(row[-1]) for row in body)
    # A short row of whole numbers counts by accident where the rows below hold whole numbers too.
    by_chance = len(names) <= 3 and all(cell.isdigit() for row in body for cell in row)
    return names == counted and not by_chance


def _is_index(names: list[str], body: list[list[str]]) -> bool:
    """Whether the first column is the numbers of the rows, which pandas writes under an empty name."""
    cells = [row[0] for row in body]
    return names[0] == "" and all(cell.isdigit() for cell in cells) and len(set(cells)) == len(cells)


def _cells(path: Path) -> list[list[str]]:
    text = read_text(path)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, text))
        rows = [[cell.strip() for cell in row] for row in lines if row]
    except csv.Error as error:
        raise InvalidValueError(f"{path}: a table in UTF-8 expected ({error})") from error
    if not rows:
        raise InvalidValueError(f"{path}: rows expected, none found")
    return rows


def _delimiter(path: Path, text: str) -> str:
    """A tab in .tsv files, else the comma; a semicolon or tab where the first line has one of these and no comma."""
    if ".tsv" in path.name.lower():
        return "\t"
    line = text.split("\n", 1)[0]
    return next((mark for mark in (",", ";", "\t") if mark in line), ",")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, unpacked where its name ends in .gz.

    Raises:
        InvalidValueError: damaged, or not UTF-8.
    """
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.name.lower().endswith(".gz") else data).decode("utf-8-sig")
    except (OSError, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise InvalidValueError(f"{path}: a table in UTF-8 expected ({error})") from error


def target_column(path: Path, names: list[str], named: bool, target: Union[str, int, None]) -> int:
    """Index of the target among the columns: the name or number asked for, else one of the usual names, else the last.

    Raises:
        InvalidValueError: no such column.
    """
    if isinstance(target, str):
        if target in names and named:
            return names.index(target)
        if not re.fullmatch(r"-?\d+", target):
            known = ", ".join(names) if named else f"0 to {len(names) - 1}, as it has no row of names,"
            raise InvalidValueError(f"{path}: target: one of the columns {known} expected, found {target!r}")
        target = int(target)
    if target is not None:
        if -len(names) <= target < len(names):
            return target % len(names)
        raise InvalidValueError(
            f"{path}: target: a column from {-len(names)} to {len(names) - 1} expected, found {target}"
        )
    lower: list[str | None] = [name.lower() for name in names]
    return next((lower.index(name) for name in _TARGETS if name in lower), len(names) - 1)


def _numbers(path: Path, body: list[list[str]], columns: list[int], names: list[str], first: int) -> Any:
    try:
        return np.array([[row[index] for index in columns] for row in body], dtype=np.float32)
    except ValueError:
        for number, row in enumerate(body, first + 1):
            for index in columns:
                if not is_number(row[index]):
                    found = repr(row[index]) if row[index] else "nothing"
                    remedy = "encode text and fill gaps first, or name another target"
                    raise InvalidValueError(
                        f"{path}: row {number}, column {names[index]}: a number expected, found {found}; {remedy}"
                    ) from None
        raise


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
