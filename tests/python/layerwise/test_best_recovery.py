"""Recovery of one plan without training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from rlcompress.layerwise import best_recovery as finder  # noqa: E402
from rlcompress.layerwise.best_recovery import BestRecovery, RecoveryTrial  # noqa: E402
from rlcompress.layerwise.evaluate import evaluator  # noqa: E402
from rlcompress.layerwise.prunable import prunable  # noqa: E402
from torch_models import seeded  # noqa: E402

ROWS = 600


def plain() -> Any:
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 4))


def normed() -> Any:
    return nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 4))


def rows(model: Any, count: int = ROWS, seed: int = 0) -> tuple[Any, Any]:
    """Rows whose few hidden causes make their columns alike, and the classes that the dense model gives."""
    rng = np.random.default_rng(seed)
    causes = np.random.default_rng(9).standard_normal((5, 20))
    x = (rng.standard_normal((count, 5)) @ causes + 1).astype(np.float32)
    with torch.no_grad():
        return x, model.eval()(torch.tensor(x)).argmax(1).numpy()


def judged(model: Any, data: Any, **settings: Any) -> tuple[Any, list[int]]:
    """The judge, and a plan that keeps a tenth of each layer."""
    target = prunable(model, torch.zeros(1, 20))
    return evaluator(target, data=data, **settings), [size // 10 for size in target.sizes]


def best_recovery(judge: Any, kept: Any) -> BestRecovery:
    return RecoveryTrial(judge).of(kept)


@pytest.mark.parametrize(("build", "wanted"), [(plain, {"least_squares"}), (normed, {"batchnorm", "least_squares"})])
def test_what_helps_rows_held_back_helps_rows_that_nobody_saw(build: Any, wanted: set[str]) -> None:
    model = seeded(build)
    judge, kept = judged(model, rows(model))
    found = best_recovery(judge, kept).recovery
    assert found
    assert found <= wanted
    assert judge.recovering(found).score(kept) > judge.score(kept)
    unseen, _ = judged(model, rows(model, seed=7))
    mended = judge.recovering(found).model(kept).eval()
    x, y = rows(model, seed=7)
    with torch.no_grad():
        assert float((mended(torch.tensor(x)).argmax(1).numpy() == y).mean()) > unseen.score(kept) + 0.1


def test_nothing_is_recovered_where_no_row_gains() -> None:
    model = seeded(plain)
    judge, kept = judged(model, rows(model), metric=lambda outputs, targets: 1.0)
    assert not best_recovery(judge, kept).recovery


@pytest.mark.parametrize(
    ("held_back", "whole", "where"), [(-1.0, 2.0, "on rows held back"), (2.0, -1.0, "over all rows")]
)
def test_a_fit_must_win_on_rows_held_back_and_on_all(
    held_back: float, whole: float, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = seeded(plain)
    judge, kept = judged(model, rows(model))
    real = finder._score

    def score(of: Any, kept: Any) -> float:
        if not of.recovery:
            return real(of, kept)
        return held_back if of.rows < judge.rows else whole

    monkeypatch.setattr(finder, "_score", score)
    found = best_recovery(judge, kept)
    assert not found.recovery
    assert np.isnan(found.score)
    assert where in found.reason
    assert "least_squares scores -1.0000 and the plan as pruned" in found.reason


def test_what_beats_its_own_plan_must_beat_a_rival_too() -> None:
    model = seeded(plain)
    judge, kept = judged(model, rows(model))
    trial = RecoveryTrial(judge)
    alone = trial.of(kept)
    assert alone.recovery
    assert alone.score == judge.recovering(alone.recovery).score(kept)
    assert trial.of(kept, judge.prunable.ceilings).recovery == frozenset()  # the dense model makes no mistake
    assert trial.of(kept, [1] * len(kept)) == alone


def test_one_batch_is_cut_in_two_and_one_row_is_not() -> None:
    model = seeded(plain)
    x, y = rows(model)
    judge, kept = judged(model, [(torch.tensor(x), torch.tensor(y))])
    assert best_recovery(judge, kept).recovery
    judge, kept = judged(model, (x[:1], y[:1]))
    assert not best_recovery(judge, kept).recovery
    assert "hold back" in best_recovery(judge, kept).reason


def test_a_model_that_cannot_be_traced_stays() -> None:
    class Loops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = plain()

        def forward(self, x: Any) -> Any:
            return self.body(x) if float(x.sum()) < 1e9 else x

    model = seeded(Loops)
    judge, kept = judged(model, rows(model))
    assert not judge.cached
    found = best_recovery(judge, kept)
    assert not found.recovery
    assert found.spent == 0
    assert "Loops cannot be traced" in found.reason


def test_networks_too_large_for_least_squares_keep_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "_MOST_OPERATIONS", 0.0)
    model = seeded(normed)
    judge, kept = judged(model, rows(model))
    assert best_recovery(judge, kept).recovery <= {"batchnorm"}
    model = seeded(plain)
    assert "too large for least squares" in best_recovery(*judged(model, rows(model))).reason
