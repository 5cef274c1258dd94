"""`PolicyTask`: a policy judged by its episodic return in a Gymnasium environment.

Episodes are seeded, actions deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np

from rlcompress.contract import Argmax, Contract, Normalisation, clip_to
from rlcompress.engine.parallel import parallel_map
from rlcompress.errors import InvalidValueError
from rlcompress.importers import read_observation_stats, read_vecnormalize
from rlcompress.network import Network
from rlcompress.problem import Actor, Batch, Score, Split
from rlcompress.tasks.episodes import Environment, EpisodeLog, run_episodes

SEED_BASE: dict[str, int] = {
    "final": 10_000,
    "data": 1_000_000,
    "screen": 2_000_000,
    "search": 3_000_000,
    "accept": 8_000_000,
}
"""First episode seed of each pool.

No pool reaches into the next: what fits or chooses a network never sees the seeds of its final figure.
"""

_VISIT_BLOCK = 8


@dataclass(frozen=True)
class PolicyTask:
    """A Gymnasium environment as judge; the score of an episode is its undiscounted return.

    The same seeds serve teacher and student, so that scores can be compared in pairs.

    Args:
        env_id: registered id, such as `LunarLander-v3`.
        env_kwargs: passed to `gymnasium.make`, such as `{"continuous": True}`.
        observation_stats: statistics file (VecNormalize pickle, .npz or .json) or `Normalisation` for a teacher that
            carries none.
        step_environment: whether return itself may be optimised on the search seeds (polishing); False allows
            distillation only.
        jobs: worker processes; no influence on results.

    Raises:
        InvalidValueError: unknown environment, or spaces other than Box observations and Discrete or Box actions.
    """

    env_id: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    observation_stats: Normalisation | str | PathLike[str] | None = None
    step_environment: bool = True
    jobs: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "env_kwargs", dict(self.env_kwargs))
        env = self.environment.make()
        try:
            object.__setattr__(self, "_contract", _contract_of(self.env_id, env))
        finally:
            env.close()

    @property
    def environment(self) -> Environment:
        return Environment(self.env_id, tuple(sorted(self.env_kwargs.items())))

    @property
    def name(self) -> str:
        return self.env_id

    @property
    def searchable(self) -> bool:
        return self.step_environment

    @property
    def contract(self) -> Contract:
        """What the environment gives and takes."""
        contract: Contract = getattr(self, "_contract")  # noqa: B009  # set in __post_init__, not a field
        return contract

    def count(self, split: Split) -> None:
        """Episodes have no end."""

    def check(self, network: Network) -> None:
        """Refuse a network that does not fit the environment.

        Raises:
            InvalidValueError: sizes or head differ.
        """
        wanted = self.contract
        taken = network.contract.input_size
        if taken != wanted.input_size:
            raise InvalidValueError(
                f"{self.env_id} gives observations of {wanted.input_size} values, the policy takes {taken}"
            )
        discrete = isinstance(wanted.head, Argmax)
        if discrete != isinstance(network.contract.head, Argmax):
            kind = "discrete (argmax head)" if discrete else "continuous (raw, clip or squash head)"
            found = network.contract.head.kind
            raise InvalidValueError(f"{self.env_id} takes {kind} actions, the policy's head is {found}")
        outputs = self.output_size
        if network.output_size != outputs:
            raise InvalidValueError(f"{self.env_id} takes {outputs} outputs, the policy gives {network.output_size}")

    def prepare(self, teacher: Network) -> Network:
        """The teacher with `observation_stats` as its normalisation, when they were given.

        Raises:
            InvalidValueError: the teacher carries statistics already.
        """
        stats = self.observation_stats
        if stats is None:
            return teacher
        if teacher.contract.normalisation is not None:
            raise InvalidValueError("observation_stats: the teacher carries statistics already; leave them out")
        if not isinstance(stats, Normalisation):
            pickled = str(stats).endswith(".pkl")
            stats = read_vecnormalize(stats) if pickled else read_observation_stats(stats)
        return replace(teacher, contract=replace(teacher.contract, normalisation=stats))

    @property
    def output_size(self) -> int:
        """Outputs that a network for this environment needs before its head."""
        return _output_size(self.environment)

    def score(self, network: Network, split: Split, start: int, count: int) -> Score:
        """Returns of episodes `start .. start + count - 1` of the split's seeds."""
        return self.score_many([network], split, start, count)[0]

    def score_many(self, networks: Sequence[Network], split: Split, start: int, count: int) -> list[Score]:
        """Several networks on the same seeds."""
        if not networks:
            return []
        base = SEED_BASE[split] + start
        plan = [(which, base + unit) for which in range(len(networks)) for unit in range(count)]
        pieces = _pieces(plan, self.jobs)
        logs = parallel_map(_Returns(self.environment, tuple(networks)), pieces, self.jobs)
        played = (entry for piece in pieces for entry in piece)
        returns = dict(zip(played, np.concatenate([log.returns for log in logs])))
        return [
            Score(np.array([returns[which, base + unit] for unit in range(count)])) for which in range(len(networks))
        ]

    def visit(self, actor: Actor, start: int, count: int, seed: int, explore: float = 0.0) -> Batch:
        """At least `count` observations of whole episodes, blocks of episodes in order of their seeds."""
        return self.visit_many([actor], start, count, seed, explore)[0]

    def visit_many(
        self, actors: Sequence[Actor], start: int, count: int, seed: int, explore: float = 0.0
    ) -> list[Batch]:
        """`visit` for several actors, in parallel."""
        visits = [_Visit(self.environment, actor, SEED_BASE["data"] + start, count, seed, explore) for actor in actors]
        return parallel_map(_run_visit, visits, self.jobs)

    def describe(self) -> Mapping[str, Any]:
        """Settings that identify the task; `PolicyTask.from_description` is the inverse."""
        if isinstance(self.observation_stats, Normalisation):
            stats: Any = "given as values"
        else:
            stats = None if self.observation_stats is None else str(self.observation_stats)
        return {
            "kind": "policy",
            "env_id": self.env_id,
            "env_kwargs": dict(self.env_kwargs),
            "observation_stats": stats,
            "step_environment": self.step_environment,
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any], jobs: int = 1) -> PolicyTask:
        """The task that `describe` told of; statistics are already inside the stored teacher."""
        return cls(
            description["env_id"],
            description["env_kwargs"],
            step_environment=bool(description["step_environment"]),
            jobs=jobs,
        )


@dataclass(frozen=True)
class _Returns:
    """Callable for worker processes."""

    environment: Environment
    networks: tuple[Network, ...]

    def __call__(self, plan: Sequence[tuple[int, int]]) -> EpisodeLog:
        return run_episodes(self.environment, self.networks, plan)


@dataclass(frozen=True)
class _Visit:
    environment: Environment
    actor: Actor
    base: int
    count: int
    seed: int
    explore: float


def _run_visit(visit: _Visit) -> Batch:
    seen: list[Any] = []
    returns: list[Any] = []
    total = 0
    first = visit.base
    while total < visit.count:
        plan = [(0, first + unit) for unit in range(_VISIT_BLOCK)]
        log = run_episodes(visit.environment, [visit.actor], plan, visit.explore, visit.seed, record=True)
        seen.extend(log.observations)
        returns.append(log.returns)
        total += int(log.lengths.sum())
        first += _VISIT_BLOCK
    return Batch(np.concatenate(seen), np.concatenate(returns))


def _pieces(plan: Sequence[tuple[int, int]], jobs: int) -> list[list[tuple[int, int]]]:
    """Interleaved shares, so that slow networks and seeds spread over the workers."""
    return [piece for piece in (list(plan[offset::jobs]) for offset in range(max(1, jobs))) if piece]


def _output_size(environment: Environment) -> int:
    env = environment.make()
    try:
        space = env.action_space
        return int(space.n) if hasattr(space, "n") else int(np.prod(space.shape))
    finally:
        env.close()


def _contract_of(env_id: str, env: Any) -> Contract:
    observation, action = env.observation_space, env.action_space
    if type(observation).__name__ != "Box":
        raise InvalidValueError(f"{env_id}: Box observations are supported, found {observation}")
    kind = type(action).__name__
    if kind == "Discrete":
        head: Any = Argmax(start=int(action.start))
    elif kind == "Box":
        head = clip_to(action.low.reshape(-1), action.high.reshape(-1))
    else:
        raise InvalidValueError(f"{env_id}: Discrete or Box actions are supported, found {action}")
    shape = observation.shape or (1,)
    return Contract(shape, head, observation.low.reshape(-1), observation.high.reshape(-1))
