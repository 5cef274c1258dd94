"""NEON's agent on networks of data sets that it never saw, beside fixed rules at the same number of trainings.

    python benchmarks/loops/neon_corpus.py --data FOLDER --out CACHE --networks 1
    python benchmarks/loops/neon.py record --data FOLDER --cache CACHE --tables TABLES
    python benchmarks/loops/neon.py judge --data FOLDER --tables TABLES --out benchmarks/loops/results

`record` trains every student of every move for each cached network (20 to 40 processor seconds each; killed and started
again it goes on). `judge` trains one agent per fold of data-set families on the tables of the other folds, replays it
and the rules on the held-out tables, and writes `neon.json` and `neon.md`. Certification sees a quarter of the rows,
the choice of moves an eighth; the figures are on the final rows and on further rows of large sets, which nothing else
touched. An agent that lies among the tables is used as it is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import neon_table
import numpy as np
import torch
from neon_sections import KEPT, record_of

from rlcompress.algorithms.neon.config import EVEN
from rlcompress.algorithms.neon.learning import Learner, Learning
from rlcompress.algorithms.neon.lessons import Lessons, Teaching, lessons_of, together
from rlcompress.algorithms.neon.menu import MENU
from rlcompress.algorithms.neon.picking import AgentPicker, Picker
from rlcompress.algorithms.neon.recording import Table, load_table, record, save_table
from rlcompress.algorithms.neon.replay import Deal, Episode, own_deal, play, random_deal
from rlcompress.algorithms.neon.rules import at_random, greedy, ladder
from rlcompress.algorithms.neon.view import View
from rlcompress.artifact import load
from rlcompress.corpus.build import CorpusSettings, plan_of
from rlcompress.corpus.cache import BaseNetworkCache
from rlcompress.corpus.families import family, folds
from rlcompress.corpus.folder import data_set, data_set_files, name_of
from rlcompress.network import Network
from rlcompress.problem import Problem

TOLERANCES = (0.0, 0.005, 0.01, 0.02, 0.05)
REDRAWS = 20
MANY_TRUE_ROWS = 1500
STEPS = 800
EVERY = "every move"
FEWER = (3, 5)
CERTAINTIES = (2.326, 1.645, 1.282, 1.0)
Picks = dict[str, Picker]
Deals = dict[str, list[Deal]]


def record_all(data: Path, cache: Path, tables: Path, networks: int, rows: int) -> None:
    """One table per cached network, the first of every set before the second of any."""
    tables.mkdir(parents=True, exist_ok=True)
    sets = [data_set(file, binarise="mean") for file in data_set_files(data)]
    settings = CorpusSettings(networks=networks, rows=rows)
    for index in range(networks):
        for entry in sets:
            path = tables / f"{entry.name}-{index}.npz"
            plan = plan_of(entry, index, settings)
            network = BaseNetworkCache(cache).find(plan.task, plan.architecture, plan.seed, settings.limits, print)
            if network is None or path.exists():
                continue
            save_table(record(path.stem, Problem(network, plan.task, 0), plan.extra, STEPS), path)
            print(f"{path.stem}: {network.parameter_count:,} parameters", flush=True)


def fixed(arm: str) -> Picker:
    """The moves of one arm, the middle sizes first."""
    moves = [index for index, move in enumerate(MENU) if move.arm == arm]
    middle = sorted(moves, key=lambda index: abs(MENU[index].level - 1.6))
    return lambda view: next((index for index in middle if view.open[index]), None)


def agents(tables: Sequence[Table], names: Sequence[str], folder: Path, count: int) -> dict[str, Network]:
    """For every table the agent of the fold that holds its family out, trained once and kept."""
    found: dict[str, Network] = {}
    lessons: dict[str, Lessons] = {}
    for index, fold in enumerate(folds(names, count=count, seed=0)):
        path = folder / f"agent-{index}-of-{count}.rlc"
        if not path.exists():
            lessons = lessons or {table.name: lessons_of(table, Teaching()) for table in tables}
            others = [table.name for table in tables if set_of(table) not in fold]
            learner = Learner(together([lessons[name] for name in others]), Learning())
            learner.learn(Learning.passes, partial(_tell, index))
            learner.agent().with_metadata(learned_from=others).save(path)
        agent = load(path)
        seen = {family(name.rpartition("-")[0]) for name in agent.metadata["learned_from"]}
        if seen & {family(name) for name in fold}:
            raise ValueError(f"{path}: learned from families of its own fold; remove it")
        found |= {table.name: agent for table in tables if set_of(table) in fold}
    return found


def _tell(fold: int, done: int, over: float, share: float) -> None:
    print(
        f"without fold {fold}: pass {done}, {over:+.3f} over the rule, another move in {100 * share:.0f} %", flush=True
    )


def set_of(table: Table) -> str:
    """Name of a table's data set."""
    return table.name.rpartition("-")[0]


def row_of(episode: Episode, best: int | None, made: Sequence[int]) -> dict[str, Any]:
    """What one run reached."""
    table, deal = episode.deal.table, episode.deal
    unseen = np.flatnonzero(table.pool >= 2)
    right, teacher = table.right[-1 if best is None else best, unseen], table.right[-1, unseen]
    return {
        "table": table.name,
        "set": set_of(table),
        "family": family(set_of(table)),
        "ratio": float(np.exp(episode.gain(best))),
        "parameters": float(table.teacher_costs[0] if best is None else table.parameters[best]),
        **record_of(teacher, right, table.y[unseen]),
        "rows": deal.choosing_rows + deal.testing_rows,
        "moves": len(made),
        "made": [MENU[move].name for move in made],
        "seconds": float(table.seconds[-1] + sum(table.seconds[move] for move in made)),
        "again": [],
    }


def redrawn(episode: Episode, best: int | None) -> list[float]:
    """Logarithm of the ratio, and true drop less tolerance in points (NaN with few rows to tell), under a new deal."""
    drop = 0.0 if best is None else float(episode.deal.true_drop[best])
    known = episode.deal.true_rows >= MANY_TRUE_ROWS
    return [episode.gain(best), 100 * (drop - episode.max_drop) if known else float("nan")]


def rules() -> dict[str, Picker]:
    """The agent's rivals by name."""
    found: dict[str, Picker] = {EVERY: every_move, "ladder": ladder, "greedy": greedy}
    found |= {f"{arm} only": fixed(arm) for arm in ("one hidden", "two hidden", "narrow")}
    return found | {f"random moves, seed {seed}": partial(_random, seed) for seed in range(3)}


def _random(seed: int, view: View) -> int | None:
    return at_random(view, seed)


def every_move(view: View) -> int | None:
    """All of the menu: no choice of moves sees more students."""
    return next((int(move) for move in np.flatnonzero(view.open)), None)


def played(
    tables: Sequence[Table], deals: Deals, picks: Picks, others: dict[str, Picker], moves: int, **wishes: Any
) -> dict[str, list[Any]]:
    """Rows of the agent and of other pickers, which get as many trainings as the agent made in the same deal.

    Args:
        deals: of each table, the task's own first; further ones are redrawn.
        picks: agents by table.
        others: pickers by name; `EVERY` gets as many as there are.
        moves: trainings of the agent at most.
        wishes: of `Episode`.
    """
    rows: dict[str, list[Any]] = {name: [] for name in ("agent", *others)}
    for table in tables:
        for number, one in enumerate(deals[table.name]):
            made_by_agent = moves
            for name in rows:
                most = {"agent": moves, EVERY: len(MENU)}.get(name, made_by_agent)
                episode = Episode(one, moves=most, **wishes)
                best, made = play(episode, picks[table.name] if name == "agent" else others[name])
                made_by_agent = len(made) if name == "agent" else made_by_agent
                if number == 0:
                    rows[name].append(row_of(episode, best, made))
                else:
                    rows[name][-1]["again"].append(redrawn(episode, best))
    return rows


def judge_all(tables: Sequence[Table], picks: Picks, moves: int) -> dict[str, Any]:
    """Rows of every method at 1 point, of the agent at all tolerances and with depth and inputs kept."""
    rng = np.random.default_rng(0)
    own = {table.name: [own_deal(table)] for table in tables}
    deals = {table.name: [*own[table.name], *(random_deal(table, rng) for _ in range(REDRAWS))] for table in tables}
    rows = played(tables, deals, picks, rules(), moves)
    kept = played(tables, deals, picks, rules(), moves, keep_depth=True, keep_inputs=True)
    rows |= {f"{name}, depth and inputs kept": found for name, found in kept.items()}
    print("replayed, any shape, and depth and inputs kept", flush=True)
    fronts = {f"{100 * one:g}": played(tables, own, picks, {}, moves, max_drop=one)["agent"] for one in TOLERANCES}
    certainty = {f"{z:g}": played(tables, deals, picks, {}, moves, z=z)["agent"] for z in CERTAINTIES}
    fewer = {
        f"{name}, {most} moves": found
        for most in FEWER
        for name, found in played(tables, deals, picks, {"ladder": ladder, "greedy": greedy}, most).items()
    }
    balanced = balanced_all(tables, own, picks, moves)
    return {"methods": rows, "tolerances": fronts, "fewer": fewer, "certainty": certainty, "balanced": balanced}


def balanced_all(tables: Sequence[Table], own: Deals, picks: Picks, moves: int) -> dict[str, Any]:
    """Rows of the agent for what is asked of balanced accuracy, at 1 and 5 points."""
    found: dict[str, list[Any]] = {}
    for tolerance, even in product((0.01, 0.05), EVEN):
        rows = played(tables, own, picks, {}, moves, max_drop=tolerance, balanced=even)
        found[f"{even}, {100 * tolerance:g} points"] = rows["agent"]
    return found


def main() -> None:
    """Record, or judge and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "judge"))
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--cache", type=Path, help="folder of neon_corpus.py, for record")
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--networks", type=int, default=6)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--moves", type=int, default=8)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "record":
        return record_all(given.data, given.cache, given.tables, given.networks, given.rows)
    tables = [load_table(path) for path in sorted(given.tables.glob("*.npz"))]
    names = [name_of(file) for file in data_set_files(given.data)]
    found_agents = agents(tables, names, given.tables, given.folds)
    picks: Picks = {name: AgentPicker(agent) for name, agent in found_agents.items()}
    learned = sorted(len(agent.metadata["learned_from"]) for agent in found_agents.values())
    made_of = {"folds": given.folds, "moves": given.moves, "passes": Learning.passes, "learned_from": learned[0]}
    found = {**made_of, **judge_all(tables, picks, given.moves)}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "neon.json").write_text(json.dumps(neon_table.small(found), indent=None) + "\n")
    parts = [(given.out / name).read_text() for name in KEPT if (given.out / name).exists()]
    (given.out / "neon.md").write_text("\n".join([neon_table.markdown(found), *parts]))


if __name__ == "__main__":
    main()
