"""How a masked network is trained, and what is told after each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rlcompress.engine.config import settle_types
from rlcompress.errors import InvalidValueError

_WARMUP_SHARE = 10


@dataclass(frozen=True)
class FineTuning:
    """How a masked network is trained: Adam, warm-up, then a cosine.

    Args:
        epochs: >= 0.
        batch_size: rows per step, for data given as arrays; at most a 32nd of the rows (or 16), so that few rows give
            many steps too.
        learning_rate: highest, > 0.
        final_share: of the learning rate that is left in the end, 0..1.
        warmup_steps: linear; at most a tenth of all steps.
        l2: added to the gradient as `l2 * weight`.
        distil: weight of the teacher's outputs against the labels, 0..1.
        temperature: of the teacher's outputs, > 0.
        seed: of the order of rows and all that is drawn.
    """

    epochs: int = field(default=16, metadata={"help": "passes over the rows"})
    batch_size: int = field(default=64, metadata={"help": "rows per step"})
    learning_rate: float = field(default=3e-3, metadata={"help": "highest learning rate"})
    final_share: float = field(default=0.01, metadata={"help": "share of the learning rate left in the end"})
    warmup_steps: int = field(default=100, metadata={"help": "steps of linear warm-up"})
    l2: float = field(default=1e-6, metadata={"help": "L2 regularisation"})
    distil: float = field(default=0.9, metadata={"help": "weight of the teacher's outputs"})
    temperature: float = field(default=1.0, metadata={"help": "of the teacher's outputs"})
    seed: int = field(default=0, metadata={"help": "of all that is drawn"})

    def __post_init__(self) -> None:
        settle_types(self)
        for name, least in (("epochs", 0), ("batch_size", 1), ("warmup_steps", 0), ("seed", 0), ("l2", 0)):
            if not least <= getattr(self, name) < math.inf:
                raise InvalidValueError(f"{name}: at least {least} expected, found {getattr(self, name)}")
        for name in ("learning_rate", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidValueError(f"{name}: a number > 0 expected, found {getattr(self, name)}")
        for name in ("final_share", "distil"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidValueError(f"{name}: a share in 0..1 expected, found {getattr(self, name)}")

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step."""
        warmup = max(1, min(self.warmup_steps, steps // _WARMUP_SHARE))
        wave = 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))
        return self.learning_rate * min(1.0, (step + 1) / warmup) * (self.final_share + (1 - self.final_share) * wave)


@dataclass(frozen=True)
class Epoch:
    """Told after each epoch.

    Args:
        done: epochs so far.
        of: epochs in all.
        loss: mean over the epoch.
        kept: weights kept by name.
    """

    done: int
    of: int
    loss: float
    kept: Mapping[str, int]


Report = Callable[[Epoch], None]
