"""Actor and critic of the published NEON: episodic REINFORCE with the critic as baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcompress.algorithms.neon_paper.config import PaperSettings
from rlcompress.arrays import FloatArray
from rlcompress.artifact import load, save
from rlcompress.contract import Contract
from rlcompress.engine.parallel import single_threaded
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense
from rlcompress.layerwise.narrowing_state import OBSERVATION
from rlcompress.layerwise.narrowing_step import KEEP_SHARES
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.problem import Float64Array
from rlcompress.runtime import Runtime

if TYPE_CHECKING:
    import torch

REWARD_UNIT = 64_000.0
"""The largest reward of a step; returns are learnt in this unit."""

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@dataclass(frozen=True, eq=False)
class Agent:
    """What the learner is at some moment.

    Args:
        actor: observation to one logit per action.
        critic: observation to the return that is expected.
        moments: first and second moments of Adam for each of their arrays, actor first; empty before the first update.
        updates: so far.
    """

    actor: Network
    critic: Network
    moments: tuple[FloatArray, ...] = ()
    updates: int = 0


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Steps of one episode.

    Args:
        observations: (steps, observation) float32.
        actions: (steps,) int64.
        rewards: (steps,) float64.
    """

    observations: FloatArray
    actions: np.ndarray[Any, np.dtype[np.int64]]
    rewards: Float64Array

    def returns(self, discount: float) -> Float64Array:
        """(steps,) discounted sums of the rewards from each step on, in `REWARD_UNIT`."""
        sums, total = np.zeros(len(self.rewards)), 0.0
        for at in range(len(self.rewards) - 1, -1, -1):
            total = float(self.rewards[at]) / REWARD_UNIT + discount * total
            sums[at] = total
        return sums

    def joined(self, observation: FloatArray, action: int, reward: float) -> Trajectory:
        """One step more."""
        return Trajectory(
            np.concatenate([self.observations, observation[None]]),
            np.append(self.actions, action),
            np.append(self.rewards, reward),
        )


def empty_trajectory() -> Trajectory:
    """No step yet."""
    return Trajectory(np.zeros((0, OBSERVATION), np.float32), np.zeros(0, np.int64), np.zeros(0))


def fresh_agent(encoder: int, seed: int) -> Agent:
    """Random weights: two hidden layers of this width each, the actor near to indifferent."""
    rng = np.random.default_rng((seed, 45))
    return Agent(_perceptron(encoder, len(KEEP_SHARES), rng, 0.01), _perceptron(encoder, 1, rng, 0.01))


def chances(agent: Agent, observation: FloatArray) -> Float64Array:
    """(actions,) probabilities."""
    logits = np.asarray(Runtime(agent.actor)(observation), np.float64)
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def learn(agent: Agent, played: Trajectory, settings: PaperSettings) -> Agent:
    """The agent after one update on an episode.

    The actor descends `-mean(log pi(a) (G - V))`, the critic `mean((G - V)^2)`, each by Adam.

    Source: the code that the authors of NEON published.
    Deviates: returns are divided by the largest reward of a step, so that the critic can follow them.
    """
    torch = require("torch")
    returns = torch.from_numpy(played.returns(settings.discount).astype(np.float32))
    observations, actions = torch.from_numpy(played.observations), torch.from_numpy(played.actions)
    arrays = [array for network in (agent.actor, agent.critic) for array in _arrays(network)]
    leaves = [torch.from_numpy(array.copy()).requires_grad_(True) for array in arrays]
    half = len(_arrays(agent.actor))
    with single_threaded():
        logits = _forward(leaves[:half], observations)
        values = _forward(leaves[half:], observations)[:, 0]
        log_chance = torch.log_softmax(logits, -1).gather(1, actions[:, None])[:, 0]
        actor_loss = -(log_chance * (returns - values.detach())).mean()
        (actor_loss + (returns - values).square().mean()).backward()
    moments = agent.moments or tuple(np.zeros_like(array) for array in arrays for _ in range(2))
    updates = agent.updates + 1
    moved, kept = [], []
    for array, leaf, first, second in zip(arrays, leaves, moments[::2], moments[1::2]):
        gradient = leaf.grad.numpy()
        first = _BETAS[0] * first + (1 - _BETAS[0]) * gradient
        second = _BETAS[1] * second + (1 - _BETAS[1]) * gradient * gradient
        step = (first / (1 - _BETAS[0] ** updates)) / (np.sqrt(second / (1 - _BETAS[1] ** updates)) + _EPSILON)
        moved.append(array - np.float32(settings.agent_rate) * step)
        kept += [first.astype(np.float32), second.astype(np.float32)]
    return Agent(_with(agent.actor, moved[:half]), _with(agent.critic, moved[half:]), tuple(kept), updates)


def save_agent(agent: Agent, path: Path, **notes: Any) -> None:
    """Write the actor, which is all that is needed to use the agent, with notes on how it was made."""
    save(agent.actor.with_metadata(kind="neon-paper agent", updates=agent.updates, **notes), path)


def load_agent(path: str) -> Agent:
    """The agent of a file that `save_agent` wrote; its critic knows nothing.

    Raises:
        MissingFileError, FormatError: no such file, or damaged.
        InvalidValueError: another network.
    """
    actor = load(path)
    if (actor.input_size, actor.output_size) != (OBSERVATION, len(KEEP_SHARES)):
        sizes = f"{actor.input_size} inputs and {actor.output_size} outputs"
        raise InvalidValueError(
            f"agent: {path}: {OBSERVATION} inputs and {len(KEEP_SHARES)} outputs expected, found {sizes}"
        )
    return replace(fresh_agent(1, 0), actor=actor)


def _perceptron(encoder: int, outputs: int, rng: np.random.Generator, last: float) -> Network:
    layers = []
    for at, (columns, rows) in enumerate(((OBSERVATION, encoder), (encoder, encoder), (encoder, outputs))):
        bound = columns**-0.5 * (last if at == 2 else 1.0)
        weight = rng.uniform(-bound, bound, (rows, columns)).astype(np.float32)
        layers.append(Dense(weight, np.zeros(rows, np.float32), "identity" if at == 2 else "tanh"))
    return Network(tuple(layers), Contract((OBSERVATION,)))


def _arrays(network: Network) -> list[FloatArray]:
    return [array for layer in network.dense_layers() for array in (layer.weight, layer.bias)]


def _with(network: Network, arrays: Sequence[FloatArray]) -> Network:
    layers = network.dense_layers()
    made = [Dense(arrays[2 * at], arrays[2 * at + 1], layer.activation) for at, layer in enumerate(layers)]
    return network.with_layers(made)


def _forward(leaves: Sequence[torch.Tensor], values: torch.Tensor) -> torch.Tensor:
    import torch

    for at in range(0, len(leaves), 2):
        values = torch.addmm(leaves[at + 1], values, leaves[at].t())
        if at < len(leaves) - 2:
            values = torch.tanh(values)
    return values
