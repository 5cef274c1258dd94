"""An algorithm of three steps that does no work: for the command line around it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from rlcompress.engine.events import Emit, PhaseStarted
from rlcompress.engine.result import Candidate, Result, Role
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.problem import Problem


@dataclass(frozen=True)
class FakeState:
    step: int = 0


@dataclass(frozen=True)
class Fake:
    """Compress by taking a linear network.

    More words that a summary leaves out.
    """

    keep_return: float = field(default=0.98, metadata={"help": "share to keep"})
    accept: bool = field(default=True, metadata={"help": "accept the network"})
    rounds: int = 3
    loss: Literal["kl", "mse"] = "kl"
    widths: tuple[int, ...] = (8, 4)
    limit: float | None = None
    interrupt_at: int | None = None
    fail: bool = False

    @classmethod
    def paper(cls) -> Fake:
        return cls(rounds=5, widths=(256, 128))

    @property
    def algorithm(self) -> str:
        return "fake"

    @property
    def state_type(self) -> type[FakeState]:
        return FakeState

    def start(self, problem: Problem, emit: Emit) -> FakeState:
        emit(PhaseStarted("fake"))
        return FakeState()

    def done(self, problem: Problem, state: FakeState) -> bool:
        return state.step >= self.rounds

    def step(self, problem: Problem, state: FakeState, emit: Emit) -> FakeState:
        if self.fail:
            raise RuntimeError("a defect")
        if state.step == self.interrupt_at:
            raise KeyboardInterrupt
        return replace(state, step=state.step + 1)

    def finish(self, problem: Problem, state: FakeState, emit: Emit) -> Result:
        teacher = problem.teacher
        weight = np.ones((teacher.output_size, teacher.input_size), np.float32)
        small = Network((Dense(weight, np.zeros(teacher.output_size, np.float32)),), teacher.contract)
        judged = _candidate("linear", "candidate", small, self.accept)
        best = judged if self.accept else None
        return Result(
            algorithm="fake",
            task=problem.task.name,
            seed=problem.seed,
            teacher=_candidate("teacher", "teacher", teacher, None),
            best_candidate=best,
            best_without_reward=best,
            candidates=(judged,),
            notes=(),
            seconds={},
        )


def _candidate(name: str, role: Role, network: Network, accepted: bool | None) -> Candidate:
    count = network.parameter_count
    values = np.array([9.0, 10.0, 11.0])
    return Candidate(
        name, role, "distilled", network, 4 * count, count, network.macs, values, (9, 11), "final", accepted
    )
