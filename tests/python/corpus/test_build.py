"""A corpus from a folder, with and without its cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.corpus import BaseNetworkCache, build_corpus, data_sets, stored_items
from rlcompress.corpus.base_networks import TrainingLimits
from rlcompress.corpus.build import CorpusSettings, capped
from rlcompress.corpus.folder import DataSet
from rlcompress.errors import InvalidValueError

pytest.importorskip("torch")

SMALL = CorpusSettings(networks=2, rows=200, layers=(1, 2), widths=(4, 8), step=2, limits=TrainingLimits(epochs=2))


@pytest.fixture
def folder(tables) -> Path:
    x = np.random.default_rng(0).normal(size=(320, 3))
    return tables(near=(x, x[:, 0] > 0), slope=(x[:200] + 1, x[:200].sum(1)))


def test_every_set_gets_its_networks(folder: Path) -> None:
    corpus = build_corpus(folder, settings=SMALL, jobs=1)
    assert [(item.data_set, item.index) for item in corpus] == [("near", 0), ("near", 1), ("slope", 0), ("slope", 1)]
    for item in corpus:
        item.task.check(item.network)
        assert item.network.widths[1:-1] == item.architecture.hidden
        assert len(item.task.x) == 200
    near, other = corpus.items[:2]
    assert near.task.digest == other.task.digest
    assert not np.array_equal(near.task.training_rows.x, other.task.training_rows.x)
    assert near.extra is not None
    assert len(near.extra.x) in (119, 120)
    assert corpus.items[2].extra is None
    assert set(corpus.families) == {"near", "slope"}
    assert len(corpus.of(["slope"])) == 2


def test_values_stay_values_when_asked(folder: Path) -> None:
    corpus = build_corpus(folder, settings=SMALL, jobs=1, binarise=None)
    assert [item.task.metric for item in corpus] == ["accuracy"] * 2 + ["squared_error"] * 2


def test_worker_processes_make_the_same(folder: Path) -> None:
    alone, spread = (build_corpus(folder, settings=SMALL, jobs=jobs) for jobs in (1, 2))
    assert [item.network for item in alone] == [item.network for item in spread]


def test_the_cache_keeps_networks(folder: Path, tmp_path: Path) -> None:
    cache, said = tmp_path / "cache", []
    first = build_corpus(folder, settings=SMALL, jobs=1, cache=cache, on_event=said.append)
    assert len(said) == 4
    assert len(list(cache.glob("*.rlc"))) == len(list(cache.glob("*.json"))) == 4
    again = build_corpus(folder, settings=SMALL, jobs=1, cache=cache, on_event=said.append)
    assert len(said) == 4
    assert [item.network for item in first] == [item.network for item in again]
    next(cache.glob("slope*.rlc")).unlink()
    slope = data_sets(folder, binarise="mean")[1]
    stored = stored_items(slope, SMALL, BaseNetworkCache(cache))
    assert len(stored) == 1
    assert stored[0].network == first.items[2 + stored[0].index].network
    other = CorpusSettings(networks=2, rows=200, layers=(1, 2), widths=(4, 8), step=2, limits=TrainingLimits(epochs=1))
    build_corpus(folder, settings=other, jobs=1, cache=cache)
    assert len(list(cache.glob("*.rlc"))) == 7


def test_damaged_files_are_trained_again(folder: Path, tmp_path: Path) -> None:
    cache, said = tmp_path / "cache", []
    first = build_corpus(folder, settings=SMALL, jobs=1, cache=cache)
    broken, lost, swapped = sorted(cache.glob("*.rlc"))[:3]
    kept = swapped.read_bytes()
    image = bytearray(broken.read_bytes())
    image[-1] ^= 1
    broken.write_bytes(image)
    lost.unlink()
    swapped.write_bytes(lost.with_suffix(".json").read_bytes())
    again = build_corpus(folder, settings=SMALL, jobs=1, cache=cache, on_event=said.append)
    warned = [event.text for event in said if event.warning]
    assert len(warned) == 3
    assert any(str(broken) in text and "damaged" in text for text in warned)
    assert [item.network for item in first] == [item.network for item in again]
    assert rlc.load(swapped) == rlc.load(kept)


def test_extra_rows_are_others_with_every_class() -> None:
    x = np.arange(1000, dtype=np.float32).reshape(-1, 1)
    y = (np.arange(1000) % 10 == 0).astype(np.int64)
    kept, extra = capped(DataSet("d", x, y, "accuracy"), 600, 0)
    assert len(kept.x) == 600
    assert extra is not None
    assert len(extra.x) in (399, 400)
    assert not set(kept.x.ravel()) & set(extra.x.ravel())
    assert abs(kept.y.mean() - 0.1) < 0.01
    assert abs(extra.y.mean() - 0.1) < 0.01
    assert capped(DataSet("d", x, y, "accuracy"), 1000, 0)[1] is None


@pytest.mark.parametrize("settings", [{"networks": 0}, {"rows": 3}, {"seed": -1}])
def test_settings_out_of_range(settings: dict) -> None:
    with pytest.raises(InvalidValueError, match=next(iter(settings))):
        CorpusSettings(**settings)


def test_a_set_that_cannot_be_used_is_named(tables) -> None:
    x = np.zeros((3, 2))
    with pytest.raises(InvalidValueError, match=r"tiny.*few"):
        build_corpus(tables(tiny=(x, np.array([0, 1, 1]))), settings=SMALL, jobs=1)
