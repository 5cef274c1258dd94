"""Observation statistics of Stable-Baselines3's VecNormalize, read from its pickle without running anything in it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.contract import Normalisation
from rlcompress.errors import ImportFormatError, InvalidValueError, UnsupportedError
from rlcompress.importers.pickle_records import Record, record_pickle, recorded_array
from rlcompress.importers.source_file import read_source

_FILE_LIMIT = 1 << 25


def read_vecnormalize(path: str | PathLike[str]) -> Normalisation | None:
    """The normalisation that a VecNormalize file applies to observations.

    Args:
        path: written by `VecNormalize.save` of any version; at most 32 MiB.

    Returns:
        `clip((x - mean) / sqrt(var + epsilon), -clip_obs, +clip_obs)` over the flattened observation, or None when the
        file says that observations are not normalised (norm_obs=False).

    Raises:
        ImportFormatError: not such a file, or damaged.
        UnsupportedError: statistics of a dict observation.
    """
    file = Path(path)
    top = record_pickle(read_source(file, _FILE_LIMIT), str(file))
    state = top.state if isinstance(top, Record) else None
    if not isinstance(top, Record) or top.origin[1] != "VecNormalize" or not isinstance(state, dict):
        raise ImportFormatError(f"{file}: not a VecNormalize file; give the .pkl that VecNormalize.save wrote")
    if state.get("norm_obs", True) is False:
        return None
    running = state.get("obs_rms")
    if isinstance(running, dict):
        raise UnsupportedError(f"{file}: statistics of a dict observation; only flat (Box) observations are supported")
    moments = running.state if isinstance(running, Record) else None
    if not isinstance(moments, dict):
        raise ImportFormatError(f"{file}: obs_rms, the observation statistics, are missing; give a complete file")
    mean, variance = (_array(moments, key, file) for key in ("mean", "var"))
    epsilon, clip = (_number(state, key, file) for key in ("epsilon", "clip_obs"))
    return normalisation_of(mean, variance, epsilon, clip, str(file))


def normalisation_of(mean: Any, variance: Any, epsilon: float, clip: float, name: str) -> Normalisation:
    """Normalisation from a mean and a variance of the same shape, flattened in C order.

    Raises:
        ImportFormatError: shapes that differ, negative variances, values that are not finite.
    """
    mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    if mean.shape != variance.shape or mean.size == 0:
        raise ImportFormatError(
            f"{name}: mean and variance of one shape expected, {mean.shape} and {variance.shape} found"
        )
    if not (variance >= 0).all():
        raise ImportFormatError(f"{name}: variances >= 0 expected, found {variance.min()}")
    try:
        return Normalisation(mean=mean.ravel(), scale=np.sqrt(variance + epsilon).ravel(), clip=clip)
    except InvalidValueError as error:
        raise ImportFormatError(f"{name}: {error}") from error


def _array(moments: dict[Any, Any], key: str, file: Path) -> Any:
    array = recorded_array(moments.get(key))
    if array is None or array.dtype.kind != "f":
        raise ImportFormatError(f"{file}: obs_rms.{key}: an array of numbers expected; give a complete file")
    return array


def _number(state: dict[Any, Any], key: str, file: Path) -> float:
    value = recorded_array(state.get(key))
    if value is None or value.size != 1 or not float(value.reshape(())) > 0:
        raise ImportFormatError(f"{file}: {key}: a number > 0 expected; give a complete file")
    return float(value.reshape(()))
