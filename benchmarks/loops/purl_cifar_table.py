"""The table of `purl_cifar.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from intervals import interval

Run = dict[str, Any]


def markdown(runs: Sequence[Run], methods: Sequence[str], free: Sequence[str]) -> str:
    """The table over all runs.

    Args:
        runs: of seeds, networks and numbers of epochs.
        methods: in the order of the rows.
        free: those that the best free cut is taken from.
    """
    lines = ["# PuRL on CIFAR-10: test accuracy in percent (mean ± 95 % interval over seeds)", ""]
    for kind in sorted({_kind(run) for run in runs}, reverse=True):
        lines += _section([run for run in runs if _kind(run) == kind], methods, free)
    return "\n".join(lines)


def over_best_cut(runs: Sequence[Run], target: float, method: str, key: str, free: Sequence[str]) -> str:
    """How much a method's score lies above that of the seed's best free cut; empty unless all those were made."""
    gains = []
    for run in runs:
        scores = {row["method"]: row[key] for row in run["rows"] if row["target"] == target}
        if method in scores and all(name in scores for name in free):
            gains.append(scores[method] - max(scores[name] for name in free))
    return interval(gains) if gains else ""


def _kind(run: Run) -> tuple[str, int]:
    return run["net"], run["settings"]["tune_epochs"]


def _section(runs: Sequence[Run], methods: Sequence[str], free: Sequence[str]) -> list[str]:
    facts = runs[0]["settings"]
    lines = [
        f"## {runs[0]['net']}, width {facts['width']}, {facts['weights']:,} weights, "
        f"{facts['tune_epochs']} epochs of fine-tuning",
        "",
        f"Dense {interval([run['rows'][0]['dense'] for run in runs])}; {facts['rows']:,} training images, "
        f"{facts['dense_epochs']} dense epochs, {facts['plans']} plans per search and {facts['finalists']} finalists; "
        f"{facts['tune_epochs']} epochs of fine-tuning at {facts['tune_rate']:g}, which the seconds contain. Before: "
        "of the plan that scores best untrained, BatchNorm re-estimated. The best cut: the best of the free allocations"
        f" {', '.join(free)} of the same seed.",
        "",
        *dict.fromkeys(f"    {run['settings']['command']}" for run in runs),
        "",
        "| removed % | method | seeds | judge, before | test, before | over the best cut | test, fine-tuned "
        "| over the best cut | below dense | seconds |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    made = {(row["target"], row["method"]) for run in runs for row in run["rows"]}
    for target, method in sorted(made, key=lambda one: (one[0], methods.index(one[1]))):
        rows = [row for run in runs for row in run["rows"] if (row["target"], row["method"]) == (target, method)]
        cells = [str(len(rows)), interval([row["judge"] for row in rows])]
        for key in ("before", "after"):
            cells += [interval([row[key] for row in rows]), over_best_cut(runs, target, method, key, free)]
        cells.append(interval([row["dense"] - row["after"] for row in rows]))
        seconds = np.mean([row["seconds"] for row in rows])
        lines.append(f"| {100 * target:g} | {method} | {' | '.join(cells)} | {seconds:.0f} |")
    return [*lines, ""]
