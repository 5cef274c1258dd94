"""Finalists of `prune`: plans chosen by short trainings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

import rlcompress as rlc
from rlcompress.algorithms.purl.finalists import short
from rlcompress.algorithms.purl.tuning import PlanTraining, Tuning
from rlcompress.errors import InvalidValueError
from rlcompress.importers.torch_module import to_torch
from rlcompress.training import FineTuning

sys.path.insert(0, str(Path(__file__).parent))
from purl_nets import labelled, solver

FAST: dict[str, Any] = {"target_sparsity": 0.9, "evaluations": 12, "agent_share": 0, "pareto": 0}
COUNT = 7


def module() -> Any:
    return to_torch(solver())


class Trials:
    """Records trials; the one at `broken` is interrupted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, broken: int | None = None) -> None:
        self.made: list[tuple[tuple[int, ...], Tuning, float]] = []
        whole = PlanTraining.score

        def score(training: PlanTraining, kept: tuple[int, ...], wanted: Tuning) -> float:
            if len(self.made) == broken:
                raise KeyboardInterrupt
            self.made.append((kept, wanted, whole(training, kept, wanted)))
            return self.made[-1][2]

        monkeypatch.setattr(PlanTraining, "score", score)


def test_the_plan_that_trains_best_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"data": labelled(), "test": labelled(seed=5), "finetune_epochs": 4, **FAST}
    alone, trials = rlc.prune(module(), **given), Trials(monkeypatch)
    result = rlc.prune(module(), finalists=COUNT, **given)
    plans, scores = [kept for kept, _, _ in trials.made], [score for _, _, score in trials.made]
    assert len(set(plans)) == len(plans) == COUNT
    assert plans[0] == alone.plan.kept
    assert {start.kept for start in alone.findings.starts} <= set(plans)
    assert all(sum(kept) <= 0.1 * sum(alone.plan.sizes) for kept in plans)
    assert {wanted.settings.epochs for _, wanted, _ in trials.made} == {1}
    assert scores[plans.index(result.plan.kept)] == max(scores)
    best = result.findings.best
    assert best.kept == result.plan.kept == tuple(int(mask.sum()) for mask in result.masks)
    assert tuple(layer.kept for layer in result.findings.layers) == best.kept
    assert result.findings.layers[-1].score == best.score
    assert best.final is not None
    assert result.tuned is not None
    assert result.tuned[0] == best.score
    assert any(f"{COUNT} plans were trained" in note for note in result.notes)
    for mask, layer in zip(result.masks, (result.model[0], result.model[2])):
        assert not layer.weight.detach().numpy()[~mask].any()


def test_trials_are_not_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"data": labelled(), "finetune_epochs": 1, "finalists": COUNT, **FAST}
    wanted = rlc.prune(module(), **given)
    with monkeypatch.context() as patch:
        Trials(patch, broken=3)
        with pytest.raises(KeyboardInterrupt):
            rlc.prune(module(), run_dir=tmp_path, **given)
    trials = Trials(monkeypatch)
    result = rlc.prune(module(), run_dir=tmp_path, **given)
    assert len(trials.made) == COUNT - 3
    assert result.plan == wanted.plan
    assert torch.equal(result.model[0].weight, wanted.model[0].weight)


def test_a_trial_is_a_quarter_of_the_training() -> None:
    x, y = labelled(400)
    whole = short(Tuning((x, y), FineTuning(epochs=16)))
    assert whole.settings.epochs == 4
    assert len(whole.rows[1]) == 400
    part = short(Tuning((x, y), FineTuning(epochs=1)))
    assert part.settings.epochs == 1
    assert len(part.rows[0]) == len(part.rows[1]) == 100
    assert {row.tobytes() for row in part.rows[0]} < {row.tobytes() for row in x}
    batches = [(x[at : at + 50], y[at : at + 50]) for at in range(0, 400, 50)]
    assert len(short(Tuning(batches, FineTuning(epochs=2))).rows) == 4


def stirred(x: Any, generator: torch.Generator) -> Any:
    return x + 0.01 * torch.randn(x.shape, generator=generator)


def test_another_change_of_batches_is_another_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"data": labelled(), "finetune_epochs": 1, "finalists": 2, **FAST}
    rlc.prune(module(), run_dir=tmp_path, **given)
    trials = Trials(monkeypatch)
    result = rlc.prune(module(), run_dir=tmp_path, augment=stirred, **given)
    assert len(trials.made) == 2
    wanted = rlc.prune(module(), augment=stirred, **given)
    assert torch.equal(result.model[0].weight, wanted.model[0].weight)


class Exploding:
    """Makes the training of some plans diverge."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, which: Callable[[int], bool]) -> None:
        self.count = 0
        whole = PlanTraining.trained

        def trained(training: PlanTraining, plan: Any, wanted: Tuning, *told: Any) -> Any:
            self.count += 1
            if which(self.count):
                wanted = replace(wanted, settings=replace(wanted.settings, learning_rate=1e30))
            return whole(training, plan, wanted, *told)

        monkeypatch.setattr(PlanTraining, "trained", trained)


def test_a_trial_that_diverges_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"data": labelled(), "finetune_epochs": 4, "finalists": COUNT, **FAST}
    exploding = Exploding(monkeypatch, lambda count: count == 1)
    result = rlc.prune(module(), **given)
    assert exploding.count == COUNT + 1  # every finalist, then the chosen one
    assert result.findings.best.origin != "refined"
    assert any("-inf for the best one without training" in note for note in result.notes)


def test_where_all_trials_diverge_the_plan_of_the_search_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"data": labelled(), "finetune_epochs": 4, **FAST}
    alone = rlc.prune(module(), **given)
    Exploding(monkeypatch, lambda count: count <= len({start.kept for start in alone.findings.starts}) + 1)
    result = rlc.prune(module(), finalists=COUNT, **given)
    assert result.plan == alone.plan
    assert any(note.endswith("every one diverged") for note in result.notes)


def test_training_rows_may_be_varied() -> None:
    seen = []

    def augment(x: Any, generator: torch.Generator) -> Any:
        seen.append(len(x))
        return x + 0.01 * torch.randn(x.shape, generator=generator)

    x, y = labelled()
    rlc.prune(module(), data=(x, y), finetune_epochs=1, augment=augment, **FAST)
    assert sum(seen) > len(y) / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"finalists": 3}, "finalists: a fine-tuning expected"),
        ({"augment": lambda x, generator: x}, "augment: a fine-tuning expected"),
        ({"finalists": -1, "finetune_epochs": 1}, "finalists"),
        ({"finalists": 2.5, "finetune_epochs": 1}, "finalists: a whole number"),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        rlc.prune(module(), data=labelled(), **arguments, **FAST)
