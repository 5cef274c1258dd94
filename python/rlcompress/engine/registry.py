"""The algorithms and tasks that a run folder may name, as text, so that this floor imports nothing from those above.

A new algorithm or task is one line here. An algorithm is a frozen dataclass that is a `Process` and whose `algorithm`
is the name;
a task's `describe()` holds the name under `kind`, and its class builds it again with `from_description(description)`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlcompress.engine.config import from_config
from rlcompress.engine.process import Process
from rlcompress.errors import CheckpointError
from rlcompress.network import Network
from rlcompress.problem import Task

ALGORITHMS: dict[str, str] = {
    "neon": "rlcompress.algorithms.neon:NEON",
    "neon-paper": "rlcompress.algorithms.neon_paper:PaperNEON",
    "pops": "rlcompress.algorithms.pops:PoPS",
    "pops-paper": "rlcompress.algorithms.pops_paper:PaperPoPS",
    "purl": "rlcompress.algorithms.purl:PuRL",
}
TASKS: dict[str, str] = {
    "dataset": "rlcompress.tasks.dataset:DatasetTask",
    "policy": "rlcompress.tasks.policy:PolicyTask",
}

TEACHER_READER = "rlcompress.importers:as_network"
"""Makes a network of what a caller gives as teacher: `(source) -> Network`."""

REPORT_WRITER = "rlcompress.reporting.files:write_reports"
"""Writes the reports of a result into its run folder: `(result, folder) -> paths`."""


def read_teacher(source: Any) -> Network:
    """A teacher as a network.

    Raises:
        ImportFormatError: of no known kind.
    """
    module, _, attribute = TEACHER_READER.partition(":")
    network: Network = getattr(importlib.import_module(module), attribute)(source)
    return network


def write_reports(result: Any, folder: Path) -> None:
    """Write the reports of a result into its run folder."""
    module, _, attribute = REPORT_WRITER.partition(":")
    getattr(importlib.import_module(module), attribute)(result, folder)


def algorithm_type(name: str) -> type:
    """The settings class of an algorithm.

    Raises:
        CheckpointError: no such algorithm.
    """
    return _look_up(ALGORITHMS, name, "algorithm")


def build_algorithm(name: str, config: Mapping[str, Any]) -> Process[Any, Any]:
    """The algorithm with its settings.

    Raises:
        CheckpointError: no such algorithm.
        InvalidValueError: settings that it does not take.
    """
    built: Process[Any, Any] = from_config(algorithm_type(name), config)
    return built


def build_task(description: Mapping[str, Any]) -> Task:
    """The task that described itself so.

    Raises:
        CheckpointError: the description names no known kind.
    """
    built: Task = _look_up(TASKS, description.get("kind"), "task").from_description(description)  # type: ignore[attr-defined]
    return built


def _look_up(table: Mapping[str, str], name: object, what: str) -> type:
    if not isinstance(name, str) or name not in table:
        known = ", ".join(sorted(table))
        raise CheckpointError(f"{what} {name!r}: not registered (known: {known}); give it to resume as {what}=...")
    module, _, attribute = table[name].partition(":")
    found: type = getattr(importlib.import_module(module), attribute)
    return found
