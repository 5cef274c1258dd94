"""The verb `purl`: a network file, a data file, a sparsity."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rlcompress.cli.data_source import MODEL_HELP, compressed, data_options
from rlcompress.cli.outcome import Watch, deliver, watching
from rlcompress.cli.run_options import run_options
from rlcompress.cli.setting_options import chosen, setting_options
from rlcompress.engine.registry import algorithm_type
from rlcompress.errors import whole_number

_TUNED = "policy-tuned.rlc"


def purl_command() -> click.Command:
    """The command, with an option per setting of `PuRL`."""
    cls = algorithm_type("purl")
    source: list[click.Parameter] = [
        *data_options(
            MODEL_HELP, "Table or .npz file, folder of images, or a known name.", 0.25, "Share of rows held out."
        ),
        click.Option(
            ["--finetune-epochs"],
            type=click.IntRange(min=0),
            default=0,
            help="Training with masks held, after the search; none where Ctrl-C ended that.",
        ),
    ]
    help_text = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    params = [*source, *run_options(True, "runs/purl"), *setting_options(cls)]
    return click.Command("purl", params=params, callback=_run, help=help_text, short_help=help_text.splitlines()[0])


def _run(**values: Any) -> None:
    cls = algorithm_type("purl")
    base = cls.paper() if values["paper"] else cls()  # type: ignore[attr-defined]
    algorithm: Any = chosen(cls, base, values)
    folder: Path = values["out"] or Path("runs/purl")
    following = {"finetune_epochs": values["finetune_epochs"]}
    with watching() as watch:
        result, task = compressed(algorithm, values, folder, watch, following)
        result, more = follow(result, task, following, folder, watch)
    status = deliver(result, folder, values["as_json"], watch.ending, more)
    click.get_current_context().exit(status)


def follow(
    result: Any, task: Any, following: Mapping[str, Any], folder: Path, watch: Watch
) -> tuple[Any, tuple[Path, ...]]:
    """What comes after the search: fine-tuning where that was asked for, and the search was not interrupted.

    Args:
        result, task: of the run.
        following: as `run.json` keeps it.
        folder: of the run.
        watch: which saw the run.

    Returns:
        The result, with a note of what came of it, and the files written.

    Raises:
        InvalidValueError: `run.json` was changed to no number of epochs.
    """
    epochs = whole_number(following.get("finetune_epochs", 0), "finetune_epochs", 0)
    path = folder / _TUNED
    if watch.ending == "interrupted":
        path.unlink(missing_ok=True)  # an earlier session's: its plan may be another
    elif epochs:
        return result.with_note(_tuned(result, task, epochs, path, watch)), (path,)
    return result, ()


def _tuned(result: Any, task: Any, epochs: int, path: Path, watch: Watch) -> str:
    """Train the plan's network with masks held, keep it at the path, and tell how it did."""
    from rlcompress.algorithms.purl.tuning import told_as_a_run, tuned_network

    dense, recovery = result.teacher.network, result.findings.recovery
    with told_as_a_run(task.name, watch) as told:
        network = tuned_network(result.best, dense, task, epochs, result.seed, path.parent, told, recovery)
    network.save(path)
    before, after = (task.score(one, "final", 0, task.count("final")).mean for one in (result.best, network))
    text = f"{path.name}: final score {after:.4f} after {epochs} epochs with masks held, {before:.4f} before"
    return text if after >= before else f"{text}; policy.rlc is the better of the two"
