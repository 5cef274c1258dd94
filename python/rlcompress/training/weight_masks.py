"""Named weights of a module and their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol, Union, runtime_checkable

import numpy as np

from rlcompress import kernels
from rlcompress.arrays import BoolArray
from rlcompress.errors import InvalidValueError
from rlcompress.optional import require

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Counts(Protocol):
    """How many weights each named layer keeps, such as a pruning plan."""

    @property
    def layers(self) -> tuple[str, ...]: ...

    @property
    def kept(self) -> tuple[int, ...]: ...


Masks = Union[Mapping[str, BoolArray], Counts]
"""Mask by parameter name (True = kept), or counts: then the largest magnitudes stay, equal ones by lower index."""


def weight_names(model: torch.nn.Module) -> tuple[str, ...]:
    """Weights of linear layers and convolutions that train, each once (by its first owner of these), as registered."""
    nn = require("torch.nn")
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    owners: dict[int, str] = {}
    for path, module in model.named_modules():
        if isinstance(module, kinds):
            owners.setdefault(id(module.weight), f"{path}.weight" if path else "weight")
    values = (p for p in model.parameters() if id(p) in owners and p.requires_grad and p.numel())
    return tuple(owners[id(p)] for p in values)


def patterns_of(skip: Union[str, Sequence[str]]) -> tuple[str, ...]:
    """What is left dense, as patterns: a plain text is one of them."""
    return (skip,) if isinstance(skip, str) else tuple(skip)


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern such as `head` or `blocks.*.conv1` names this module or parameter, or what it is part of."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def parameters_of(model: torch.nn.Module, names: tuple[str, ...]) -> list[torch.nn.Parameter]:
    """The named parameters.

    Raises:
        InvalidValueError: no such name.
    """
    known = _named(model)
    for name in names:
        if name not in known:
            raise InvalidValueError(f"masks: {name!r} is no parameter of the model; known: {', '.join(known)}")
    return [known[name] for name in names]


def _named(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Parameters by each of their names: a shared one has several."""
    return dict(model.named_parameters(remove_duplicate=False))


def biases_of(model: torch.nn.Module, names: tuple[str, ...]) -> list[torch.nn.Parameter | None]:
    """The bias beside each weight, None where there is none or it has another size."""
    known = _named(model)
    found: list[Any] = []
    for name in names:
        bias = known.get(name.removesuffix("weight") + "bias") if name.endswith("weight") else None
        fits = bias is not None and bias.requires_grad and bias.shape == known[name].shape[:1]
        found.append(bias if fits else None)
    return found


def bool_masks(model: torch.nn.Module, masks: Masks) -> dict[str, torch.Tensor]:
    """Bool tensors by parameter name, on each parameter's device.

    Raises:
        InvalidValueError: unknown names, other shapes or types, or counts outside a layer.
    """
    torch = require("torch")
    if isinstance(masks, Mapping):
        names = tuple(masks)
        found = {}
        for name, weight in zip(names, parameters_of(model, names)):
            mask = torch.as_tensor(masks[name], device=weight.device)
            if mask.dtype != torch.bool or mask.shape != weight.shape:
                raise InvalidValueError(
                    f"masks: {name}: bool of {tuple(weight.shape)} expected, found {mask.dtype} {tuple(mask.shape)}"
                )
            found[name] = mask.clone()
        return found
    if not isinstance(masks, Counts):
        raise InvalidValueError(
            f"masks: a plan or a mapping of parameter names to masks expected, found {type(masks).__name__}; "
            "for a list use dict(zip(plan.layers, masks))"
        )
    weights = parameters_of(model, masks.layers)
    return {name: largest_of_each([w.detach().abs()], [k])[0] for name, w, k in zip(masks.layers, weights, masks.kept)}


def largest_of_all(scores: list[torch.Tensor], count: int) -> list[torch.Tensor]:
    """Bool masks of the `count` largest scores (>= 0, finite) over all tensors; equal ones by lower index."""
    arrays = [np.ascontiguousarray(score.detach().cpu().numpy(), np.float32) for score in scores]
    found = [np.empty(array.shape, np.bool_) for array in arrays]
    kernels.keep_largest(arrays, count, found)
    torch = require("torch")
    return [torch.from_numpy(mask).to(score.device) for mask, score in zip(found, scores)]


def largest_of_each(scores: list[Any], counts: list[int]) -> list[Any]:
    """`largest_of_all` in each tensor by itself."""
    for score, count in zip(scores, counts):
        if not 0 <= count <= score.numel():
            raise InvalidValueError(f"masks: 0..{score.numel()} kept weights expected, found {count}")
    return [largest_of_all([score], count)[0] for score, count in zip(scores, counts)]
