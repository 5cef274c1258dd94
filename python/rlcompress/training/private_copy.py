"""A copy of the user's model to work on: masks and parametrisations become plain weights; the user's object, its mode
and all random generators stay as they are.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.optional import require

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class PrivateCopy:
    """A deep copy with plain parameters.

    Attributes:
        model: the copy, in the mode of the original.
        held: bool tensors by `id` of a parameter of the copy: where False, the weight was pruned before and stays zero.
        notes: what was made plain.
    """

    model: torch.nn.Module
    held: dict[int, torch.Tensor]
    notes: tuple[str, ...]


@contextmanager
def preserved_generators() -> Iterator[None]:
    """Puts the states of the generators of Python, NumPy and torch back, whatever runs inside."""
    torch = require("torch")
    python, legacy = random.getstate(), np.random.get_state()
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    devices = list(range(torch.cuda.device_count())) if cuda else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)


@contextmanager
def seeded_generators(seed: int) -> Iterator[None]:
    """`preserved_generators`, and what is drawn inside depends on the seed alone."""
    with preserved_generators():
        random.seed(seed)
        np.random.seed(seed)
        require("torch").manual_seed(seed)
        yield


def unwrapped(model: Any) -> tuple[Any, tuple[str, ...]]:
    """The module inside of `DataParallel`, `DistributedDataParallel` and what `torch.compile` gives, and notes of them.

    They compute what their module does, but cannot be traced, and put a word before the names of its parameters.
    """
    nn = require("torch.nn")
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    notes: list[str] = []
    # What torch.compile gives is known by its attribute: its class lies in a package that takes seconds to import.
    while isinstance(inner := model.module if isinstance(model, wrappers) else _compiled(model), nn.Module):
        notes.append(f"{type(model).__name__} is taken off: layers are named, and models given back, without it")
        model = inner
    return model, tuple(notes)


def _compiled(model: Any) -> Any:
    """What `torch.compile` wrapped, or None."""
    return getattr(model, "_orig_mod", None) if type(model).__name__ == "OptimizedModule" else None


def private_copy(model: torch.nn.Module) -> PrivateCopy:
    """A deep copy whose weights are plain parameters.

    Args:
        model: any module; masks of `torch.nn.utils.prune`, parametrisations and weight or spectral norm are folded in.

    Raises:
        InvalidValueError: not a module, uninitialised, or not to be copied.
    """
    torch = require("torch")
    if not isinstance(model, torch.nn.Module):
        raise InvalidValueError(f"model: a torch.nn.Module or Network expected, found {type(model).__name__}")
    for name, parameter in model.named_parameters():
        if torch.nn.parameter.is_lazy(parameter):
            raise InvalidValueError(f"model: {name} has no shape yet; call the model once on real inputs")
    try:
        twin = copy.deepcopy(model, _detached_attributes(model))
    except Exception as error:
        raise InvalidValueError(f"model: {type(model).__name__} cannot be copied by copy.deepcopy: {error}") from error
    held: dict[int, Any] = {}
    notes: list[str] = []
    for path, module in twin.named_modules():
        _fold_masks(module, path, held, notes)
        _fold_norms(module, path, notes)
        _fold_parametrizations(module, path, held, notes)
    return PrivateCopy(twin, held, tuple(notes))


def sharing_copy(model: torch.nn.Module) -> torch.nn.Module:
    """A frozen copy whose parameters share memory with the model's until they are replaced; buffers are its own."""
    torch = require("torch")
    memo: dict[int, Any] = {
        id(parameter): torch.nn.Parameter(parameter.detach(), requires_grad=False) for parameter in model.parameters()
    }
    return copy.deepcopy(model, memo)


def _detached_attributes(model: Any) -> dict[int, Any]:
    """A memo for deepcopy: plain attributes that hang on a graph (as a pruned weight does) cannot be copied as such."""
    torch = require("torch")
    return {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }


def _fold_masks(module: Any, path: str, held: dict[int, Any], notes: list[str]) -> None:
    prune = require("torch.nn.utils.prune")
    hooks = [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, prune.BasePruningMethod)]
    for name in [hook._tensor_name for hook in hooks]:
        mask = module._buffers[f"{name}_mask"].detach() != 0
        prune.remove(module, name)
        parameter = module._parameters[name]
        held[id(parameter)] = mask & held.get(id(parameter), mask)
        notes.append(f"{_join(path, name)}: the mask it came with is kept")


def _fold_norms(module: Any, path: str, notes: list[str]) -> None:
    utils = require("torch.nn.utils")
    for hook in list(module._forward_pre_hooks.values()):
        kind = type(hook).__name__
        if kind == "WeightNorm":
            utils.remove_weight_norm(module, hook.name)
        elif kind == "SpectralNorm":
            utils.remove_spectral_norm(module, hook.name)
        else:
            continue
        notes.append(f"{_join(path, hook.name)}: {kind} is folded into the weight")


def _fold_parametrizations(module: Any, path: str, held: dict[int, Any], notes: list[str]) -> None:
    parametrize = require("torch.nn.utils.parametrize")
    if not parametrize.is_parametrized(module):
        return
    folded = []
    for name, entry in module.parametrizations.items():
        entry.eval()  # in training a spectral norm would take another power step first
        value = getattr(module, name).detach().clone()
        folded.append((name, value, any(original.requires_grad for original in entry.parameters())))
    # Not by remove_parametrizations: that edits the class, which the user's module shares with its copy.
    module.__class__ = type(module).__bases__[0]
    del module._modules["parametrizations"]
    for name, value, trained in folded:
        module.register_parameter(name, require("torch").nn.Parameter(value, requires_grad=trained))
        if not bool((value != 0).all()):
            held[id(getattr(module, name))] = value != 0
        notes.append(f"{_join(path, name)}: its parametrisation is folded into the weight")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
