"""The machine and the versions, as they stand in each result."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from rlcompress import kernels

_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "TBB")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in _LIBRARIES}
"""Environment of every measuring process."""
PACKAGES = ("numpy", "torch", "onnxruntime", "onnx", "ai-edge-litert", "openvino", "scipy", "mkl")
ROOT = Path(__file__).resolve().parents[2]


def pin(core: int) -> None:
    """Stay on one processor, where the system can."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


def describe() -> dict[str, Any]:
    """Processor, system, targets and load."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "targets": list(kernels.targets()),
        "load": load,
        "commit": _commit(),
    }


def versions() -> dict[str, str]:
    """Of the peers that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or "unknown"
    fields = dict(line.split(":", 1) for line in info.read_text(encoding="utf-8").splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    family = f"family {named['cpu family']} model {named.get('model', '?')}" if "cpu family" in named else ""
    return f"{named.get('model name', platform.machine())} {family}".strip()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
