"""Sources of networks: one file per format, one line in `FORMATS`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from rlcompress.contract import Contract, Normalisation
from rlcompress.errors import ImportFormatError, InvalidValueError
from rlcompress.importers.observation_stats import ObservationStats, read_observation_stats
from rlcompress.importers.options import ImportOptions
from rlcompress.importers.vecnormalize import read_vecnormalize
from rlcompress.network import Network

__all__ = [
    "FORMATS",
    "Format",
    "ImportOptions",
    "as_network",
    "load_policy",
    "read_observation_stats",
    "read_vecnormalize",
]


@dataclass(frozen=True)
class Format:
    """A kind of source.

    Args:
        name: for messages and metadata.
        suffixes: of files, lower case with the dot; empty for objects.
        accepts: whether an object that is not a path is of this kind; None for files.
        loader: "module:function" taking the source and `ImportOptions`; imported on first use.
    """

    name: str
    suffixes: tuple[str, ...]
    accepts: Callable[[Any], bool] | None
    loader: str

    @property
    def description(self) -> str:
        return f"{self.name} ({', '.join(self.suffixes) or 'object'})"

    def load(self, source: Any, options: ImportOptions) -> Network:
        module, _, function = self.loader.partition(":")
        network = getattr(importlib.import_module(module), function)(source, options)
        assert isinstance(network, Network)
        return network


def _is_torch_module(source: Any) -> bool:
    torch = sys.modules.get("torch")  # whoever holds a module has imported torch
    return torch is not None and isinstance(source, torch.nn.Module)


def _is_sklearn_estimator(source: Any) -> bool:
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(source, base.BaseEstimator)


FORMATS: tuple[Format, ...] = (
    Format("Stable-Baselines3 zip", (".zip",), None, "rlcompress.importers.sb3:load_sb3"),
    Format("rlcompress file", (".rlc",), None, "rlcompress.importers.rlc:load_rlc"),
    Format("torch.nn.Sequential", (), _is_torch_module, "rlcompress.importers.torch_module:load_torch"),
    Format("scikit-learn perceptron", (), _is_sklearn_estimator, "rlcompress.importers.scikit_learn:load_sklearn"),
)


def load_policy(
    source: Any,
    *,
    vecnormalize: str | PathLike[str] | None = None,
    observation_stats: ObservationStats | None = None,
    action_range: tuple[Any, Any] | None = None,
    contract: Contract | None = None,
) -> Network:
    """Load a trained policy as a `Network`.

    Args:
        source: path of a Stable-Baselines3 zip or an `.rlc` file, a `torch.nn.Sequential`, or a
            scikit-learn perceptron (see `from_sklearn`).
        vecnormalize: the `.pkl` that Stable-Baselines3's `VecNormalize.save` wrote; nothing in it is run.
        observation_stats: the same statistics in plain form, see `read_observation_stats`; at most one of the two.
        action_range: (low, high), numbers or (outputs,) values each, for a zip whose text abbreviates its action range.
        contract: input and output for a torch module, which holds layers alone.

    Raises:
        ImportFormatError: a source of no known kind, damaged, or built to do harm.
        InvalidValueError: options that do not fit each other or the source.
        MissingFileError: no such file.
        MissingExtraError: torch is needed and not installed.
        UnsupportedError: a well-formed source with parts that rlcompress does not support.

    Warns:
        StatisticsWarning: the policy seems to need observation statistics and none were given.
    """
    if vecnormalize is not None and observation_stats is not None:
        raise InvalidValueError("vecnormalize and observation_stats: give at most one")
    given = vecnormalize is not None or observation_stats is not None
    found = _format_of(source)
    if contract is not None and found.accepts is None:
        raise InvalidValueError(f"contract: a {found.name} carries its own; leave it out")
    normalisation = read_vecnormalize(vecnormalize) if vecnormalize is not None else None
    if observation_stats is not None:
        normalisation = read_observation_stats(observation_stats)
    network = found.load(source, ImportOptions(statistics_given=given, action_range=action_range, contract=contract))
    return network if normalisation is None else _normalised(network, normalisation)


def as_network(source: Any) -> Network:
    """A network as it is; an object that a format takes, such as a torch module, as a network.

    Raises:
        ImportFormatError: of no known kind; a path is refused, because its file may ask for options.
        InvalidValueError, UnsupportedError: as `load_policy`.
    """
    if isinstance(source, Network):
        return source
    for entry in FORMATS:
        if entry.accepts is not None and entry.accepts(source):
            return entry.load(source, ImportOptions())
    known = ", ".join(entry.name for entry in FORMATS if entry.accepts is not None)
    kind = f"{type(source).__module__}.{type(source).__qualname__}"
    raise ImportFormatError(f"a Network or one of {known} expected, found {kind}; for a file use load_policy(path)")


def _format_of(source: Any) -> Format:
    known = ", ".join(entry.description for entry in FORMATS)
    if isinstance(source, (str, PathLike)):
        suffix = Path(source).suffix.lower()
        for entry in FORMATS:
            if suffix in entry.suffixes:
                return entry
        raise ImportFormatError(f"{source}: unknown kind of file {suffix!r}; known: {known}")
    for entry in FORMATS:
        if entry.accepts is not None and entry.accepts(source):
            return entry
    raise ImportFormatError(f"policy source of type {type(source).__name__}: unknown; known: {known}")


def _normalised(network: Network, normalisation: Normalisation) -> Network:
    if network.contract.normalisation is not None:
        raise InvalidValueError(
            "the source carries observation statistics already; leave vecnormalize, observation_stats out"
        )
    return replace(network, contract=replace(network.contract, normalisation=normalisation))
