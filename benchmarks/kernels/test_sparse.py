"""Sparse weights times N columns."""

from __future__ import annotations

from typing import Any

import pytest
from groups import GROUPS
from registry import Contender, contenders_of

from conftest import Timed


@pytest.mark.parametrize("work", GROUPS["sparse"].works, ids=lambda work: work.name)
@pytest.mark.parametrize("contender", contenders_of("sparse"), ids=lambda contender: contender.name)
def test_sparse(timed: Timed, contender: Contender, work: Any) -> None:
    timed(contender, work)
