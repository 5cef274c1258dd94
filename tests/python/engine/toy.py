"""A process small enough to be killed hundreds of times: floating-point work, randomness from (seed, step)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rlcompress.contract import Argmax, Contract, Normalisation
from rlcompress.engine.events import CandidateScored, Emit, PhaseStarted, Progress
from rlcompress.engine.result import Candidate, Result
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.problem import Actor, Batch, Float64Array, Problem, Score, Split


@dataclass(frozen=True)
class ToyTask:
    scale: float = 1.0
    jobs: int = 1

    @property
    def name(self) -> str:
        return "toy"

    @property
    def searchable(self) -> bool:
        return True

    def count(self, split: Split) -> int | None:
        return None

    def check(self, network: Network) -> None:
        if network.input_size != 3:
            raise InvalidValueError(f"toy takes 3 inputs, the network has {network.input_size}")

    def prepare(self, teacher: Network) -> Network:
        return teacher

    def score(self, network: Network, split: Split, start: int, count: int) -> Score:
        return Score(np.random.default_rng([start, len(split)]).normal(network.macs * self.scale, 1, count))

    def score_many(self, networks: Sequence[Network], split: Split, start: int, count: int) -> list[Score]:
        return [self.score(network, split, start, count) for network in networks]

    def visit(self, actor: Actor, start: int, count: int, seed: int, explore: float = 0.0) -> Batch:
        return Batch(np.random.default_rng([start, seed]).normal(size=(count, 3)).astype(np.float32))

    def visit_many(
        self, actors: Sequence[Actor], start: int, count: int, seed: int, explore: float = 0.0
    ) -> list[Batch]:
        return [self.visit(actor, start, count, seed, explore) for actor in actors]

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "toy", "scale": self.scale}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> ToyTask:
        return cls(scale=description["scale"])


@dataclass(frozen=True, eq=False)
class ToyState:
    index: int
    weights: Float64Array
    norms: tuple[float, ...]
    tried: Mapping[str, int]
    best: Network | None = None


@dataclass(frozen=True)
class Toy:
    steps: int = 6
    rate: float = field(default=0.1, metadata={"help": "how far a step goes"})
    pause: float = 0.0

    @property
    def algorithm(self) -> str:
        return "toy"

    @property
    def state_type(self) -> type[ToyState]:
        return ToyState

    def start(self, problem: Problem, emit: Emit) -> ToyState:
        emit(PhaseStarted("search"))
        return ToyState(0, np.asfortranarray(np.random.default_rng(problem.seed).normal(size=(4, 3))), (), {})

    def done(self, problem: Problem, state: ToyState) -> bool:
        return state.index >= self.steps

    def step(self, problem: Problem, state: ToyState, emit: Emit) -> ToyState:
        if state.index == self.steps // 2:
            emit(PhaseStarted("polish"))
        time.sleep(self.pause)
        rng = np.random.default_rng([problem.seed, state.index])
        weights = state.weights + self.rate * np.tanh(rng.normal(size=(4, 4)) @ state.weights)
        emit(Progress((state.index + 1) / self.steps))
        norm = float(np.linalg.norm(weights))
        layer = problem.teacher.dense_layers()[0]
        network = problem.teacher.with_layers([replace(layer, weight=weights.astype(np.float32))])
        tried = {**state.tried, f"step {state.index}": state.index}
        return ToyState(state.index + 1, weights, (*state.norms, norm), tried, network.with_metadata(norm=norm))

    def finish(self, problem: Problem, state: ToyState, emit: Emit) -> Result:
        teacher = candidate("teacher", problem.teacher)
        best = None if state.best is None else candidate("best", state.best)
        emit(CandidateScored("best", 1, 1, 0.0, float("-inf"), float("inf"), None))
        return Result("toy", "toy", problem.seed, teacher, best, best, (), (), {})


@dataclass(frozen=True)
class Scripted(Toy):
    """Calls `act` with the index of each step before it; for interruptions and errors."""

    act: Callable[[int], None] = lambda index: None

    def step(self, problem: Problem, state: ToyState, emit: Emit) -> ToyState:
        self.act(state.index)
        return super().step(problem, state, emit)


def candidate(name: str, network: Network) -> Candidate:
    return Candidate(
        name,
        "candidate",
        "distilled",
        network,
        0,
        network.parameter_count,
        network.macs,
        np.zeros(2),
        (0.0, 0.0),
        "final",
        True,
    )


def teacher(seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    contract = Contract((3,), Argmax(), normalisation=Normalisation(np.zeros(3), np.ones(3), 10.0))
    mask = rng.random((4, 3)) < 0.9
    return Network((Dense(rng.normal(size=(4, 3)), np.ones(4), "relu", mask=mask),), contract, {"source": "toy"})
