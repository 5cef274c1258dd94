"""Observation statistics given by the user: a `Normalisation`, a mapping, a `.json` or an `.npz` file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from rlcompress.contract import Normalisation
from rlcompress.errors import ImportFormatError, InvalidValueError
from rlcompress.importers.bounded_zip import open_zip
from rlcompress.importers.source_file import read_source
from rlcompress.importers.vecnormalize import normalisation_of

ObservationStats = Union[Normalisation, Mapping[str, Any], str, "PathLike[str]"]
_FILE_LIMIT = 1 << 25
_ENTRIES = ("mean", "var", "scale", "epsilon", "clip")
_DEFAULT_EPSILON = 1e-8  # of VecNormalize


def read_observation_stats(source: ObservationStats) -> Normalisation:
    """Normalisation from statistics in any of the plain forms.

    Args:
        source: a `Normalisation`; a mapping, `.json` or `.npz` with `mean` and either `scale` (the divisor, > 0) or
            `var` (the divisor is sqrt(var + epsilon), epsilon 1e-8 unless given), and optionally `clip` (> 0).

    Raises:
        ImportFormatError: unknown suffix, missing or unknown entries, values that do not fit.
    """
    if isinstance(source, Normalisation):
        return source
    if isinstance(source, Mapping):
        return _from_entries(source, "observation_stats")
    path = Path(source)
    if path.suffix.lower() == ".json":
        return _from_entries(_json_entries(path), str(path))
    if path.suffix.lower() == ".npz":
        return _from_entries(_npz_entries(path), str(path))
    raise ImportFormatError(
        f"{path}: .json or .npz expected, {path.suffix!r} found; a VecNormalize .pkl goes to vecnormalize"
    )


def _from_entries(entries: Mapping[str, Any], name: str) -> Normalisation:
    unknown = sorted(str(key) for key in entries if key not in _ENTRIES)
    if unknown:
        raise ImportFormatError(
            f"{name}: entries among {', '.join(_ENTRIES)} expected, found {', '.join(unknown)[:200]}"
        )
    if "mean" not in entries or ("var" in entries) == ("scale" in entries):
        raise ImportFormatError(
            f"{name}: mean and one of var and scale expected, found {', '.join(entries) or 'nothing'}"
        )
    try:
        clip = float(entries.get("clip", np.inf))
        if "var" in entries:
            epsilon = float(entries.get("epsilon", _DEFAULT_EPSILON))
            return normalisation_of(entries["mean"], entries["var"], epsilon, clip, name)
        mean, scale = np.asarray(entries["mean"], np.float64), np.asarray(entries["scale"], np.float64)
        if mean.shape != scale.shape:
            raise ImportFormatError(
                f"{name}: mean and scale of one shape expected, {mean.shape} and {scale.shape} found"
            )
        return Normalisation(mean.ravel().astype(np.float32), scale.ravel().astype(np.float32), clip)
    except InvalidValueError as error:
        raise ImportFormatError(f"{name}: {error}") from error
    except (TypeError, ValueError) as error:
        if isinstance(error, ImportFormatError):
            raise
        raise ImportFormatError(f"{name}: numbers expected ({error})") from error


def _json_entries(path: Path) -> Mapping[str, Any]:
    try:
        entries = json.loads(read_source(path, _FILE_LIMIT))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ImportFormatError):
            raise
        raise ImportFormatError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(entries, dict):
        raise ImportFormatError(f"{path}: a JSON object with mean and var expected, {type(entries).__name__} found")
    return entries


def _npz_entries(path: Path) -> Mapping[str, Any]:
    archive = open_zip(read_source(path, _FILE_LIMIT), str(path), entry_limit=16)
    return {
        member.removesuffix(".npy"): _npy(archive.read(member, _FILE_LIMIT), f"{path}: {member}")
        for member in archive.members
    }


def _npy(content: bytes, name: str) -> npt.NDArray[Any]:
    """One `.npy` array, sized from the bytes that are there rather than from what its header claims."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(stream)
        if dtype.kind not in "fiu":
            raise ValueError(f"numbers expected, {dtype} found")
        return np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # damaged headers raise many unrelated types
        raise ImportFormatError(f"{name}: not a readable array ({str(error)[:200]})") from error
