"""`rlcompress resume`: continue a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rlcompress.cli.outcome import Watch, deliver, watching
from rlcompress.engine.result import Result


@click.command("resume")
@click.argument("run_dir", type=click.Path(file_okay=False, path_type=Path))
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes.  [default: the processors]")
@click.option("--max-seconds", type=float, help="Stop when the run has taken this time in all.")
@click.option("--max-steps", type=click.IntRange(min=0), help="Stop after this many steps of the algorithm in all.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(
    ctx: click.Context, run_dir: Path, jobs: int | None, max_seconds: float | None, max_steps: int | None, as_json: bool
) -> None:
    """Continue the run in RUN_DIR: killed, interrupted or out of budget. The result is that of a run never stopped,
    fine-tuned where that was asked for.
    """
    from rlcompress.engine.run import resume

    with watching() as watch:
        result = resume(run_dir, on_event=watch, jobs=jobs, max_seconds=max_seconds, max_steps=max_steps)
        result, more = _followed(result, run_dir, watch)
    ctx.exit(deliver(result, run_dir, as_json, watch.ending, more))


def _followed(result: Result, folder: Path, watch: Watch) -> tuple[Result, tuple[Path, ...]]:
    """The result after what the command that began the run does behind it, and the files which that wrote."""
    from rlcompress.engine.registry import build_task
    from rlcompress.engine.run_folder import read_run

    record, teacher = read_run(folder)
    if record.algorithm != "purl" or not record.following:
        return result, ()
    from rlcompress.cli.purl import follow

    task: Any = build_task(record.task)
    return follow(result, task.for_network(teacher), record.following, folder, watch)
