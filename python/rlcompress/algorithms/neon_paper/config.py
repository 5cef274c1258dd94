"""Settings of the published NEON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from rlcompress.engine.config import settle_types
from rlcompress.errors import InvalidValueError
from rlcompress.layerwise.narrowing_step import Mode, NarrowingRules
from rlcompress.training.relearning import Relearning


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True)
class PaperSettings:
    """Fields of `PaperNEON`; see each field's help."""

    tolerance: float = field(default=1.0, metadata=_help("points of score that may be lost (paper: 0, 1, 5 or 50)"))
    passes: int = field(default=4, metadata=_help("over the hidden layers in one episode (paper: 1 or 4)"))
    mode: Mode = field(default="reinit", metadata=_help("of a step: fresh weights, or the largest neurons by L1 norm"))
    whole: bool = field(default=False, metadata=_help("train all layers after a step, not the two touching ones"))
    agent: Union[str, None] = field(default=None, metadata=_help("file of a trained agent; none trains one here"))
    episodes: int = field(default=12, metadata=_help("of training on this network, where no agent is given"))
    greedy: bool = field(default=False, metadata=_help("take the likeliest action (paper: draw one) in the end"))
    epochs: int = field(default=100, metadata=_help("of training after a step, at most"))
    updates: int = field(default=250, metadata=_help("minibatches after a step, at most; 0: no limit (paper)"))
    patience: int = field(default=10, metadata=_help("epochs without a better minibatch that end it"))
    batch_size: int = field(default=64, metadata=_help("rows per minibatch (paper: 32)"))
    encoder: int = field(default=64, metadata=_help("width of actor and critic (paper: 10 million parameters each)"))
    agent_rate: float = field(default=1e-3, metadata=_help("learning rate of actor and critic"))
    discount: float = field(default=0.99, metadata=_help("of rewards, in (0, 1]"))

    def __post_init__(self) -> None:
        settle_types(self)
        self.rules  # noqa: B018  # checks the fields of a step
        for name, least in (("episodes", 0), ("encoder", 1)):
            if getattr(self, name) < least:
                raise InvalidValueError(f"{name}: a value >= {least} expected, found {getattr(self, name)}")
        if not self.agent_rate > 0:
            raise InvalidValueError(f"agent_rate: a value > 0 expected, found {self.agent_rate}")
        if not 0 < self.discount <= 1:
            raise InvalidValueError(f"discount: a value in (0, 1] expected, found {self.discount}")

    @property
    def rules(self) -> NarrowingRules:
        """Of the steps."""
        relearning = Relearning(self.epochs, self.patience, self.batch_size, updates=self.updates)
        return NarrowingRules(self.passes, self.tolerance, self.mode, self.whole, relearning)

    def warm_up(self, networks: int = 1) -> int:
        """Episodes at the start whose actions are uniformly random: two per network, 500 at most."""
        return min(2 * networks, 500)
