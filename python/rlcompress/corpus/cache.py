"""`BaseNetworkCache`: trained base networks on disk, found again by what made them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Union

from rlcompress.artifact import encode, load
from rlcompress.corpus.architectures import Architecture
from rlcompress.corpus.base_networks import TrainingLimits
from rlcompress.engine.durable import write_durably
from rlcompress.engine.events import Emit, Note
from rlcompress.network import Network
from rlcompress.tasks.dataset import DatasetTask

RECIPE = 1
"""Raise it whenever `train_base` would make another network of the same arguments."""


@dataclass(frozen=True)
class BaseNetworkCache:
    """A folder of base networks: `NAME-KEY.rlc` each, and beside it `NAME-KEY.json`, which says what made it.

    Files are replaced whole, so several processes may fill one folder.

    Args:
        folder: made when first written to.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    def find(
        self,
        task: DatasetTask,
        architecture: Architecture,
        seed: int,
        limits: TrainingLimits,
        emit: Emit = lambda event: None,
    ) -> Network | None:
        """The stored network; None where there is none or its file is damaged, which `emit` is told as a warning."""
        made_of = recipe(task, architecture, seed, limits)
        path = self.path(task.name, made_of)
        record = path.with_suffix(".json")
        if not record.exists() and not path.exists():
            return None
        try:
            entry = json.loads(record.read_bytes())
            if entry["made_of"] != made_of or entry["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
                raise ValueError("it is not the network recorded")
            return load(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            emit(Note(f"{path}: damaged base network, to be trained again ({error})", warning=True))
            return None

    def store(
        self, task: DatasetTask, architecture: Architecture, seed: int, limits: TrainingLimits, network: Network
    ) -> None:
        """Keep a network for the next time."""
        made_of = recipe(task, architecture, seed, limits)
        path, image = self.path(task.name, made_of), encode(network)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_durably(path, image)
        entry = {"made_of": made_of, "sha256": hashlib.sha256(image).hexdigest(), "network": dict(network.metadata)}
        write_durably(path.with_suffix(".json"), json.dumps(entry, indent=1).encode())

    def path(self, name: str, made_of: dict[str, Any]) -> Path:
        """Where the network made so lies."""
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
        plain = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in Path(name).name)
        return self.folder / f"{plain}-{key}.rlc"


def recipe(task: DatasetTask, architecture: Architecture, seed: int, limits: TrainingLimits) -> dict[str, Any]:
    """What a base network is made of, as JSON-able values."""
    described = task.describe()
    return {
        "recipe": RECIPE,
        "digest": described["digest"],
        "deal": [described["validation"], described["seed"], task.test is not None],
        "architecture": json.loads(json.dumps(asdict(architecture))),
        "seed": seed,
        "limits": asdict(limits),
    }


def open_cache(folder: Union[str, PathLike[str], BaseNetworkCache, None]) -> BaseNetworkCache | None:
    """A cache in this folder; None stands for none."""
    if folder is None or isinstance(folder, BaseNetworkCache):
        return folder
    return BaseNetworkCache(Path(folder))
