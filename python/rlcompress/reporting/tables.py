"""The report as plain text, for the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from rlcompress.engine.result import Result
from rlcompress.reporting.rows import (
    LEGEND,
    TEXT_COLUMNS,
    ScreenedGroup,
    columns,
    headlines,
    number,
    screened,
    screened_columns,
    screened_row,
    sections,
)

TEXT_WIDTH = 170
Justify = Literal["left", "right"]


def report_text(result: Result, width: int = TEXT_WIDTH) -> str:
    """The whole report as text.

    Args:
        result: of a run.
        width: characters in a line, >= 80.
    """
    parts: list[RenderableType] = [Text(f"{result.algorithm} on {result.task}, seed {result.seed}"), Text("")]
    parts.extend(Text(f"  {line}") for line in headlines(result))
    parts.append(_main_table(result))
    if result.best_candidate is not None or result.best_without_reward is not None:
        parts.append(Text(LEGEND))
    parts.extend(
        Text(f"{section.hidden:,} more {section.title}: see report.json")
        for section in sections(result)
        if section.hidden
    )
    parts.append(Text(""))
    groups = screened(result)
    if groups:
        parts.extend((Text("screened only"), _screened_table(result, groups)))
    parts.append(Text(f"time: {seconds_text(result)}"))
    parts.extend(Text(f"note: {note}") for note in result.notes)
    return _render(parts, width)


def seconds_text(result: Result) -> str:
    """Seconds per phase and their sum, in one line."""
    if not result.seconds:
        return "not measured"
    phases = ", ".join(f"{phase} {number(seconds)} s" for phase, seconds in result.seconds.items())
    return f"{phases}; {number(sum(result.seconds.values()))} s in all"


def _main_table(result: Result) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns(result):
        wraps = column in ("name", "verdict")
        justify: Justify = "left" if column in TEXT_COLUMNS else "right"
        table.add_column(column, justify=justify, no_wrap=not wraps, overflow="fold")
    for section in sections(result):
        table.add_row(Text(section.title.upper()))
        for cells in section.rows:
            table.add_row(*(Text(cell) for cell in cells))
        table.add_section()
    return table


def _screened_table(result: Result, groups: Sequence[ScreenedGroup]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in screened_columns(result):
        table.add_column(column, justify="left" if column in TEXT_COLUMNS else "right")
    for group in groups:
        table.add_row(*map(Text, screened_row(group)))
    return table


def _render(parts: Sequence[RenderableType], width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, width=max(80, width), color_system=None, force_terminal=False, legacy_windows=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
