"""`Result`: what a compression run gives back, and what reports are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlcompress.network import Network
from rlcompress.problem import Float64Array

Role = Literal["teacher", "candidate", "baseline", "paper"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network with the evidence for it.

    Args:
        name: shown in reports, such as `8-3-4 relu int4`.
        role: teacher, candidate of the run, baseline to compare with, or the paper's preset.
        method: how it was made: `teacher`, `distilled`, `polished`, `quantised`, `one-shot pruning`, `from scratch`,
            `paper`.
        network: the network itself.
        weights_bytes: stored bytes of weights, biases and scales.
        parameters: kept weights and biases.
        macs: multiply-accumulates of one inference.
        values: (episodes,) float64 scores on the split of `judged_on`.
        interval: bounds (95 %) of the mean of `values`.
        judged_on: `screen`, `accept` or `final`.
        accepted: passed the gate; None when no gate was asked.
        reason: why accepted or rejected, in words with figures.
        agreement: share of the teacher's visited observations on which the action is the teacher's (discrete: equal;
            continuous: R^2), or None.
        uses_reward: whether the score itself was optimised.
        latency_us: measured microseconds for one inference in the runtime, or None.
        torch_latency_us: the same in torch (teacher), or None.
    """

    name: str
    role: Role
    method: str
    network: Network
    weights_bytes: int
    parameters: int
    macs: int
    values: Float64Array
    interval: tuple[float, float]
    judged_on: str
    accepted: bool | None
    reason: str = ""
    agreement: float | None = None
    uses_reward: bool = False
    latency_us: float | None = None
    torch_latency_us: float | None = None

    @property
    def mean(self) -> float:
        return float(self.values.mean())


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Outcome of a run.

    Args:
        algorithm, task, seed: what ran.
        teacher: scored on the final split.
        best: the smallest accepted candidate, scored on the final split; None when none was accepted (`notes` says
            why).
        best_without_reward: the smallest accepted candidate that never used the score as an objective, or None.
        candidates: everything judged, in order, baselines among them.
        notes: what the user must know (nothing accepted, normalisation missing, target not reached, ...).
        seconds: seconds spent per phase, all sessions of the run added.
        settings: the algorithm's configuration and the task's description.
        versions: of rlcompress, NumPy, torch, gymnasium, Python and the physics engine where they were used.
    """

    algorithm: str
    task: str
    seed: int
    teacher: Candidate
    best_candidate: Candidate | None
    best_without_reward: Candidate | None
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> Network:
        """The smallest accepted network; the teacher itself when nothing smaller was accepted."""
        return self.teacher.network if self.best_candidate is None else self.best_candidate.network

    @property
    def accepted(self) -> bool:
        """Whether a candidate was accepted. A best one that is only the closest to what was asked was not."""
        return self.best_candidate is not None and self.best_candidate.accepted is not False

    def __repr__(self) -> str:
        """One line: the fields hold every score of every candidate."""
        best = self.best_candidate
        found = "nothing accepted" if best is None else f"best {best.name!r} of {best.weights_bytes:,} bytes"
        return f"<{type(self).__name__}: {self.algorithm} on {self.task}, seed {self.seed}, {found}>"

    def report(self) -> str:
        """Table as text: teacher, baselines, every candidate, the smallest accepted."""
        from rlcompress.reporting.tables import report_text  # upward on purpose: the user's door to floor 6

        return report_text(self)
