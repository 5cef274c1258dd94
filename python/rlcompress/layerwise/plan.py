"""`Plan`: how many weights each layer keeps. Masks follow from magnitudes, so a plan is small, exact and replayable."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlcompress.errors import InvalidValueError, MissingFileError

_KIND = "rlcompress pruning plan"


@dataclass(frozen=True)
class Plan:
    """Weights kept per layer: the largest magnitudes, equal ones by lower index.

    Args:
        layers: qualified parameter names in forward order, such as `conv1.weight`; distinct.
        sizes: weights per layer, > 0.
        kept: weights kept per layer, 0..size.

    Raises:
        InvalidValueError: different lengths, a name twice, or a count outside its layer.
    """

    layers: tuple[str, ...]
    sizes: tuple[int, ...]
    kept: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(str(name) for name in self.layers))
        object.__setattr__(self, "sizes", _counts(self.sizes, "sizes"))
        object.__setattr__(self, "kept", _counts(self.kept, "kept"))
        if not self.layers or not len(self.layers) == len(self.sizes) == len(self.kept):
            raise InvalidValueError(
                "plan: as many layers as sizes and kept counts expected, at least one, found "
                f"{len(self.layers)}, {len(self.sizes)} and {len(self.kept)}"
            )
        if len(set(self.layers)) != len(self.layers):
            raise InvalidValueError(f"plan: distinct layer names expected, found {self.layers}")
        for name, size, kept in zip(self.layers, self.sizes, self.kept):
            if not (size > 0 and 0 <= kept <= size):
                raise InvalidValueError(f"plan: {name}: 0..{size} kept weights expected, found {kept}")

    @property
    def sparsity(self) -> float:
        """Share of weights pruned, over all layers of the plan."""
        return 1 - sum(self.kept) / sum(self.sizes)

    @property
    def layer_sparsity(self) -> tuple[float, ...]:
        """Share of weights pruned in each layer."""
        return tuple(1 - kept / size for size, kept in zip(self.sizes, self.kept))

    @property
    def factor(self) -> float:
        """Weights per kept weight; infinite where nothing is kept."""
        kept = sum(self.kept)
        return sum(self.sizes) / kept if kept else math.inf

    def to_json(self) -> dict[str, Any]:
        """JSON-able record; `from_json` is the inverse."""
        layers = [
            {"name": name, "size": size, "kept": kept} for name, size, kept in zip(self.layers, self.sizes, self.kept)
        ]
        return {"kind": _KIND, "version": 1, "sparsity": self.sparsity, "layers": layers}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` told of.

        Raises:
            InvalidValueError: not such a record; the message names what is missing.
        """
        if not isinstance(record, Mapping) or record.get("kind") != _KIND or record.get("version") != 1:
            raise InvalidValueError(f"plan: a record of kind {_KIND!r}, version 1, expected, found {_short(record)}")
        try:
            layers = [(entry["name"], entry["size"], entry["kept"]) for entry in record["layers"]]
        except (KeyError, TypeError) as error:
            raise InvalidValueError(f"plan: layers with name, size and kept expected ({error!r})") from None
        names, sizes, kept = zip(*layers) if layers else ((), (), ())
        return cls(names, sizes, kept)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan as JSON, atomically."""
        target = Path(path)
        part = target.with_name(target.name + ".part")
        part.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")
        part.replace(target)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Plan:
        """Read what `save` wrote.

        Raises:
            MissingFileError: no such file.
            InvalidValueError: not a plan.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise MissingFileError(f"no plan at {os.fspath(path)!r}") from None
        except UnicodeDecodeError:
            raise InvalidValueError(f"{os.fspath(path)}: not a JSON plan") from None
        try:
            record = json.loads(text)
        except ValueError as error:
            raise InvalidValueError(f"{os.fspath(path)}: not a JSON plan ({error})") from None
        return cls.from_json(record)


def _counts(values: Any, name: str) -> tuple[int, ...]:
    found = []
    for value in values:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise InvalidValueError(f"plan: {name}: whole numbers expected, found {value!r}")
        found.append(int(value))
    return tuple(found)


def _short(record: Any) -> str:
    return repr(record)[:80]
