"""`rlcompress inspect`: what a policy file holds."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from textwrap import shorten
from typing import Any

import click

from rlcompress.cli.exits import FAILED, OK
from rlcompress.contract import Argmax, Contract
from rlcompress.errors import FormatError, RlcompressError
from rlcompress.layers import IntegerDense, Layer, QuantizedDense
from rlcompress.network import Network


@click.command("inspect")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--vecnormalize", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Statistics (.pkl).")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def command(ctx: click.Context, file: Path, vecnormalize: Path | None, as_json: bool) -> None:
    """Show contract, layers and sizes of FILE (.rlc or Stable-Baselines3 zip), and run its golden vectors."""
    from rlcompress.reporting.json_report import plain

    found = describe(file, vecnormalize)
    click.echo(json.dumps(plain(found), indent=1, allow_nan=False) if as_json else _text(found))
    ctx.exit(FAILED if found["self_test"] == "failed" else OK)


def describe(file: Path, vecnormalize: Path | None = None) -> dict[str, Any]:
    """What the file holds, as JSON-able values but for infinities.

    Raises:
        RlcompressError: not a policy file.
    """
    from rlcompress.artifact import weights_bytes
    from rlcompress.importers import load_policy

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        network = load_policy(file, vecnormalize=vecnormalize)
    golden, self_test = _self_test(file)
    return {
        "file": str(file),
        "file_bytes": file.stat().st_size,
        "weights_bytes": weights_bytes(network),
        "parameters": network.parameter_count,
        "macs": network.macs,
        "layers": [_layer(layer) for layer in network.layers],
        "contract": _contract(network.contract, network),
        "metadata": dict(network.metadata),
        "golden_count": golden,
        "self_test": self_test,
        "warnings": [str(warning.message) for warning in caught],
    }


def _self_test(file: Path) -> tuple[int, str | None]:
    """Golden vectors in the file and whether they hold; None where there are none to run."""
    if file.suffix.lower() != ".rlc":
        return 0, None
    from rlcompress.artifact import golden_count, read_image
    from rlcompress.runtime import Runtime

    image = read_image(file)
    count = golden_count(image)
    try:
        Runtime(image).self_test()
    except FormatError:
        raise
    except RlcompressError:
        return count, "failed"
    return count, "passed" if count else None


def _layer(layer: Layer) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": layer.kind, "inputs": layer.in_features, "outputs": layer.out_features}
    found["activation"] = layer.activation
    if layer.alpha:
        found["alpha"] = layer.alpha
    if isinstance(layer, QuantizedDense):
        scales = ("row_scale", "row_exponent", "column_exponent")
        found.update(bits=layer.bits, scales=[name for name in scales if getattr(layer, name) is not None])
    elif isinstance(layer, IntegerDense):
        found.update(bits=layer.bits, input_scale=layer.input_scale, input_zero=layer.input_zero)
    else:
        found.update(bits=32, density=layer.kept_weights / max(1, layer.weight.size))
    found["parameters"] = layer.parameter_count
    return found


def _contract(contract: Contract, network: Network) -> dict[str, Any]:
    head: dict[str, Any] = {"kind": contract.head.kind}
    if isinstance(contract.head, Argmax):
        head["start"] = contract.head.start
    names = ("low", "high", "scale", "offset")
    head.update({name: getattr(contract.head, name).tolist() for name in names if hasattr(contract.head, name)})
    normalisation = contract.normalisation
    statistics = None
    if normalisation is not None:
        mean, scale = normalisation.mean.tolist(), normalisation.scale.tolist()
        statistics = {"mean": mean, "scale": scale, "clip": normalisation.clip}
    low, high = contract.observation_low, contract.observation_high
    return {
        "observation_shape": list(contract.observation_shape),
        "observation_low": None if low is None else low.tolist(),
        "observation_high": None if high is None else high.tolist(),
        "normalisation": statistics,
        "selected": None if contract.selected is None else list(contract.selected),
        "head": head,
        "outputs": network.output_size,
    }


def _text(found: dict[str, Any]) -> str:
    contract = found["contract"]
    normalised = "yes" if contract["normalisation"] else "no"
    read = contract["selected"]
    selected = "all" if read is None else shorten(f"{len(read)} ({', '.join(map(str, read))})", 80)
    test = {None: "none in the file", "passed": f"passed ({found['golden_count']} golden vectors)", "failed": "FAILED"}
    lines = [
        found["file"],
        f"  file         {found['file_bytes']:,} bytes",
        f"  weights      {found['weights_bytes']:,} bytes, {found['parameters']:,} parameters, {found['macs']:,} MACs",
        f"  observation  {contract['observation_shape']}, normalised: {normalised}, values read: {selected}",
        f"  action       {contract['head']['kind']} of {contract['outputs']} outputs",
        f"  self-test    {test[found['self_test']]}",
    ]
    for index, layer in enumerate(found["layers"]):
        density = layer.get("density", 1.0)
        sparse = f", {100 * density:.1f} % kept" if density < 1 else ""
        shape = f"{layer['kind']} {layer['inputs']} -> {layer['outputs']} {layer['activation']}"
        lines.append(f"  layer {index}      {shape}, {layer['bits']} bit{sparse}, {layer['parameters']:,} parameters")
    lines += [f"  {key}: {json.dumps(value, default=str)}" for key, value in sorted(found["metadata"].items())]
    lines += [f"  warning: {warning}" for warning in found["warnings"]]
    return "\n".join(lines)
