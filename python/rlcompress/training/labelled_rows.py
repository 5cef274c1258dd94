"""Rows for training: arrays or a loader in, batches out, in an order that the seed alone fixes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.optional import require
from rlcompress.training.model_inputs import InputType, as_tensor, mapped, parts, pieces, taken
from rlcompress.training.tensor_digest import digest_of, function_name

if TYPE_CHECKING:
    import torch

Data = Union[tuple[Any, Any], Iterable[Any]]
"""(x, y) arrays or tensors with rows first, or an iterable of (x, y) batches such as a DataLoader; x may be
a tuple of arguments or a dict of named ones."""
Augment = Callable[[Any, Any], Any]
"""(x batch, torch.Generator) to x batch."""
Outputs = Callable[[Any], Any]

_FEWEST_ROWS, _FEWEST_BATCHES = 16, 32


class LabelledRows:
    """Batches of (x, y, teacher's outputs or None).

    Args:
        data: see `Data`. Values (float targets) get the shape (rows, outputs).
        batch_size: rows per batch of arrays, at most a 32nd of them (or 16); a loader brings its own.
        teacher: gives outputs of a batch, or None. With arrays and no `augment` it is asked once per row.
        augment: changes x of training batches.
        device: where batches go.
        kind: what the model takes.

    Raises:
        InvalidValueError: no rows, rows that do not match, or not finite.
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        teacher: Outputs | None = None,
        augment: Augment | None = None,
        device: Any = "cpu",
        kind: InputType = InputType(),  # noqa: B008  # frozen
    ) -> None:
        self._device, self._kind = device, kind
        self._teacher, self._augment = teacher, augment
        self._arrays = _arrays(data, kind, (tuple,)) if is_pair(data) else None
        self._loader: Any = None if self._arrays else data
        self._taught: Any = None
        if self._arrays is None:
            if not isinstance(data, Iterable):
                raise InvalidValueError(f"data: (x, y) or an iterable of batches expected, found {type(data).__name__}")
            self.discrete, self.batches = self._look()
            return
        x, y = self._arrays
        self.discrete = not y.is_floating_point()
        self._batch = min(batch_size, max(_FEWEST_ROWS, len(y) // _FEWEST_BATCHES))
        self.batches = max(1, len(y) // self._batch)
        if teacher is not None and augment is None:
            torch = require("torch")
            self._taught = torch.cat([teacher(mapped(part, self._moved)) for part in pieces(x, len(y), 1024)])

    def epoch(self, seed: int, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
        """The batches of one epoch; rows that fill no batch sit this one out."""
        torch = require("torch")
        generator = torch.Generator().manual_seed((seed + 1) * 1_000_003 + epoch)
        for x, y, taught in self._from_arrays(generator) if self._arrays else self._from_loader():
            seen = mapped(x if self._augment is None else self._augment(x, generator), self._moved)
            if taught is None and self._teacher is not None:
                taught = self._teacher(seen)
            yield seen, y.to(self._device), taught

    def sample(self, count: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
        """Batches with at least `count` rows together, where there are as many."""
        found = 0
        for batch in self.epoch(seed, 10**6):
            yield batch
            found += len(batch[1])
            if found >= count:
                return

    @property
    def digest(self) -> str:
        """Of arrays their values; of a loader its number of batches."""
        return (
            f"{self.batches} batches" if self._arrays is None else digest_of((*parts(self._arrays[0]), self._arrays[1]))
        )

    @property
    def augment_name(self) -> str:
        """Where the change of batches is defined: what it does cannot be seen."""
        return function_name(self._augment)

    def _moved(self, part: Any) -> Any:
        return part.to(self._device)

    def _look(self) -> tuple[bool, int]:
        torch = require("torch")
        with torch.random.fork_rng(devices=[]):
            batches = sum(1 for _ in self._loader)
            first = next(iter(self._loader), None)
        if first is None or batches == 0:
            raise InvalidValueError("data: batches of (x, y) expected, none found (an iterator can be read only once)")
        return not _pair(first, self._kind)[1].is_floating_point(), batches

    def _from_loader(self) -> Iterator[tuple[Any, Any, Any]]:
        for batch in self._loader:
            yield (*_pair(batch, self._kind), None)

    def _from_arrays(self, generator: Any) -> Iterator[tuple[Any, Any, Any]]:
        torch = require("torch")
        assert self._arrays is not None
        x, y = self._arrays
        order = torch.randperm(len(y), generator=generator)
        for at in range(self.batches):
            rows = order[at * self._batch : (at + 1) * self._batch]
            yield (
                taken(x, rows),
                y[rows],
                None if self._taught is None else self._taught[rows],
            )


def check_rereadable(data: Any) -> None:
    """Batches must be there each time they are asked for.

    Raises:
        InvalidValueError: nothing to iterate over, or an iterator.
    """
    try:
        batches = iter(data)
    except TypeError:
        raise InvalidValueError(f"data: (x, y) or a DataLoader expected, found {type(data).__name__}") from None
    if batches is data:
        raise InvalidValueError(
            f"data: {type(data).__name__} can be read only once, and rows are read several times; "
            "give (x, y) arrays, a list of batches or a DataLoader"
        )


def is_pair(data: Any) -> bool:
    """Whether data are (x, y) of all rows, not two batches: y is an array, or a list that holds none."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        return False
    y = data[1]
    return hasattr(y, "shape") or (isinstance(y, (tuple, list)) and not any(getattr(v, "ndim", 0) for v in y))


def whole_rows(data: Any) -> tuple[Any, Any]:
    """(x, y) of a pair with lists as arrays; x may be a tuple of arrays, or a dict of named ones."""
    x, y = data
    x = x if isinstance(x, Mapping) or _all_arrays(x, tuple) or hasattr(x, "shape") else np.asarray(x)
    return x, y if hasattr(y, "shape") else np.asarray(y)


def _pair(batch: Any, kind: InputType) -> tuple[Any, Any]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise InvalidValueError(f"data: batches of (x, y) expected, found {type(batch).__name__}")
    return _arrays(batch, kind, (tuple, list))  # a DataLoader makes lists of tuples


def _arrays(data: Any, kind: InputType, several_in: tuple[type, ...]) -> tuple[Any, Any]:
    torch = require("torch")
    several = isinstance(data[0], Mapping) or _all_arrays(data[0], several_in)
    x = mapped(data[0], kind.cast) if several else kind.cast(data[0])
    y = as_tensor(data[1], "y")
    fewest = 1 if kind.whole or several else 2
    if any(part.ndim < fewest or len(part) == 0 or y.ndim == 0 or len(part) != len(y) for part in parts(x)):
        shapes = ", ".join(str(tuple(part.shape)) for part in (*parts(x), y))
        raise InvalidValueError(f"data: x of (rows, ...) and y with as many rows expected, found {shapes}")
    if not all(bool(torch.isfinite(part).all()) for part in parts(x)):
        raise InvalidValueError("data: finite x expected, found NaN or infinity; drop or fill such rows")
    if y.is_floating_point():
        y = y.to(kind.floating or torch.float32).reshape(len(y), -1)
        if not bool(torch.isfinite(y).all()):
            raise InvalidValueError("data: finite y expected, found NaN or infinity; drop such rows")
        return x, y
    if y.ndim != 1 or int(y.min()) < 0:
        raise InvalidValueError(f"data: y of (rows,) class indices 0, 1, ... expected, found {tuple(y.shape)}")
    return x, y.long()


def _all_arrays(values: Any, kinds: Any) -> bool:
    return isinstance(values, kinds) and all(getattr(value, "ndim", 0) > 0 for value in values)
