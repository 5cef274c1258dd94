"""What a contract does around the layers, as torch modules: normalise and select before, the head after."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from rlcompress.contract import Argmax, Clip, Contract, Squash
from rlcompress.optional import require


def observing(contract: Contract) -> Any:
    """(.., *observation_shape) to (.., inputs of the first layer)."""
    return _modules()[0](contract)


def acting(contract: Contract) -> Any:
    """(.., outputs) to actions: (.., outputs), or (..,) int64 numbers of them."""
    return _modules()[1](contract)


@cache
def _modules() -> tuple[Any, Any]:
    torch: Any = require("torch")

    class Observing(torch.nn.Module):  # type: ignore[misc]
        """Normalises and selects as the contract says."""

        def __init__(self, contract: Contract) -> None:
            super().__init__()
            normalisation, kept = contract.normalisation, list(contract.kept_inputs)
            self.dimensions = len(contract.observation_shape)
            self.clip = None if normalisation is None else normalisation.clip
            self.register_buffer("kept", torch.tensor(kept))
            if normalisation is not None:
                self.register_buffer("mean", torch.tensor(np.array(normalisation.mean[kept])))
                self.register_buffer("scale", torch.tensor(np.array(normalisation.scale[kept])))

        def forward(self, x: Any) -> Any:
            x = x.flatten(-self.dimensions)[..., self.kept]
            return x if self.clip is None else ((x - self.mean) / self.scale).clamp(-self.clip, self.clip)

    class Acting(torch.nn.Module):  # type: ignore[misc]
        """The head: the largest output's number, or outputs brought into the actions' range."""

        def __init__(self, contract: Contract) -> None:
            super().__init__()
            self.head = head = contract.head
            if isinstance(head, (Clip, Squash)):
                for name in ("low", "high", "scale", "offset"):
                    self.register_buffer(name, torch.tensor(np.array(getattr(head, name))))

        def forward(self, y: Any) -> Any:
            if isinstance(self.head, Argmax):
                return y.argmax(-1) + self.head.start
            if not isinstance(self.head, (Clip, Squash)):
                return y
            bounded = torch.minimum(torch.maximum(y, self.low), self.high)
            return self.scale * (bounded.tanh() if isinstance(self.head, Squash) else bounded) + self.offset

    return Observing, Acting
