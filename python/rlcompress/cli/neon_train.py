"""The verb `neon-train`: an agent for `neon` from a folder of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rlcompress.cli.outcome import watching


@click.command("neon-train")
@click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of CSV, TSV, ARFF or Parquet files, one data set each.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The agent's .rlc file.")
@click.option("--seconds", type=float, help="In all; three quarters at most record tables.  [default: no limit]")
@click.option("--networks", type=click.IntRange(min=1), default=2, show_default=True, help="Per data set.")
@click.option("--passes", type=click.IntRange(min=1), default=5, show_default=True, help="Of the learner.")
@click.option("--steps", type=click.IntRange(min=1), default=800, show_default=True, help="Of each student training.")
@click.option("--rows", type=click.IntRange(min=20), default=8000, show_default=True, help="Most rows of a data set.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every random number.")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes.  [default: the processors]")
@click.option(
    "--journal", type=click.Path(file_okay=False, path_type=Path), help="Keeps what is done.  [default: OUT.journal]"
)
def command(**values: Any) -> None:
    """Train the agent that picks NEON's moves, on random networks over many data sets.

    Killed and started again it goes on where it was.
    """
    from rlcompress.algorithms.neon.learning import Learning
    from rlcompress.algorithms.neon.lessons import Teaching
    from rlcompress.algorithms.neon.training import AgentTraining, train_agent

    out: Path = values["out"]
    journal: Path = values["journal"] or out.with_name(out.name + ".journal")
    teaching = Teaching(seed=values["seed"])
    learning = Learning(passes=values["passes"], seed=values["seed"], teaching=teaching)
    settings = AgentTraining(
        values["networks"],
        values["rows"],
        values["steps"],
        seed=values["seed"],
        seconds=values["seconds"],
        learning=learning,
    )
    with watching() as watch:
        agent = train_agent(values["data_dir"], journal, settings, jobs=values["jobs"], emit=watch)
    out.parent.mkdir(parents=True, exist_ok=True)
    options = " ".join(f"--{name} {values[name]}" for name in ("networks", "passes", "rows", "steps", "seed"))
    agent.with_metadata(command=f"rlcompress neon-train --data-dir FOLDER {options}").save(out)
    click.echo(f"wrote {out}: {agent.parameter_count:,} parameters from {len(agent.metadata['data'])} networks")
