"""Labelled rows from an .npz file. Nothing is unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.errors import InvalidValueError

_NAMES = (("x_train", "y_train"), ("x", "y"), ("X", "y"), ("X_train", "y_train"), ("images", "labels"))
_TEST = (("x_test", "y_test"), ("X_test", "y_test"))


def load_npz(path: Path) -> tuple[tuple[Any, Any], tuple[Any, Any] | None]:
    """(x, y), and the test pair where the file has one.

    Raises:
        InvalidValueError: not an .npz file, without arrays of the known names, or with half of a test pair.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = next((names for names in _NAMES if set(names) <= set(file.files)), None)
            if found is None:
                wanted = " or ".join(f"{x} and {y}" for x, y in _NAMES[:2])
                raise InvalidValueError(f"{path}: {wanted} expected, found {', '.join(file.files) or 'nothing'}")
            test = next((names for names in _TEST if set(names) <= set(file.files)), None)
            lone = next((name for names in _TEST for name in names if name in file.files), None)
            if test is None and lone is not None:
                pairs = " or ".join(f"{x} and {y}" for x, y in _TEST)
                raise InvalidValueError(f"{path}: {lone} has no partner: {pairs} expected, or neither")
            return (file[found[0]], file[found[1]]), (file[test[0]], file[test[1]]) if test else None
    except InvalidValueError:
        raise
    except (ValueError, TypeError, OSError, EOFError, AttributeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise InvalidValueError(f"{path}: an .npz file of plain arrays expected ({error})") from error
