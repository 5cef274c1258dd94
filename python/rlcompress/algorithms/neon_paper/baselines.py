"""Plain ways to narrow a network, to be shown beside the published agent.

What is equal: `always_narrowest` and `random_actions` take as many steps as the published loop, with the same training
in each; a rung of a ladder (`smallest_holding`) trains all layers under the rules of one such step, and a ladder has
eight rungs at most; `from_scratch` is one training as base networks get it. So numbers of trainings differ.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np

from rlcompress.algorithms.neon_paper.playing import always, at_random, play_episode
from rlcompress.corpus.architectures import HIDDEN_ACTIVATIONS, Architecture, Before
from rlcompress.corpus.base_networks import train_base
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.layerwise.narrowing_env import check_narrowable
from rlcompress.layerwise.narrowing_step import KEEP_SHARES, NarrowingRules, by_norm, keep_neurons
from rlcompress.network import Network
from rlcompress.tasks.dataset import DatasetTask
from rlcompress.training.relearning import Relearning, relearn


def always_narrowest(network: Network, task: DatasetTask, rules: NarrowingRules, seed: int) -> Network:
    """The published step with the strongest action (0.6 of the width) at every decision."""
    return play_episode(network, task, rules, always(len(KEEP_SHARES) - 1), (seed, 0))[0]


def random_actions(network: Network, task: DatasetTask, rules: NarrowingRules, seed: int) -> Network:
    """The published step with actions drawn uniformly."""
    return play_episode(network, task, rules, at_random, (seed, 0))[0]


def magnitude_neurons(network: Network, task: DatasetTask, share: float, training: Relearning, seed: int) -> Network:
    """The neurons with the largest L1 norm of incoming weights, over all hidden layers; then all layers are trained.

    Norms are relative to the mean of their layer, and every layer keeps a neuron at least.

    Args:
        network, task: as for the published step.
        share: of all hidden neurons that stays, in (0, 1].
        training: of the whole network afterwards.
        seed: of that training.

    Raises:
        InvalidValueError: a share out of range.
    """
    network = _checked(network, task, share)
    hidden = network.dense_layers()[:-1]
    norms = [np.abs(layer.weight.astype(np.float64)).sum(1) for layer in hidden]
    scores = [norm / max(float(norm.mean()), 1e-300) for norm in norms]
    everything = np.sort(np.concatenate(scores))[::-1]
    least = everything[max(len(hidden), ceil(share * everything.size - 1e-9)) - 1]
    for at, score in enumerate(scores):
        kept = np.flatnonzero(score >= least)
        network = keep_neurons(network, at, kept if kept.size else np.array([int(np.argmax(score))]))
    return relearn(network, 0, len(network.layers) - 1, task.training_rows, training, seed)


def uniform_width(network: Network, task: DatasetTask, share: float, training: Relearning, seed: int) -> Network:
    """The same share of the neurons of every hidden layer, those of largest L1 norm; then all layers are trained.

    Args:
        network, task, share, training, seed: as for `magnitude_neurons`, the share of each layer.

    Raises:
        InvalidValueError: a share out of range.
    """
    network = _checked(network, task, share)
    for at, width in enumerate(network.widths[1:-1]):
        network = by_norm(network, at, ceil(share * width - 1e-9))
    return relearn(network, 0, len(network.layers) - 1, task.training_rows, training, seed)


def from_scratch(network: Network, task: DatasetTask, seed: int) -> Network:
    """A network of these widths and activations that never saw the given one, trained as base networks are.

    Raises:
        UnsupportedError: hidden activations that base networks do not have.
    """
    layers = network.dense_float().dense_layers()[:-1]
    strange = [layer.activation for layer in layers if layer.activation not in HIDDEN_ACTIVATIONS]
    if strange:
        raise UnsupportedError(f"from scratch: one of {', '.join(HIDDEN_ACTIVATIONS)} expected, found {strange[0]}")
    hidden = tuple(layer.out_features for layer in layers)
    nothing: Before = "none"
    architecture = Architecture(hidden, tuple(layer.activation for layer in layers), (nothing,) * len(hidden))
    return train_base(task, architecture, seed=seed)


def smallest_holding(
    make: Callable[[float], Network], holds: Callable[[Network], bool], shares: int = 8
) -> Network | None:
    """The last network of a ladder of halving shares that still holds; None where the first does not.

    Args:
        make: share of neurons to network.
        holds: whether a network keeps the tolerance.
        shares: rungs at most, 0.5, 0.25, ...
    """
    found = None
    for rung in range(1, shares + 1):
        network = make(0.5**rung)
        if not holds(network):
            break
        found = network
    return found


def _checked(network: Network, task: DatasetTask, share: float) -> Network:
    if not 0 < share <= 1:
        raise InvalidValueError(f"share: a value in (0, 1] expected, found {share}")
    return check_narrowable(network, task)
