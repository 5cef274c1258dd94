"""Reports in a run folder."""

from __future__ import annotations

import json
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from rlcompress.algorithms.neon.outcome import NEONResult
from rlcompress.algorithms.purl.findings import Findings
from rlcompress.engine.durable import write_durably
from rlcompress.engine.result import Result
from rlcompress.errors import MissingExtraError
from rlcompress.reporting.front import front_files
from rlcompress.reporting.json_report import report_json
from rlcompress.reporting.markdown import report_markdown
from rlcompress.reporting.plot import report_png
from rlcompress.reporting.pruning import (
    findings_markdown,
    findings_object,
    findings_png,
    pruning_json,
    pruning_markdown,
)


def write_reports(result: Any, run_dir: str | PathLike[str]) -> list[Path]:
    """Write `report.md`, `report.json` and, with matplotlib, `report.png`, each atomically.

    A `Result` with findings on sparsity gets `pruning.md`, `pruning.json`, `pruning.png` and `plan.json` as well; that
    of NEON `front.md`, `front.json` and `front.png`.

    Args:
        result: a `Result`, or a `PruningResult`.
        run_dir: folder, made when missing.

    Returns:
        The files written. Without matplotlib the reports carry a note in place of the plot.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    found: Findings | None = getattr(result, "findings", None)
    if not isinstance(result, Result):
        return _pruning_reports(result, folder)
    try:
        png: bytes | None = report_png(result)
    except MissingExtraError as error:
        png = None
        result = replace(result, notes=(*result.notes, f"no plot: {error}"))
    written = {"report.md": report_markdown(result, None if png is None else "report.png").encode()}
    written["report.json"] = report_json(result).encode()
    if png is not None:
        written["report.png"] = png
    if isinstance(result, NEONResult):
        written |= front_files(result)
    if found is not None:
        written |= _findings_files(found, result.task)
    for name, data in written.items():
        write_durably(folder / name, data)
    return [folder / name for name in written]


def _pruning_reports(result: Any, folder: Path) -> list[Path]:
    png = _picture(result.findings)
    written = {"report.md": pruning_markdown(result, None if png is None else "report.png").encode()}
    written["report.json"] = pruning_json(result).encode()
    if png is not None:
        written["report.png"] = png
    for name, data in written.items():
        write_durably(folder / name, data)
    return [folder / name for name in written]


def _findings_files(found: Findings, name: str) -> dict[str, bytes]:
    png = _picture(found)
    lines = [f"# purl on {name}", "", *findings_markdown(found, None if png is None else "pruning.png")]
    files = {"pruning.md": ("\n".join(lines) + "\n").encode()}
    files["pruning.json"] = (json.dumps(findings_object(found), indent=1, allow_nan=False) + "\n").encode()
    files["plan.json"] = (json.dumps(found.plan.to_json(), indent=1) + "\n").encode()
    return files if png is None else {**files, "pruning.png": png}


def _picture(found: Findings) -> bytes | None:
    try:
        return findings_png(found)
    except MissingExtraError:
        return None
