"""`DataSet`: rows of one file of a folder of tables."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal, Union

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.errors import InvalidValueError, MissingFileError
from rlcompress.tasks.data_files import TABLES, load_data
from rlcompress.tasks.labelled import Targets
from rlcompress.tasks.row_checks import Metric

Binarise = Literal["mean"]
_MOST_CLASSES = 100
"""Whole numbers with more distinct values than this are values, not classes."""

_INDEX = "index"


@dataclass(frozen=True, eq=False)
class DataSet:
    """Rows to train base networks on.

    Args:
        name: of the file without its endings.
        x: (rows, inputs) float32, unscaled.
        y: (rows,) int64 class indices, or float32 values.
        metric: "accuracy" for classes, "squared_error" for values.
        columns: names of the inputs, where the file has them.
        source: path of the file.
        classes: name of each class index, for classes out of a file: no class is without rows, so labels 1, 2, 3 become
            0, 1, 2.
    """

    name: str
    x: FloatArray
    y: Targets
    metric: Metric
    columns: tuple[str, ...] = ()
    source: str = ""
    classes: tuple[str, ...] = ()


def data_set_files(folder: Union[str, PathLike[str]]) -> list[Path]:
    """Tables of a folder (CSV, TSV, ARFF, Parquet; plain or gzipped) by name; one called `index` lists the others.

    Raises:
        MissingFileError: no such folder.
        InvalidValueError: no table in it, or two of one name.
    """
    path = Path(folder)
    if not path.is_dir():
        raise MissingFileError(f"{folder}: no such folder of data sets")
    files = sorted(file for file in path.iterdir() if file.name.lower().endswith(TABLES) and name_of(file) != _INDEX)
    if not files:
        raise InvalidValueError(f"{folder}: files ending in {', '.join(TABLES)} expected, found none")
    names = [name_of(file) for file in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidValueError(f"{folder}: one file per data set expected, found several called {twice[0]}")
    return files


def data_sets(
    folder: Union[str, PathLike[str]], *, target: Union[str, int, None] = None, binarise: Binarise | None = None
) -> list[DataSet]:
    """Every data set of a folder.

    Args:
        folder: see `data_set_files`.
        target: the target column of every table; default: as for `load_data`.
        binarise: see `data_set`.

    Raises:
        MissingFileError, InvalidValueError: as `data_set_files` and `data_set`.
    """
    return [data_set(file, target=target, binarise=binarise) for file in data_set_files(folder)]


def data_set(
    source: Union[str, PathLike[str]], *, target: Union[str, int, None] = None, binarise: Binarise | None = None
) -> DataSet:
    """One data set.

    Text and few whole numbers are classes, other targets are values.

    Args:
        source: anything that `load_data` reads.
        target: the target column; default: as for `load_data`.
        binarise: "mean" makes values two classes: 1 above their mean, else 0.

    Raises:
        InvalidValueError: not readable as labelled rows, a constant target, or a single class; says where and why.
    """
    if binarise not in (None, "mean"):
        raise InvalidValueError(f"binarise: None or 'mean' expected, found {binarise!r}")
    data = load_data(source, target=target)
    y, metric = data.y, "accuracy" if data.classes else "squared_error"
    if metric == "accuracy" and len(data.classes) > _MOST_CLASSES:
        data = load_data(source, target=target, kind="values")
        y, metric = data.y, "squared_error"
    classes: tuple[str, ...] = ()
    if metric == "squared_error" and binarise == "mean":
        y, metric = (y > y.mean(dtype=np.float64)).astype(np.int64), "accuracy"
    elif metric == "accuracy":
        found, y = np.unique(y, return_inverse=True)
        classes = tuple(data.classes[index] for index in found)
    if y.min() == y.max():
        raise InvalidValueError(f"{source}: a target that varies expected, found {y.flat[0]} in every row")
    name = name_of(Path(source))
    return DataSet(name, data.x, y, metric, data.columns, str(source), classes)  # type: ignore[arg-type]


def name_of(path: Path) -> str:
    """File name without the endings of tables."""
    ending = next((end for end in sorted(TABLES, key=len, reverse=True) if path.name.lower().endswith(end)), "")
    return path.name[: len(path.name) - len(ending)]
