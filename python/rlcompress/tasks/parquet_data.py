"""Labelled rows from Parquet files, through pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Union

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.optional import require
from rlcompress.tasks.table_data import target_column


def load_parquet(path: Path, target: Union[str, int, None]) -> tuple[Any, Any, tuple[str, ...]]:
    """x (rows, inputs) float32, y (rows,) numbers or text, and the names of the inputs; the index of pandas is none.

    Raises:
        InvalidValueError: not Parquet, text or gaps among the inputs, no target; names the column.
        MissingExtraError: pyarrow is not installed.
    """
    arrow, parquet = require("pyarrow"), require("pyarrow.parquet")
    try:
        table = parquet.read_table(path)
    except (arrow.ArrowException, OSError) as error:
        raise InvalidValueError(f"{path}: a Parquet file expected ({error})") from error
    own = [index for index, name in enumerate(table.column_names) if not str(name).startswith("__index_level_")]
    table = table.select(own)
    names = [str(name) for name in table.column_names]
    if len(names) < 2 or table.num_rows == 0:
        raise InvalidValueError(f"{path}: rows, and at least one column beside the target, expected")
    at = target_column(path, names, True, target)
    columns = [index for index in range(len(names)) if index != at]
    for index in range(len(names)):
        if table.column(index).null_count:
            raise InvalidValueError(f"{path}: column {names[index]}: a value in every row expected; fill or drop gaps")
    x = np.empty((table.num_rows, len(columns)), np.float32)
    for place, index in enumerate(columns):
        values = np.asarray(table.column(index).to_numpy())
        if values.dtype.kind not in "biuf":
            raise InvalidValueError(
                f"{path}: column {names[index]}: numbers expected, found {table.schema.types[index]}; encode it first"
            )
        x[:, place] = values
    y = np.asarray(table.column(at).to_numpy())
    return x, (y.astype(str) if y.dtype.kind == "O" else y), tuple(names[index] for index in columns)
