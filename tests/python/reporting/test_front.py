from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from algorithms.purl_nets import labelled, solver

import rlcompress as rlc

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from rlcompress.reporting.front import front_files, front_markdown  # torch first
from rlcompress.reporting.json_report import report_json
from rlcompress.reporting.rows import columns, row


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
    assert "As it was: 660 macs" in page
    assert "![macs against score](front.png)" in page


def test_the_files_hold_the_same_points(result: Any) -> None:
    files = front_files(result)
    points = json.loads(files["front.json"])
    assert [point["cost"] for point in points] == [point.cost for point in result.front]
    assert points[0]["widths"] == list(result.front[0].network.widths)
    assert files["front.png"].startswith(b"\x89PNG")


def test_shares_are_shown_with_four_digits(result: Any) -> None:
    accuracy = float(np.mean(result.teacher.values))
    assert f"score {accuracy:.4f}" in result.report()


def test_microseconds_are_shown_with_digits_and_those_of_the_network_as_it_was_too(result: Any) -> None:
    timed = replace(result, settings={"cost": "latency_us"}, front=(replace(result.front[0], cost=0.37),))
    assert "| 0.37 |" in front_markdown(timed)
    assert row(result.teacher)[columns(result).index("µs")] == f"{result.teacher.latency_us:,.2f}"
    in_torch = replace(result.teacher, torch_latency_us=12.0)
    assert row(in_torch)[columns(result).index("µs")] == "12.00 (torch)"


def test_the_json_report_holds_ratio_front_and_balanced_drop(result: Any) -> None:
    found = json.loads(report_json(result))
    assert found["ratio"] == result.ratio > 1
    assert found["balanced_drop"] == result.balanced_drop
    assert found["front"] == json.loads(front_files(result)["front.json"])
