"""The benchmark commands run on tiny operands with NumPy as the only peer."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KERNELS = Path(__file__).resolve().parents[2] / "benchmarks" / "kernels"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", KERNELS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table() -> Any:
    return load("table")


def row(ours: float, fastest: float, limit: float = 1.0, **goal: Any) -> dict[str, Any]:
    timings = {
        "rlcompress": ("ours", ours),
        "torch": ("peer", 9 * fastest),
        "NumPy": ("peer", fastest),
        "BLAS": ("dense", 8.0),
    }
    return {
        "work": "w",
        "goal": {"must": 2, "aim": 4, "of_limit": None, "peer": "", **goal},
        "limit": {"us": limit, "by": "reading"},
        "contenders": {
            name: {"role": role, "minimum_us": value, "median_us": 2 * value, "batches": 3}
            for name, (role, value) in timings.items()
        },
    }


def test_ratios_are_those_of_the_fastest_of_each_role(table):
    found = table.ratios(row(ours=2.0, fastest=6.0))
    assert found == {
        "best_peer": "NumPy",
        "times_best_peer": 3.0,
        "times_best_dense": 4.0,
        "of_limit": 2.0,
        "meets": "must",
    }


@pytest.mark.parametrize(
    ("ours", "goal", "meets"),
    [
        (4.0, {}, "no"),
        (3.0, {}, "must"),
        (1.5, {}, "aim"),
        (1.05, {"aim": None, "of_limit": 1.1}, "aim"),
        (1.2, {"aim": None, "of_limit": 1.1}, "must"),
        (1.0, {"peer": "torch", "must": 50}, "aim"),
        (1.0, {"peer": "torch", "must": 55}, "no"),
    ],
)
def test_goals(table, ours, goal, meets):
    assert table.ratios(row(ours, 6.0, **goal))["meets"] == meets


def test_what_is_missing_is_said(table):
    found = row(ours=2.0, fastest=6.0)
    found["contenders"]["rlcompress"] = {"role": "ours", "missing": "not built"}
    assert table.ratios(found) == {"best_peer": "NumPy"}
    result = {
        "title": "T",
        "clock": "wall",
        "machine": {"processor": "p", "system": "s", "commit": "c"},
        "versions": {},
        "rows": [found],
    }
    text = table.markdown([result])
    assert "- rlcompress: not built" in text
    assert "| w | - |" in text


def test_contenders_take_turns_and_reset_before_each_call():
    timing = load("timing")
    events: list[str] = []
    changing = timing.Prepared(lambda: events.append("call"), reset=lambda: events.append("reset"))
    plain = timing.Prepared(lambda: None)
    found = timing.time_in_turns({"a": changing, "b": plain}, timing.Effort(4, 10, 1, 1))
    assert events == ["reset", "call"] * 4
    assert found["a"].batches == found["b"].batches == 4
    assert 0 < found["b"].minimum_us <= found["b"].median_us


def test_statements_are_timed_without_a_function_around_them():
    timing = load("timing")
    events: list[str] = []
    inlined = timing.inlined(["note(word)", "len(word)"], {"note": events.append, "word": "three"})
    assert inlined.answer() == 5
    inlined.loop(3)
    assert events == ["three"] * 4
    assert timing.time_in_turns({"a": inlined}, timing.Effort(2, 10, 1, 1))["a"].batches == 2


@pytest.mark.parametrize("columns", [1, 3])
def test_operands_of_sparse_products_start_a_line_of_the_cache(columns):
    work = load("work")
    product = work.SparseWork(5, columns)
    starts = [array.ctypes.data % work.LINE for array in (product.x, product.weight, product.out(), product.out())]
    assert starts == [0, 0, 0, 0]
    assert product.out().shape == product.x.shape
    assert work.aligned(product.mask).tolist() == product.mask.tolist()


def test_the_command_measures_checks_and_writes(tmp_path):
    command = [sys.executable, str(KERNELS / "compare.py"), "--tiny", "--out", str(tmp_path)]
    done = subprocess.run(
        [*command, "--contenders", "rlcompress,NumPy,np."], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for group in ("dense", "ranking"):
        found = json.loads((tmp_path / f"{group}.json").read_text(encoding="utf-8"))
        for measured in found["rows"]:
            assert measured["contenders"]["rlcompress"]["minimum_us"] > 0, measured
    text = (tmp_path / "kernels.md").read_text(encoding="utf-8")
    assert text in done.stdout
    assert "NumPy" in text
    assert "wrong" not in text.lower()


def test_an_unknown_group_is_refused(tmp_path):
    command = [sys.executable, str(KERNELS / "compare.py"), "--only", "bogus", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "found 'bogus'" in done.stderr
