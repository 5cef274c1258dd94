"""Options that every algorithm's verb has (folder, seed, workers, budgets), and the run that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rlcompress.engine.result import Result
from rlcompress.network import Network
from rlcompress.problem import Task


def run_options(preset: bool, default: str) -> list[click.Option]:
    """Options of every run.

    Args:
        preset: whether the algorithm has one.
        default: the run folder, for the help.
    """
    folder = click.Path(file_okay=False, path_type=Path)
    options = [
        click.Option(["--out"], type=folder, help=f"Run folder.  [default: {default}]"),
        click.Option(["--seed"], type=click.IntRange(min=0), default=0, help="Of every random number.  [default: 0]"),
        click.Option(["--jobs"], type=click.IntRange(min=1), help="Worker processes.  [default: the processors]"),
        click.Option(["--max-seconds"], type=float, help="Stop after this time with what there is."),
        click.Option(["--max-steps"], type=click.IntRange(min=0), help="Stop after this many steps of the algorithm."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the report as JSON."),
    ]
    if preset:
        options.append(click.Option(["--paper"], is_flag=True, help="Start from the published algorithm's settings."))
    return options


def run_of(
    teacher: Network,
    task: Task,
    algorithm: Any,
    values: dict[str, Any],
    folder: Path,
    on_event: Any,
    max_seconds: float | None,
    following: Mapping[str, Any] | None = None,
) -> Result:
    """The result of the run that the options describe.

    Args:
        teacher, task, algorithm, on_event: as for `compress`.
        values: parameters of the command.
        folder: of the run.
        max_seconds: what is left of the option's time.
        following: what the command does afterwards, for `resume`.
    """
    from rlcompress.engine.run import compress

    return compress(
        teacher,
        task,
        algorithm,
        seed=values["seed"],
        run_dir=folder,
        on_event=on_event,
        jobs=values["jobs"],
        max_seconds=max_seconds,
        max_steps=values["max_steps"],
        following=following,
    )
