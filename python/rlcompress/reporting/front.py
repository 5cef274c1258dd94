"""The front of a NEON run, size against score: table, JSON, picture."""

from __future__ import annotations

import io
import json

from rlcompress.algorithms.neon.outcome import FrontPoint, NEONResult
from rlcompress.errors import MissingExtraError
from rlcompress.optional import require


def front_files(result: NEONResult) -> dict[str, bytes]:
    """`front.md`, `front.json` and, with matplotlib, `front.png`."""
    png = _picture(result)
    files = {"front.md": front_markdown(result, None if png is None else "front.png").encode()}
    files["front.json"] = (json.dumps([_object(point) for point in result.front], indent=1) + "\n").encode()
    return files if png is None else {**files, "front.png": png}


def front_markdown(result: NEONResult, plot: str | None = None) -> str:
    """The front as a page."""
    cost = _cost(result)
    lines = [f"# Front of {' '.join(result.task.split())}: {cost} against score", ""]
    lines += ["Scores are of the rows that chose; drop and bound, in points, of the rows that tested.", ""]
    lines += [
        f"| network | {cost} | smaller by | score | drop | bound | verdict |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    first = result.front[0]
    for point in result.front:
        drop, bound = (("-" if value is None else f"{100 * value:+.2f}") for value in (point.drop, point.bound))
        verdict = "-" if point.accepted is None else ("accepted" if point.accepted else "rejected")
        ratio = f"{first.cost / point.cost:,.1f}x"
        lines.append(
            f"| {point.name} | {point.cost:,.0f} | {ratio} | {point.score:.4f} | {drop} | {bound} | {verdict} |"
        )
    return "\n".join([*lines, *(["", f"![{cost} against score]({plot})"] if plot else [])]) + "\n"


def _object(point: FrontPoint) -> dict[str, object]:
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
    axes.plot([points[0].cost], [points[0].score], "s", color="black", label="as it was")
    axes.set_xscale("log")
    axes.set_xlabel(_cost(result))
    axes.set_ylabel("score on the rows that chose")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()
