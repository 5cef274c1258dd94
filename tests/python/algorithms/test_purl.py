from __future__ import annotations

import copy
import math
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")
pytest.importorskip("stable_baselines3")

import torch

import rlcompress as rlc
from rlcompress.engine.driver import Budget, Place, drive
from rlcompress.engine.events import StepFinished
from rlcompress.errors import CheckpointError, EvaluationError, InvalidValueError
from rlcompress.importers.torch_module import to_torch
from rlcompress.layerwise.plan import Plan

sys.path.insert(0, str(Path(__file__).parent))
from purl_nets import QUICK, labelled, solver


def module() -> Any:
    return to_torch(solver())


class KilledError(Exception):
    """Stands for a kill between two checkpoints."""


def test_the_promise_is_kept_and_no_start_is_better() -> None:
    result = rlc.prune(module(), data=labelled(), **QUICK)
    found = result.findings
    assert result.plan.sparsity >= 0.7
    assert found.best.meets
    assert found.best.score >= max(start.score for start in found.starts)
    assert {start.origin for start in found.starts} == {"lamp", "erk", "global", "uniform", "dp"}
    zeros = sum(int((part.weight == 0).sum()) for part in result.model if isinstance(part, torch.nn.Linear))
    assert zeros == sum(result.plan.sizes) - sum(result.plan.kept)
    x, y = labelled()
    accuracy = float((result.model(torch.tensor(x)).argmax(1).numpy() == y).mean())
    assert accuracy == pytest.approx(found.best.score)


def test_the_users_model_and_random_numbers_are_left_alone() -> None:
    model = module().train()
    # Seeds of their own: after a run with the same seed the states would be those that the run leaves anyway.
    random.seed(11)
    np.random.seed(12)
    torch.manual_seed(13)
    before, generator, python_state = copy.deepcopy(model.state_dict()), torch.get_rng_state(), random.getstate()
    numpy_state = np.random.get_state()[1].copy()  # the legacy state is what a user may hold
    assert rlc.prune(model, data=labelled(), **QUICK).findings.episodes > 0
    assert model.training
    assert random.getstate() == python_state
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])


def test_the_same_seed_gives_the_same_plan_and_another_one_its_own_search() -> None:
    first, second = (rlc.prune(module(), data=labelled(), seed=3, **QUICK) for _ in range(2))
    assert first.plan == second.plan
    assert first.findings.returns == second.findings.returns


@pytest.mark.parametrize("settings", [{}, {"grid": "alpha"}, {"exact": False, "search": "none"}])
def test_a_run_killed_after_any_step_ends_with_the_same_plan(tmp_path: Path, settings: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"data": labelled(), "seed": 1, **QUICK, "evaluations": 30, **settings}
    alone = rlc.prune(module(), **arguments)
    steps = 0
    for _ in range(100):

        def kill(event: Any) -> None:
            if type(event).__name__ == "StepFinished":
                raise KilledError

        try:
            result = rlc.prune(module(), run_dir=tmp_path / "run", on_event=kill, **arguments)
            break
        except KilledError:
            steps += 1
    assert steps >= 3
    assert result.plan == alone.plan
    assert result.findings.pareto == alone.findings.pareto
    assert result.findings.returns == alone.findings.returns
    assert Plan.load(tmp_path / "run" / "plan.json") == alone.plan
    assert {"report.md", "report.json", "model.pt"} <= {path.name for path in (tmp_path / "run").iterdir()}


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    rlc.prune(module(), data=labelled(), run_dir=tmp_path, max_steps=1, **QUICK)
    with pytest.raises(CheckpointError, match="another run"):
        rlc.prune(module(), data=labelled(), run_dir=tmp_path, **{**QUICK, "target_sparsity": 0.5})


def test_out_of_steps_still_gives_the_best_so_far() -> None:
    result = rlc.prune(module(), data=labelled(), max_steps=0, **QUICK)
    assert result.plan.sparsity >= 0.7
    assert any("ended early" in note for note in result.notes)


def test_the_papers_preset_follows_its_own_rule() -> None:
    paper = rlc.PuRL.paper(target_sparsity=0.9, episodes=10)
    result = rlc.prune(module(), data=labelled(), algorithm=paper)
    assert result.findings.episodes == 10
    assert result.findings.best.origin == "agent"
    assert not result.findings.starts
    if result.plan.sparsity < 0.9:
        assert any("below the sparsity asked" in note for note in result.notes)


def test_an_infeasible_target_gives_the_closest_plan_and_says_so() -> None:
    result = rlc.prune(module(), data=labelled(), **{**QUICK, "target_sparsity": 0.999, "min_keep": 0.1})
    assert any("cannot be reached" in note for note in result.notes)
    assert result.plan.sparsity == pytest.approx(0.9, abs=0.01)


def test_a_score_that_cannot_be_kept_is_said() -> None:
    result = rlc.prune(module(), data=labelled(), **{**QUICK, "target_sparsity": 0.98, "max_drop": 0.0})
    assert not result.findings.feasible
    assert any("closest one" in note for note in result.notes)


def test_a_judge_that_fails_on_the_model_as_given_is_named() -> None:
    def broken(model: Any) -> float:
        raise RuntimeError("no such camera")

    with pytest.raises(EvaluationError, match=r"as given.*no such camera"):
        rlc.prune(module(), evaluate=broken, example_inputs=torch.zeros(1, 8), **QUICK)
    with pytest.raises(EvaluationError, match="finite"):
        rlc.prune(module(), evaluate=lambda model: math.nan, example_inputs=torch.zeros(1, 8), **QUICK)


def test_plans_that_the_judge_fails_on_are_passed_over() -> None:
    x, y = labelled()

    def shaky(model: Any) -> float:
        zeros = sum(int((part.weight == 0).sum()) for part in model if isinstance(part, torch.nn.Linear))
        if zeros % 3 == 1:
            return math.nan
        return float((model(torch.tensor(x)).argmax(1).numpy() == y).mean())

    result = rlc.prune(
        module(), evaluate=shaky, example_inputs=torch.zeros(1, 8), **{**QUICK, "target_sparsity": 0.698}
    )
    assert math.isfinite(result.findings.best.score)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of"),
        ({"target_sparsity": 1.2}, "target_sparsity"),
        ({"evaluations": 0}, "evaluations"),
        ({"nonesuch": 1}, "nonesuch"),
        ({"seed": -1}, "seed"),
        ({"starts": ("magic",)}, "starts"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    data = {} if not arguments else {"data": labelled()}
    with pytest.raises(InvalidValueError, match=message):
        rlc.prune(module(), **data, **arguments)


def test_data_of_the_wrong_shape_are_refused() -> None:
    x, y = labelled()
    with pytest.raises(InvalidValueError):
        rlc.prune(module(), data=(x[:, :5], y), **QUICK)


def test_a_plan_replays_on_another_copy(tmp_path: Path) -> None:
    result = rlc.prune(module(), data=labelled(), **QUICK)
    other = to_torch(solver(seed=9))
    twin = result.apply(other)
    kept = [int((part.weight != 0).sum()) for part in twin if isinstance(part, torch.nn.Linear)]
    assert tuple(kept) == result.plan.kept
    result.save_plan(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == result.plan


def test_fine_tuning_keeps_the_zeros() -> None:
    result = rlc.prune(module(), data=labelled(), finetune_epochs=2, **{**QUICK, "target_sparsity": 0.85})
    assert result.tuned is not None
    for mask, part in zip(result.masks, (one for one in result.model if isinstance(one, torch.nn.Linear))):
        assert not part.weight.detach().numpy()[~mask].any()


def test_an_interrupted_search_is_not_fine_tuned_and_goes_on_later(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"data": labelled(), "finetune_epochs": 1, **QUICK, "target_sparsity": 0.85}

    def interrupt(event: Any) -> None:
        if isinstance(event, StepFinished) and event.step == 2:
            raise KeyboardInterrupt

    result = rlc.prune(module(), run_dir=tmp_path, on_event=interrupt, **arguments)
    assert result.tuned is None
    assert result.notes[-1].startswith("ended early, interrupted")
    assert rlc.prune(module(), run_dir=tmp_path, **arguments).tuned is not None


def test_fine_tuning_killed_after_any_epoch_goes_on_where_it_was(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"data": labelled(), "finetune_epochs": 3, **QUICK, "target_sparsity": 0.85}
    alone = rlc.prune(module(), **arguments)
    epochs = 0

    def kill(event: Any) -> None:
        nonlocal epochs
        if type(event).__name__ == "Progress" and not event.phase:
            epochs += 1
            raise KilledError

    for _ in range(3):
        with pytest.raises(KilledError):
            rlc.prune(module(), run_dir=tmp_path, on_event=kill, **arguments)
    result = rlc.prune(module(), run_dir=tmp_path, on_event=kill, **arguments)
    assert epochs == 3
    for wanted, found in zip(alone.model.parameters(), result.model.parameters()):
        assert torch.equal(wanted, found)


def test_fine_tuning_of_an_early_plan_is_not_taken_for_that_of_the_last(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"data": labelled(), "finetune_epochs": 1, **QUICK, "target_sparsity": 0.85}
    rlc.prune(module(), run_dir=tmp_path, max_steps=1, **arguments)
    result = rlc.prune(module(), run_dir=tmp_path, **arguments)
    for mask, part in zip(result.masks, (one for one in result.model if isinstance(one, torch.nn.Linear))):
        assert not part.weight.detach().numpy()[~mask].any()


def test_more_workers_give_the_same_plan() -> None:
    pytest.importorskip("joblib")
    one, two = (rlc.prune(module(), data=labelled(), jobs=jobs, **QUICK) for jobs in (1, 2))
    assert one.plan == two.plan


def test_a_network_and_a_dataset_go_through_compress_and_resume(tmp_path: Path) -> None:
    task = rlc.DatasetTask(*labelled(2000), validation=0.5)
    algorithm = rlc.PuRL(**QUICK)
    alone = rlc.compress(solver(), task, algorithm, seed=2, jobs=1)
    part = rlc.compress(solver(), task, algorithm, seed=2, jobs=1, run_dir=tmp_path, max_steps=4)
    assert any("ended early" in note for note in part.notes)
    result = rlc.resume(tmp_path, task=task, jobs=1)
    assert result.best == alone.best
    assert result.best_candidate is not None
    assert result.best_candidate.accepted
    zeros = sum(int((~layer.mask).sum()) for layer in result.best.dense_layers() if layer.mask is not None)
    assert zeros >= 0.7 * sum(layer.weight.size for layer in result.best.layers)
    assert rlc.load(tmp_path / "policy.rlc").parameter_count == result.best.parameter_count
    names = {path.name for path in tmp_path.iterdir()}
    assert {"pruning.md", "pruning.json", "plan.json", "report.md"} <= names


def test_a_network_judged_by_return() -> None:
    from balancing import redundant

    task = rlc.PolicyTask("CartPole-v1", {"max_episode_steps": 30})
    result = rlc.compress(redundant(6), task, rlc.PuRL(**{**QUICK, "evaluations": 16}), jobs=1)
    assert result.best_candidate is not None
    assert result.best_candidate.values.size == 200


def test_the_process_finishes_from_any_state() -> None:
    from rlcompress.problem import Problem

    task = rlc.DatasetTask(*labelled(2000), validation=0.5)
    problem = Problem(solver(), task, seed=1)
    for steps in (0, 2):
        outcome = drive(rlc.PuRL(**QUICK), problem, lambda event: None, budget=Budget(steps=steps))
        assert outcome.output.algorithm == "purl"
        assert outcome.output.report()


def test_the_place_keeps_a_journal(tmp_path: Path) -> None:
    from rlcompress.problem import Problem

    task = rlc.DatasetTask(*labelled(2000), validation=0.5)
    place = Place(tmp_path, "this run")
    drive(rlc.PuRL(**QUICK), Problem(solver(), task), lambda event: None, place, Budget(steps=3))
    assert list(tmp_path.glob("checkpoint-*.bin"))
