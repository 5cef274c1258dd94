"""The C++ programs of `in_process/`: built once, run pinned, their JSON lines as rows."""

from __future__ import annotations

import functools
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import ROOT
from timing import Effort, MissingError
from work import DenseWork, SparseWork

from rlcompress import artifact
from rlcompress.exporters import export
from rlcompress.network import Network

BUILD = Path(os.environ.get("RLCOMPRESS_BENCH_BUILD", ROOT / "build" / "bench"))
"""Build folder; another commit's while two commits are compared."""
SOURCES = BUILD.parents[1] if "RLCOMPRESS_BENCH_BUILD" in os.environ else ROOT

OURS = ("rlcompress", "rlcompress export, C++")
"""Those that stand for us: the others of the name are forced targets."""


def cmake() -> str:
    """Path of CMake, of this environment first.

    Raises:
        MissingError: there is none.
    """
    found = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake")
    if found is None:
        raise MissingError("cmake is missing")
    return found


def _build(target: str) -> None:
    configure = ["-DCMAKE_BUILD_TYPE=Release", "-DRLCOMPRESS_BENCHMARKS=ON"]
    for command in (
        [cmake(), "-S", str(SOURCES), "-B", str(BUILD), *configure],
        [cmake(), "--build", str(BUILD), "--target", target],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MissingError(f"{' '.join(command[:2])} failed: {(done.stderr or done.stdout)[-300:]}")


@functools.cache
def program(name: str) -> Path:
    """Path of a program, built when needed.

    Raises:
        MissingError: no CMake or no compiler, or the build fails.
    """
    _build(f"bench_{name}")
    return next(path for path in BUILD.rglob(f"bench_{name}*") if path.is_file() and os.access(path, os.X_OK))


def _exported(network: Network) -> Path:
    """Path of the library of the network's exported header, compiled with the options of the programs."""
    folder = BUILD / "benchmarks" / "kernels" / "in_process"
    folder.mkdir(parents=True, exist_ok=True)
    export(network, "cpp", folder, name="network")
    _build("bench_exported")
    return next(folder.rglob("libbench_exported*"))


def run(name: str, arguments: list[str], core: int) -> list[dict[str, Any]]:
    """The JSON lines that a program prints."""
    pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") else []
    command = [*pinned, str(program(name)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MissingError(f"bench_{name} ended with {done.returncode}: {done.stderr[-200:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def contenders(name: str, work: Any, effort: Effort, core: int, names: list[str]) -> dict[str, dict[str, Any]]:
    """Timings by contender, each with its role."""
    built = "Eigen" if isinstance(work, SparseWork) else "rlcompress"
    if names and not any(part in built for part in names):
        return {}
    try:
        if isinstance(work, SparseWork):
            arguments = [str(work.n), str(work.columns), str(work.sparsity), str(effort.batches)]
            found = run(name, arguments, core)
        else:
            found = _dense(name, work, effort, core, only_ours=bool(names))
    except MissingError as error:
        return {name: {"role": "peer", "missing": str(error)}}
    entries = {}
    for line in found:
        contender = line.pop("contender")
        role = "ours" if contender in OURS else "peer"
        if role == "peer" and (contender.startswith("rlcompress ") or contender == "any order"):
            role = "variant"
        entries[contender] = {"role": role, **line}
    return entries


def _dense(name: str, work: DenseWork, effort: Effort, core: int, only_ours: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        image, weights = Path(folder, "network.rlc"), Path(folder, "network.bin")
        image.write_bytes(artifact.encode(work.network, golden=0))
        weights.write_bytes(_plain(work.network))
        arguments = [str(image), str(weights), str(work.batch), str(effort.batches), str(work.tolerance)]
        arguments.append("ours" if only_ours else "all")
        missing = []
        try:
            arguments += [str(_exported(work.network))] if work.batch == 1 else []
        except MissingError as error:
            missing = [{"contender": OURS[1], "missing": str(error)}]
        return run(name, arguments, core) + missing


def _plain(network: Network) -> bytes:
    """Widths, weights and biases, as `network.hpp` reads them."""
    parts = [struct.pack("<I", len(network.layers))]
    for layer in network.dense_layers():
        parts.append(struct.pack("<II", layer.in_features, layer.out_features))
        parts.append(layer.weight.tobytes() + layer.bias.tobytes())
    return b"".join(parts)
