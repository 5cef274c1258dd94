"""What a search says of its plans: failures of the judge, promises, ties, scores without a usual zero."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

import torch

import rlcompress as rlc
from rlcompress.algorithms.purl.agent import Remembered
from rlcompress.errors import EvaluationError, InvalidValueError
from rlcompress.importers.torch_module import to_torch
from rlcompress.layerwise.rewards import Reward

sys.path.insert(0, str(Path(__file__).parent))
from purl_nets import labelled, solver

FAST: dict[str, Any] = {"target_sparsity": 0.7, "evaluations": 12, "agent_share": 0, "pareto": 1}


def module() -> Any:
    return to_torch(solver())


def kept_by(model: Any) -> int:
    return sum(int((part.weight != 0).sum()) for part in model if isinstance(part, torch.nn.Linear))


def failing_below(kept: int) -> Any:
    def score(model: Any) -> float:
        if kept_by(model) < kept:
            raise RuntimeError("the camera is off")
        return 1.0

    return score


@pytest.mark.parametrize("kept", [132, 45])
def test_a_judge_that_fails_on_all_that_could_be_returned_is_told(kept: int) -> None:
    with pytest.raises(EvaluationError, match=r"could be returned; the first time: .*camera is off"):
        rlc.prune(module(), evaluate=failing_below(kept), example_inputs=torch.zeros(1, 8), **FAST)


def test_the_first_failure_is_in_the_notes() -> None:
    result = rlc.prune(module(), evaluate=failing_below(39), example_inputs=torch.zeros(1, 8), **FAST)
    assert result.findings.best.meets
    assert any("passed over; the first time" in note and "camera is off" in note for note in result.notes)


@pytest.mark.parametrize("target", [0.9999, 1.0])
def test_a_sparsity_that_is_not_reached_is_not_met(target: float) -> None:
    result = rlc.prune(module(), data=labelled(), **{**FAST, "target_sparsity": target})
    assert not result.findings.best.meets
    assert not result.findings.feasible
    assert any("cannot be reached" in note for note in result.notes)


def test_a_run_that_judged_no_plan_says_so() -> None:
    result = rlc.prune(module(), data=labelled(), starts=(), max_steps=0, **FAST)
    assert result.plan.sparsity == 0
    assert any("no plan at sparsity 0.7 was judged" in note for note in result.notes)
    assert not any("soft" in note for note in result.notes)


def test_a_dense_score_of_zero_may_be_the_best() -> None:
    x, _ = labelled()
    model = module()
    with torch.no_grad():
        y = model(torch.tensor(x)).numpy()
    settings = {**FAST, "evaluations": 30, "agent_share": 0.4}
    result = rlc.prune(model, data=(x, y), metric="squared_error", **settings)
    assert result.findings.dense.score == 0
    assert result.findings.episodes > 0
    assert result.findings.best.score < 0
    assert any("scores 0" in note for note in result.notes)
    assert Reward(0.0, 0.5).value(-0.25, 0.5) == -1.25


@pytest.mark.parametrize(("dense", "useless"), [(0.9, 0.0), (0.0, -1.0), (-2.0, -4.0)])
def test_a_failed_plan_is_worth_less_than_the_dense_one(dense: float, useless: float) -> None:
    class Failing:
        dense = (9, 9)

        def scores(self, plans: Any) -> Any:
            from rlcompress.algorithms.purl.judging import Scores

            return Scores((float("-inf"),), 1.0, "no")

    scores: Any = Remembered(Failing(), {(9, 9): dense})  # type: ignore[arg-type]
    assert scores.score((1, 1)) == useless
    assert scores.failure == "no"


def careful() -> Any:
    """A network that needs its weights, with logits that are sure of what it says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
        with torch.no_grad():
            model[2].weight *= 40
    return model


def judged_by(kind: str) -> dict[str, Any]:
    """Arguments of `prune`: a loss, a score, and the same as metrics of data."""
    x, _ = labelled()
    rows = torch.tensor(x)
    with torch.no_grad():
        classes = careful()(rows).argmax(1)
    loss = torch.nn.functional.cross_entropy
    functions: dict[str, Any] = {
        "loss": lambda model: loss(model(rows), classes).item(),
        "error": lambda model: float((model(rows).argmax(1) != classes).float().mean()),
        "accuracy": lambda model: float((model(rows).argmax(1) == classes).float().mean()),
        "-loss": lambda model: -loss(model(rows), classes).item(),
    }
    if kind in functions:
        return {"evaluate": functions[kind], "example_inputs": rows[:1]}
    metrics: dict[str, Any] = {"metric loss": lambda outputs, targets: float(loss(outputs, targets))}
    return {"data": (rows, classes), "metric": metrics.get(kind, "cross_entropy")}


@pytest.mark.parametrize("sparsity", [0.3, 0.8])
@pytest.mark.parametrize(
    ("kind", "upside_down"),
    [("loss", True), ("error", True), ("metric loss", True), ("accuracy", False), ("-loss", False), ("named", False)],
)
def test_a_loss_in_place_of_a_score_is_noticed(kind: str, upside_down: bool, sparsity: float) -> None:
    result = rlc.prune(careful(), **judged_by(kind), **{**FAST, "target_sparsity": sparsity, "evaluations": 20})
    assert any("return -loss" in note for note in result.notes) is upside_down


def test_a_small_gain_over_the_dense_model_is_no_loss() -> None:
    scores = iter([0.80, *np.linspace(0.81, 0.9, 200)])
    result = rlc.prune(module(), evaluate=lambda model: next(scores), example_inputs=torch.zeros(1, 8), **FAST)
    assert result.findings.best.score > 0.8
    assert not any("return -loss" in note for note in result.notes)


def test_notes_of_the_evaluator_reach_the_user() -> None:
    class Branching(torch.nn.Sequential):
        def forward(self, x: Any) -> Any:
            return super().forward(x if x.sum() > 0 else x + 0)

    result = rlc.prune(Branching(*module()), data=labelled(), **FAST)
    assert any("no activations are cached" in note for note in result.notes)
    left_out = [note for note in result.notes if note.startswith("not recovered without training: ")]
    assert len(left_out) == 1
    assert "Branching cannot be traced" in left_out[0]
    trained = rlc.prune(Branching(*module()), data=labelled(), recovery="none", **FAST)
    assert not any("not recovered" in note for note in trained.notes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target_sparsity": 0}, "above 0 and up to 1"),
        ({"target_sparsity": "0.9"}, "target_sparsity: a number expected, found '0.9'"),
        ({"target_sparsity": None}, "target_sparsity: a number"),
        ({"max_drop": "1"}, "max_drop: a number"),
        ({"evaluations": 2.5}, "evaluations: a whole number"),
    ],
)
def test_settings_of_another_type_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        rlc.PuRL(**settings)


def test_settings_take_numbers_of_numpy_and_one_start() -> None:
    settings = rlc.PuRL(target_sparsity=np.float64(0.5), evaluations=np.int64(9), starts="lamp")  # type: ignore[arg-type]
    assert (settings.target_sparsity, settings.evaluations, settings.starts) == (0.5, 9, ("lamp",))
    assert type(settings.evaluations) is int
