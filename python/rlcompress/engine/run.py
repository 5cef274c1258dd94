"""`compress` and `resume`: one algorithm on one teacher and task, with a run folder to continue from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from rlcompress.artifact import encode as encode_artifact
from rlcompress.engine.driver import Budget, Outcome, Place, drive
from rlcompress.engine.durable import write_durably
from rlcompress.engine.events import Emit, Note, OnEvent, fan_out
from rlcompress.engine.parallel import available_cpus
from rlcompress.engine.process import Checked, Process
from rlcompress.engine.registry import build_algorithm, build_task, read_teacher, write_reports
from rlcompress.engine.result import Result
from rlcompress.engine.run_folder import EventLog, RunRecord, locked, open_run, read_run, record_of
from rlcompress.engine.versions import versions
from rlcompress.errors import ImportFormatError, InvalidValueError, whole_number
from rlcompress.network import Network
from rlcompress.problem import Problem, Task


def compress(
    teacher: Any,
    task: Task,
    algorithm: Process[Any, Result],
    *,
    seed: int = 0,
    run_dir: str | PathLike[str] | None = None,
    on_event: OnEvent = None,
    jobs: int | None = None,
    max_seconds: float | None = None,
    max_steps: int | None = None,
    following: Mapping[str, Any] | None = None,
) -> Result:
    """Compress a network.

    Ctrl-C ends the run after its last finished step with the result so far; a second one aborts. With a run folder the
    same call, or `resume`, continues a run that was killed, interrupted or out of budget, and ends with the same bits.

    Args:
        teacher: the network to compress: a `Network`, or an object that the importers know, such as a
            `torch.nn.Sequential` or a scikit-learn perceptron.
        task: judges candidates.
        algorithm: a settings object, such as `PoPS()`.
        seed: >= 0; every random number derives from it.
        run_dir: where to keep checkpoints, log and result (see `engine.run_folder`); None keeps nothing.
        on_event: one callable or several, called with every event.
        jobs: worker processes, >= 1; default: the processors that this process may use. No influence on the result.
        max_seconds, max_steps: budgets over all sessions of the run; the result so far is given when one is spent.
        following: what the caller does with the result afterwards, JSON-able: kept in `run.json` for whoever resumes.

    Raises:
        InvalidValueError: arguments of the wrong kind, or a teacher that does not fit the task.
        CheckpointError: the run folder holds another run, or only damaged checkpoints.
    """
    problem = _problem(teacher, task, seed, jobs)
    if not isinstance(algorithm, Process) or not is_dataclass(algorithm) or isinstance(algorithm, type):
        raise InvalidValueError(f"algorithm: a settings object such as PoPS() expected, found {algorithm!r}")
    record, budget = record_of(problem, algorithm), Budget(max_seconds, max_steps)
    record = replace(record, following=dict(following or {}))
    if isinstance(algorithm, Checked):
        algorithm.check(problem)
    if run_dir is None:
        return _result(drive(algorithm, problem, fan_out(on_event), None, budget), record)
    folder = Path(run_dir)
    with locked(folder):
        record, stored = open_run(folder, record, problem.teacher)
        return _run_in(folder, record, replace(problem, teacher=stored), algorithm, on_event, budget)


def resume(
    run_dir: str | PathLike[str],
    *,
    task: Task | None = None,
    algorithm: Process[Any, Result] | None = None,
    on_event: OnEvent = None,
    jobs: int | None = None,
    max_seconds: float | None = None,
    max_steps: int | None = None,
) -> Result:
    """Continue the run of a folder; a finished run gives its result again.

    Args:
        run_dir: the run folder.
        task, algorithm: those of the run, where they are not in `engine.registry`.
        on_event, jobs, max_seconds, max_steps: as in `compress`.

    Raises:
        CheckpointError: no run there, only damaged checkpoints, or a task or algorithm that is neither registered nor
        given.
        InvalidValueError: the task or algorithm given is not that of the run.
    """
    folder = Path(run_dir)
    if not folder.is_dir():
        read_run(folder)  # says what is missing, without making the folder
    with locked(folder):
        record, teacher = read_run(folder)
        process = algorithm or build_algorithm(record.algorithm, record.settings)
        problem = _problem(teacher, task or build_task(record.task), record.seed, jobs, prepared=True)
        _check_same(record, record_of(problem, process), task is not None, algorithm is not None)
        return _run_in(folder, record, problem, process, on_event, Budget(max_seconds, max_steps))


def _problem(teacher: Any, task: Any, seed: Any, jobs: int | None, prepared: bool = False) -> Problem:
    try:
        teacher = teacher if isinstance(teacher, Network) else read_teacher(teacher)
    except ImportFormatError as error:
        raise InvalidValueError(f"teacher: {error}") from error
    if not isinstance(task, Task):
        raise InvalidValueError(f"task: a Task such as PolicyTask(...) expected, found {task!r}")
    seed = whole_number(seed, "seed", 0)
    jobs = available_cpus() if jobs is None else whole_number(jobs, "jobs", 1)
    teacher = teacher if prepared else task.prepare(teacher)
    task = _for_network(task, teacher)
    task.check(teacher)
    return Problem(teacher, _with_jobs(task, jobs), seed, jobs)


def _with_jobs(task: Task, jobs: int) -> Task:
    """Tasks that run their own workers have a field `jobs`; it must agree with the run's."""
    if not is_dataclass(task) or "jobs" not in {field.name for field in fields(task)} or task.jobs == jobs:
        return task
    return replace(task, jobs=jobs)


def _for_network(task: Task, teacher: Network) -> Task:
    """Tasks with labels number them as the teacher's outputs are."""
    renumber = getattr(task, "for_network", None)
    return task if renumber is None else renumber(teacher)


def _check_same(record: RunRecord, given: RunRecord, task: bool, algorithm: bool) -> None:
    if algorithm and (record.algorithm, record.settings) != (given.algorithm, given.settings):
        raise InvalidValueError(
            f"algorithm: {record.algorithm} {dict(record.settings)} expected, as the run began; or leave it out"
        )
    if task and record.task != given.task:
        raise InvalidValueError(
            f"task: {dict(record.task)} expected, as the run began, found {dict(given.task)}; or leave it out"
        )


def _run_in(
    folder: Path, record: RunRecord, problem: Problem, process: Process[Any, Result], on_event: OnEvent, budget: Budget
) -> Result:
    with closing(EventLog(folder)) as log:
        emit = fan_out(log, on_event)
        _note_versions(record, emit)
        result = _result(drive(process, problem, emit, Place(folder, record.identity), budget), record)
    if isinstance(result, Result):
        write_durably(folder / "policy.rlc", encode_artifact(result.best))
        write_reports(result, folder)
    return result


def _note_versions(record: RunRecord, emit: Emit) -> None:
    now = versions()
    changed = [name for name, old in record.versions.items() if now.get(name) != old]
    if changed:
        list_ = ", ".join(f"{name} {record.versions[name]} -> {now.get(name, 'none')}" for name in changed)
        emit(Note(f"versions changed since the run began, so the result may differ: {list_}", warning=True))


def _result(outcome: Outcome[Result], record: RunRecord) -> Result:
    result = outcome.output
    if not isinstance(result, Result):
        return result
    notes = result.notes
    if outcome.reason != "done":
        notes += (f"ended early, {outcome.reason} after step {outcome.steps}: a longer run may find smaller networks",)
    settings = {**result.settings, "algorithm": dict(record.settings), "task": dict(record.task)}
    return replace(result, notes=notes, seconds=outcome.seconds, settings=settings, versions=versions())
