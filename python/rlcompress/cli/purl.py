"""The verb `purl`: a network file, a data file, a sparsity."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

from rlcompress.cli.exits import FAILED, INTERRUPTED, OK
from rlcompress.cli.outcome import deliver, watching
from rlcompress.cli.run_options import run_options
from rlcompress.cli.setting_options import chosen, setting_options
from rlcompress.engine.registry import algorithm_type
from rlcompress.errors import ImportFormatError
from rlcompress.network import Network

ACTIVATIONS = ("relu", "tanh", "sigmoid", "silu")
_TORCH = (".pt", ".pth")
_MODEL_HELP = (
    ".rlc file, or state dict of a multilayer perceptron (.pt, .pth; tensors alone are read). "
    "Whole modules, torch.export and TorchScript files can run code: prune those from Python with rlcompress.prune."
)


def purl_command() -> click.Command:
    """The command, with an option per setting of `PuRL`."""
    cls = algorithm_type("purl")
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    source: list[click.Parameter] = [
        click.Option(["--model"], type=file, required=True, help=_MODEL_HELP),
        click.Option(["--data"], required=True, help="Table or .npz file, folder of images, or a known name."),
        click.Option(["--target-column"], help="Target column of a table.  [default: target, label, class, y, last]"),
        click.Option(["--validation"], type=float, default=0.25, help="Share of rows held out.  [default: 0.25]"),
        click.Option(
            ["--activation"], type=click.Choice(ACTIVATIONS), default="relu", help="Of a state dict.  [default: relu]"
        ),
        click.Option(["--finetune-epochs"], type=click.IntRange(min=0), default=0, help="Training with masks held."),
    ]
    help_text = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    params = [*source, *run_options(True, "runs/purl"), *setting_options(cls)]
    return click.Command("purl", params=params, callback=_run, help=help_text, short_help=help_text.splitlines()[0])


def _run(**values: Any) -> None:
    from rlcompress.engine.run import compress
    from rlcompress.tasks.dataset import DatasetTask

    cls = algorithm_type("purl")
    base = cls.paper() if values["paper"] else cls()  # type: ignore[attr-defined]
    algorithm: Any = chosen(cls, base, values)
    folder: Path = values["out"] or Path("runs/purl")
    task = DatasetTask.from_file(
        values["data"], target=values["target_column"], validation=values["validation"], seed=values["seed"]
    )
    teacher = load_network(values["model"], values["activation"], task)
    with watching() as watch:
        result = compress(
            teacher,
            task,
            algorithm,
            seed=values["seed"],
            run_dir=folder,
            on_event=watch,
            jobs=values["jobs"],
            max_seconds=values["max_seconds"],
            max_steps=values["max_steps"],
        )
    if values["finetune_epochs"]:
        click.echo(_tuned(result, task, values["finetune_epochs"], values["seed"], folder), err=True)
    status = deliver(result, folder, values["as_json"], watch.ending)
    if status == OK and not getattr(result, "findings").best.meets:  # noqa: B009  # a Result of this algorithm has it
        status = FAILED
    click.get_current_context().exit(INTERRUPTED if watch.ending == "interrupted" else status)


def load_network(path: Path, activation: str, task: Any) -> Network:
    """The network of a file.

    Raises:
        ImportFormatError: a kind of file that is not read here, or a state dict of something else than a perceptron.
    """
    suffix = path.suffix.lower()
    if suffix == ".rlc":
        from rlcompress.artifact import load

        return load(path)
    if suffix not in _TORCH:
        raise ImportFormatError(f"{path}: .rlc, .pt or .pth expected; {_MODEL_HELP}")
    from rlcompress.contract import Argmax, Contract, Raw
    from rlcompress.importers.torch_state import load_state
    from rlcompress.layers import Dense

    state = load_state(path.read_bytes(), str(path))
    names = [key.removesuffix(".weight") for key in state.tensors if key.endswith(".weight")]
    if not names or {f"{name}.{part}" for name in names for part in ("weight", "bias")} != set(state.tensors):
        found = ", ".join(list(state.tensors)[:6])
        raise ImportFormatError(f"{path}: weights and biases of linear layers expected, found {found}; {_MODEL_HELP}")
    layers = tuple(
        Dense(
            state.array(f"{name}.weight", 2),
            state.array(f"{name}.bias", 1),
            activation if name != names[-1] else "identity",  # type: ignore[arg-type]  # a choice of the option
        )
        for name in names
    )
    head = Argmax() if task.metric == "accuracy" else Raw()
    return Network(layers, Contract(tuple(task.x.shape[1:]), head), {"source_format": "torch state dict"})


def _tuned(result: Any, task: Any, epochs: int, seed: int, folder: Path) -> str:
    """Train the plan's network with masks held and keep it as `policy-tuned.rlc`."""
    from rlcompress.algorithms.purl.tuning import tuned_network

    network = tuned_network(result.best, result.teacher.network, task, epochs, seed)
    path = folder / "policy-tuned.rlc"
    network.save(path)
    before, after = (task.score(one, "final", 0, task.count("final")).mean for one in (result.best, network))
    return f"{path}: final score {before:.4f} before and {after:.4f} after {epochs} epochs with masks held"
