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
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
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
REDRAWN = ("agent", "greedy", "ladder", EVERY)
FEWER = (3, 5)


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


def row_of(episode: Episode, best: int | None, made: Sequence[int], redraws: Sequence[Deal], pick: Picker) -> Any:
    """What one run reached, and how often it is truly over when all rows are dealt anew."""
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
        "again": [_again(replace(episode, deal=one), pick) for one in redraws],
    }


def _again(episode: Episode, pick: Picker) -> list[float]:
    """Logarithm of the ratio, and true drop less tolerance in points (NaN with few rows to tell), under one deal."""
    best, _ = play(episode, pick)
    drop = 0.0 if best is None else float(episode.deal.true_drop[best])
    known = episode.deal.true_rows >= MANY_TRUE_ROWS
    return [episode.gain(best), 100 * (drop - episode.max_drop) if known else float("nan")]


def methods(picks: dict[str, Picker]) -> dict[str, Callable[[Table, int], Picker]]:
    """Pickers by name; each gets the table, and the number of trainings that the agent used there."""
    found: dict[str, Callable[[Table, int], Picker]] = {"agent": lambda table, moves: picks[table.name]}
    rules: dict[str, Picker] = {"ladder": ladder, "greedy": greedy}
    rules |= {f"{arm} only": fixed(arm) for arm in ("one hidden", "two hidden", "narrow")}
    found[EVERY] = lambda table, moves: every_move
    for name, rule in rules.items():
        found[name] = partial(_capped, rule)
    for seed in range(3):
        found[f"random moves, seed {seed}"] = partial(_capped, partial(_random, seed))
    return found


def _random(seed: int, view: View) -> int | None:
    return at_random(view, seed)


def _capped(rule: Picker, table: Table, moves: int) -> Picker:
    return lambda view: rule(view) if len(view.made) < moves else None


def every_move(view: View) -> int | None:
    """All of the menu: no choice of moves sees more students."""
    return next((int(move) for move in np.flatnonzero(view.open)), None)


def judge_all(tables: Sequence[Table], picks: dict[str, Picker], moves: int) -> dict[str, Any]:
    """Rows of every method at 1 point, of the agent at all tolerances and with depth and inputs kept."""
    rng = np.random.default_rng(0)
    redraws = {table.name: [random_deal(table, rng) for _ in range(REDRAWS)] for table in tables}
    rows: dict[str, list[Any]] = {}
    for keep in (False, True):
        used: dict[str, int] = {}
        for name, picker_for in methods(picks).items():
            label = f"{name}, depth and inputs kept" if keep else name
            for table in tables:
                most = len(MENU) if name == EVERY else moves
                episode = Episode(own_deal(table), moves=most, keep_depth=keep, keep_inputs=keep)
                pick = picker_for(table, used.get(table.name, moves))
                best, made = play(episode, pick)
                if name == "agent":
                    used[table.name] = len(made)
                again = redraws[table.name] if name in REDRAWN else []
                rows.setdefault(label, []).append(row_of(episode, best, made, again, pick))
        print(f"replayed, {'depth and inputs kept' if keep else 'any shape'}", flush=True)
    fronts: dict[str, list[Any]] = {}
    for tolerance in TOLERANCES:
        for table in tables:
            episode = Episode(own_deal(table), moves=moves, max_drop=tolerance)
            best, made = play(episode, picks[table.name])
            entry = row_of(episode, best, made, [], picks[table.name])
            fronts.setdefault(f"{100 * tolerance:g}", []).append(entry)
    fewer = {f"{name}, {most} moves": found for most in FEWER for name, found in at_most(tables, picks, most, redraws)}
    return {"methods": rows, "tolerances": fronts, "fewer": fewer, "balanced": balanced_all(tables, picks, moves)}


def at_most(
    tables: Sequence[Table], picks: dict[str, Picker], moves: int, redraws: dict[str, list[Deal]]
) -> list[tuple[str, list[Any]]]:
    """Rows of the agent and of the rules at 1 point with fewer trainings."""
    found = []
    for name, picker_for in methods(picks).items():
        if name in REDRAWN and name != EVERY:
            rows = []
            for table in tables:
                episode, pick = Episode(own_deal(table), moves=moves), picker_for(table, moves)
                best, made = play(episode, pick)
                rows.append(row_of(episode, best, made, redraws[table.name], pick))
            found.append((name, rows))
    return found


def balanced_all(tables: Sequence[Table], picks: dict[str, Picker], moves: int) -> dict[str, Any]:
    """Rows of the agent for what is asked of balanced accuracy, at 1 and 5 points."""
    found: dict[str, list[Any]] = {}
    for tolerance in (0.01, 0.05):
        for even in EVEN:
            for table in tables:
                episode = Episode(own_deal(table), moves=moves, max_drop=tolerance, balanced=even)
                best, made = play(episode, picks[table.name])
                entry = row_of(episode, best, made, [], picks[table.name])
                found.setdefault(f"{even}, {100 * tolerance:g} points", []).append(entry)
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
    picks: dict[str, Picker] = {name: AgentPicker(agent) for name, agent in found_agents.items()}
    learned = sorted(len(agent.metadata["learned_from"]) for agent in found_agents.values())
    made_of = {"folds": given.folds, "moves": given.moves, "passes": Learning.passes, "learned_from": learned[0]}
    found = {**made_of, **judge_all(tables, picks, given.moves)}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "neon.json").write_text(json.dumps(neon_table.small(found), indent=None) + "\n")
    parts = [(given.out / name).read_text() for name in KEPT if (given.out / name).exists()]
    (given.out / "neon.md").write_text("\n".join([neon_table.markdown(found), *parts]))


if __name__ == "__main__":
    main()
