"""The agent learns which move is worth most: policy iteration from the greedy rule on, by classification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.neon.features import FEATURES, RULE
from rlcompress.algorithms.neon.lessons import Lessons, Teaching
from rlcompress.contract import Contract
from rlcompress.engine.parallel import single_threaded
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.optional import require

_BATCH = 256
_WORST = 3.0
"""Moves that are worse than the best by more than this count as so much worse."""


@dataclass(frozen=True)
class Learning:
    """How the agent learns.

    Args:
        passes: over all lessons.
        members: policies that learn apart and decide by the mean of their scores.
        width: of the two hidden layers of each.
        learning_rate: of Adam, falling to a twentieth.
        entropy: weight of the policy's entropy, so that moves of about the same worth stay about as probable.
        decay: of the weights, apart from the gradient, as a share of the learning rate.
        seed: of first weights and orders.
        teaching: what the lessons are.

    Source: Lagoudakis & Parr, "Reinforcement learning as classification: leveraging modern classifiers", 2003, with
    the expected worth of the policy's move in place of the share of right classes; decay as in Loshchilov & Hutter,
    "Decoupled weight decay regularization", 2019.
    """

    passes: int = 5
    members: int = 3
    width: int = 64
    learning_rate: float = 2e-3
    entropy: float = 0.1
    decay: float = 0.1
    seed: int = 0
    teaching: Teaching = field(default_factory=Teaching)


class Learner:
    """Policies in torch; each scores every row of sight by itself."""

    def __init__(self, lessons: Lessons, settings: Learning) -> None:
        torch = require("torch")
        self.lessons, self.settings = lessons, settings
        self.rng = np.random.default_rng((settings.seed, 79))
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.members = [_scorer(settings.width) for _ in range(settings.members)]
        parameters = [parameter for member in self.members for parameter in member.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.decay)
        self.done = 0

    def learn(self, until: int, tell: Callable[[int, float, float], None]) -> None:
        """Go on until so many passes; `tell` gets the pass, what its choices are worth over the rule's, their share."""
        torch = require("torch")
        sights = torch.from_numpy(self.lessons.sights)
        losses = torch.from_numpy(_losses(self.lessons.worths))
        allowed = torch.from_numpy(~np.isnan(self.lessons.worths))
        while self.done < until:
            with single_threaded():
                for member in range(len(self.members)):
                    self._pass(member, sights, losses, allowed)
            self.done += 1
            tell(self.done, *self.over_rule())

    def _pass(self, member: int, sights: Any, losses: Any, allowed: Any) -> None:
        torch, settings = require("torch"), self.settings
        parts = torch.from_numpy(self.rng.permutation(len(self.lessons))).split(_BATCH)
        for index, part in enumerate(parts):
            share = (self.done + index / len(parts)) / settings.passes
            for group in self.optimiser.param_groups:
                group["lr"] = settings.learning_rate * (1 - 0.95 * min(share, 1.0))
            scores = self.members[member](sights[part])[..., 0].masked_fill(~allowed[part], -1e9)
            every = torch.log_softmax(scores, 1)
            chances = torch.exp(every)
            loss = (chances * losses[part]).sum(1) + settings.entropy * (chances * every.clamp(min=-30)).sum(1)
            self.optimiser.zero_grad(set_to_none=True)
            loss.mean().backward()
            self.optimiser.step()

    def over_rule(self) -> tuple[float, float]:
        """Mean worth of the agent's moves over the rule's on the lessons, and the share of states where they differ."""
        torch, worths, rules = require("torch"), self.lessons.worths, self.lessons.rules
        with single_threaded(), torch.inference_mode():
            scores = sum(
                np.concatenate(
                    [member(part)[..., 0].numpy() for part in torch.from_numpy(self.lessons.sights).split(4096)]
                )
                for member in self.members
            )
        states = np.arange(len(worths))
        chosen = np.where(np.isnan(worths), -np.inf, scores).argmax(1)
        over = worths[states, chosen] - worths[states, rules]
        return float(over.mean()), float((chosen != rules).mean())

    def agent(self) -> Network:
        """All members as one network from a row of sight to the mean of their scores."""
        first, second, last = (
            [(member[at].weight.detach().numpy(), member[at].bias.detach().numpy()) for member in self.members]
            for at in (0, 2, 4)
        )
        width, count = self.settings.width, len(self.members)
        between: npt.NDArray[np.float32] = np.zeros((count * width, count * width), dtype=np.float32)
        for index, (weight, _) in enumerate(second):
            between[index * width : (index + 1) * width, index * width : (index + 1) * width] = weight
        outputs = np.asarray(np.concatenate([w for w, _ in last], axis=1) / count, np.float32)
        bias = np.asarray(np.mean([b for _, b in last], axis=0), np.float32)
        layers = (
            Dense(np.concatenate([w for w, _ in first]), np.concatenate([b for _, b in first]), "tanh"),
            Dense(between, np.concatenate([b for _, b in second]), "tanh"),
            Dense(outputs, bias, "identity"),
        )
        return Network(layers, Contract((FEATURES,)))


def _losses(worths: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How much worse than the best each move is; 0 where it is not allowed."""
    best = np.nanmax(worths, axis=1, keepdims=True)
    return np.asarray(np.nan_to_num(np.minimum(best - worths, _WORST)), np.float32)


def _scorer(width: int) -> Any:
    """A policy that begins as the greedy rule: one path of units carries the rule's column."""
    torch, nn = require("torch"), require("torch.nn")
    made = nn.Sequential(nn.Linear(FEATURES, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
    with torch.no_grad():
        made[-1].weight.mul_(0.1)
        made[-1].bias.zero_()
        for layer, column in ((made[0], RULE), (made[2], 0)):
            layer.weight[0] = 0.0
            layer.weight[0, column] = 1.5
            layer.bias[0] = 0.0
        made[-1].weight[0, 0] = 3.5
    return made
