"""What a finished run leaves: files in its folder, a report on standard output, an exit status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from rlcompress.cli.exits import FAILED, INTERRUPTED, OK
from rlcompress.engine.events import Event, RunFinished
from rlcompress.engine.result import Result
from rlcompress.reporting.progress import progress

Subscriber = Callable[[Event], None]


class Watch:
    """Shows progress on standard error and remembers why the run ended."""

    def __init__(self) -> None:
        self._show = progress()
        self.ending = ""

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunFinished):
            self.ending = event.reason
        self._show(event)

    def close(self) -> None:
        """Give the terminal back."""
        close = getattr(self._show, "close", None)
        if close is not None:
            close()


@contextmanager
def watching() -> Iterator[Watch]:
    """Progress that leaves the terminal as it was, whatever happens."""
    watch = Watch()
    try:
        yield watch
    finally:
        watch.close()


def deliver(result: Result, folder: Path, as_json: bool, ending: str, more: Sequence[Path] = ()) -> int:
    """Write the reports, print one, and give the exit status.

    Args:
        result: of the run.
        folder: the run folder, which holds `policy.rlc` already.
        as_json: print the JSON report, else the table.
        ending: why the run ended.
        more: other files that the command wrote.
    """
    from rlcompress.reporting.files import write_reports
    from rlcompress.reporting.json_report import report_json
    from rlcompress.reporting.tables import report_text

    distilled = result.best_without_reward
    files = [folder / "policy.rlc", *more]
    if distilled is not None and distilled is not result.best_candidate:
        files.append(folder / "policy-distilled.rlc")
        distilled.network.save(files[-1])
    if result.best_candidate is None:
        result = replace(result, notes=(*result.notes, "nothing was accepted: policy.rlc is the teacher itself"))
    files += write_reports(result, folder)
    click.echo(report_json(result) if as_json else report_text(result), nl=False)
    click.echo("wrote " + ", ".join(map(str, files)), err=True)
    if ending == "interrupted":
        return INTERRUPTED
    return OK if result.accepted else FAILED
