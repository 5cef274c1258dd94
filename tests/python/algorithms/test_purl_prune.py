"""What `prune` gives back, and what it refuses before it searches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import rlcompress as rlc
from rlcompress.contract import Argmax, Contract, Normalisation
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.importers.torch_module import to_torch
from rlcompress.layers import Dense
from rlcompress.layerwise.evaluate import evaluator
from rlcompress.training import FineTuning

sys.path.insert(0, str(Path(__file__).parent))
from purl_nets import labelled, solver

FAST: dict[str, Any] = {"target_sparsity": 0.7, "evaluations": 12, "agent_share": 0, "pareto": 1}


def module() -> Any:
    return to_torch(solver())


def accuracy(model: Any, x: Any, y: Any) -> float:
    return float((model(torch.tensor(x)).argmax(1).numpy() == y).mean())


def normalised() -> tuple[rlc.Network, Any, Any]:
    """The solver behind a normalisation, and rows on the scale of the observations."""
    x, y = labelled()
    shift, spread = np.arange(8, dtype=np.float32) * 30, np.full(8, 50, np.float32)
    normalisation = Normalisation(shift, spread, 10.0)
    network = rlc.Network(solver().layers, Contract((8,), Argmax(), normalisation=normalisation))
    return network, x * spread + shift, y


@pytest.mark.parametrize("recovery", ["batchnorm", "least_squares"])
def test_the_model_given_back_is_the_one_that_was_scored(recovery: str) -> None:
    first, _, last = module()
    model = nn.Sequential(first, nn.BatchNorm1d(12), nn.ReLU(), last)
    x, y = labelled()
    model.train()(torch.tensor(x))
    model.eval()
    result = rlc.prune(model, data=(x, y), test=labelled(seed=5), recovery=recovery, finetune_epochs=1, **FAST)
    alone = rlc.prune(model, data=(x, y), test=labelled(seed=5), recovery=recovery, **FAST)
    assert accuracy(alone.model, x, y) == pytest.approx(alone.findings.best.score)
    assert accuracy(alone.model, *labelled(seed=5)) == pytest.approx(alone.findings.best.final)
    assert not all(torch.equal(a, b) for a, b in zip(alone.model.state_dict().values(), model.state_dict().values()))
    for mask, layer in zip(alone.masks, (alone.model[0], alone.model[3])):
        assert not layer.weight.detach().numpy()[~mask].any()
    assert result.tuned is not None
    assert result.tuned[0] == pytest.approx(alone.findings.best.score)
    assert result.score == pytest.approx(max(result.tuned)) == pytest.approx(accuracy(result.model, x, y))


def test_a_recovered_network_is_the_one_that_was_scored() -> None:
    x, y = labelled(2000)
    algorithm = rlc.PuRL(recovery="least_squares", **{**FAST, "target_sparsity": 0.9})
    result = rlc.compress(solver(), rlc.DatasetTask(x, y, validation=0.5), algorithm, jobs=1, max_steps=1)
    rows, wanted = rlc.DatasetTask(x, y, validation=0.5).rows("search")
    assert np.mean(np.asarray(rlc.Runtime(result.best)(rows)) == wanted) == pytest.approx(result.findings.best.score)


def test_a_result_shows_itself_in_one_line() -> None:
    given: dict[str, Any] = {"data": labelled(), "test": labelled(seed=5), **FAST}
    bare, tuned = rlc.prune(module(), **given), rlc.prune(module(), finetune_epochs=1, **given)
    for result in (bare, tuned):
        assert "\n" not in repr(result)
        assert len(repr(result)) < 200
    assert "70.45 % of 132 weights removed (70 % asked)" in repr(bare)
    assert f"score {bare.findings.best.score:.4f}, dense {bare.findings.dense.score:.4f}" in repr(bare)
    assert f"final {bare.findings.best.final:.4f}" in repr(bare)
    assert tuned.tuned is not None
    assert f"{tuned.tuned[1]:.4f} fine-tuned" in repr(tuned)


SPARSE = {**FAST, "target_sparsity": 0.9}


def test_the_plan_found_is_recovered_where_that_helps() -> None:
    rows, unseen = labelled(2000), labelled(500, seed=5)
    bare = rlc.prune(module(), data=rows, test=unseen, recovery="none", **SPARSE)
    result = rlc.prune(module(), data=rows, test=unseen, **SPARSE)
    best = result.findings.best
    assert result.findings.recovery == ("least_squares",)
    assert best.score > bare.findings.best.score
    recovered = evaluator(rlc.prunable(module(), rows[0][:1]), data=rows, recovery="least_squares")
    plans = [bare.findings.best, *(start for start in result.findings.starts if start.meets)]
    assert best.score == max(recovered.score(plan.kept) for plan in plans)
    count = len({plan.kept for plan in plans})
    spent = result.findings.spent - bare.findings.spent
    assert count + 1 <= round(spent, 6) <= 2 * count  # two ways on half of the rows each; what won there on all
    assert accuracy(result.model, *rows) == pytest.approx(best.score)
    assert accuracy(result.model, *unseen) == pytest.approx(best.final)
    assert accuracy(bare.model, *unseen) == pytest.approx(bare.findings.best.final)
    assert any("recovered without training (least_squares)" in note for note in result.notes)
    for mask, layer in zip(result.masks, (result.model[0], result.model[2])):
        assert not layer.weight.detach().numpy()[~mask].any()


def test_a_training_starts_from_the_recovered_plan_and_its_model_is_the_one_told() -> None:
    data, unseen = labelled(2000), labelled(2000, seed=5)
    given: dict[str, Any] = {"data": data, "test": unseen, "max_drop": 0.2, **FAST, "target_sparsity": 0.93}
    plain, recovered = (rlc.prune(module(), recovery=choice, **given) for choice in ("none", "auto"))
    cut, result = (rlc.prune(module(), recovery=choice, finetune_epochs=8, **given) for choice in ("none", "auto"))
    assert result.findings.recovery == ("least_squares",)
    assert result.fine_tuned
    assert result.tuned == pytest.approx((recovered.score, accuracy(result.model, *data)))
    assert recovered.score > plain.score
    assert result.score > max(cut.score, recovered.score)
    assert result.final == pytest.approx(accuracy(result.model, *unseen))
    assert result.feasible
    assert not recovered.feasible
    head = result.report().split("## Layers")[0]
    assert f"{result.score:.4f} ({result.final:.4f} on the final rows) fine-tuned" in head
    assert "both targets met" in head


def test_a_training_that_does_harm_is_not_given_back() -> None:
    given: dict[str, Any] = {"data": labelled(), "test": labelled(seed=5), **FAST}
    alone = rlc.prune(module(), **given)
    result = rlc.prune(module(), finetune=FineTuning(epochs=2, learning_rate=10.0), **given)
    assert result.tuned is not None
    assert result.tuned[1] < result.tuned[0] == result.score
    assert not result.fine_tuned
    assert result.final == alone.final
    assert all(torch.equal(a, b) for a, b in zip(result.model.state_dict().values(), alone.model.state_dict().values()))
    assert any("fine-tuning lowered the score" in note for note in result.notes)


def wide_network() -> tuple[rlc.Network, rlc.DatasetTask, list[Any]]:
    """Random weights, rows that they label, and those weights."""
    rng = np.random.default_rng(3)
    sizes = ((64, 8), (3, 64))
    weights = [rng.standard_normal(size).astype(np.float32) for size in sizes]
    biases = [np.zeros(size[0], np.float32) for size in sizes]
    network = rlc.Network(
        (Dense(weights[0], biases[0], "relu"), Dense(weights[1], biases[1])), Contract((8,), Argmax())
    )
    x = rng.standard_normal((2000, 8)).astype(np.float32)
    return network, rlc.DatasetTask(x, np.asarray(rlc.Runtime(network)(x))), weights


def test_a_network_on_a_dataset_is_recovered_too() -> None:
    network, task, weights = wide_network()
    result = rlc.compress(network, task, rlc.PuRL(**SPARSE), jobs=1)
    found, best = result.findings, result.best_candidate
    assert found.recovery == ("least_squares",)
    assert best is not None
    for split, told in (("search", found.best.score), ("final", float(best.values.mean()))):
        rows, wanted = task.rows(split)
        assert np.mean(np.asarray(rlc.Runtime(result.best)(rows)) == wanted) == pytest.approx(told)
    for layer, weight in zip(result.best.dense_layers(), weights):
        assert not np.array_equal(layer.weight * layer.mask, weight * layer.mask)


def test_workers_have_no_influence_on_a_recovered_plan() -> None:
    alone, helped = (rlc.prune(module(), data=labelled(2000), jobs=jobs, **SPARSE) for jobs in (1, 2))
    assert alone.findings.recovery
    assert alone.findings.best == helped.findings.best
    assert all(torch.equal(a, b) for a, b in zip(alone.model.state_dict().values(), helped.model.state_dict().values()))


def test_a_search_that_a_budget_ends_is_recovered_without_a_look_at_the_final_rows(tmp_path: Path) -> None:
    rows, unseen = labelled(2000), labelled(900)
    given: dict[str, Any] = {"data": rows, "test": unseen, "run_dir": tmp_path, **SPARSE}
    early = rlc.prune(module(), max_steps=2, **given)
    assert early.findings.recovery == ("least_squares",)
    assert accuracy(early.model, *rows) == pytest.approx(early.findings.best.score)
    assert early.findings.best.final is None
    whole = rlc.prune(module(), **given)
    assert whole.findings.best.score >= early.findings.best.score
    assert accuracy(whole.model, *unseen) == pytest.approx(whole.findings.best.final)


def test_a_network_whose_search_a_budget_ends_is_recovered() -> None:
    network, task, _ = wide_network()
    result = rlc.compress(network, task, rlc.PuRL(**SPARSE), jobs=1, max_steps=2)
    assert result.findings.recovery == ("least_squares",)
    assert result.best_candidate is not None
    rows, wanted = task.rows("search")
    told = float(result.best_candidate.values.mean())
    assert np.mean(np.asarray(rlc.Runtime(result.best)(rows)) == wanted) == pytest.approx(told)


def test_a_network_is_pruned_and_tuned_on_prepared_rows() -> None:
    network, x, y = normalised()
    plain = rlc.prune(solver(), data=labelled(), **FAST)
    result = rlc.prune(network, data=(x, y), **FAST)
    assert result.findings.dense.score > 0.9
    assert result.plan == plain.plan
    assert result.network is not None
    assert result.network.contract == network.contract
    assert np.mean(np.asarray(rlc.Runtime(result.network)(x)) == y) == pytest.approx(result.findings.best.score)
    tuned = rlc.prune(network, data=(x, y), finetune_epochs=2, **FAST)
    assert tuned.tuned is not None
    assert tuned.tuned[1] > 0.8
    assert tuned.network is not None
    assert tuned.network.metadata["tuned_epochs"] == 2
    assert np.mean(np.asarray(rlc.Runtime(tuned.network)(x)) == y) == pytest.approx(tuned.tuned[1])
    for mask, layer in zip(tuned.masks, tuned.network.dense_layers()):
        assert np.array_equal(mask, layer.mask)


@pytest.mark.parametrize("whole", [True, False])
def test_batches_that_can_be_read_once_are_refused(whole: bool) -> None:
    x, y = labelled()
    model = solver() if whole else module()
    with pytest.raises(InvalidValueError, match="read only once"):
        rlc.prune(model, data=((x, y) for _ in range(1)), example_inputs=torch.tensor(x[:1]), **FAST)


def test_a_dataset_is_normalised_once() -> None:
    network, x, y = normalised()
    result = rlc.compress(network, rlc.DatasetTask(x, y), rlc.PuRL(**FAST), jobs=1, max_steps=0)
    assert result.findings.dense.score > 0.9


def test_a_folder_of_another_problem_is_refused(tmp_path: Path) -> None:
    x, y = labelled()
    shifted = module()
    with torch.no_grad():
        shifted[0].bias.add_(0.1)

    def loader(rows: Any) -> Any:
        tensors = torch.utils.data.TensorDataset(torch.tensor(rows), torch.tensor(y))
        return torch.utils.data.DataLoader(tensors, batch_size=50)

    same: dict[str, Any] = {**FAST, "data": loader(x), "run_dir": tmp_path, "max_steps": 0}
    rlc.prune(module(), **same)
    rlc.prune(module(), **{**same, "data": loader(x)})
    for model, other in (
        (shifted, {}),
        (module(), {"metric": "cross_entropy"}),
        (module(), {"data": loader(x + 1)}),
        (module(), {"test": (x, y)}),
        (module(), {"recovery": "least_squares"}),
    ):
        with pytest.raises(CheckpointError, match="another run"):
            rlc.prune(model, **{**same, **other})


def test_fine_tuning_on_other_rows_starts_afresh(tmp_path: Path) -> None:
    settings: dict[str, Any] = {**FAST, "data": labelled(), "run_dir": tmp_path, "finetune_epochs": 1}
    first = rlc.prune(module(), **settings)
    second = rlc.prune(module(), finetune_data=labelled(seed=3), **settings)
    assert not torch.equal(first.model[0].weight, second.model[0].weight)
    alone = rlc.prune(module(), finetune_data=labelled(seed=3), **{**settings, "run_dir": None})
    assert torch.equal(alone.model[0].weight, second.model[0].weight)


def test_one_pattern_may_be_a_plain_text() -> None:
    result = rlc.prune(module(), data=labelled(), skip="2.weight", **FAST)
    assert result.plan.layers == ("0.weight",)


def test_rows_that_can_be_read_once_are_refused() -> None:
    x, y = labelled()
    batches = [(x[at : at + 100], y[at : at + 100]) for at in range(0, 400, 100)]
    for given in ({"data": iter(batches)}, {"data": (x, y), "test": iter(batches)}):
        with pytest.raises(InvalidValueError, match=r"only once.*list of batches"):
            rlc.prune(module(), **given, **FAST)
    with pytest.raises(InvalidValueError, match="only once"):
        rlc.prune(module(), data=(x, y), finetune_epochs=1, finetune_data=(one for one in batches), **FAST)
    assert rlc.prune(module(), data=batches, finetune_epochs=1, **FAST).tuned is not None


def test_how_to_fine_tune_can_be_told() -> None:
    still = FineTuning(epochs=1, learning_rate=1e-12, l2=0.0)
    given: dict[str, Any] = {"data": labelled(), **FAST}
    pruned, tuned = rlc.prune(module(), **given), rlc.prune(module(), finetune=still, **given)
    assert torch.allclose(pruned.model[0].weight, tuned.model[0].weight, atol=1e-6)
    assert tuned.tuned is not None
    with pytest.raises(InvalidValueError, match="not both"):
        rlc.prune(module(), finetune=still, finetune_epochs=2, **given)
    with pytest.raises(InvalidValueError, match="FineTuning expected"):
        rlc.prune(module(), finetune={"epochs": 2}, **given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"finetune_epochs": 1.5}, "finetune_epochs: a whole number"),
        ({"finetune_epochs": None}, "finetune_epochs: a whole number"),
        ({"finetune_epochs": 1, "finetune_data": (np.zeros((9, 5), np.float32), np.zeros(9, int))}, "shape"),
        ({"finetune_epochs": 1, "finetune_data": (np.zeros((9, 8), np.float32), np.full(9, 7))}, "y below 3"),
        ({"finetune_epochs": 1, "finetune_data": 5}, "DataLoader expected"),
        ({"jobs": None}, "jobs: a whole number"),
        ({"seed": True}, "seed: a whole number"),
    ],
)
def test_what_cannot_work_is_said_before_the_search(arguments: dict[str, Any], message: str) -> None:
    events: list[Any] = []
    with pytest.raises(InvalidValueError, match=message):
        rlc.prune(module(), data=labelled(), on_event=events.append, **arguments, **FAST)
    assert not events


def test_numbers_of_numpy_are_numbers() -> None:
    first = rlc.prune(module(), data=labelled(), seed=np.int64(3), **FAST)
    assert first.plan == rlc.prune(module(), data=labelled(), seed=3, **FAST).plan


def test_a_function_judges_the_tuned_model_too() -> None:
    x, y = labelled()
    given: dict[str, Any] = {"example_inputs": torch.zeros(1, 8), "finetune_data": (x, y), "finetune_epochs": 1}
    result = rlc.prune(module(), evaluate=lambda model: accuracy(model, x, y), **given, **FAST)
    assert result.tuned == pytest.approx((result.findings.best.score, accuracy(result.model, x, y)))


def test_a_plan_finds_its_layers_by_name(tmp_path: Path) -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            first, self.between, last = module()
            self.last, self.first = last, first  # registered in another order than called

        def forward(self, x: Any) -> Any:
            return self.last(self.between(self.first(x)))

    result = rlc.prune(Backwards(), data=labelled(), **FAST)
    assert result.plan.layers == ("first.weight", "last.weight")
    result.save_plan(tmp_path / "plan.json")
    for twin in (result.apply(Backwards()), rlc.prunable(Backwards()).apply(rlc.Plan.load(tmp_path / "plan.json"))):
        found = [int(torch.count_nonzero(part.weight)) for part in (twin.first, twin.last)]
        assert tuple(found) == result.plan.kept
    with pytest.raises(InvalidValueError, match=r"another model: first\.weight: 96 weights in the plan, no such layer"):
        result.apply(module())


def test_the_verdict_names_the_target_that_is_missed() -> None:
    x, y = labelled(2000)
    algorithm = rlc.PuRL(**{**FAST, "target_sparsity": 0.95})
    result = rlc.compress(solver(), rlc.DatasetTask(x, y), algorithm, jobs=1, max_steps=1)
    assert result.best_candidate is not None
    assert "sparsity met, score target not met" in result.best_candidate.reason
    assert "score target not met" in result.report()


class Named(nn.Module):
    """Two inputs, and outputs by name."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 8), nn.Linear(3, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.head(torch.relu(self.first(left) + self.second(right)))}


def test_what_fine_tuning_takes_passes_the_trial_before_the_search() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(96, 6), torch.arange(96) % 3
    judged: dict[str, Any] = {"target_sparsity": 0.5, "evaluations": 8, "agent_share": 0.0, "finetune_epochs": 1}
    judged["evaluate"] = lambda model: 1.0
    double = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    found = rlc.prune(double, example_inputs=x[:1].double(), finetune_data=(x, y), **judged)
    assert next(found.model.parameters()).dtype == torch.float64
    batches = [((x[at : at + 32, :3], x[at : at + 32, 3:]), y[at : at + 32]) for at in (0, 32, 64)]
    found = rlc.prune(Named(), example_inputs=(x[:1, :3], x[:1, 3:]), finetune_data=batches, **judged)
    assert found.tuned is not None
