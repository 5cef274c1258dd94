"""Searches that PuRL is compared with, each over the same budget and judge."""

from __future__ import annotations

from typing import Any

import rlcompress as rlc

SEARCHES = ("random", "cem", "dp")


def rival(name: str, **given: Any) -> rlc.PuRL:
    """Random plans, the cross-entropy method from nothing, or the dynamic programme beside the free allocations.

    Args:
        name: of `SEARCHES`.
        given: settings that all searches of a table share.
    """
    kinds: dict[str, dict[str, Any]] = {
        "random": {"search": "random", "starts": (), "distortion": False},
        "cem": {"starts": (), "distortion": False},
        "dp": {"search": "none", "starts": ("lamp", "erk", "global")},
    }
    return rlc.PuRL(**kinds[name], agent_share=0.0, **given)
