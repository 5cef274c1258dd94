"""`rlcompress bench`: time of one inference."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from rlcompress import kernels
from rlcompress.arrays import FloatArray
from rlcompress.exporters.emulated import CORES, compiler_version, instructions
from rlcompress.problem import Float64Array

_WARM_UP = 200
_OBSERVATIONS = 512
_LEVEL = "-O2"


@click.command("bench")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--calls", type=click.IntRange(min=10), default=20_000, show_default=True, help="Measured calls.")
@click.option("--batch", type=click.IntRange(min=1), default=1024, show_default=True, help="Observations in a batch.")
@click.option(
    "--core",
    "cores",
    type=click.Choice(list(CORES)),
    multiple=True,
    help="Count the instructions of the exported C on this core too, in QEMU; more than one may be given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(file: Path, calls: int, batch: int, cores: tuple[str, ...], as_json: bool) -> None:
    """Measure the runtime on FILE (.rlc or Stable-Baselines3 zip).

    Single runs timed in the core, calls and batches from Python, and how long reading the weights takes; with --core
    also how many instructions the exported C takes on a microcontroller.
    """
    found = measure(file, calls, batch)
    if cores:
        found["cores"] = count(file, cores)
    click.echo(json.dumps(found, indent=1) if as_json else _text(found))


def measure(file: Path, calls: int, batch: int) -> dict[str, Any]:
    """Sizes, and microseconds of an inference.

    Args:
        file: a policy.
        calls: single calls to measure.
        batch: observations per batch; batches are repeated until at least `calls` observations are done.

    Raises:
        RlcompressError: not a policy file.
    """
    from rlcompress.artifact import decode
    from rlcompress.importers import load_policy
    from rlcompress.runtime import Runtime

    policy = Runtime(file) if file.suffix.lower() == ".rlc" else Runtime(load_policy(file))
    shape = policy.contract.observation_shape
    observations = _observations(max(calls, batch), shape)
    action = policy(observations[0])
    out = np.array(action)
    singles = [observations[index % _OBSERVATIONS] for index in range(calls)]
    rows = np.ascontiguousarray(observations[:batch])
    repeats = max(10, calls // batch)
    core_us = _core_times(policy.image, observations[:_OBSERVATIONS], calls)
    return {
        "file": str(file),
        "file_bytes": len(policy.image),
        "weights_bytes": policy.weights_bytes,
        "macs": decode(policy.image).macs,
        "target": policy.target,
        "calls": calls,
        "core_us": _percentiles(core_us),
        "core_slowest_us": _slowest(core_us),
        "core_clock_us": round(kernels.clock_ns() / 1000, 4),
        "core_above_3x": int(np.count_nonzero(core_us > 3 * np.median(core_us))),
        "read_weights_us": round(kernels.read_ns(policy.weights_bytes) / 1000, 5),
        "call_us": _percentiles(_times(policy, singles)),
        "call_out_us": _percentiles(_times(lambda observation: policy(observation, out=out), singles)),
        "batch": batch,
        "batch_us_per_observation": _percentiles(_times(policy, [rows] * repeats) / batch),
        "timer_us": _percentiles(_times(lambda _: None, singles)),
    }


def count(file: Path, cores: Sequence[str]) -> dict[str, Any]:
    """Instructions of one inference of the exported C, by core.

    Raises:
        MissingToolError: the cross compiler or the emulator is not installed.
        RlcompressError: not a policy file, or one that does not fit a core's board.
    """
    from rlcompress.artifact import load
    from rlcompress.importers import load_policy

    network = load(file) if file.suffix.lower() == ".rlc" else load_policy(file)
    return {core: {"instructions": instructions(network, core, _LEVEL), "compiled": _compiled()} for core in cores}


def _compiled() -> str:
    return f"{compiler_version()} {_LEVEL}"


def _core_times(image: bytes, observations: FloatArray, calls: int) -> Float64Array:
    """(calls,) microseconds of single runs in the core alone, the clock's own time included."""
    model = kernels.Model(image)
    rows = np.ascontiguousarray(observations.reshape(len(observations), -1))
    kernels.call_times_ns(model, rows, _WARM_UP)
    return kernels.call_times_ns(model, rows, calls) / 1000.0


def _slowest(times: Float64Array) -> float:
    """Of the observation that is slow at every repeat: what its work takes, without what stops the machine."""
    repeats = len(times) // _OBSERVATIONS
    whole = times[: repeats * _OBSERVATIONS].reshape(repeats, _OBSERVATIONS) if repeats else times[None]
    return round(float(whole.min(axis=0).max()), 4)


def _observations(count: int, shape: tuple[int, ...]) -> FloatArray:
    return np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)


def _times(call: Callable[[Any], Any], arguments: list[Any]) -> Float64Array:
    """(len(arguments),) microseconds of each call, the clock's own time included."""
    for argument in arguments[:_WARM_UP]:
        call(argument)
    clock = time.perf_counter_ns
    marks = np.empty(len(arguments))
    for index, argument in enumerate(arguments):
        began = clock()
        call(argument)
        marks[index] = clock() - began
    return marks / 1000.0


def _percentiles(times: Float64Array) -> dict[str, float]:
    p50, p99, p999 = np.percentile(times, [50, 99, 99.9])
    found = {"p50": p50, "p99": p99, "p99.9": p999, "max": times.max()}
    return {name: round(float(value), 4) for name, value in found.items()}


def _text(found: dict[str, Any]) -> str:
    rows = (
        ("core_us", "one run in the core"),
        ("call_us", "policy(observation)"),
        ("call_out_us", "policy(observation, out=buffer)"),
        ("batch_us_per_observation", f"batch of {found['batch']:,}, per observation"),
        ("timer_us", "Python's clock alone"),
    )
    lines = [
        f"{found['file']}: {found['file_bytes']:,} B, {found['weights_bytes']:,} of weights, {found['macs']:,} MACs",
        f"{found['calls']:,} calls on {found['target']}, µs",
        f"{'':36}{'p50':>10}{'p99':>10}{'p99.9':>10}{'max':>12}",
    ]
    for key, label in rows:
        times = found[key]
        lines.append(f"{label:36}{times['p50']:10.3f}{times['p99']:10.3f}{times['p99.9']:10.3f}{times['max']:12.3f}")
    share = found["core_above_3x"] / found["calls"]
    lines += [
        f"runs in the core that took more than three times the median: {found['core_above_3x']:,} ({share:.2%}); "
        f"the clock's part of each is {found['core_clock_us']:.3f}",
        f"slowest of {min(found['calls'], _OBSERVATIONS)} observations, each at its fastest: "
        f"{found['core_slowest_us']:.3f}",
        "bound by bandwidth, reading all weights, those of zeros too, from where they stay: "
        f"{found['read_weights_us']:.4f}",
    ]
    for core, counted in found.get("cores", {}).items():
        each = counted["instructions"] / max(1, found["macs"])
        lines.append(
            f"exported C on an emulated {core}: {counted['instructions']:,} instructions, {each:.1f} for each MAC "
            f"({counted['compiled']}; instructions are not cycles)"
        )
    return "\n".join(lines)
