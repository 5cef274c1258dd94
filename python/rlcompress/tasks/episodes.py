"""Episodes of many networks in Gymnasium environments, stepped in lock-step so that each network sees its observations
as one batch.

An episode is a pure function of (environment, network, seed): every episode gets a fresh environment, because some
(BipedalWalker) carry physics state over `reset`, and a row of a batch gives the same bits whatever batch it is in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.problem import Actor, Float64Array
from rlcompress.runtime import Runtime

_TRANSPARENT_WRAPPERS = ("TimeLimit", "OrderEnforcing", "PassiveEnvChecker")
_SLOTS = 128


@dataclass(frozen=True)
class Environment:
    """A Gymnasium environment by name.

    Args:
        env_id: registered id, such as `LunarLander-v3`.
        kwargs: passed to `gymnasium.make`.
    """

    env_id: str
    kwargs: tuple[tuple[str, Any], ...] = ()

    def make(self) -> Any:
        """A fresh environment.

        Raises:
            InvalidValueError: Gymnasium does not know the id or refuses the arguments.
        """
        gymnasium = require("gymnasium")
        try:
            return gymnasium.make(self.env_id, disable_env_checker=True, **dict(self.kwargs))
        except gymnasium.error.Error as error:
            raise InvalidValueError(f"environment {self.env_id!r}: {error}") from error


@dataclass
class Slot:
    """One running episode.

    `limit`: steps at most; 0 once it has ended. `info`: what the environment said beside the last observation.
    """

    index: int
    env: Any
    limit: int
    observation: Any
    steps: int = 0
    total: float = 0.0
    rng: np.random.Generator | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    def step(self, action: Any) -> bool:
        """Act; whether that ended the episode, whose environment is closed then."""
        self.observation, reward, terminated, truncated, self.info = self.env.step(action)
        self.total += float(reward)
        self.steps += 1
        if not (terminated or truncated or self.steps >= self.limit):
            return False
        self.env.close()
        self.limit = 0
        return True


@dataclass(frozen=True, eq=False)
class EpisodeLog:
    """What `run_episodes` saw.

    Args:
        returns: (episodes,) float64 undiscounted sums of rewards.
        lengths: (episodes,) int64 steps.
        observations: one (steps, inputs) float32 array per episode, empty unless asked for.
    """

    returns: Float64Array
    lengths: np.ndarray[Any, np.dtype[np.int64]]
    observations: tuple[FloatArray, ...] = field(default=())


def run_episodes(
    environment: Environment,
    actors: Sequence[Actor],
    plan: Sequence[tuple[int, int]],
    explore: float = 0.0,
    explore_seed: int = 0,
    record: bool = False,
) -> EpisodeLog:
    """Run one episode per entry of `plan`.

    Args:
        environment: where.
        actors: networks (deterministic actions) or `UniformActor`.
        plan: (index into actors, episode seed) pairs.
        explore: share of steps with a uniformly random action.
        explore_seed: with the episode seed, decides those steps and actions.
        record: keep every observation that was acted on.
    """
    policies = [_policy(actor) for actor in actors]
    returns = np.zeros(len(plan))
    lengths = np.zeros(len(plan), np.int64)
    records: list[list[Any]] = [[] for _ in plan] if record else []
    waiting = iter(sorted(range(len(plan)), key=lambda index: plan[index][0]))
    slots: list[Slot] = []
    try:
        while True:
            while len(slots) < _SLOTS and (index := next(waiting, None)) is not None:
                slots.append(open_slot(environment, index, plan[index][1], explore_seed))
            if not slots:
                break
            if record:
                for slot in slots:
                    records[slot.index].append(np.array(slot.observation, np.float32).reshape(-1))
            actions = _act(policies, plan, slots, explore)
            finished = False
            for slot, action in zip(slots, actions):
                if slot.step(action):
                    returns[slot.index], lengths[slot.index] = slot.total, slot.steps
                    finished = True
            if finished:
                slots = [slot for slot in slots if slot.limit]
    finally:
        for slot in slots:
            slot.env.close()
    return EpisodeLog(returns, lengths, tuple(np.stack(rows) for rows in records))


def _policy(actor: Actor) -> Runtime | None:
    return Runtime(actor) if isinstance(actor, Network) else None


def open_slot(environment: Environment, index: int, seed: int, explore_seed: int = 0) -> Slot:
    """A fresh environment, reset with `seed`; `index` is the episode's place in its plan."""
    env, limit = _without_transparent_wrappers(environment.make())
    observation, info = env.reset(seed=seed)
    rng = np.random.default_rng((explore_seed, seed))
    return Slot(index, env, limit, observation, rng=rng, info=info)


def _without_transparent_wrappers(env: Any) -> tuple[Any, int]:
    """The bare environment and its step limit, when no wrapper changes what is seen or earned (three times as fast)."""
    no_limit = 2**62
    layer = env
    while layer is not env.unwrapped:
        if type(layer).__name__ not in _TRANSPARENT_WRAPPERS:
            return env, no_limit
        layer = layer.env
    limit = env.spec.max_episode_steps if env.spec is not None else None
    bare = env.unwrapped
    if type(bare.action_space) is require("gymnasium").spaces.Discrete:
        bare.action_space = _trusting(bare.action_space)
    return bare, limit or no_limit


def _trusting(space: Any) -> Any:
    """The same space, but taking every action as its own, which spares some environments a third of each step.

    Actions are right by construction: an argmax over as many outputs as the space has actions (`PolicyTask.check`).
    """
    trusting = copy(space)
    trusting.__class__ = _trusting_kind()
    return trusting


@cache
def _trusting_kind() -> type:
    return type("TrustingDiscrete", (require("gymnasium").spaces.Discrete,), {"contains": lambda self, x: True})


def _act(
    policies: Sequence[Runtime | None], plan: Sequence[tuple[int, int]], slots: Sequence[Slot], explore: float
) -> list[Any]:
    """Actions of all slots; slots are in order of their actors, so each actor's are one run."""
    actions: list[Any] = []
    begin = 0
    while begin < len(slots):
        actor = plan[slots[begin].index][0]
        end = begin
        while end < len(slots) and plan[slots[end].index][0] == actor:
            end += 1
        actions.extend(_act_as(policies[actor], slots[begin:end]))
        begin = end
    if explore > 0:
        for position, slot in enumerate(slots):
            assert slot.rng is not None
            if slot.rng.random() < explore:
                actions[position] = _random_action(slot)
    return actions


def _act_as(policy: Runtime | None, slots: Sequence[Slot]) -> list[Any]:
    if policy is None:
        return [_random_action(slot) for slot in slots]
    batch = np.array([slot.observation for slot in slots], dtype=np.float32)
    actions = policy(batch)
    return actions.tolist() if actions.ndim == 1 else list(actions)  # a discrete space checks an int fastest


def _random_action(slot: Slot) -> Any:
    assert slot.rng is not None
    space = slot.env.action_space
    if hasattr(space, "n"):
        return int(space.start) + int(slot.rng.integers(space.n))
    return slot.rng.uniform(space.low, space.high).astype(np.float32)
