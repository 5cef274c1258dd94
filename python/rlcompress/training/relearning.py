"""Training of some layers of a network on labels, the others held as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.engine.parallel import single_threaded
from rlcompress.errors import InvalidValueError
from rlcompress.importers.torch_module import from_torch, to_torch
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.tasks.labelled import Pair, Targets

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Relearning:
    """How layers are trained: Adam on labels, the weights of the best minibatch kept.

    Args:
        epochs: over the rows, at most, >= 0.
        patience: epochs without a better minibatch, after which training stops, >= 1.
        batch_size: rows per step, >= 1.
        learning_rate: > 0.
        updates: minibatches, at most; 0 for no limit.
    """

    epochs: int = 100
    patience: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    updates: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("patience", 1), ("batch_size", 1), ("updates", 0)):
            if getattr(self, name) < least:
                raise InvalidValueError(f"{name}: a value >= {least} expected, found {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise InvalidValueError(f"learning_rate: a value > 0 expected, found {self.learning_rate}")


def relearn(network: Network, first: int, last: int, rows: Pair, settings: Relearning, seed: int) -> Network:
    """The network with layers `first .. last` trained on labels, from the weights that they have.

    Values are learnt in units of their spread, where the last layer is linear.

    Args:
        network: float32 dense layers; masks stay.
        first, last: of the trained layers, both included.
        rows: x as the network takes it, and class indices or values.
        settings: of the training.
        seed: of the order of rows.

    Raises:
        InvalidValueError: no such layers.
        MissingExtraError: torch is not installed.
    """
    torch = require("torch")
    layers = network.dense_layers()
    if not 0 <= first <= last < len(layers):
        raise InvalidValueError(f"layers: first <= last in 0..{len(layers) - 1} expected, found {first} and {last}")
    x, y, offset, spread = _inputs(network, rows)
    layers = (*layers[:-1], rescaled(layers[-1], -offset / spread, 1 / spread))
    before, trained, after = (_module(part) for part in (layers[:first], layers[first : last + 1], layers[last + 1 :]))
    after.requires_grad_(False)
    with torch.no_grad():
        x = before(x)
    with single_threaded():
        _train(trained, after, x, y, settings, seed)
    learnt = from_torch(trained).dense_layers()
    whole = (*layers[:first], *learnt, *layers[last + 1 :])
    return network.with_layers((*whole[:-1], rescaled(whole[-1], offset, spread)))


def rescaled(layer: Dense, offset: Any, spread: Any) -> Dense:
    """The layer with outputs `spread * y + offset`."""
    weight = layer.weight * np.reshape(spread, (-1, 1))
    bias = layer.bias * spread + offset
    return Dense(weight.astype(np.float32), bias.astype(np.float32), layer.activation, layer.alpha, layer.mask)


def _inputs(network: Network, rows: Pair) -> tuple[Any, Any, Any, Any]:
    """What the first layer reads, targets, and the offset and spread of values (0 and 1 for classes)."""
    import torch

    contract = network.contract
    x = rows.x.reshape(len(rows.x), -1)
    x = x if contract.normalisation is None else contract.normalisation.apply(x)
    inputs = torch.from_numpy(np.ascontiguousarray(contract.select(x)))
    if rows.y.dtype.kind in "iu":
        return inputs, torch.from_numpy(np.asarray(rows.y, np.int64)), 0.0, 1.0
    linear = network.dense_layers()[-1].activation == "identity"
    offset, spread = units_of(rows.y) if linear else (0.0, 1.0)
    y = (rows.y.reshape(len(rows.y), -1) - offset) / spread
    return inputs, torch.from_numpy(y.astype(np.float32)), offset, spread


def units_of(y: Targets) -> tuple[Any, Any]:
    """(outputs,) mean and standard deviation of values: where fresh outputs must begin to be learnt in good time."""
    values = y.reshape(len(y), -1).astype(np.float64)
    return values.mean(0), np.maximum(values.std(0), 1e-12)


def _module(layers: tuple[Dense, ...]) -> torch.nn.Sequential:
    import torch

    return to_torch(Network(layers)) if layers else torch.nn.Sequential()


def _train(trained: Any, after: Any, x: Any, y: Any, settings: Relearning, seed: int) -> None:
    import torch
    from torch.nn import functional

    rng = np.random.default_rng((seed, 43))
    loss_of = functional.mse_loss if y.is_floating_point() else functional.cross_entropy
    parameters = list(trained.parameters())
    optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
    best, best_epoch = float("inf"), 0
    kept = [parameter.detach().clone() for parameter in parameters]
    size = min(settings.batch_size, len(x))
    updates = 0
    for epoch in range(settings.epochs):
        order = torch.from_numpy(rng.permutation(len(x)))
        for start in range(0, len(x) - size + 1, size):
            picks = order[start : start + size]
            loss = loss_of(after(trained(x[picks])), y[picks])
            value = float(loss.detach())
            if value < best:
                best, best_epoch = value, epoch
                kept = [parameter.detach().clone() for parameter in parameters]
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            updates += 1
            if updates == settings.updates:
                break
        if epoch - best_epoch >= settings.patience or updates == settings.updates > 0:
            break
    with torch.no_grad():
        for parameter, value_kept in zip(parameters, kept):
            parameter.copy_(value_kept)
