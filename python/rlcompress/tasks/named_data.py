"""Labelled rows by name, through scikit-learn."""

from __future__ import annotations

from typing import Any, Union

import numpy as np

from rlcompress.errors import InvalidValueError, MissingFileError
from rlcompress.optional import require
from rlcompress.tasks.labelled import Labelled, TargetKind, labelled

NAMED = ("digits", "iris", "wine", "breast_cancer", "diabetes")
"""Sets that scikit-learn brings along, so that no network is needed."""


def load_named(name: str, target: Union[str, int, None], kind: TargetKind) -> Labelled:
    """A set of `NAMED`, or `openml:NAME` or `openml:NUMBER`.

    Raises:
        MissingFileError: OpenML does not know or give it.
        InvalidValueError: its columns are not all numbers.
        MissingExtraError: scikit-learn is not installed.
    """
    datasets = require("sklearn.datasets")
    if name in NAMED:
        if target is not None:
            raise InvalidValueError(f"{name}: target names a column of a table; this set has its own")
        bunch = getattr(datasets, f"load_{name}")()
        kind = "values" if name == "diabetes" and kind == "auto" else kind
        found = labelled(bunch.data, bunch.target, None, kind, name)
        named = tuple(str(entry) for entry in getattr(bunch, "target_names", ()))
        classes = named if named and found.classes else found.classes
        return Labelled(found.x, found.y, None, classes, tuple(map(str, bunch.feature_names)), name)
    return _openml(datasets, name, target, kind)


def _openml(datasets: Any, name: str, target: Union[str, int, None], kind: TargetKind) -> Labelled:
    wanted = name.partition(":")[2]
    if not wanted:
        raise InvalidValueError("openml: a name or number expected after the colon, such as openml:mnist_784")
    which = {"data_id": int(wanted)} if wanted.isdigit() else {"name": wanted}
    column = "default-target" if target is None else str(target)
    try:
        bunch = datasets.fetch_openml(**which, target_column=column, as_frame=False, parser="liac-arff")
    except Exception as error:  # the network, the server and the set itself each fail in their own way
        raise MissingFileError(f"{name}: OpenML did not give this set ({error})") from error
    data = bunch.data.toarray() if hasattr(bunch.data, "toarray") else np.asarray(bunch.data)
    return labelled(data, np.asarray(bunch.target), None, kind, name, tuple(map(str, bunch.feature_names)))
