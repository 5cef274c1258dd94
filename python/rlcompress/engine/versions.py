"""Versions of what a run's numbers depend on, read without importing any of it."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

import numpy as np

from rlcompress.kernels import __version__

_DISTRIBUTIONS = ("torch", "gymnasium", "stable-baselines3", "cma", "joblib", "box2d", "box2d-py", "mujoco")


def versions() -> dict[str, str]:
    """Version per name: rlcompress, python, numpy, and the optional packages that are installed."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"rlcompress": __version__, "python": platform.python_version(), "numpy": np.__version__}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
