"""The verb of an algorithm, generated from its settings class."""

from __future__ import annotations

import inspect
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from rlcompress.cli.outcome import deliver, watching
from rlcompress.cli.run_options import run_of, run_options
from rlcompress.cli.setting_options import chosen, setting_options
from rlcompress.cli.teacher_source import default_folder, load_teacher, source_options, trained_teacher
from rlcompress.engine.registry import algorithm_type
from rlcompress.engine.result import Result
from rlcompress.errors import InvalidValueError

_TEACHER_SHARE = 0.5
"""Of the time budget, at most, for training a teacher."""


def algorithm_command(name: str) -> click.Command:
    """The command that compresses with the algorithm of this name."""
    cls = algorithm_type(name)

    def run(**values: Any) -> None:
        with watching() as watch:
            result, folder = _compress(cls, values, watch)
        click.get_current_context().exit(deliver(result, folder, values["as_json"], watch.ending))

    summary = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    if not summary or summary.startswith(f"{cls.__name__}("):  # what dataclass writes where there is no docstring
        summary = f"Compress with the {name} algorithm."
    params: list[click.Parameter] = [
        *source_options(),
        *run_options(hasattr(cls, "paper"), "runs/<env>"),
        *setting_options(cls),
    ]
    return click.Command(name, params=params, callback=run, help=summary, short_help=summary.splitlines()[0])


def _compress(cls: Any, values: dict[str, Any], on_event: Any) -> tuple[Result, Path]:
    from rlcompress.tasks.policy import PolicyTask

    base = cls.paper() if values.get("paper") else cls()
    algorithm = chosen(type(base), base, values)
    env_id, env_kwargs, seconds = values["env"], values["env_kwargs"], values["max_seconds"]
    if seconds is not None and not seconds > 0:
        raise InvalidValueError(f"--max-seconds: a value > 0 expected, found {seconds}")
    task = PolicyTask(env_id, env_kwargs, step_environment=not values["distil_only"])
    folder: Path = values["out"] or default_folder(env_id)
    began, training = time.monotonic(), {}
    if values["policy"] is not None:
        teacher = load_teacher(values["policy"], values["vecnormalize"], on_event)
    elif values["vecnormalize"] is not None:
        raise InvalidValueError("--vecnormalize: statistics of a given teacher expected; add --policy")
    else:
        share = None if seconds is None else _TEACHER_SHARE * seconds
        limit = values["teacher_steps"]
        teacher, spent = trained_teacher(env_id, env_kwargs, folder, values["seed"], on_event, limit, share)
        training["teacher training"] = spent
    if seconds is not None:
        seconds = max(1.0, seconds - (time.monotonic() - began))
    result = run_of(teacher, task, algorithm, values, folder, on_event, seconds)
    return replace(result, seconds={**training, **result.seconds}), folder
