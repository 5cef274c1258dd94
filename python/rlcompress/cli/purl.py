"""The verb `purl`: a network file, a data file, a sparsity."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

from rlcompress.cli.data_source import MODEL_HELP, compressed, data_options
from rlcompress.cli.outcome import Watch, deliver, watching
from rlcompress.cli.run_options import run_options
from rlcompress.cli.setting_options import chosen, setting_options
from rlcompress.engine.registry import algorithm_type


def purl_command() -> click.Command:
    """The command, with an option per setting of `PuRL`."""
    cls = algorithm_type("purl")
    source: list[click.Parameter] = [
        *data_options(
            MODEL_HELP, "Table or .npz file, folder of images, or a known name.", 0.25, "Share of rows held out."
        ),
        click.Option(["--finetune-epochs"], type=click.IntRange(min=0), default=0, help="Training with masks held."),
    ]
    help_text = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    params = [*source, *run_options(True, "runs/purl"), *setting_options(cls)]
    return click.Command("purl", params=params, callback=_run, help=help_text, short_help=help_text.splitlines()[0])


def _run(**values: Any) -> None:
    cls = algorithm_type("purl")
    base = cls.paper() if values["paper"] else cls()  # type: ignore[attr-defined]
    algorithm: Any = chosen(cls, base, values)
    folder: Path = values["out"] or Path("runs/purl")
    with watching() as watch:
        result, task = compressed(algorithm, values, folder, watch)
        if values["finetune_epochs"] and watch.ending != "interrupted":
            click.echo(_tuned(result, task, values["finetune_epochs"], values["seed"], folder, watch), err=True)
    status = deliver(result, folder, values["as_json"], watch.ending)
    click.get_current_context().exit(status)


def _tuned(result: Any, task: Any, epochs: int, seed: int, folder: Path, watch: Watch) -> str:
    """Train the plan's network with masks held and keep it as `policy-tuned.rlc`."""
    from rlcompress.algorithms.purl.tuning import told_as_a_run, tuned_network

    with told_as_a_run(task.name, watch) as told:
        network = tuned_network(result.cut, result.teacher.network, task, epochs, seed, folder, told)
    path = folder / "policy-tuned.rlc"
    network.save(path)
    before, after = (task.score(one, "final", 0, task.count("final")).mean for one in (result.best, network))
    return f"{path}: final score {before:.4f} before and {after:.4f} after {epochs} epochs with masks held"
