"""A network of a file, compressed on rows of a file: what the verbs on data share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from rlcompress.cli.run_options import run_of
from rlcompress.errors import ImportFormatError, InvalidValueError
from rlcompress.network import Network

ACTIVATIONS = ("relu", "tanh", "sigmoid", "silu")
_FILE_LIMIT = 1 << 30
_TORCH = (".pt", ".pth")
_PICKLES = (".pkl", ".pickle", ".joblib")
_FROM_PYTHON = "rlcompress.load_policy(model).save('model.rlc')"
MODEL_HELP = (
    ".rlc file, or state dict of a multilayer perceptron (.pt, .pth; tensors alone are read). "
    f"Anything else, scikit-learn and whole torch modules too, is converted in Python: {_FROM_PYTHON}"
)


def data_options(model_help: str, data_help: str, share: float, share_help: str) -> list[click.Parameter]:
    """The options that name a network and rows.

    Args:
        model_help, data_help: of the verb.
        share: of rows held out unless told.
        share_help: why.
    """
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    target = "Target column of a table, by name or by number from 0.  [default: target, label, class, y, last]"
    kinds = click.Choice(("auto", "classes", "values"))
    kind_help = (
        "What targets are; auto takes whole numbers and text as classes, and values for a network of one output."
    )
    return [
        click.Option(["--model"], type=file, required=True, help=model_help),
        click.Option(["--data"], required=True, help=data_help),
        click.Option(["--target-column"], help=target),
        click.Option(["--kind"], type=kinds, default="auto", help=f"{kind_help}  [default: auto]"),
        click.Option(["--classes"], help="Labels of the network's outputs in order, a,b,c, where its file has none."),
        click.Option(["--validation"], type=float, default=share, help=f"{share_help}  [default: {share}]"),
        click.Option(
            ["--activation"], type=click.Choice(ACTIVATIONS), default="relu", help="Of a state dict.  [default: relu]"
        ),
    ]


def compressed(
    algorithm: Any, values: dict[str, Any], folder: Path, on_event: Any, following: Mapping[str, Any] | None = None
) -> tuple[Any, Any]:
    """Result and task of a run on the files that the options name.

    Args:
        algorithm: with its settings.
        values: parameters of the command.
        folder: of the run.
        on_event: gets every event.
        following: what the command does afterwards, for `resume`.
    """
    from rlcompress.tasks.dataset import DatasetTask

    network = load_network(values["model"], values["activation"])
    kind = _kind(network, values)
    network = _named(_split(network, kind), values["classes"])
    task = DatasetTask.from_file(
        values["data"],
        target=values["target_column"],
        kind=kind,
        validation=values["validation"],
        seed=values["seed"],
    ).for_network(network)
    teacher = _with_contract(network, task) if values["model"].suffix.lower() in _TORCH else network
    return run_of(teacher, task, algorithm, values, folder, on_event, values["max_seconds"], following), task


def load_network(path: Path, activation: str) -> Network:
    """The network of a file; a state dict as a flat observation and raw outputs.

    Raises:
        ImportFormatError: a kind of file that is not read here, or a state dict of something else than a perceptron.
    """
    suffix = path.suffix.lower()
    if suffix == ".rlc":
        from rlcompress.artifact import load

        return load(path)
    if suffix in _PICKLES:
        raise ImportFormatError(
            f"{path}: pickles can run code and are not read; save the model from Python: {_FROM_PYTHON}"
        )
    if suffix not in _TORCH:
        raise ImportFormatError(
            f"{path}: .rlc, .pt or .pth expected; files that can run code are not read; {MODEL_HELP}"
        )
    from rlcompress.importers.source_file import read_source
    from rlcompress.importers.torch_state import load_state

    state = load_state(read_source(path, _FILE_LIMIT), str(path))
    return Network(_perceptron(state, activation), metadata={"source_format": "torch state dict"})


def _perceptron(state: Any, activation: str) -> tuple[Any, ...]:
    from rlcompress.layers import Dense

    if any(key.endswith(".running_mean") for key in state.tensors):
        raise ImportFormatError(
            f"{state.name}: a state dict does not hold all of batch normalisation (its epsilon, its place); convert "
            f"the module in Python, where it is folded: {_FROM_PYTHON}"
        )
    names = [key.removesuffix(".weight") for key in state.tensors if key.endswith(".weight")]
    known = {f"{name}.{part}" for name in names for part in ("weight", "bias")}
    if not names or not set(state.tensors) <= known:
        found = ", ".join(list(state.tensors)[:6])
        raise ImportFormatError(
            f"{state.name}: weights and biases of linear layers expected, found {found}; {MODEL_HELP}"
        )
    layers = []
    for name in names:
        weight = state.array(f"{name}.weight", 2)
        free = f"{name}.bias" not in state  # nn.Linear(bias=False)
        bias = np.zeros(len(weight), np.float32) if free else state.array(f"{name}.bias", 1)
        word: Any = activation if name != names[-1] else "identity"
        layers.append(Dense(weight, bias, word))
    return tuple(layers)


def _kind(network: Network, values: dict[str, Any]) -> Any:
    """What the targets are; a network of one output tells values, unless there are two classes."""
    from rlcompress.contract import Argmax
    from rlcompress.tasks.data_files import load_data

    kind = values["kind"]
    if kind != "auto" or network.output_size > 1 or isinstance(network.contract.head, Argmax):
        return kind
    data = load_data(values["data"], target=values["target_column"])
    if not data.classes:
        return "values"
    text = not all(label.lstrip("-").isdigit() for label in data.classes)
    if not text and len(np.unique(data.y)) == 2:
        raise InvalidValueError(
            f"{values['data']}: two whole numbers as targets and a network of one output: say --kind classes, if its "
            "output is the logit of the second class, or --kind values"
        )
    return "classes" if text else "values"


def _split(network: Network, kind: str) -> Network:
    from rlcompress.importers.two_outputs import two_outputs

    return two_outputs(network) if kind == "classes" and network.output_size == 1 else network


def _named(network: Network, classes: str | None) -> Network:
    if classes is None:
        return network
    labels = [label.strip() for label in classes.split(",")]
    if len(labels) != network.output_size:
        raise InvalidValueError(
            f"--classes: {network.output_size} labels expected, one per output, found {len(labels)}: {classes}"
        )
    return network.with_metadata(classes=labels)


def _with_contract(network: Network, task: Any) -> Network:
    """A state dict's network as the task asks; of its own width, so that other rows are refused as for any file."""
    from rlcompress.contract import Argmax, Contract, Raw

    rows = tuple(task.x.shape[1:])
    shape = rows if int(np.prod(rows)) == network.input_size else (network.input_size,)
    return replace(network, contract=Contract(shape, Argmax() if task.metric == "accuracy" else Raw()))
