"""Families of data sets and splits that keep them together."""

from __future__ import annotations

import numpy as np
import pytest

from rlcompress.corpus.families import detect_families, family, folds
from rlcompress.corpus.folder import DataSet
from rlcompress.errors import InvalidValueError

NAMES = ["ring", "twonorm", "dna", "splice", "a", "b", "c", "d", "e"]


def _set(name: str, x: np.ndarray) -> DataSet:
    return DataSet(name, x.astype(np.float32), np.arange(len(x)) % 2, "accuracy")


def test_families_by_name() -> None:
    assert family("ring") == family("twonorm")
    assert family("dna") == family("splice") != family("ring")
    assert family("215_2dplanes") == family("2dplanes")
    assert family("my_own") == "my_own"
    assert family("left", {"left": "pair", "right": "pair"}) == "pair"


def test_every_set_is_held_out_once_with_its_family() -> None:
    found = folds(NAMES, count=3, seed=4)
    assert sorted(name for fold in found for name in fold) == sorted(NAMES)
    assert [len(fold) for fold in found] == [3, 3, 3]
    for left, right in (("ring", "twonorm"), ("dna", "splice")):
        assert all((left in fold) == (right in fold) for fold in found)
    assert found == folds(NAMES[::-1], count=3, seed=4)
    assert any(found != folds(NAMES, count=3, seed=seed) for seed in range(5, 10))


def test_families_given_win() -> None:
    found = folds(["a", "b", "c"], {"a": "one", "b": "one"}, count=2)
    assert sorted(found) == [("a", "b"), ("c",)]


@pytest.mark.parametrize(("names", "count"), [(["a", "b"], 3), (["a", "b"], 1), (["ring", "twonorm"], 2)])
def test_folds_that_cannot_be_made(names: list[str], count: int) -> None:
    with pytest.raises(InvalidValueError, match="count"):
        folds(names, count=count)
    with pytest.raises(InvalidValueError, match="once"):
        folds(["a", "a"], count=2)


def test_near_duplicates_are_found() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5))
    sets = [
        _set("whole", x),
        _set("part", np.vstack([x[:60, ::-1], rng.normal(size=(300, 5))])),  # columns in another order
        _set("other", rng.normal(size=(400, 5))),
        _set("wide", np.hstack([x, x])),
    ]
    found = detect_families(sets)
    assert found["part"] == found["whole"]
    assert len(set(found.values())) == 3


def test_grids_of_categories_are_not_joined_by_chance() -> None:
    rng = np.random.default_rng(1)
    found = detect_families([_set(name, rng.integers(0, 3, (400, 4))) for name in ("left", "right")])
    assert found["left"] != found["right"]


def test_a_found_pair_joins_the_families_of_the_mapping() -> None:
    x = np.random.default_rng(2).normal(size=(300, 5))
    found = detect_families([_set("twonorm", x[:200]), _set("copy", x), _set("ring", x[:100] + 1)])
    assert found["copy"] == found["twonorm"] == found["ring"]
