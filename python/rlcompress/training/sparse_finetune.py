"""Training under masks: `fine_tune` holds them, `gradual` finds them on the way to an extreme sparsity."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Union

from rlcompress.arrays import BoolArray
from rlcompress.errors import InvalidValueError
from rlcompress.optional import require
from rlcompress.training.finetuning import FineTuning, Report
from rlcompress.training.labelled_rows import Augment, Data
from rlcompress.training.mask_search import MaskSearch, Schedule
from rlcompress.training.masked_training import MaskedTraining
from rlcompress.training.precision import restore, stored_types, widen
from rlcompress.training.private_copy import private_copy
from rlcompress.training.weight_masks import (
    Counts,
    Masks,
    bool_masks,
    matches,
    parameters_of,
    patterns_of,
    weight_names,
)

if TYPE_CHECKING:
    import torch


def fine_tune(
    model: torch.nn.Module,
    masks: Masks,
    data: Data,
    settings: FineTuning = FineTuning(),  # noqa: B008  # frozen
    *,
    teacher: torch.nn.Module | None = None,
    augment: Augment | None = None,
    on_epoch: Report | None = None,
    checkpoint: Union[str, PathLike[str], None] = None,
) -> torch.nn.Module:
    """Train what the masks keep; the rest stays exactly zero, its momentum too, as does what the model came masked.

    Args:
        model: any module whose output has one row per row of x (of several outputs the `logits`, or else the first
            tensor, are trained); it stays as it is, as do all random generators. Half precision trains in float32.
        masks: a plan, or masks by parameter name.
        data: (x, y), or an iterable of (x, y) batches, where x may be a tuple of arguments or a dict of named ones;
            integer y are classes, others values. Whole numbers in x stay so for models with an embedding.
        settings: how.
        teacher: whose outputs are learnt besides the labels; default: `model` itself, as it came.
        augment: (x batch, torch.Generator) to x batch, for training batches; a checkpoint knows it by its name.
        on_epoch: called after each epoch.
        checkpoint: file that keeps the training, so that the same call goes on after the last whole epoch.

    Returns:
        A new module, in the mode of `model`.

    Raises:
        InvalidValueError: masks or rows that do not fit; says where.
        DivergenceError: the loss is not finite.
    """
    copied = private_copy(model)
    twin, types = copied.model, stored_types(copied.model)
    widen(twin)
    training = MaskedTraining(
        twin, bool_masks(twin, masks), data, settings, teacher or model, augment, None, copied.held
    )
    training.run(on_epoch, None if checkpoint is None else Path(checkpoint))
    restore(twin, types)
    return twin


def gradual(
    model: torch.nn.Module,
    target: Union[float, Mapping[str, int], Counts],
    data: Data,
    settings: FineTuning = FineTuning(),  # noqa: B008  # frozen
    schedule: Schedule = Schedule(),  # noqa: B008  # frozen
    *,
    teacher: torch.nn.Module | None = None,
    augment: Augment | None = None,
    skip: Union[str, Sequence[str]] = (),
    on_epoch: Report | None = None,
    checkpoint: Union[str, PathLike[str], None] = None,
) -> tuple[torch.nn.Module, dict[str, BoolArray]]:
    """Prune while training: the way to sparsities that one cut cannot reach.

    At each change the weights whose removal raises the loss least go (to second order, with the biases free to follow),
    biases make up for them, and those that would lower it most are taken back; weights on dead units are worth nothing,
    so their places go to live ones. What masks of the model itself hold at zero stays so.

    Args:
        model: a trained module; it stays as it is, as do all random generators.
        target: sparsity over all weights of linear layers and convolutions, from 0 to below 1, and at least this share
            goes; or a plan, or counts by name, which fix the split over layers.
        data, settings, teacher, augment, on_epoch, checkpoint: as for `fine_tune`.
        schedule: when and how masks change.
        skip: names or patterns (`head`, `blocks.*.conv1`) of layers left dense, with a sparsity as target; one or
            several.

    Returns:
        A new module, in the mode of `model`, and its masks by parameter name.

    Raises:
        InvalidValueError: a target outside the model, or rows that do not fit.
        DivergenceError: the loss is not finite.
    """
    copied = private_copy(model)
    twin, types = copied.model, stored_types(copied.model)
    widen(twin)
    names, goal = _goal(twin, target, skip, schedule.floor)
    weights = parameters_of(twin, names)
    held = {name: _free(weight, copied.held) for name, weight in zip(names, weights)}
    search = MaskSearch(names, [w.numel() for w in weights], goal, schedule, [held[name] for name in names])
    training = MaskedTraining(twin, held, data, settings, teacher or model, augment, search, copied.held)
    masks = training.run(on_epoch, None if checkpoint is None else Path(checkpoint))[1]
    restore(twin, types)
    return twin, masks


def _goal(
    model: torch.nn.Module,
    target: Union[float, Mapping[str, int], Counts],
    skip: Union[str, Sequence[str]],
    floor: int,
) -> tuple[tuple[str, ...], Union[int, dict[str, int]]]:
    """Names of the weights and how many stay, over all or by name."""
    if isinstance(target, (Counts, Mapping)):
        counts = dict(target) if isinstance(target, Mapping) else dict(zip(target.layers, target.kept))
        names = tuple(counts)
        for name, weight in zip(names, parameters_of(model, names)):
            if not 0 <= counts[name] <= weight.numel():
                raise InvalidValueError(
                    f"target: {name}: 0..{weight.numel()} kept weights expected, found {counts[name]}"
                )
        return names, counts
    if isinstance(target, bool) or not isinstance(target, numbers.Real) or not 0 <= float(target) < 1:
        raise InvalidValueError(
            f"target: a sparsity from 0 to below 1, a plan or counts by name expected, found {target!r}"
        )
    names = _chosen(model, skip)
    sizes = [weight.numel() for weight in parameters_of(model, names)]
    keep = math.floor(sum(sizes) * (1 - float(target)) + 1e-9)
    needed = sum(min(max(1, floor), size) for size in sizes)
    if keep < needed:
        raise InvalidValueError(
            f"target: {float(target)} keeps {keep} of {sum(sizes)} weights, at least {needed} in {len(names)} layers "
            "expected; lower the target, or schedule.floor"
        )
    return names, keep


def _chosen(model: torch.nn.Module, skip: Union[str, Sequence[str]]) -> tuple[str, ...]:
    """The weights to prune."""
    known = weight_names(model)
    patterns = patterns_of(skip)
    for pattern in patterns:
        if not any(matches(name, pattern) for name in known):
            raise InvalidValueError(f"skip: {pattern!r} matches no weight to prune; known: {', '.join(known)}")
    names = tuple(name for name in known if not any(matches(name, pattern) for pattern in patterns))
    if not names:
        raise InvalidValueError(
            f"model: {type(model).__name__} has nothing to prune: a Linear or convolution expected whose weight trains "
            "(requires_grad) and is not skipped"
        )
    return names


def _free(weight: torch.Tensor, held: Mapping[int, torch.Tensor]) -> torch.Tensor:
    """Weights that the user's own masks hold at zero stay so; other zeros are free."""
    mask = held.get(id(weight))
    return require("torch").ones_like(weight, dtype=require("torch").bool) if mask is None else mask.clone()
