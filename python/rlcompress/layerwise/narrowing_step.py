"""What one decision about a hidden layer does: make it narrower, and train the two layers that it touches."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil
from typing import Literal

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.problem import Split
from rlcompress.tasks.dataset import DatasetTask
from rlcompress.training.relearning import Relearning, relearn, rescaled, units_of

KEEP_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6)
"""Share of a layer's width that each action keeps."""

Mode = Literal["reinit", "l1"]
_L1_EPOCHS = 10


@dataclass(frozen=True)
class NarrowingRules:
    """How a network is narrowed, step by step.

    Args:
        passes: over the hidden layers, first to last, >= 1.
        tolerance: points of score that a step may cost before it is punished, >= 0.
        mode: "reinit" gives the two touching layers fresh weights; "l1" keeps the neurons whose incoming weights have
            the largest L1 norm, and trains for ten epochs at most.
        whole: train all layers, not the two touching ones alone.
        relearning: of each step.

    Raises:
        InvalidValueError: a setting out of range.
    """

    passes: int = 4
    tolerance: float = 1.0
    mode: Mode = "reinit"
    whole: bool = False
    relearning: Relearning = field(default_factory=Relearning)

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise InvalidValueError(f"passes: a value >= 1 expected, found {self.passes}")
        if not 0 <= self.tolerance < float("inf"):
            raise InvalidValueError(f"tolerance: points >= 0 expected, found {self.tolerance}")
        if self.mode not in ("reinit", "l1"):
            raise InvalidValueError(f"mode: 'reinit' or 'l1' expected, found {self.mode!r}")

    def steps(self, network: Network) -> int:
        """Decisions of one episode."""
        return self.passes * (len(network.layers) - 1)

    def layer_at(self, network: Network, at: int) -> int:
        """Hidden layer that decision `at` is about."""
        return at % (len(network.layers) - 1)


def narrow(network: Network, layer: int, keep: float, task: DatasetTask, rules: NarrowingRules, seed: int) -> Network:
    """The network with `ceil(keep * width)` neurons in a hidden layer, trained on the task's training rows.

    Args:
        network: float32 dense layers.
        layer: hidden layer, 0 for the first.
        keep: share of its width, in (0, 1]; 1 leaves the network as it is.
        task: gives the rows.
        rules: of the step.
        seed: of fresh weights and the order of rows.

    Raises:
        InvalidValueError: no such hidden layer, or share.
    """
    layers = network.dense_layers()
    if not 0 <= layer < len(layers) - 1:
        raise InvalidValueError(f"layer: a hidden layer in 0..{len(layers) - 2} expected, found {layer}")
    if not 0 < keep <= 1:
        raise InvalidValueError(f"keep: a share in (0, 1] expected, found {keep}")
    width = ceil(keep * layers[layer].out_features - 1e-9)
    if width == layers[layer].out_features:
        return network
    made = reinitialised(network, layer, width, seed) if rules.mode == "reinit" else by_norm(network, layer, width)
    if rules.mode == "reinit" and layer == len(layers) - 2 and task.metric == "squared_error":
        *others, output = made.dense_layers()
        made = made.with_layers([*others, rescaled(output, *units_of(task.training_rows.y))])
    settings = rules.relearning
    if rules.mode == "l1":
        settings = replace(settings, epochs=min(settings.epochs, _L1_EPOCHS))
    first, last = (0, len(layers) - 1) if rules.whole else (layer, layer + 1)
    return relearn(made, first, last, task.training_rows, settings, seed)


def reinitialised(network: Network, layer: int, width: int, seed: int) -> Network:
    """The network with a hidden layer of another width; it and the next one get fresh weights, as torch draws them."""
    layers = list(network.dense_layers())
    rng = np.random.default_rng((seed, 44, layer, width))
    layers[layer] = _fresh(layers[layer], width, layers[layer].in_features, rng)
    layers[layer + 1] = _fresh(layers[layer + 1], layers[layer + 1].out_features, width, rng)
    return network.with_layers(layers)


def by_norm(network: Network, layer: int, width: int) -> Network:
    """The network with those neurons of a hidden layer whose incoming weights have the largest L1 norm, in order."""
    layers = list(network.dense_layers())
    norms = np.abs(layers[layer].weight.astype(np.float64)).sum(1)
    kept = np.sort(np.argsort(-norms, kind="stable")[:width])
    return keep_neurons(network, layer, kept)


def keep_neurons(network: Network, layer: int, kept: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Network:
    """The network with these neurons of a hidden layer."""
    layers = list(network.dense_layers())
    here, after = layers[layer], layers[layer + 1]
    layers[layer] = Dense(here.weight[kept], here.bias[kept], here.activation, here.alpha)
    layers[layer + 1] = Dense(after.weight[:, kept], after.bias, after.activation, after.alpha)
    return network.with_layers(layers)


def score_of(network: Network, task: DatasetTask, split: Split = "search") -> float:
    """Mean score on a split in points: of accuracy, or of explained variance (100 for values found exactly)."""
    mean = task.score(network, split, 0, task.count(split)).mean
    return 100 * mean / score_unit(task)


def score_unit(task: DatasetTask) -> float:
    """What 100 points are: 1 for classes, the variance of the training rows' values for squared errors."""
    if task.metric == "accuracy":
        return 1.0
    y = task.training_rows.y.reshape(len(task.training_rows.y), -1).astype(np.float64)
    return max(float(y.var(0).mean()), 1e-300)


def _fresh(layer: Dense, rows: int, columns: int, rng: np.random.Generator) -> Dense:
    bound = columns**-0.5
    weight, bias = rng.uniform(-bound, bound, (rows, columns)), rng.uniform(-bound, bound, rows)
    return Dense(weight.astype(np.float32), bias.astype(np.float32), layer.activation, layer.alpha)
