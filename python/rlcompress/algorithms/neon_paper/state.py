"""The state of a run of the published NEON: values only, so that a checkpoint is the run."""

from __future__ import annotations

from dataclasses import dataclass

from rlcompress.algorithms.neon_paper.agent import Agent, Trajectory
from rlcompress.network import Network
from rlcompress.problem import Float64Array


@dataclass(frozen=True, eq=False)
class State:
    """Everything between two steps.

    Args:
        phase: `train`, `apply`, `accept`, `final` or `done`.
        agent: as it is.
        baseline: score of the original network on the search rows, in points.
        network: of the present episode; the result after the last one.
        played: steps of the present episode.
        episode: number of the present episode.
        returns: undiscounted sum of rewards of each training episode.
        teacher_accept, accept: scores on the accept rows, row by row; empty before.
        teacher_final, final: the same on the final rows.
    """

    phase: str
    agent: Agent
    baseline: float
    network: Network
    played: Trajectory
    teacher_accept: Float64Array
    accept: Float64Array
    teacher_final: Float64Array
    final: Float64Array
    episode: int = 0
    returns: tuple[float, ...] = ()
