"""`prune`: any torch module or `Network`, judged by data or by a function, made sparse layer by layer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rlcompress.algorithms.purl import PuRL
from rlcompress.algorithms.purl.finalists import Finals, with_finalist
from rlcompress.algorithms.purl.findings import Findings, PlanFinding
from rlcompress.algorithms.purl.identity import problem_identity
from rlcompress.algorithms.purl.judging import FinalRows, Judge, ModelProblem, ModelTask, final_rows, score_as_it_is
from rlcompress.algorithms.purl.tuning import (
    PlanTraining,
    Tuning,
    checkpoint_of,
    told_as_a_run,
    tuning_of,
    tuning_settings,
    untrained_kept,
)
from rlcompress.arrays import BoolArray
from rlcompress.engine.config import to_config
from rlcompress.engine.driver import Budget, Outcome, Place, drive
from rlcompress.engine.durable import write_durably
from rlcompress.engine.events import Emit, OnEvent, fan_out
from rlcompress.engine.registry import write_reports
from rlcompress.engine.run_folder import EventLog, locked
from rlcompress.engine.versions import versions
from rlcompress.errors import CheckpointError, InvalidValueError, whole_number
from rlcompress.layerwise.evaluate import evaluator
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.prepared_rows import prepared
from rlcompress.layerwise.prunable import prunable
from rlcompress.layerwise.rows import example_of
from rlcompress.network import Network
from rlcompress.optional import require
from rlcompress.training.finetuning import FineTuning
from rlcompress.training.labelled_rows import Augment
from rlcompress.training.mask_search import Schedule

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False, repr=False)
class PruningResult:
    """A pruned model and how it was found.

    Args:
        model: a copy of the user's model with real zeros, recovered and fine-tuned where that was asked. Of a `Network`
            it is the layers alone, which take prepared rows (normalised and selected): use `network`.
        plan: weights kept per layer.
        masks: one bool array per layer, True = kept.
        findings: layers, starts, Pareto front and notes.
        seconds: per phase, over all sessions.
        tuned: scores before and after fine-tuning on the rows of the search, or None. Where the second is lower, the
            model is that of before, and the notes say so.
        versions: of the packages.
        network: the pruned `Network` with masks, contract and metadata; None where a torch module was pruned.
        final: score of `model` on the final rows, or None; `findings` tells that of before a fine-tuning.
    """

    model: torch.nn.Module
    plan: Plan
    masks: tuple[BoolArray, ...]
    findings: Findings
    name: str
    seconds: dict[str, float] = field(default_factory=dict)
    tuned: tuple[float, float] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    network: Network | None = None
    final: float | None = None

    @property
    def fine_tuned(self) -> bool:
        """Whether `model` was trained after the search: not where that lowered the score."""
        return self.tuned is not None and self.tuned[1] >= self.tuned[0]

    @property
    def score(self) -> float:
        """Of `model`, on the rows of the search."""
        return self.tuned[1] if self.tuned is not None and self.fine_tuned else self.findings.best.score

    @property
    def feasible(self) -> bool:
        """Whether `model` meets both targets."""
        return self.findings.met_with(self.score)

    @property
    def pareto(self) -> tuple[PlanFinding, ...]:
        """Plans that none beats in both sparsity and score, densest first."""
        return self.findings.pareto

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must know."""
        return self.findings.notes

    def __repr__(self) -> str:
        """One line: `report` has the rest, and masks fill hundreds of lines."""
        found = self.findings
        best, dense = found.best, found.dense
        figures = [
            f"{100 * best.sparsity:.2f} % of {sum(found.plan.sizes):,} weights removed "
            f"({100 * found.target_sparsity:g} % asked)",
            f"score {best.score:.4f}",
            f"dense {dense.score:.4f}",
        ]
        figures += [] if self.tuned is None else [f"{self.tuned[1]:.4f} fine-tuned"]
        figures += [] if best.final is None else [f"final {best.final:.4f}"]
        return f"{type(self).__name__}({self.name}: {', '.join(figures)}; see report())"

    def report(self) -> str:
        """Tables as text: layers, starts, Pareto front, notes."""
        from rlcompress.reporting.pruning import pruning_markdown  # upward on purpose: the user's door to floor 6

        return pruning_markdown(self)

    def save_plan(self, path: str | PathLike[str]) -> None:
        """Write the plan as JSON; `Plan.load` reads it."""
        self.plan.save(path)

    def apply(self, other: torch.nn.Module, example_inputs: Any = None, skip: Sequence[str] = ()) -> torch.nn.Module:
        """The same plan on a copy of another model with the same layers: its own largest magnitudes stay.

        Raises:
            InvalidValueError: layers of other names or sizes.
        """
        target = prunable(other, example_inputs, skip)
        return target.apply(self.plan)


def prune(
    model: Any,
    *,
    data: Any = None,
    evaluate: Callable[[torch.nn.Module], float] | None = None,
    metric: Any = "accuracy",
    example_inputs: Any = None,
    skip: Sequence[str] = (),
    test: Any = None,
    algorithm: PuRL | None = None,
    finetune_epochs: int = 0,
    finetune: FineTuning | None = None,
    finetune_data: Any = None,
    augment: Augment | None = None,
    gradual: Schedule | None = None,
    finalists: int = 0,
    seed: int = 0,
    jobs: int = 1,
    run_dir: str | PathLike[str] | None = None,
    on_event: OnEvent = None,
    max_seconds: float | None = None,
    max_steps: int | None = None,
    **settings: Any,
) -> PruningResult:
    """Prune a model to a sparsity, with the loss of score as small as the search can make it.

    The model is not touched. With a run folder the same call continues a run that was killed, and ends with the same
    plan.

    Args:
        model: any torch module, or a `Network`; the rows of a `Network` are observations, as its contract takes them.
            What is inside of `DataParallel` or a compiled module is pruned and given back, without the wrapper.
        data: `(x, y)` arrays, a list of batches or a DataLoader; hold them out of what the result is reported on.
        evaluate: instead of data, a function of a module that gives a number, larger is better: of a loss return the
            negative (a note says so where it looks like one). A run folder knows it by its name alone and trusts that
            it judges as before.
        metric: of data; see `layerwise.evaluate.evaluator`.
        example_inputs: for the traced forward; taken from data where there are any.
        skip: names or patterns of layers to leave dense.
        test: `(x, y)` or a loader for final figures; looked at once.
        algorithm: a `PuRL(...)`; or give its fields as `settings`, such as `target_sparsity=0.95`.
        finetune_epochs: training epochs after the search and its recovery, masks held unless `gradual` is given; none
            where the search was interrupted. Where they lower the score on the rows of the search, the model of before
            is given.
        finetune: how to train, in place of `finetune_epochs`: epochs and seed are its own then.
        finetune_data: `(x, y)` to fine-tune on; `data` unless given.
        augment: (x batch, torch.Generator) to x batch, for fine-tuning; a run folder knows it by its name.
        gradual: fine-tuning starts from the dense model instead of the pruned one, and weights go on this schedule
            until each layer has the plan's count: better at high sparsities. Which ones stay is then learnt, so that
            the plan on another copy keeps others than `masks` do.
        finalists: plans that are trained for a quarter of the fine-tuning each before one is chosen: the best of the
            search, the free starts, then mixtures of what trained best. Better than the search alone at extreme
            sparsities, at the price of that training. 0: the best of the search.
        seed: >= 0; every random number derives from it.
        jobs: worker processes; no influence on the result.
        run_dir: folder for checkpoints, log, plan, report and model; None keeps nothing.
        on_event: one callable or several, called with every event.
        max_seconds, max_steps: budgets over all sessions; the best plan so far is given when one is spent.

    Raises:
        InvalidValueError: arguments out of range, data that do not fit, or nothing to prune.
        EvaluationError: the judge fails on the model as given.
        CheckpointError: the run folder holds another run.
    """
    if algorithm is not None and settings:
        raise InvalidValueError(f"algorithm: give it or settings, not both (found {', '.join(settings)})")
    process = _algorithm(settings) if algorithm is None else replace(algorithm)
    seed, jobs = whole_number(seed, "seed", 0), whole_number(jobs, "jobs", 1)
    tuning = tuning_settings(finetune, finetune_epochs, seed)
    finalists = whole_number(finalists, "finalists", 0)
    asks = {"finalists": finalists > 0, "augment": augment is not None, "gradual": gradual is not None}
    for name, asked in asks.items():
        if asked and tuning is None:
            raise InvalidValueError(f"{name}: a fine-tuning expected with it; give finetune_epochs")
    if example_inputs is None and data is not None:
        example_inputs = example_of(data)
    target = prunable(model, example_inputs, skip)
    recovery = process.judged_with
    judge = Judge(target, evaluator(target, data=data, evaluate=evaluate, metric=metric, recovery=recovery), jobs)
    final = final_rows(target, test, metric)
    training_rows = finetune_data if finetune_data is not None else data
    wanted = tuning and tuning_of(judge, tuning, training_rows, augment, gradual)
    problem = ModelProblem(judge, ModelTask(type(model).__name__), final, seed, jobs, bool(wanted and wanted.schedule))
    identity = problem_identity(target, data, test, metric, evaluate)
    outcome = _driven(process, problem, run_dir, on_event, Budget(max_seconds, max_steps), identity)
    if wanted and outcome.reason != "interrupted":
        folder, emit = None if run_dir is None else Path(run_dir), fan_out(on_event)
        judging = {"data": prepared(target.network, data), "evaluate": evaluate, "metric": metric}
        training = PlanTraining(judge, judging)
        wanted = replace(wanted, recovery=outcome.output.recovery)
        if finalists:
            finals = Finals(finalists, wanted, training.score, seed, final, folder)
            chosen = with_finalist(judge, judge.allotment(process), outcome.output, finals, emit)
            outcome = replace(outcome, output=chosen)
        result = _tuned(_result(problem, outcome), training, wanted, final, folder, emit)
    else:
        result = _result(problem, outcome)
    if run_dir is not None:
        _write(result, Path(run_dir))
    return result


def _algorithm(settings: dict[str, Any]) -> PuRL:
    try:
        return PuRL(**settings)
    except TypeError as error:
        raise InvalidValueError(f"settings: {error}; see PuRL for their names") from None


def _driven(
    process: PuRL,
    problem: ModelProblem,
    run_dir: str | PathLike[str] | None,
    on_event: OnEvent,
    budget: Budget,
    identity: dict[str, Any],
) -> Outcome[Findings]:
    # The driver reads the name of the task alone; the process knows what else the problem holds.
    whole = cast(Any, problem)
    if run_dir is None:
        return drive(process, whole, fan_out(on_event), None, budget)
    folder = Path(run_dir)
    record = {"algorithm": "purl", "settings": to_config(process), "seed": problem.seed, **identity}
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    with locked(folder), closing(EventLog(folder)) as log:
        path = folder / "run.json"
        if path.exists() and json.loads(path.read_bytes()).get("identity") != digest:
            raise CheckpointError(f"{folder}: holds another run; choose another folder or remove it")
        text = json.dumps({**record, "versions": versions(), "identity": digest}, indent=2, sort_keys=True)
        write_durably(path, text.encode())
        return drive(process, whole, fan_out(log, on_event), Place(folder, digest), budget)


def _result(problem: ModelProblem, outcome: Outcome[Findings]) -> PruningResult:
    found, judge = outcome.output, problem.judge
    if outcome.reason != "done":
        text = f"ended early, {outcome.reason} after step {outcome.steps}: a longer run may find better plans"
        found = replace(found, notes=(*found.notes, text))
    target, network = judge.prunable, None
    model = judge.recovering(found.recovery).model(found.best.kept)
    if target.network is not None:
        told = {"pruning": found.plan.to_json(), "score": found.best.score, "seed": problem.seed}
        network = target.network_of(model, found.plan).with_metadata(**told)
    masks, seconds = tuple(target.masks(found.plan)), dict(outcome.seconds)
    known = dict(versions())
    final = found.best.final
    return PruningResult(model, found.plan, masks, found, problem.task.name, seconds, None, known, network, final)


def _tuned(
    result: PruningResult,
    training: PlanTraining,
    wanted: Tuning,
    final: FinalRows | None,
    folder: Path | None,
    emit: Emit,
) -> PruningResult:
    """The result with its model trained, unless that lowers the score on the rows of the search."""
    checkpoint = None if folder is None else checkpoint_of(folder, result.plan, wanted)
    with told_as_a_run(result.name, emit) as told:
        trained = training.trained(result.plan, wanted, told, checkpoint)
    before, after = result.findings.best.score, training.score_of(trained.model)
    if after < before:
        notes = (*result.notes, untrained_kept(before, after))
        return replace(result, findings=replace(result.findings, notes=notes), tuned=(before, after))
    network = result.network
    if network is not None:
        told_of = {**network.metadata, "score": after, "tuned_epochs": wanted.settings.epochs}
        network = training.judge.prunable.network_of(trained.model, trained.masks).with_metadata(**told_of)
    unseen = None if final is None else score_as_it_is(trained.model, final.metric, final.data)
    made = {"model": trained.model, "masks": trained.masks, "network": network}
    return replace(result, **made, tuned=(before, after), final=unseen)


def _write(result: PruningResult, folder: Path) -> None:
    torch = require("torch")
    result.save_plan(folder / "plan.json")
    torch.save(result.model.state_dict(), folder / "model.pt")
    write_reports(result, folder)
