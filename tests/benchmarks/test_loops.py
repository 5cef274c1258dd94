"""What the commands of `benchmarks/loops` share: intervals, and rows that several processes make."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

LOOPS = Path(__file__).resolve().parents[2] / "benchmarks" / "loops"


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LOOPS))


def test_intervals_are_those_of_student(loops: None) -> None:
    interval = importlib.import_module("intervals").interval
    assert interval([1.5]) == "1.50"
    assert interval([1.0, 2.0, 3.0]) == f"2.00 ± {4.30 / np.sqrt(3):.2f}"
    for values in ([], [0.0] * 11):
        with pytest.raises(ValueError, match="1 to 10 expected"):
            interval(values)


@dataclass
class Counted:
    """Stands for a `Bench`: a row is its own name, and is counted."""

    folder: Path
    made: list[tuple[float, str]] = field(default_factory=list)

    def row(self, method: str, sparsity: float) -> dict[str, Any]:
        self.made.append((sparsity, method))
        return {"target": sparsity, "method": method}


def test_rows_of_other_processes_and_of_the_results_are_not_made_again(loops: None, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    cifar = importlib.import_module("purl_cifar")
    other = {"target": 0.8, "method": "erk", "from": "another process"}
    (tmp_path / "row-80-erk.json").write_text(json.dumps(other))
    known = {"target": 0.9, "method": "purl", "from": "the results"}
    bench = Counted(tmp_path)
    rows = cifar.all_rows(bench, [0.8, 0.9], ["erk", "purl"], [known])
    assert sorted(bench.made) == [(0.8, "purl"), (0.9, "erk")]
    assert [(row["target"], row["method"]) for row in rows] == [
        (0.8, "erk"),
        (0.8, "purl"),
        (0.9, "erk"),
        (0.9, "purl"),
    ]
    assert rows[0] == other
    assert rows[3] == known
    assert cifar.all_rows(Counted(tmp_path), [0.8, 0.9], ["erk", "purl"], [known]) == rows
