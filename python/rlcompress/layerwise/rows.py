"""Rows of data that judge a model: read once, held in memory, always in the same batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.layerwise.traced_layers import call_arguments
from rlcompress.optional import require
from rlcompress.training.labelled_rows import check_rereadable, is_pair, whole_rows
from rlcompress.training.model_inputs import parts, taken
from rlcompress.training.private_copy import preserved_generators


@dataclass(frozen=True, eq=False)
class Batch:
    """Arguments of one call and what should come out.

    Args:
        args, kwargs: of the model.
        targets: tensor, first dimension rows.
        rows: rows in the batch.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    targets: Any
    rows: int


def read_batches(data: Any, model: Any, batch_size: int) -> list[Batch]:
    """Batches of `data`, on the model's device.

    Args:
        data: `(x, y)` of arrays or tensors, which are cut into batches in an order shuffled once (so that the first
            batches stand for all), or an iterable of `(x, y)` batches such as a DataLoader, taken as they come. `x` may
            be a tuple of arguments or a dict of named ones.
        model: gives device and floating type.
        batch_size: rows per batch, for arrays.

    Raises:
        InvalidValueError: no rows, or x and y of different lengths.
    """
    torch = require("torch")
    with preserved_generators():
        pairs = list(_pairs(data, batch_size))
    first = next(model.parameters(), None)
    batches = []
    for x, y in pairs:
        args, kwargs, rows = call_arguments(model, x)
        _check_values(args, kwargs, y)
        targets = torch.as_tensor(np.array(y) if isinstance(y, np.ndarray) else y)
        if first is not None:
            targets = targets.to(first.device)
        if targets.ndim == 0 or len(targets) != rows:
            raise InvalidValueError(f"data: as many targets as rows ({rows}) expected, found {tuple(targets.shape)}")
        if rows:
            batches.append(Batch(args, kwargs, targets, rows))
    if not batches:
        raise InvalidValueError("data: at least one row expected, found none")
    return batches


def _check_values(args: tuple[Any, ...], kwargs: dict[str, Any], y: Any) -> None:
    torch = require("torch")
    for value in (*args, *kwargs.values()):
        if isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(value.isfinite().all()):
            found = int((~value.isfinite()).sum())
            raise InvalidValueError(f"data: finite inputs expected, found {found} NaN or infinite values in a batch")
    if isinstance(y, np.ndarray) and y.dtype.kind not in "biuf":
        raise InvalidValueError(
            f"data: numbers as targets expected, found {y.dtype}; for text use np.unique(y, return_inverse=True)[1]"
        )


def part_of(batch: Batch, start: int, stop: int) -> Batch:
    """Some rows of a batch; what has no row for each of its own stays whole."""
    torch = require("torch")

    def cut(value: Any) -> Any:
        by_row = isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == batch.rows
        return value[start:stop] if by_row else value

    kwargs = {name: cut(value) for name, value in batch.kwargs.items()}
    return Batch(tuple(cut(value) for value in batch.args), kwargs, cut(batch.targets), stop - start)


def data_storages(batches: Iterable[Batch]) -> set[int]:
    """Where the data's own memory starts."""
    torch = require("torch")
    return {
        value.untyped_storage().data_ptr()
        for batch in batches
        for value in (*batch.args, *batch.kwargs.values())
        if isinstance(value, torch.Tensor)
    }


def example_of(data: Any) -> Any:
    """One row of arrays or the first batch of a loader, for a traced forward.

    Raises:
        InvalidValueError: no rows.
    """
    with preserved_generators():
        for x, _ in _pairs(data, 1):
            return x
    raise InvalidValueError("data: at least one row expected, found none")


def _pairs(data: Any, batch_size: int) -> Iterable[tuple[Any, Any]]:
    if is_pair(data):
        x, y = whole_rows(data)
        shapes = [tuple(part.shape) for part in (*parts(x), y)]
        if any(shape[:1] != shapes[-1][:1] or not shape for shape in shapes):
            raise InvalidValueError(f"data: x and y with the same rows expected, found {', '.join(map(str, shapes))}")
        order = np.random.default_rng(0).permutation(int(y.shape[0]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            yield taken(x, chosen), y[chosen]
        return
    check_rereadable(data)
    for batch in data:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise InvalidValueError(f"data: batches of (x, y) expected, found {type(batch).__name__}")
        yield batch[0], batch[1]
