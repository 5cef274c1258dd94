from __future__ import annotations

import math
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from rlcompress.engine.parallel import parallel_map  # noqa: E402
from rlcompress.errors import EvaluationError, InvalidValueError  # noqa: E402
from rlcompress.layerwise.evaluate import evaluator  # noqa: E402
from rlcompress.layerwise.prunable import prunable  # noqa: E402
from torch_models import ResNet, cnn, mlp, mobilenet, seeded  # noqa: E402

MODELS = {
    "mlp": (mlp, (12,)),
    "cnn": (cnn, (1, 8, 8)),
    "residual": (ResNet, (1, 8, 8)),
    "depthwise": (mobilenet, (1, 8, 8)),
}
RNG = np.random.default_rng(0)


def data_for(shape: tuple[int, ...], rows: int = 70) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((rows, *shape)).astype(np.float32), rng.integers(0, 4, rows)


def some_plans(sizes: tuple[int, ...], count: int) -> list[list[int]]:
    """Plans that an episode or a search would judge: many share a beginning, many end dense."""
    rng, plans = np.random.default_rng(2), [list(sizes)]
    for _ in range(count):
        plan = list(plans[rng.integers(len(plans))])
        place = rng.integers(len(sizes))
        plan[place] = int(rng.integers(1, sizes[place] + 1))
        plans.append(plan if rng.random() < 0.5 else [*plan[: place + 1], *sizes[place + 1 :]])
    return plans


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("recovery", [None, "batchnorm", ("least_squares", "batchnorm")])
@pytest.mark.parametrize("cache_bytes", [1 << 30, 300_000])
def test_cached_and_uncached_agree_to_the_last_bit(name, recovery, cache_bytes) -> None:
    build, shape = MODELS[name]
    found, data = prunable(seeded(build), data_for(shape)[0][:1]), data_for(shape)
    settings = {"data": data, "batch_size": 32, "recovery": recovery, "metric": "cross_entropy"}
    cached = evaluator(found, **settings, cache_bytes=cache_bytes)
    plain = evaluator(found, **settings, cache=False)
    assert cached.cached
    for plan in some_plans(found.sizes, 12):
        assert torch.equal(cached.predictions(plan), plain.predictions(plan))
        assert cached.score(plan) == plain.score(plan)
    assert cached.spent < plain.spent


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("recovery", [None, "batchnorm", ("least_squares", "batchnorm")])
def test_a_worker_process_gives_the_same_scores(name, recovery) -> None:
    build, shape = MODELS[name]
    found, data = prunable(seeded(build), data_for(shape)[0][:1]), data_for(shape)
    judge = evaluator(found, data=data, batch_size=32, recovery=recovery, metric="cross_entropy")
    plans = some_plans(found.sizes, 4)
    assert parallel_map(judge.score, plans, 2) == [judge.score(plan) for plan in plans]


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_the_pruned_model(name) -> None:
    build, shape = MODELS[name]
    x, y = data_for(shape)
    found = prunable(seeded(build), x[:1])
    judge = evaluator(found, data=(x, y), batch_size=70)
    for plan in some_plans(found.sizes, 6):
        with torch.no_grad():
            outputs = found.apply(found.plan(plan)).eval()(torch.from_numpy(x))
        assert judge.score(plan) == (outputs.argmax(1).numpy() == y).mean()


def test_an_episode_costs_its_suffixes_and_a_repetition_nothing() -> None:
    found = prunable(seeded(mlp), np.zeros((1, 12), np.float32))
    judge = evaluator(found, data=data_for((12,)))
    kept = list(found.sizes)
    judge.score(kept)
    before, shares = judge.spent, [392 / 392, 200 / 392, 40 / 392]
    for layer in range(3):
        kept[layer] //= 2
        judge.score(kept)
    assert judge.spent - before == pytest.approx(sum(shares))
    assert [judge.cost(layer) for layer in range(3)] == pytest.approx(shares)
    before = judge.spent
    judge.score_layer(kept, 2, [kept[2]] * 3)
    assert judge.spent == before
    judge.score_layer(kept, 2, [1, 2, 3])
    assert judge.spent - before == pytest.approx(3 * shares[2])


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.one(x)
        return self.two(hidden if hidden.sum() > 0 else -hidden)


class InPlace(Branching):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.one(x)
        same = hidden
        hidden += 1
        return self.two(same.clamp(0))


@pytest.mark.parametrize("build", [Branching, InPlace])
def test_what_cannot_be_traced_is_judged_whole_and_says_so(build) -> None:
    x, y = data_for((6,))
    found = prunable(seeded(build), x[:1])
    judge = evaluator(found, data=(x, y), batch_size=70)
    assert not judge.cached
    assert "no activations are cached" in judge.notes[0]
    with torch.no_grad():
        wanted = found.apply(found.plan((9, 8))).eval()(torch.from_numpy(x)).argmax(1).numpy()
    assert judge.score((9, 8)) == (wanted == y).mean()
    with pytest.raises(InvalidValueError, match="recovery"):
        evaluator(found, data=(x, y), recovery="least_squares")


def test_loaders_metrics_and_generators() -> None:
    x, y = data_for((12,))
    found = prunable(seeded(mlp), x[:1])
    rows = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    states = torch.get_rng_state(), random.getstate()
    judge = evaluator(found, data=torch.utils.data.DataLoader(rows, 16, shuffle=True))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    plan = (50, 40, 20)
    assert judge.score(plan) == evaluator(found, data=(x, y)).score(plan)
    own = evaluator(found, data=(x, y), metric=lambda outputs, targets: float((outputs.argmax(1) == targets).sum()))
    assert own.score(plan) == judge.score(plan) * 70
    squares = evaluator(found, data=(x, np.zeros((70, 4), np.float32)), metric="squared_error")
    assert squares.score(plan) < 0


@pytest.mark.parametrize("bar", [0.0, 0.2, 0.3, 0.99])
def test_growing_subsets_decide_as_all_rows_do(bar) -> None:
    x, y = data_for((12,), 2000)
    found = prunable(seeded(mlp), x[:1])
    judge = evaluator(found, data=(x, y), batch_size=50)
    exact = evaluator(found, data=(x, y), batch_size=50, cache=False).score((50, 40, 20))
    verdict = judge.reaches((50, 40, 20), bar)
    assert verdict.reached == (exact >= bar)
    assert verdict.lower <= exact <= verdict.upper
    if bar == 0.99:
        assert verdict.rows < 200
        assert judge.spent < 0.3
    assert judge.score((50, 40, 20)) == exact


def test_least_squares_lowers_the_error_against_the_dense_model() -> None:
    x, _ = data_for((12,), 400)
    found = prunable(seeded(mlp), x[:1])
    with torch.no_grad():
        dense = found.apply(found.plan(found.sizes)).eval()(torch.from_numpy(x)).numpy()
    scores = [
        evaluator(found, data=(x, dense), metric="squared_error", recovery=recovery).score((60, 50, 20))
        for recovery in (None, "least_squares")
    ]
    assert scores[1] > 0.7 * scores[0]
    # Nothing pruned, nothing changed.
    kept = evaluator(found, data=(x, dense), metric="squared_error", recovery="least_squares").score(found.sizes)
    assert kept == pytest.approx(0, abs=1e-12)


def test_judges_that_fail_say_on_what() -> None:
    found = prunable(seeded(mlp))

    def broken(model: nn.Module) -> float:
        raise OSError("no disk")

    for evaluate, words in ((broken, "no disk"), (lambda _: float("nan"), "finite"), (lambda _: None, "number")):
        judge = evaluator(found, evaluate=evaluate)
        with pytest.raises(EvaluationError, match=words):
            judge.score((1, 2, 3))
    judge = evaluator(found, evaluate=lambda model: float((model[0].weight == 0).sum()))
    assert [judge.score((12, 160, 40)), judge.score((12, 160, 40)), judge.spent] == [180, 180, 1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "exactly one"),
        ({"data": data_for((12,)), "evaluate": float}, "exactly one"),
        ({"data": data_for((11,))}, "shape"),
        ({"data": data_for((12,), 0)}, "at least one row"),
        ({"data": (data_for((12,))[0], np.zeros(3, int))}, "same rows"),
        ({"data": (data_for((12,))[0], np.zeros(70))}, "whole numbers"),
        ({"data": (data_for((12,))[0], np.full(70, 4))}, "classes 0..3"),
        ({"data": (data_for((12,))[0], np.arange(70) % 2 == 0)}, "bool, which tells two classes apart"),
        ({"data": 3}, "DataLoader"),
        ({"data": (np.full((70, 12), np.nan, np.float32), np.zeros(70, int))}, "finite inputs"),
        ({"data": (data_for((12,))[0], np.array(["cat", "dog"] * 35))}, "np.unique"),
        ({"data": data_for((12,)), "metric": "f1"}, "metric"),
        ({"data": data_for((12,)), "recovery": "magic"}, "recovery"),
        ({"evaluate": float, "recovery": "batchnorm"}, "needs data"),
        ({"data": data_for((12,)), "batch_size": 0}, "batch_size"),
    ],
)
def test_settings_and_data_that_do_not_fit(settings, words) -> None:
    with pytest.raises(InvalidValueError, match=words):
        evaluator(prunable(seeded(mlp)), **settings)


def test_two_outputs_take_bool_as_classes() -> None:
    model = nn.Sequential(nn.Linear(12, 2))
    x, y = data_for((12,))
    scores = [evaluator(prunable(model), data=(x, odd)).score([24]) for odd in (y % 2 == 1, y % 2)]
    assert scores[0] == scores[1]


def test_a_task_judges_networks() -> None:
    pytest.importorskip("gymnasium")
    from balancing import redundant
    from rlcompress.tasks.policy import PolicyTask

    task, network = PolicyTask("CartPole-v1"), redundant()
    found = prunable(network)
    judge = evaluator(found, task=task, episodes=3)
    assert judge.score(found.ceilings) == task.score(network, "search", 0, 3).mean
    assert judge.score([1] * len(found.sizes)) < 500


def test_targets_that_are_not_finite_are_named() -> None:
    x, y = np.zeros((9, 12), np.float32), np.zeros((9, 4), np.float32)
    y[3, 1] = np.nan
    target = prunable(seeded(mlp), x[:1])
    with pytest.raises(InvalidValueError, match="finite targets expected, found 1 NaN"):
        evaluator(target, data=(x, y), metric="squared_error")
    assert evaluator(target, data=(x, y), metric=lambda outputs, targets: 1.0).score(target.ceilings) == 1


class _Several(nn.Module):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.body, self.form = seeded(mlp), form

    def forward(self, x: torch.Tensor) -> object:
        out = self.body(x)
        return {"logits": out, "mean": out.mean()} if self.form == "dict" else (out, [x, "text"])


@pytest.mark.parametrize("form", ["dict", "tuple"])
def test_a_function_gets_outputs_in_the_form_the_model_gives_them(form: str) -> None:
    x, y = torch.randn(70, 12, generator=torch.Generator().manual_seed(0)), torch.arange(70) % 4
    model = _Several(form).eval()

    def right(outputs: object, targets: torch.Tensor) -> float:
        logits = outputs["logits"] if form == "dict" else outputs[0]
        assert len(outputs["mean"] if form == "dict" else outputs[1][1]) == 3
        return float((logits.argmax(1) == targets).float().mean())

    target = prunable(model, x[:1])
    found = evaluator(target, data=(x, y), metric=right, batch_size=32)
    assert found.score(target.ceilings) == pytest.approx(float((model.body(x).argmax(1) == y).float().mean()))
    for metric in ("accuracy", "squared_error"):
        with pytest.raises(InvalidValueError, match=f"found {form}; give metric="):
            evaluator(target, data=(x, y), metric=metric)


class _Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = seeded(mlp)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x + torch.randn(x.shape[0], 1) + float(np.random.rand()))


def test_a_model_that_draws_is_judged_by_the_seed_alone() -> None:
    x, y = torch.randn(70, 12, generator=torch.Generator().manual_seed(0)), torch.arange(70) % 4
    target = prunable(_Noisy(), x[:1])
    scores = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found = evaluator(target, data=(x, y), metric="cross_entropy")
        scores += [found.score(target.ceilings), found.score((9, 9, 9)), found.reaches((9, 9, 8), -9.0, math.inf).score]
        assert torch.equal(before, torch.get_rng_state())
        assert not found.cached
    assert scores[:3] == scores[3:]
