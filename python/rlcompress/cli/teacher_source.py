"""Where the teacher of a run comes from: a file of the user's, or one trained here."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rlcompress.engine.events import Emit, Note
from rlcompress.network import Network

TEACHER_FILE = "teacher.zip"


def source_options() -> list[click.Option]:
    """Options that name teacher and environment."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    return [
        click.Option(["--env"], required=True, metavar="ID", help="Gymnasium environment, such as LunarLander-v3."),
        click.Option(
            ["--policy"], type=file, help="Teacher: Stable-Baselines3 zip or .rlc; trained here when left out."
        ),
        click.Option(["--vecnormalize"], type=file, help="VecNormalize statistics (.pkl) of the teacher."),
        click.Option(["--env-kwargs"], type=JsonObject(), default="{}", help="Arguments of the environment."),
        click.Option(["--distil-only"], is_flag=True, help="Never optimise the return itself; copy the teacher alone."),
        click.Option(["--teacher-steps"], type=click.IntRange(min=1), help="Limit of steps for training a teacher."),
    ]


class JsonObject(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click alone
    """Text that is a JSON object."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, Mapping):
            return value
        try:
            found = json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} is not JSON: {error}", param, ctx)
        if not isinstance(found, dict):
            self.fail(f"{value!r} is not a JSON object", param, ctx)
        return found


def default_folder(env_id: str) -> Path:
    """`runs/<environment>` in lower case, without its version."""
    name = re.sub(r"-v\d+$", "", env_id.rpartition(":")[2]).lower()
    return Path("runs") / re.sub(r"[^a-z0-9._-]+", "-", name).strip(".-")


def load_teacher(path: Path, vecnormalize: Path | None, on_event: Emit) -> Network:
    """A policy file as a network; warnings of the importer become warnings of the run."""
    from rlcompress.importers import load_policy

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        network = load_policy(path, vecnormalize=vecnormalize)
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            on_event(Note(str(warning.message), warning=True))
    return network


def trained_teacher(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    folder: Path,
    seed: int,
    on_event: Emit,
    max_steps: int | None,
    max_seconds: float | None,
) -> tuple[Network, float]:
    """The teacher of the run folder, trained there first when it holds none, and the seconds that its training took."""
    from rlcompress.teachers import stored_teacher, train_teacher

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TEACHER_FILE
    record = stored_teacher(path, env_id, seed, env_kwargs)
    if record is None:
        record = train_teacher(
            env_id, path, seed, on_event, env_kwargs=env_kwargs, max_steps=max_steps, max_seconds=max_seconds
        )
    else:
        on_event(Note(f"using the teacher trained before, {path}"))
    return load_teacher(path, None, on_event), record.seconds
