from __future__ import annotations

import gc
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from rlcompress.layerwise.evaluate import evaluator  # noqa: E402
from rlcompress.layerwise.freed_memory import give_back_freed  # noqa: E402
from rlcompress.layerwise.prefix_cache import PrefixCache  # noqa: E402
from rlcompress.layerwise.prunable import prunable  # noqa: E402
from torch_models import ResNet, cnn, seeded  # noqa: E402


class Sliced(nn.Module):
    """What is alive between its layers are views: halves of a wide layer, a strided and an expanded one."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.left = nn.Linear(12, 64), nn.Linear(32, 8)
        self.both, self.last = nn.Linear(8, 8), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, dropped = self.wide(x).chunk(2, 1)
        short = dropped[:, ::8].expand(2, -1, -1)
        hidden = self.both(torch.relu(self.left(kept)))
        return self.last(torch.cat([hidden, short[0], short[1]], 1))


def rows(shape: tuple[int, ...], count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((count, *shape)).astype(np.float32), rng.integers(0, 4, count)


def plans(sizes: tuple[int, ...], count: int) -> list[list[int]]:
    """Half of them whole, half dense from some layer on."""
    rng = np.random.default_rng(0)
    drawn = [[int(rng.integers(1, size + 1)) for size in sizes] for _ in range(count)]
    places = rng.integers(1, len(sizes) + 1, count)
    return [plan if at % 2 else [*plan[:at], *sizes[at:]] for plan, at in zip(drawn, places)]


def held_bytes(cache: PrefixCache) -> int:
    """Memory of the tensors in a cache, each storage once, without those of the data."""
    storages = [
        tensor.untyped_storage()
        for state in cache._states.values()
        for values in state.batches
        for value in values.values()
        for tensor in (value if isinstance(value, (tuple, list)) else [value])
    ]
    return sum({one.data_ptr(): one.nbytes() for one in storages if one.data_ptr() not in cache.data}.values())


@pytest.mark.parametrize(("build", "shape"), [(Sliced, (12,)), (ResNet, (1, 8, 8))])
@pytest.mark.parametrize("recovery", [None, "least_squares"])
@pytest.mark.parametrize("limit", [1 << 30, 60_000])
def test_all_memory_behind_the_values_is_counted_once_and_bounded(
    build: Any, shape: tuple[int, ...], recovery: Any, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, most = PrefixCache.add, [0]

    def checked(cache: PrefixCache, *given: Any) -> None:
        add(cache, *given)
        assert cache.size_bytes == held_bytes(cache) <= limit
        most[0] = max(most[0], cache.size_bytes)

    monkeypatch.setattr(PrefixCache, "add", checked)
    data = rows(shape, 70)
    found = prunable(seeded(build), data[0][:1])
    judge = evaluator(found, data=data, batch_size=32, recovery=recovery, cache_bytes=limit)
    plain = evaluator(found, data=data, batch_size=32, recovery=recovery, cache=False)
    for plan in plans(found.sizes, 12):
        assert torch.equal(judge.predictions(plan), plain.predictions(plan))
    assert judge.cached
    assert most[0] > limit / 4 or limit == 1 << 30
    judge.release()
    assert judge._forward._cache.size_bytes == 0
    assert torch.equal(judge.predictions(found.sizes), plain.predictions(found.sizes))


def test_the_oldest_go_and_what_another_state_holds_stays_counted() -> None:
    cache, shared = PrefixCache(1000), torch.zeros(100)
    cache.add((), 0, {"a": shared, "view": shared[:1]})
    assert cache.size_bytes == 400
    cache.add((1,), 0, {"a": shared[5:], "b": torch.zeros(100)})
    assert (cache.size_bytes, len(cache)) == (800, 2)
    cache.add((1,), 2, {"c": torch.zeros(10)})  # batch 1 is missing
    assert cache.size_bytes == 800
    cache.add((2,), 0, {"d": torch.zeros(100)})  # () goes and frees nothing, so (1,) goes too
    cache.get((1,))
    assert (cache.size_bytes, len(cache)) == (400, 1)
    cache.add((3,), 0, {"e": torch.zeros(1000)})
    assert (cache.size_bytes, len(cache)) == (0, 0)
    cache.add((4,), 0, {"f": shared})
    assert len(pickle.loads(pickle.dumps(cache))) == 0


@pytest.mark.parametrize("recovery", ["batchnorm", "least_squares"])
def test_a_plan_that_was_looked_at_in_part_leaves_others_exact(recovery: Any) -> None:
    data = rows((1, 8, 8), 200)
    found = prunable(seeded(ResNet), data[0][:1])
    settings = {"data": data, "batch_size": 20, "recovery": recovery, "metric": "cross_entropy"}
    judge, plain = evaluator(found, **settings), evaluator(found, **settings, cache=False)
    start = [size // 3 for size in found.sizes[:3]]
    assert judge.reaches([*start, *found.sizes[3:]], -1e3, z=0.1).rows < 200
    judge.score([size // 2 for size in found.sizes])
    plan = [*start, *(size // 4 for size in found.sizes[3:])]
    assert torch.equal(judge.predictions(plan), plain.predictions(plan))
    assert judge.score(plan) == plain.score(plan) > -math.inf


def resident_bytes() -> int:
    give_back_freed()
    words = Path("/proc/self/statm").read_text().split()
    return int(words[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no figure of the memory that a process holds")
def test_a_search_holds_no_more_memory_than_the_bound_says() -> None:
    """Activations of some megabytes among small blocks that stay: what the C library keeps counts too."""
    data, limit = rows((1, 8, 8), 6000), 96 << 20
    found = prunable(seeded(cnn), data[0][:1])
    judge = evaluator(found, data=data, batch_size=1000, cache_bytes=limit)
    before, most = resident_bytes(), 0
    for plan in plans(found.sizes, 60):
        judge.score(plan)
        most = max(most, int(Path("/proc/self/statm").read_text().split()[1]) * 4096)
    assert most - before < 1.5 * limit
    judge.release()
    gc.collect()
    assert resident_bytes() - before < 0.3 * limit
