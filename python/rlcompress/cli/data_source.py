"""A network of a file, compressed on rows of a file: what the verbs on data share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlcompress.cli.run_options import run_of
from rlcompress.errors import ImportFormatError
from rlcompress.network import Network

ACTIVATIONS = ("relu", "tanh", "sigmoid", "silu")
_TORCH = (".pt", ".pth")
MODEL_HELP = (
    ".rlc file, or state dict of a multilayer perceptron (.pt, .pth; tensors alone are read). "
    "Whole modules, torch.export and TorchScript files can run code: prune those from Python with rlcompress.prune."
)


def compressed(algorithm: Any, values: dict[str, Any], folder: Path, on_event: Any) -> tuple[Any, Any]:
    """Result and task of a run on the files that the options name.

    Args:
        algorithm: with its settings.
        values: parameters of the command.
        folder: of the run.
        on_event: gets every event.
    """
    from rlcompress.tasks.dataset import DatasetTask

    task = DatasetTask.from_file(
        values["data"], target=values["target_column"], validation=values["validation"], seed=values["seed"]
    )
    teacher = load_network(values["model"], values["activation"], task)
    return run_of(teacher, task, algorithm, values, folder, on_event, values["max_seconds"]), task


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
        raise ImportFormatError(f"{path}: .rlc, .pt or .pth expected; {MODEL_HELP}")
    from rlcompress.contract import Argmax, Contract, Raw
    from rlcompress.importers.torch_state import load_state
    from rlcompress.layers import Dense

    state = load_state(path.read_bytes(), str(path))
    names = [key.removesuffix(".weight") for key in state.tensors if key.endswith(".weight")]
    if not names or {f"{name}.{part}" for name in names for part in ("weight", "bias")} != set(state.tensors):
        found = ", ".join(list(state.tensors)[:6])
        raise ImportFormatError(f"{path}: weights and biases of linear layers expected, found {found}; {MODEL_HELP}")
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
