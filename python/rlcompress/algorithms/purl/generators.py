"""Random generators that a learner has for itself, though its library draws from the global ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from rlcompress.optional import require
from rlcompress.training.private_copy import preserved_generators


class OwnGenerators:
    """Lends states of its own to the global generators of Python, NumPy and torch's CPU, and takes them back after."""

    def __init__(self) -> None:
        self._states: tuple[Any, Any, Any] | None = None

    @contextmanager
    def lent(self) -> Iterator[None]:
        """What runs inside draws on from where the last block ended; outside nothing changes."""
        torch = require("torch")
        with preserved_generators():
            if self._states is not None:
                python, legacy, tensors = self._states
                random.setstate(python)
                np.random.set_state(legacy)
                torch.set_rng_state(tensors)
            yield
            self._states = random.getstate(), np.random.get_state(), torch.get_rng_state()
