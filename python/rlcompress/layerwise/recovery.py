"""Recovery without training: what is estimated again from a few rows while a plan is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rlcompress.errors import InvalidValueError

Recovery = Literal["batchnorm", "least_squares"]


def recoveries(recovery: Recovery | Sequence[Recovery] | None) -> frozenset[Recovery]:
    """The set of recoveries that was asked for.

    Raises:
        InvalidValueError: an unknown one.
    """
    asked = [] if recovery is None else [recovery] if isinstance(recovery, str) else list(recovery)
    known: tuple[Recovery, ...] = ("batchnorm", "least_squares")
    for name in asked:
        if name not in known:
            raise InvalidValueError(f"recovery: any of {known} expected, found {name!r}")
    return frozenset(asked)
