"""The report as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterable

from rlcompress.engine.result import Result
from rlcompress.reporting.rows import (
    TEXT_COLUMNS,
    columns,
    headlines,
    number,
    screened,
    screened_columns,
    screened_row,
    sections,
    words_of,
)


def report_markdown(result: Result, plot: str | None = None) -> str:
    """The whole report as Markdown.

    Args:
        result: of a run.
        plot: file name of the plot to show, or None.
    """
    lines = [f"# {result.algorithm} on {_safe(result.task)}, seed {result.seed}", ""]
    lines += [
        f"- **{_safe(head)}:** {_safe(rest)}" for head, rest in (line.split(":", 1) for line in headlines(result))
    ]
    if plot is not None:
        lines += ["", f"![{words_of(result)[0]} against bytes]({plot})"]
    for section in sections(result):
        lines += ["", f"## {section.title[:1].upper()}{section.title[1:]}", "", *_table(columns(result), section.rows)]
        if section.hidden:
            lines += ["", f"{section.hidden:,} more in report.json."]
    groups = screened(result)
    if groups:
        lines += ["", "## Screened only", "", *_table(screened_columns(result), map(screened_row, groups))]
    lines += ["", "## Time", "", *_table(("phase", "seconds"), [(k, number(v)) for k, v in result.seconds.items()])]
    if result.notes:
        lines += ["", "## Notes", "", *(f"- {_safe(note)}" for note in result.notes)]
    if result.versions:
        lines += ["", "## Versions", "", *_table(("what", "version"), result.versions.items())]
    return "\n".join(lines) + "\n"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    headings = tuple(headings)
    rule = ["---" if heading in TEXT_COLUMNS else "---:" for heading in headings]
    return [_line(headings), _line(rule), *(_line(map(_safe, row)) for row in rows)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _safe(text: str) -> str:
    """Text that Markdown shows as it is: names come from files and user code."""
    for mark in ("\\", "|", "<", "*", "_", "`", "["):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
