"""The front of a NEON run, size against score: table, JSON, picture."""

from __future__ import annotations

import io
import json

from rlcompress.algorithms.neon.front import FrontPoint
from rlcompress.algorithms.neon.outcome import NEONResult
from rlcompress.errors import MissingExtraError
from rlcompress.optional import require
from rlcompress.reporting.rows import number


def front_files(result: NEONResult) -> dict[str, bytes]:
    """`front.md`, `front.json` and, with matplotlib, `front.png`."""
    png = _picture(result)
    files = {"front.md": front_markdown(result, None if png is None else "front.png").encode()}
    files["front.json"] = (json.dumps([point_object(point) for point in result.front], indent=1) + "\n").encode()
    return files if png is None else {**files, "front.png": png}


def front_markdown(result: NEONResult, plot: str | None = None) -> str:
    """The front as a page."""
    cost = _cost(result)
    lines = [f"# Front of {' '.join(result.task.split())}: {cost} against score", ""]
    lines += ["Scores are of the rows that chose; drop and bound, in points, of the rows that tested.", ""]
    first = result.as_it_was
    lines += [f"As it was: {_cost_text(first.cost, cost)} {cost}, score {first.score:.4f}.", ""]
    lines += [
        f"| network | {cost} | smaller by | score | drop | bound | verdict |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for point in result.front:
        drop, bound = (("-" if value is None else f"{100 * value:+.2f}") for value in (point.drop, point.bound))
        verdict = "-" if point.accepted is None else ("accepted" if point.accepted else "rejected")
        ratio = f"{first.cost / point.cost:,.1f}x"
        lines.append(
            f"| {point.name} | {_cost_text(point.cost, cost)} | {ratio} | {point.score:.4f} | {drop} | {bound} "
            f"| {verdict} |"
        )
    return "\n".join([*lines, *(["", f"![{cost} against score]({plot})"] if plot else [])]) + "\n"


def _cost_text(value: float, cost: str) -> str:
    return number(value, 2 if cost == "latency_us" else 0)


def point_object(point: FrontPoint) -> dict[str, object]:
    """One point of the front as JSON-able values."""
    names = ("name", "cost", "score", "drop", "bound", "accepted")
    return {**{name: getattr(point, name) for name in names}, "widths": list(point.network.widths)}


def _cost(result: NEONResult) -> str:
    settings = result.settings.get("algorithm", result.settings)
    return str(settings.get("cost", "parameters"))


def _picture(result: NEONResult) -> bytes | None:
    try:
        require("matplotlib")
        figures = require("matplotlib.figure")
    except MissingExtraError:
        return None
    figure = figures.Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    points = result.front
    axes.plot([point.cost for point in points], [point.score for point in points], ".-", color="tab:grey")
    for accepted, colour, label in ((True, "tab:green", "accepted"), (False, "tab:red", "rejected")):
        chosen = [point for point in points if point.accepted is accepted]
        if chosen:
            axes.plot([p.cost for p in chosen], [p.score for p in chosen], "o", color=colour, label=label)
    axes.plot([result.as_it_was.cost], [result.as_it_was.score], "s", color="black", label="as it was")
    axes.set_xscale("log")
    axes.set_xlabel(_cost(result))
    axes.set_ylabel("score on the rows that chose")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()
