"""`load_data`: labelled rows from an array or table file, a folder of images, or by a scikit-learn or OpenML name."""

from __future__ import annotations

import importlib
from os import PathLike
from pathlib import Path
from typing import Literal, Union

from rlcompress.errors import InvalidValueError, MissingFileError
from rlcompress.tasks.labelled import Labelled, Pair, TargetKind, labelled
from rlcompress.tasks.named_data import NAMED, load_named
from rlcompress.tasks.npz_data import load_npz

__all__ = ["Labelled", "Pair", "load_data"]

_READERS = {
    (".csv", ".tsv", ".csv.gz", ".tsv.gz"): "rlcompress.tasks.table_data:load_table",
    (".arff", ".arff.gz"): "rlcompress.tasks.arff_data:load_arff",
    (".parquet", ".pq"): "rlcompress.tasks.parquet_data:load_parquet",
}
TABLES = tuple(ending for endings in _READERS for ending in endings)
"""Endings of files that hold one table."""


def load_data(
    source: Union[str, PathLike[str]],
    *,
    target: Union[str, int, None] = None,
    kind: Literal["auto", "classes", "values"] = "auto",
) -> Labelled:
    """Read labelled rows.

    Nothing is fitted to the data: no scaling, but uint8 becomes float32 in [0, 1], divided by 255.

    Args:
        source: one of
            - `FILE.npz` with `x` and `y`, or `x_train` and `y_train` (and `x_test` and `y_test`);
            - `FILE.csv`, `FILE.tsv`, plain or `.gz`, with a row of names or without; all columns but the target are
              numbers;
            - `FILE.arff`, plain or `.gz`; nominal inputs become numbers, see `arff_data`;
            - `FILE.parquet` or `.pq` (needs pyarrow);
            - a folder with one folder of images per class, or `train` and `test` folders of such (needs Pillow);
            - `digits`, `iris`, `wine`, `breast_cancer` or `diabetes`, out of scikit-learn;
            - `openml:NAME` or `openml:NUMBER`, fetched by scikit-learn.
        target: name or index of a table's target column; default: `target`, `label`, `class` or `y`, else the last.
        kind: whether targets are classes or values; `auto` takes text and whole numbers as classes.

    Raises:
        MissingFileError: no such file, folder or name.
        InvalidValueError: what was found cannot be read as labelled rows; says where and why.
        MissingExtraError: Pillow, pyarrow or scikit-learn is needed and not installed.
        UnsupportedError: parts of ARFF that are not read.
    """
    name = str(source)
    if kind not in ("auto", "classes", "values"):
        raise InvalidValueError(f"kind: 'auto', 'classes' or 'values' expected, found {kind!r}")
    path = Path(source)
    if name.startswith("openml:") or (name in NAMED and not path.exists()):
        return load_named(name, target, kind)
    if not path.exists():
        raise MissingFileError(
            f"{name}: no such file or folder; names known without one: {', '.join(NAMED)}, openml:NAME"
        )
    if path.is_dir():
        from rlcompress.tasks.image_folder import load_images

        if target is not None or kind == "values":
            raise InvalidValueError(f"{path}: the folders of images are the classes; leave target and kind out")
        return load_images(path)
    return _load_file(path, target, kind)


def _load_file(path: Path, target: Union[str, int, None], kind: TargetKind) -> Labelled:
    lower = path.name.lower()
    if lower.endswith(".npz"):
        if target is not None:
            raise InvalidValueError(f"{path}: target names a column of a table; an .npz file has y instead")
        (x, y), test = load_npz(path)
        return labelled(x, y, test, kind, str(path))
    for endings, reader in _READERS.items():
        if lower.endswith(endings):
            module, _, function = reader.partition(":")
            x, y, columns = getattr(importlib.import_module(module), function)(path, target)
            return labelled(x, y, None, kind, str(path), columns)
    raise InvalidValueError(f"{path}: a file ending in .npz, {', '.join(TABLES)} or a folder of images expected")
