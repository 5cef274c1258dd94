"""Reports on a sparsity plan: layers, where it came from, the front, and two pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from rlcompress.algorithms.purl.findings import Findings, PlanFinding
from rlcompress.optional import require
from rlcompress.reporting.json_report import plain

SCHEMA = 1


def findings_markdown(found: Findings, plot: str | None = None, tuned: PlanFinding | None = None) -> list[str]:
    """Lines of Markdown: headline, layers, starts, front, notes.

    Args:
        found: of a search.
        plot: file name of the picture to show, or None.
        tuned: the plan with the scores of its fine-tuned model, where that is returned.
    """
    best, dense = found.best, found.dense
    returned = best if tuned is None else tuned
    verdict = "both targets met" if found.met_with(returned.score) else "closest plan: not both targets are met"
    lines = [
        f"- **plan:** {_percent(best.sparsity)} of {sum(found.plan.sizes):,} weights removed "
        f"({_percent(found.target_sparsity)} asked), {sum(best.kept):,} kept, from `{best.origin}`",
        f"- **score:** {returned.score:.4f}{_final(returned)}{' fine-tuned' if tuned else ''}; "
        f"dense {dense.score:.4f}{_final(dense)}; target {found.target_score:.4f}; {verdict}",
        f"- **cost:** {found.judged:,} plans judged, {found.spent:,.1f} network evaluations",
    ]
    if found.episodes:
        first = "never" if found.first_feasible is None else f"first in episode {found.first_feasible}"
        lines.append(f"- **agent:** {found.episodes:,} episodes, plan of its own that met both targets: {first}")
    if plot is not None:
        lines += ["", f"![sparsity and score along the network, and the front]({plot})"]
    rows = [
        (
            one.name,
            one.kind,
            f"{one.size:,}",
            f"{one.kept:,}",
            _percent(one.sparsity),
            f"{one.macs:,}",
            _score(one.score),
        )
        for one in found.layers
    ]
    columns = ("layer", "kind", "weights", "kept", "sparsity", "dense MACs", "score up to here")
    lines += ["", "## Layers", "", *_table(columns, rows, 2)]
    lines += ["", "## Starts and result", "", *_table(*_plans((*found.starts, best)), 1)]
    lines += ["", "## Front", "", *_table(*_plans(found.pareto), 1)]
    if found.notes:
        lines += ["", "## Notes", "", *(f"- {' '.join(note.split())}" for note in found.notes)]
    return lines


def pruning_markdown(result: Any, plot: str | None = None) -> str:
    """A `PruningResult` as a Markdown page."""
    tuned = None
    if result.fine_tuned:
        tuned = replace(result.findings.best, score=result.score, final=result.final)
    lines = [f"# purl on {result.name}", "", *findings_markdown(result.findings, plot, tuned)]
    if result.tuned is not None:
        before, after = result.tuned
        kept = "" if tuned else "; the model of before is kept"
        lines += ["", "## Fine-tuning", "", f"Score {before:.4f} before and {after:.4f} after{kept}."]
    if result.seconds:
        rows = [(phase, f"{seconds:.2f}") for phase, seconds in result.seconds.items()]
        lines += ["", "## Time", "", *_table(("phase", "seconds"), rows, 1)]
    if result.versions:
        lines += ["", "## Versions", "", *_table(("what", "version"), list(result.versions.items()), 2)]
    return "\n".join(lines) + "\n"


def findings_object(found: Findings) -> dict[str, Any]:
    """The findings as JSON-able values; what is not finite becomes None."""
    entries = {name: value for name, value in asdict(found).items() if name != "plan"}
    return {"schema": SCHEMA, "feasible": found.feasible, "plan": found.plan.to_json(), **plain(entries)}


def pruning_json(result: Any) -> str:
    """A `PruningResult` as JSON text."""
    more = {name: getattr(result, name) for name in ("name", "seconds", "feasible", "tuned", "final", "versions")}
    return json.dumps({**findings_object(result.findings), **plain(more)}, indent=1, allow_nan=False) + "\n"


def findings_png(found: Findings) -> bytes:
    """Two plots as PNG: sparsity and score along the network, and all of the front.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure_module = require("matplotlib.figure")
    require("matplotlib.backends.backend_agg")
    figure = figure_module.Figure(figsize=(11, 4.6), dpi=110, layout="constrained")
    along, front = figure.subplots(1, 2)
    places = range(len(found.layers))
    along.bar(places, [100 * layer.sparsity for layer in found.layers], color="#9ec5e0")
    along.set_xticks(places, [layer.name for layer in found.layers], rotation=90, fontsize=6 if len(places) > 12 else 8)
    along.set_ylabel("sparsity of the layer, %")
    scores = along.twinx()
    judged = [(at, layer.score) for at, layer in enumerate(found.layers) if layer.score is not None]
    scores.plot(*zip(*judged), marker="o", color="#1a8f3c") if judged else None
    scores.set_ylabel("score with the layers up to here pruned")
    for plans, colour, marker, label in (
        (found.pareto, "#2a7fba", "o-", "front"),
        (found.starts, "#d08020", "s", "starts"),
        ((found.best,), "#1a8f3c", "*", "result"),
        ((found.dense,), "#202020", "^", "dense"),
    ):
        shown = [plan for plan in plans if plan.score > float("-inf")]
        front.plot(
            [100 * one.sparsity for one in shown], [one.score for one in shown], marker, color=colour, label=label
        )
    front.axvline(100 * found.target_sparsity, color="#c03030", linestyle="--", linewidth=1)
    front.set_xlabel("weights removed, %")
    front.set_ylabel("score")
    front.grid(True, linewidth=0.3)
    front.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _plans(plans: Sequence[PlanFinding]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = [
        (one.origin, _percent(one.sparsity), _score(one.score), _score(one.final), "yes" if one.meets else "no")
        for one in plans
    ]
    return ("plan", "removed", "score", "final", "sparse enough"), rows


def _final(plan: PlanFinding) -> str:
    return "" if plan.final is None else f" ({plan.final:.4f} on the final rows)"


def _percent(share: float) -> str:
    return f"{100 * share:.3f} %"


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> list[str]:
    rule = ["---" if at < words else "---:" for at in range(len(columns))]
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *(map(_safe, row) for row in rows))]


def _safe(text: str) -> str:
    """Names come from users' modules."""
    for mark in ("\\", "|", "<", "*", "`", "["):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
