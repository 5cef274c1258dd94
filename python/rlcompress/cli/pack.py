"""`rlcompress pack`: the fastest form of each layer, by measurement."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from rlcompress.contract import Argmax
from rlcompress.errors import InvalidValueError
from rlcompress.network import Network
from rlcompress.packing import Packing

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("pack")
@click.argument("file", type=_FILE)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--observations", type=_FILE, help="Typical inputs (.npy): offer integer layers (int8) too.")
@click.option("--prefer", type=click.Choice(["latency", "size"]), default="latency", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(file: Path, out: Path, observations: Path | None, prefer: str, as_json: bool) -> None:
    """Measure the forms that each layer of FILE can take (dense, sparse, integer) and write the best to OUT (.rlc)."""
    from rlcompress.importers import load_policy
    from rlcompress.packing import pack

    inputs = None if observations is None else _inputs(observations)
    found = pack(load_policy(file), inputs, "size" if prefer == "size" else "latency")
    found.network.save(out)
    click.echo(json.dumps([asdict(form) for form in found.forms], indent=1) if as_json else _text(found, out))


def _inputs(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InvalidValueError(f"observations: a .npy file of numbers expected, {path} is not: {error}") from None
    if not isinstance(found, np.ndarray):
        found.close()
        raise InvalidValueError(f"observations: a .npy file of one array expected, {path} holds several; save one")
    return found


def _text(found: Packing, out: Path) -> str:
    lines = ["layer  form      microseconds    bytes"]
    for form in found.forms:
        mark = "  <- chosen" if form.chosen else ""
        lines.append(f"{form.layer:5}  {form.name:8} {form.latency_us:13.3f} {form.size_bytes:8,}{mark}")
    if found.action_error is not None:
        lines.append(_changed(found.network, found.action_error))
    return "\n".join([*lines, f"wrote {out}"])


def _changed(network: Network, error: float) -> str:
    if isinstance(network.contract.head, Argmax):
        return f"another action than before in {error:.2%} of the observations"
    return f"actions move by {error:.4f} of their standard deviation on the observations"
