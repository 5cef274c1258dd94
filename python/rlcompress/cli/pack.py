"""`rlcompress pack`: the fastest form of each layer, by measurement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import numpy.typing as npt

from rlcompress.cli.teacher_source import JsonObject
from rlcompress.contract import Argmax
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.packing import Packing

if TYPE_CHECKING:
    from rlcompress.problem import Score
    from rlcompress.tasks.policy import PolicyTask

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OBSERVATIONS, _EPISODES = 8000, 30


@click.command("pack")
@click.argument("file", type=_FILE)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--observations", type=_FILE, help="Typical inputs (.npy): offer integer layers (int8) too.")
@click.option("--env", metavar="ID", help="Instead: take them from the policy's own episodes in this environment.")
@click.option("--env-kwargs", type=JsonObject(), default="{}", help="Arguments of the environment.")
@click.option("--vecnormalize", type=_FILE, help="VecNormalize statistics (.pkl) of a zip.")
@click.option("--prefer", type=click.Choice(["latency", "size"]), default="latency", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    file: Path,
    out: Path,
    observations: Path | None,
    env: str | None,
    env_kwargs: Mapping[str, Any],
    vecnormalize: Path | None,
    prefer: str,
    as_json: bool,
) -> None:
    """Measure the forms that each layer of FILE can take (dense, sparse, integer) and write the best to OUT (.rlc).

    With --env the returns before and after are told too.
    """
    from rlcompress.importers import load_policy
    from rlcompress.packing import pack

    if observations is not None and env is not None:
        raise InvalidValueError("observations: a file or --env expected, both were given")
    policy = load_policy(file, vecnormalize=vecnormalize)
    task = None if env is None else _task(env, env_kwargs)
    inputs = None if observations is None else _inputs(observations)
    if task is not None:
        inputs = task.visit(policy, 0, _OBSERVATIONS, 0).observations
    found = pack(policy, inputs, "size" if prefer == "size" else "latency")
    found.network.save(out)
    scores = [] if task is None else task.score_many([policy, found.network], "final", 0, _EPISODES)
    if as_json:
        return click.echo(json.dumps(_told(found, scores), indent=1))
    click.echo("\n".join([*_lines(found), *_returns(scores), f"wrote {out}"]))


def _task(env: str, env_kwargs: Mapping[str, Any]) -> PolicyTask:
    from rlcompress.tasks.policy import PolicyTask

    return PolicyTask(env, env_kwargs)


def _told(found: Packing, scores: list[Score]) -> dict[str, Any]:
    """What `--json` prints."""
    told: dict[str, Any] = {"forms": [asdict(form) for form in found.forms], "action_error": found.action_error}
    names = ("return_before", "return_packed")
    return told | {name: {"mean": s.mean, "std": s.std, "episodes": s.count} for name, s in zip(names, scores)}


def _returns(scores: list[Score]) -> list[str]:
    told = [f"{score.mean:.1f} ± {score.std / score.count**0.5:.1f}" for score in scores]
    if not told:
        return []
    return [f"return over {_EPISODES} episodes: {told[0]} before, {told[1]} packed (standard errors)"]


def _inputs(path: Path) -> npt.NDArray[Any]:
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InvalidValueError(f"observations: a .npy file of numbers expected, {path} is not: {error}") from None
    if not isinstance(found, np.ndarray):
        found.close()
        raise InvalidValueError(f"observations: a .npy file of one array expected, {path} holds several; save one")
    return found


def _lines(found: Packing) -> list[str]:
    lines = ["layer  form      microseconds    bytes"]
    for form in found.forms:
        mark = "  <- chosen" if form.chosen else ""
        lines.append(f"{form.layer:5}  {form.name:8} {form.latency_us:13.3f} {form.size_bytes:8,}{mark}")
    if found.action_error is not None:
        lines.append(_changed(found.network, found.action_error))
    return lines


def _changed(network: Network, error: float) -> str:
    if isinstance(network.contract.head, Argmax):
        return f"another action than before in {error:.2%} of the observations"
    return f"actions move by {error:.4f} of their standard deviation on the observations"
