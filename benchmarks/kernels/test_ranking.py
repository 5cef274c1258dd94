"""Masks of the largest magnitudes."""

from __future__ import annotations

from typing import Any

import pytest
from groups import GROUPS
from registry import Contender, contenders_of

from conftest import Timed


@pytest.mark.parametrize("work", GROUPS["ranking"].works, ids=lambda work: work.name)
@pytest.mark.parametrize("contender", contenders_of("ranking"), ids=lambda contender: contender.name)
def test_ranking(timed: Timed, contender: Contender, work: Any) -> None:
    timed(contender, work)
