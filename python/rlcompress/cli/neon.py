"""The verbs `neon` and `neon-paper`: a network file, a data file, a tolerance."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import click

from rlcompress.cli.data_source import MODEL_HELP, compressed, data_options
from rlcompress.cli.outcome import deliver, watching
from rlcompress.cli.run_options import run_options
from rlcompress.cli.setting_options import chosen, setting_options
from rlcompress.engine.registry import algorithm_type


def neon_command(name: str = "neon") -> click.Command:
    """The command, with an option per setting of the algorithm: `NEON`, or the published one."""
    cls = algorithm_type(name)
    rows = "Table, .npz file or known name; better not the network's own rows."
    share = "Share of rows that judge; the others train. Half, as small losses are proven on many rows only."
    source = data_options(MODEL_HELP, rows, 0.5, share)
    text = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    params = [*source, *run_options(False, f"runs/{name}"), *setting_options(cls)]
    return click.Command(name, params=params, callback=partial(_run, name), help=text, short_help=text.splitlines()[0])


def _run(name: str, **values: Any) -> None:
    cls = algorithm_type(name)
    algorithm: Any = chosen(cls, cls(), values)
    folder: Path = values["out"] or Path(f"runs/{name}")
    with watching() as watch:
        result, _ = compressed(algorithm, values, folder, watch)
    click.get_current_context().exit(deliver(result, folder, values["as_json"], watch.ending))
