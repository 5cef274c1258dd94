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


def test_rival_searches_of_a_network_give_rows_beside_purls(loops: None, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    cifar = importlib.import_module("purl_cifar")
    nets = importlib.import_module("cifar_nets")
    torch.manual_seed(0)
    images, classes = torch.randn(160, 3, 8, 8), torch.arange(160) % 10
    data = nets.Cifar((images, classes), (images[:60], classes[:60]), (images[60:], classes[60:]))
    model = nets.resnet20(2).eval()
    tuning = cifar.FineTuning(1, 32, 1e-3, distil=0.5, seed=0)
    bench = cifar.Bench(model, data, tuning, 3, 2, tmp_path)
    rows = cifar.all_rows(bench, [0.8], ["erk", *cifar.SEARCHES], [])
    assert [row["method"] for row in rows] == ["erk", "random", "cem", "dp"]
    assert all(row["sparsity"] >= 0.8 and np.isfinite(row["after"]) for row in rows)
    assert rows[1]["searched"] == rows[1]["kept"]
    assert rows[1]["kept"] not in (rows[0]["kept"], rows[3]["kept"])


def test_the_best_cut_of_a_seed_needs_all_free_allocations(loops: None) -> None:
    table = importlib.import_module("purl_cifar_table")
    settings = {"width": 8, "weights": 9, "rows": 5, "dense_epochs": 1, "plans": 2, "finalists": 1, "command": "run"}
    settings |= {"tune_epochs": 2, "tune_rate": 0.1}
    scores = {"judge": 1.0, "before": 10.0, "dense": 90.0, "seconds": 1.0, "target": 0.8}
    rows = [{**scores, "method": name, "after": after} for name, after in (("a", 50.0), ("b", 60.0), ("purl", 62.0))]
    runs = [{"net": "n", "settings": settings, "rows": rows}, {"net": "n", "settings": settings, "rows": rows[1:]}]
    assert table.over_best_cut(runs, 0.8, "purl", "after", ("a", "b")) == "2.00"
    assert table.over_best_cut(runs, 0.8, "purl", "after", ("b",)) == "2.00 ± 0.00"
    text = table.markdown(runs, ("a", "b", "purl"), ("a", "b"))
    assert "| 80 | a | 1 |" in text
    assert "| 80 | purl | 2 |" in text
