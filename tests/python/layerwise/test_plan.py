from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlcompress.errors import InvalidValueError, MissingFileError
from rlcompress.layerwise.plan import Plan

PLAN = Plan(("conv1.weight", "fc.weight"), (10, 30), (4, 0))
COUNTS = st.lists(
    st.integers(1, 10**9).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size))), min_size=1
)


def test_sparsity_counts_all_weights() -> None:
    assert PLAN.sparsity == 0.9
    assert PLAN.layer_sparsity == (0.6, 1.0)
    assert PLAN.factor == 10
    assert Plan(("a",), (3,), (0,)).factor == float("inf")


@given(counts=COUNTS)
def test_json_round_trip(counts) -> None:
    sizes, kept = zip(*counts)
    plan = Plan(tuple(f"layer{index}" for index in range(len(sizes))), sizes, kept)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_file_round_trip(tmp_path) -> None:
    PLAN.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == PLAN
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    ("layers", "sizes", "kept"),
    [((), (), ()), (("a",), (1, 2), (1,)), (("a", "a"), (1, 2), (1, 2)), (("a",), (2,), (3,)), (("a",), (0,), (0,))],
)
def test_impossible_plans_are_refused(layers, sizes, kept) -> None:
    with pytest.raises(InvalidValueError, match="plan"):
        Plan(layers, sizes, kept)


@pytest.mark.parametrize("kept", [(1.5,), (True,), ("1",), (-1,)])
def test_counts_are_whole_numbers(kept) -> None:
    with pytest.raises(InvalidValueError, match=r"kept|expected"):
        Plan(("a",), (2,), kept)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "rlcompress pruning plan", "version": 1}', "\xff"])
def test_other_files_are_refused(tmp_path, text) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidValueError, match="plan"):
        Plan.load(path)
    with pytest.raises(MissingFileError, match="no plan"):
        Plan.load(tmp_path / "absent.json")
