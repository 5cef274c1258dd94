"""`LastMade`: what a process needs at every step, made once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

Made = TypeVar("Made")


class LastMade(Generic[Made]):
    """Keeps what was made last, one per thread, so that frozen settings need not.

    A run asks for the same thing at every step; where two runs take turns in one thread it is made again each time,
    which costs time and changes nothing, as long as it follows from its key.
    """

    def __init__(self) -> None:
        self._kept = threading.local()

    def get(self, key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """What was made for these very objects, or else `make()`.

        Args:
            key: compared by identity, and kept alive.
            make: gives what follows from the key.
        """
        known = getattr(self._kept, "entry", None)
        if known is None or len(known[0]) != len(key) or any(a is not b for a, b in zip(known[0], key)):
            self._kept.entry = known = (key, make())
        return cast(Made, known[1])
