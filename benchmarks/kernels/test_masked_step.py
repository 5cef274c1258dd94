"""Masked training steps."""

from __future__ import annotations

from typing import Any

import pytest
from groups import GROUPS
from registry import Contender, contenders_of

from conftest import Timed


@pytest.mark.parametrize("work", GROUPS["masked_step"].works, ids=lambda work: work.name)
@pytest.mark.parametrize("contender", contenders_of("masked_step"), ids=lambda contender: contender.name)
def test_masked_step(timed: Timed, contender: Contender, work: Any) -> None:
    timed(contender, work)
