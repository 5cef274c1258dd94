"""The agent learns from recorded tables: proximal policy optimisation over replayed runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.config import COSTS
from rlcompress.algorithms.neon.features import FEATURES, RULE, features
from rlcompress.algorithms.neon.recording import KEEPS, Table
from rlcompress.algorithms.neon.replay import Deal, Episode, random_deal
from rlcompress.algorithms.neon.rules import LADDER
from rlcompress.algorithms.neon.view import MOVES
from rlcompress.contract import Contract
from rlcompress.engine.parallel import single_threaded
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.optional import require

TOLERANCES = (0.0, 0.005, 0.01, 0.02, 0.05)
_KEEP_SHARES = (0.55, 0.1, 0.1, 0.25)


@dataclass(frozen=True)
class Learning:
    """How the agent learns, from the greedy rule on.

    Args:
        updates: batches of episodes.
        episodes: per batch.
        deals: splits of the rows of each table that episodes draw from.
        width: of the agent's two hidden layers.
        learning_rate: of Adam, falling to a tenth.
        entropy: weight of the policy's entropy, falling to a tenth.
        move_price: what a training of usual length costs, in logarithm of the ratio.
        over_price: what a true drop over the tolerance costs, per unit of score.
        seed: of everything.

    Source: Schulman et al., "Proximal policy optimization algorithms", 2017, equation 7.
    """

    updates: int = 150
    episodes: int = 96
    deals: int = 12
    width: int = 64
    learning_rate: float = 1.5e-3
    entropy: float = 0.01
    move_price: float = 0.03
    over_price: float = 50.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Batch:
    """Steps of a batch of episodes.

    Args:
        sights: (steps, moves + 1, features) float32.
        allowed: (steps, moves + 1) bool.
        choices: (steps,) int64.
        chances: (steps,) float32 logarithms of the probabilities of the choices.
        returns: (steps,) float32.
        advantages: (steps,) float32.
    """

    sights: npt.NDArray[np.float32]
    allowed: npt.NDArray[np.bool_]
    choices: npt.NDArray[np.int64]
    chances: npt.NDArray[np.float32]
    returns: npt.NDArray[np.float32]
    advantages: npt.NDArray[np.float32]


def draw_episode(deals: Sequence[Deal], rng: np.random.Generator) -> Episode:
    """A run at a tolerance, a cost, a budget and restrictions drawn at random."""
    tolerance = float(rng.choice(TOLERANCES)) if rng.random() < 0.7 else float(rng.uniform(0, 0.05))
    keep_depth, keep_inputs = KEEPS[int(rng.choice(len(KEEPS), p=_KEEP_SHARES))]
    limit = float(rng.uniform(1, 8)) if rng.random() < 0.15 else float("inf")
    return Episode(
        deals[int(rng.integers(len(deals)))],
        cost=str(rng.choice(COSTS)),
        max_drop=tolerance,
        moves=int(rng.integers(3, 11)),
        keep_depth=keep_depth,
        keep_inputs=keep_inputs,
        target_gain=limit,
    )


def reward_of(episode: Episode, made: tuple[int, ...], settings: Learning) -> float:
    """Logarithm of the certified ratio, less the price of trainings, by length, and of a drop truly over."""
    best = episode.outcome(made)
    found = episode.gain(best) - settings.move_price * float(episode.lengths[list(made)].sum())
    if best is not None and episode.deal.true_rows >= 200:
        over = float(episode.deal.true_drop[best]) - episode.max_drop
        found -= settings.over_price * max(0.0, over)
    return found


def ladder_reward(episode: Episode, settings: Learning) -> float:
    """What the fixed ladder gets with all its moves: taken off, so that hard networks are no noise."""
    free = episode.view(()).open
    return reward_of(episode, tuple(move for move in LADDER if free[move])[: episode.moves], settings)


class Learner:
    """Policy and critic in torch; the policy scores each row of sight by itself."""

    def __init__(self, tables: Sequence[Table], settings: Learning) -> None:
        torch = require("torch")
        self.settings, self.rng = settings, np.random.default_rng((settings.seed, 73))
        self.deals = [random_deal(table, self.rng) for table in tables for _ in range(settings.deals)]
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.policy, self.critic = _scorer(settings.width), _scorer(settings.width)
        _start_greedy(self.policy)
        self.optimiser = torch.optim.Adam(
            [*self.policy.parameters(), *self.critic.parameters()], lr=settings.learning_rate
        )
        self.update = 0

    def learn(self, until: int, tell: Callable[[int, float, float], None]) -> None:
        """Go on until so many updates; `tell` gets the update, the mean reward over the ladder's, the mean moves."""
        while self.update < until:
            with single_threaded():
                batch, rewards, moves = self._play()
                share = self.update / max(1, self.settings.updates)
                for group in self.optimiser.param_groups:
                    group["lr"] = self.settings.learning_rate * (1 - 0.9 * share)
                self._improve(batch, self.settings.entropy * (1 - 0.9 * share))
            self.update += 1
            tell(self.update, float(np.mean(rewards)), float(np.mean(moves)))

    def _play(self) -> tuple[Batch, list[float], list[int]]:
        torch = require("torch")
        episodes = [draw_episode(self.deals, self.rng) for _ in range(self.settings.episodes)]
        made: list[tuple[int, ...]] = [() for _ in episodes]
        running, log = list(range(len(episodes))), []
        while running:
            views = [episodes[index].view(made[index]) for index in running]
            sights = np.stack([features(view) for view in views])
            allowed = np.stack([np.append(view.open, len(view.made) > 0 or not view.open.any()) for view in views])
            with torch.inference_mode():
                chances = _log_chances(self.policy, torch.from_numpy(sights), torch.from_numpy(allowed)).numpy()
                worth = self.critic(torch.from_numpy(sights[:, -1]))[:, 0].numpy()
            still = []
            for row, index in enumerate(running):
                choice = int(np.argmax(chances[row] + self.rng.gumbel(size=MOVES + 1)))
                log.append((index, sights[row], allowed[row], choice, float(chances[row, choice]), float(worth[row])))
                if choice < MOVES:
                    made[index] = (*made[index], choice)
                    if len(made[index]) < episodes[index].moves:
                        still.append(index)
            running = still
        rewards = [
            reward_of(episode, moves, self.settings) - ladder_reward(episode, self.settings)
            for episode, moves in zip(episodes, made)
        ]
        return _batch(log, rewards), rewards, [len(moves) for moves in made]

    def _improve(self, batch: Batch, entropy: float) -> None:
        torch = require("torch")
        tensors = [torch.from_numpy(array) for array in (batch.sights, batch.allowed, batch.choices)]
        old, returns, advantages = (torch.from_numpy(a) for a in (batch.chances, batch.returns, batch.advantages))
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-6)
        for _ in range(3):
            for part in torch.from_numpy(self.rng.permutation(len(old))).split(320):
                sights, allowed, choices = (tensor[part] for tensor in tensors)
                every = _log_chances(self.policy, sights, allowed)
                ratio = torch.exp(every.gather(1, choices[:, None])[:, 0] - old[part])
                gain = torch.minimum(ratio * advantages[part], ratio.clamp(0.8, 1.2) * advantages[part]).mean()
                spread = -(torch.exp(every) * every.clamp(min=-30)).sum(1).mean()
                miss = (self.critic(sights[:, -1])[:, 0] - returns[part]).square().mean()
                self.optimiser.zero_grad(set_to_none=True)
                (-gain - entropy * spread + 0.25 * miss).backward()
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 0.5)
                torch.nn.utils.clip_grad_norm_(self.critic.parameters(), 5.0)
                self.optimiser.step()

    def agent(self) -> Network:
        """The policy as a network from a row of sight to its score."""
        layers = [module for module in self.policy if hasattr(module, "weight")]
        made = [
            Dense(
                layer.weight.detach().numpy().copy(),
                layer.bias.detach().numpy().copy(),
                "tanh" if index < len(layers) - 1 else "identity",
            )
            for index, layer in enumerate(layers)
        ]
        return Network(tuple(made), Contract((FEATURES,)))


def _scorer(width: int) -> Any:
    nn = require("torch.nn")
    return nn.Sequential(nn.Linear(FEATURES, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))


def _start_greedy(policy: Any) -> None:
    """Let the policy begin as the greedy rule, which it then improves: one path of units carries the rule's column."""
    torch = require("torch")
    with torch.no_grad():
        policy[-1].weight.mul_(0.1)
        policy[-1].bias.zero_()
        for layer, column in ((policy[0], RULE), (policy[2], 0)):
            layer.weight[0] = 0.0
            layer.weight[0, column] = 1.5
            layer.bias[0] = 0.0
        policy[-1].weight[0, 0] = 3.5


def _log_chances(policy: Any, sights: Any, allowed: Any) -> Any:
    torch = require("torch")
    scores = policy(sights)[..., 0].masked_fill(~allowed, -1e9)
    return torch.log_softmax(scores, 1)


def _batch(log: Sequence[tuple[int, Any, Any, int, float, float]], rewards: Sequence[float]) -> Batch:
    """Steps with returns; the reward comes at the end, so every step of an episode has its return."""
    returns = np.array([rewards[index] for index, *_ in log], np.float32)
    worth = np.array([value for *_, value in log], np.float32)
    return Batch(
        np.stack([sight for _, sight, *_ in log]),
        np.stack([entry[2] for entry in log]),
        np.array([entry[3] for entry in log], np.int64),
        np.array([entry[4] for entry in log], np.float32),
        returns,
        returns - worth,
    )
