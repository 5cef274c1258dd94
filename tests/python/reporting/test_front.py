from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from algorithms.purl_nets import labelled, solver

import rlcompress as rlc

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from rlcompress.reporting.front import front_files, front_markdown  # torch first


@pytest.fixture(scope="module")
def result() -> Any:
    task = rlc.DatasetTask(*labelled(1500), validation=0.5, name="rows | of a <set>")
    settings = rlc.NEON(mode="ladder", moves=1, steps=60, max_drop=0.1, cost="macs")
    return rlc.compress(solver(hidden=60), task, settings, jobs=1)


def test_the_page_lists_every_point_in_the_unit_of_the_cost(result: Any) -> None:
    page = front_markdown(result, "front.png")
    assert "| network | macs | smaller by |" in page
    assert page.count("\n| ") == 1 + len(result.front)
    assert f"{result.front[0].cost:,.0f}" in page
    assert "![macs against score](front.png)" in page


def test_the_files_hold_the_same_points(result: Any) -> None:
    files = front_files(result)
    points = json.loads(files["front.json"])
    assert [point["cost"] for point in points] == [point.cost for point in result.front]
    assert points[0]["widths"] == [8, 60, 3]
    assert files["front.png"].startswith(b"\x89PNG")


def test_shares_are_shown_with_four_digits(result: Any) -> None:
    accuracy = float(np.mean(result.teacher.values))
    assert f"score {accuracy:.4f}" in result.report()
