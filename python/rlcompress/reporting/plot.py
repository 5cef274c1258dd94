"""Return against stored bytes, as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rlcompress.engine.result import Candidate, Result
from rlcompress.optional import require
from rlcompress.reporting.rows import same, words_of

_STYLES: tuple[tuple[str, str, str], ...] = (
    ("screened or rejected", "#b0b0b0", "."),
    ("accepted", "#2a7fba", "o"),
    ("baseline", "#d08020", "s"),
    ("paper", "#804090", "D"),
    ("teacher", "#202020", "^"),
    ("smallest accepted", "#1a8f3c", "*"),
)


def report_png(result: Result) -> bytes:
    """The plot as PNG: bytes on a logarithmic axis, mean with interval, lines for the teacher and the acceptance bar.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure_module = require("matplotlib.figure")
    require("matplotlib.backends.backend_agg")
    figure = figure_module.Figure(figsize=(9, 5.5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    kinds = {kind: [one for one in _shown(result) if _kind(one, result) == kind] for kind, _, _ in _STYLES}
    for kind, colour, marker in _STYLES:
        if kinds[kind]:
            _draw(axes, kinds[kind], kind, colour, marker)
    axes.axhline(result.teacher.mean, color="#202020", linewidth=1, label="_teacher")
    bar = acceptance_bar(result)
    if bar is not None:
        axes.axhline(bar[0], color="#c03030", linewidth=1, linestyle="--", label=bar[1])
    axes.set_xscale("log")
    axes.set_xlabel("stored bytes of weights, biases and scales")
    axes.set_ylabel(f"{words_of(result)[0]}, mean with 95 % interval")
    axes.set_title(f"{result.algorithm} on {result.task}, seed {result.seed}")
    axes.grid(True, which="both", linewidth=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def acceptance_bar(result: Result) -> tuple[float, str] | None:
    """Score that was asked for and its label, when the settings name a share of the teacher's return to keep."""
    share = _find(result.settings, "keep_return")
    if not isinstance(share, (int, float)) or isinstance(share, bool):
        return None
    mean = result.teacher.mean
    return mean - (1 - share) * abs(mean), f"{100 * share:g} % of the teacher"


def _find(settings: Mapping[str, Any], name: str) -> Any:
    if name in settings:
        return settings[name]
    inner = (_find(value, name) for value in settings.values() if isinstance(value, Mapping))
    return next((value for value in inner if value is not None), None)


def _shown(result: Result) -> list[Candidate]:
    chosen = [] if result.best_candidate is None else [result.best_candidate]
    others = [one for one in result.candidates if one.role != "teacher" and not any(same(one, best) for best in chosen)]
    return [one for one in (result.teacher, *others, *chosen) if one.values.size and one.weights_bytes > 0]


def _kind(candidate: Candidate, result: Result) -> str:
    if candidate is result.best_candidate:
        return "smallest accepted"
    if candidate.role in ("teacher", "baseline", "paper"):
        return candidate.role
    return "accepted" if candidate.accepted else "screened or rejected"


def _draw(axes: Any, candidates: Sequence[Candidate], kind: str, colour: str, marker: str) -> None:
    means = [one.mean for one in candidates]
    below = [max(0.0, one.mean - one.interval[0]) for one in candidates]
    above = [max(0.0, one.interval[1] - one.mean) for one in candidates]
    axes.errorbar(
        [one.weights_bytes for one in candidates],
        means,
        yerr=None if kind == "screened or rejected" else [below, above],
        fmt=marker,
        color=colour,
        label=kind,
        markersize=13 if marker == "*" else 6,
        linewidth=1,
        zorder=3 if marker == "*" else 2,
    )
