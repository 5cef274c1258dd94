"""Reports in a run folder."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path

from rlcompress.engine.durable import write_durably
from rlcompress.engine.result import Result
from rlcompress.errors import MissingExtraError
from rlcompress.reporting.json_report import report_json
from rlcompress.reporting.markdown import report_markdown
from rlcompress.reporting.plot import report_png


def write_reports(result: Result, run_dir: str | PathLike[str]) -> list[Path]:
    """Write `report.md`, `report.json` and, with matplotlib, `report.png`, each atomically.

    Args:
        result: of a run.
        run_dir: folder, made when missing.

    Returns:
        The files written. Without matplotlib the reports carry a note in place of the plot.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        png: bytes | None = report_png(result)
    except MissingExtraError as error:
        png = None
        result = replace(result, notes=(*result.notes, f"no plot: {error}"))
    written = {"report.md": report_markdown(result, None if png is None else "report.png").encode()}
    written["report.json"] = report_json(result).encode()
    if png is not None:
        written["report.png"] = png
    for name, data in written.items():
        write_durably(folder / name, data)
    return [folder / name for name in written]
