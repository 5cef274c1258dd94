"""Import of optional dependencies, with an error that names the extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from rlcompress.errors import MissingExtraError

_EXTRA_OF = {
    "torch": "train",
    "gymnasium": "train",
    "stable_baselines3": "train",
    "cma": "train",
    "joblib": "train",
    "matplotlib": "train",
    "sklearn": "data",
    "PIL": "data",
    "ray": "distributed",
    "pyarrow": "data",
}


def require(module: str) -> ModuleType:
    """Import `module` or say which extra brings it.

    Raises:
        MissingExtraError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        root = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != root:
            raise
        raise MissingExtraError(root, _EXTRA_OF.get(root, "all")) from error
