"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def give_back_freed() -> None:
    """Return pages that the C library holds free between blocks in use; nothing where it has no call for that.

    Activations of a few megabytes lie among small long-lived blocks on glibc's heap, which shrinks by itself only from
    its end: without this, memory in use and memory held differ by more than all activations.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library; Windows knows no library without a name
        return None
    return found
