"""What a teacher says about observations, in the form that the losses need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.contract import Argmax
from rlcompress.network import Network
from rlcompress.runtime import Runtime

Loss = Literal["sharp", "weighted", "soft", "square"]
"""`sharp`: cross-entropy with the teacher's outputs at a temperature near 0 (its action). `weighted`: the same, each
observation weighted by what the choice matters (the spread of the teacher's outputs). `soft`: KL divergence to the
teacher's action probabilities.
`square`: squared error of continuous actions, free where both are beyond the action's bound."""

_VALUE_ALGORITHMS = frozenset({"dqn", "qrdqn"})


@dataclass(frozen=True, eq=False)
class Labels:
    """Observations with the teacher's answers.

    Args:
        observations: (n, inputs) float32 as the environment gives them.
        targets: (n, outputs) float32: the teacher's outputs before an argmax, or its continuous actions.
    """

    observations: FloatArray
    targets: FloatArray

    def joined(self, other: Labels) -> Labels:
        """Both, one after the other."""
        return Labels(
            np.concatenate([self.observations, other.observations]), np.concatenate([self.targets, other.targets])
        )


def label(teacher: Network, observations: FloatArray) -> Labels:
    """Ask the teacher.

    Args:
        teacher: any head.
        observations: (n, inputs) float32.
    """
    runtime = Runtime(teacher)
    flat = np.ascontiguousarray(observations, np.float32).reshape(len(observations), -1)
    shaped = flat.reshape(-1, *teacher.contract.observation_shape)
    discrete = isinstance(teacher.contract.head, Argmax)
    targets = runtime.logits(shaped) if discrete else runtime(shaped)
    return Labels(flat, np.asarray(targets, np.float32).reshape(len(flat), -1))


def suited_losses(teacher: Network) -> tuple[Loss, ...]:
    """Losses that fit a teacher, the best bet first.

    Sharp ones for values, probabilities for categorical policies, squares for continuous ones.
    """
    if not isinstance(teacher.contract.head, Argmax):
        return ("square",)
    if str(teacher.metadata.get("algorithm", "")).lower() in _VALUE_ALGORITHMS:
        return ("weighted", "sharp")
    return ("soft", "sharp", "weighted")


def agreement(teacher: Labels, student: Network) -> float:
    """How far a student acts as the teacher on the teacher's observations.

    Share of equal actions, or R^2 of continuous ones (below 0 possible).
    """
    answers = label(student, teacher.observations).targets
    if isinstance(student.contract.head, Argmax):
        return float(np.mean(answers.argmax(1) == teacher.targets.argmax(1)))
    residual = np.square(answers - teacher.targets).sum()
    spread = np.square(teacher.targets - teacher.targets.mean(0)).sum()
    return float(1 - residual / max(float(spread), 1e-12))
