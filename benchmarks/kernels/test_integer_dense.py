"""int8 networks called from Python: one observation."""

from __future__ import annotations

from typing import Any

import pytest
from groups import GROUPS
from registry import Contender, contenders_of

from conftest import Timed


@pytest.mark.parametrize("work", GROUPS["integer_dense"].works, ids=lambda work: work.name)
@pytest.mark.parametrize("contender", contenders_of("integer_dense"), ids=lambda contender: contender.name)
def test_integer_dense(timed: Timed, contender: Contender, work: Any) -> None:
    timed(contender, work)
