"""Labelled rows from CSV and TSV files, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import Any, Union

import numpy as np

from rlcompress.errors import InvalidValueError

_TARGETS = ("target", "label", "class", "y")


def load_table(path: Path, target: Union[str, int, None]) -> tuple[Any, Any, tuple[str, ...]]:
    """x (rows, inputs) float32, y (rows,) numbers or text, and the names of the inputs.

    Raises:
        InvalidValueError: ragged rows, no target column, text or gaps among the inputs; names row and column.
    """
    rows = _cells(path)
    header = rows[0] if not any(is_number(cell) for cell in rows[0]) else None
    names = header if header is not None else [str(index) for index in range(len(rows[0]))]
    first = 0 if header is None else 1
    body = rows[first:]
    if not body:
        raise InvalidValueError(f"{path}: rows below the names expected, none found")
    for number, row in enumerate(body, first + 1):
        if len(row) != len(names):
            raise InvalidValueError(f"{path}: row {number}: {len(names)} cells expected, found {len(row)}")
    at = target_column(path, names, header is not None, target)
    columns = [index for index in range(len(names)) if index != at]
    if not columns:
        raise InvalidValueError(f"{path}: at least one column beside the target expected")
    x = _numbers(path, body, columns, names, first)
    text = [row[at] for row in body]
    if "" in text:
        raise InvalidValueError(f"{path}: row {text.index('') + first + 1}: the target is missing")
    y = np.array([float(cell) for cell in text]) if all(map(is_number, text)) else np.array(text)
    return x, y, tuple(names[index] for index in columns)


def _cells(path: Path) -> list[list[str]]:
    delimiter = "\t" if ".tsv" in path.name.lower() else ","
    try:
        lines = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter)
        rows = [[cell.strip() for cell in row] for row in lines if row]
    except csv.Error as error:
        raise InvalidValueError(f"{path}: a table in UTF-8 expected ({error})") from error
    if not rows:
        raise InvalidValueError(f"{path}: rows expected, none found")
    return rows


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
    """Index of the target among the columns: the one asked for, else one of the usual names, else the last.

    Raises:
        InvalidValueError: no such column.
    """
    if isinstance(target, str):
        if target in names and named:
            return names.index(target)
        raise InvalidValueError(f"{path}: target: one of the columns {', '.join(names)} expected, found {target!r}")
    if target is not None:
        if -len(names) <= target < len(names):
            return target % len(names)
        raise InvalidValueError(f"{path}: target: a column below {len(names)} expected, found {target}")
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
