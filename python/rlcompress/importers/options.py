"""What a caller may say about a policy beside its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlcompress.contract import Contract


@dataclass(frozen=True)
class ImportOptions:
    """Options of one import; a format takes those that it can use.

    Args:
        statistics_given: the caller gave observation statistics, so that no warning about missing ones is due.
        action_range: (low, high) of continuous actions, where the source does not say.
        contract: input and output of a network whose source holds layers alone.
    """

    statistics_given: bool = False
    action_range: tuple[Any, Any] | None = None
    contract: Contract | None = None
