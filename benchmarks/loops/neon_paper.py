"""The published NEON and plain ways to narrow, on base networks of data sets that the agent never saw.

    python benchmarks/loops/neon_paper.py --data FOLDER --cache CACHE --out benchmarks/loops/results --every 3

CACHE is what `neon_corpus.py` fills. Data sets are dealt into folds by family; the agent of a fold learns on the first
network of every other data set, and is used on the first network of each held-out one. Every way ends with a network
that is then tested once on accept rows (paired, 95 % one-sided, tolerance 1 point) and scored once on final rows. Two
figures each: as the way ended, and with what was not accepted counted as the network itself. Ladders halve the share of
neurons until a rung no longer passes on the search rows. Killed and started again it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlcompress.algorithms.neon_paper import PaperNEON, load_agent, save_agent, train_agent
from rlcompress.algorithms.neon_paper.baselines import (
    always_narrowest,
    from_scratch,
    magnitude_neurons,
    random_actions,
    smallest_holding,
    uniform_width,
)
from rlcompress.algorithms.neon_paper.playing import drawn, play_episode
from rlcompress.corpus import (
    BaseNetworkCache,
    CorpusItem,
    CorpusSettings,
    data_set,
    data_set_files,
    folds,
    stored_items,
)
from rlcompress.engine.durable import write_durably
from rlcompress.engine.versions import versions
from rlcompress.layerwise.narrowing_step import score_of
from rlcompress.network import Network
from rlcompress.statistics import paired_interval

TOLERANCE = 1.0


def items(folder: Path, cache: Path, every: int) -> list[CorpusItem]:
    """The first stored network of every `every`-th data set."""
    settings = CorpusSettings()
    found = []
    for file in data_set_files(folder)[::every]:
        found += stored_items(data_set(file, binarise="mean"), settings, BaseNetworkCache(cache))[:1]
    return found


def agent_of(fold: int, others: list[CorpusItem], episodes: int, settings: PaperNEON, folder: Path) -> Any:
    """The fold's agent, trained unless its file is there."""
    path = folder / f"neon_paper_agent{fold}.rlc"
    if not path.exists():
        began = time.monotonic()

        def say(episode: int, place: int, total: float) -> None:
            seconds = time.monotonic() - began
            print(f"fold {fold} episode {episode} {others[place].data_set}: {total:.0f} ({seconds:.0f} s)", flush=True)

        made = train_agent([(item.network, item.task) for item in others], settings, episodes, fold, say)
        names = [item.data_set for item in others]
        save_agent(made, path, episodes=episodes, sets=names, seconds=round(time.monotonic() - began))
    return load_agent(str(path))


def ways(item: CorpusItem, agent: Any, settings: PaperNEON) -> dict[str, Callable[[], Network]]:
    """Name to what makes the narrowed network."""
    network, task, rules = item.network, item.task, settings.rules
    bar = score_of(network, task) - TOLERANCE

    def holds(candidate: Network) -> bool:
        return score_of(candidate, task) >= bar

    def ladder(make: Callable[..., Network]) -> Network:
        return smallest_holding(lambda share: make(network, task, share, rules.relearning, 0), holds) or network

    paper = {"NEON.paper()": lambda: play_episode(network, task, rules, drawn(agent), (0, 0))[0]}
    return {
        **paper,
        "always 0.6": lambda: always_narrowest(network, task, rules, 0),
        "random actions": lambda: random_actions(network, task, rules, 0),
        "magnitude of neurons, ladder": lambda: ladder(magnitude_neurons),
        "uniform width, ladder": lambda: ladder(uniform_width),
    }


def judged(item: CorpusItem, made: Network, seconds: float) -> dict[str, Any]:
    """Figures of a narrowed network."""
    task, teacher = item.task, item.network
    accept, final = (
        [100 * task.score(net, split, 0, task.count(split)).values for net in (made, teacher)]
        for split in ("accept", "final")
    )
    same = made == teacher
    lower = 0.0 if same else paired_interval(accept[0], accept[1], 0.90)[0]
    balanced = [100 * task.balanced_accuracy(net, "final") for net in (made, teacher)]
    return {
        "set": item.data_set,
        "widths": list(made.widths),
        "parameters": made.parameter_count,
        "ratio": teacher.parameter_count / made.parameter_count,
        "change": float(final[0].mean() - final[1].mean()),
        "balanced_change": balanced[0] - balanced[1],
        "accepted": bool(lower >= -TOLERANCE),
        "seconds": round(seconds, 1),
    }


def one_set(item: CorpusItem, agent: Any, settings: PaperNEON) -> list[dict[str, Any]]:
    """A record per way, and from scratch at the shape where uniform width ended."""
    found: dict[str, Network] = {}
    records = []
    made_by = ways(item, agent, settings)
    made_by["from scratch, shape of the row above"] = lambda: from_scratch(found["uniform width, ladder"], item.task, 0)
    for name, make in made_by.items():
        began = time.monotonic()
        found[name] = make()
        records.append({"way": name, **judged(item, found[name], time.monotonic() - began)})
        print(json.dumps(records[-1]), flush=True)
    return records


def table(records: list[dict[str, Any]]) -> str:
    """Markdown, a row per way."""
    lines = [
        "| way | geometric mean ratio, as ended | mean change, points | worst | accepted | "
        "geometric mean ratio, accepted | mean change | balanced accuracy | s per network |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for way in dict.fromkeys(record["way"] for record in records):
        rows = [record for record in records if record["way"] == way]
        kept = [row["accepted"] for row in rows]
        ended = np.exp(np.mean([np.log(row["ratio"]) for row in rows]))
        passed = np.exp(np.mean([np.log(row["ratio"]) if ok else 0.0 for row, ok in zip(rows, kept)]))
        change, held = [row["change"] for row in rows], [row["change"] if ok else 0.0 for row, ok in zip(rows, kept)]
        lines.append(
            f"| {way} | {ended:.2f} | {np.mean(change):+.2f} | {min(change):+.2f} | {sum(kept)} of {len(rows)} | "
            f"{passed:.2f} | {np.mean(held):+.2f} | {np.mean([row['balanced_change'] for row in rows]):+.2f} | "
            f"{np.mean([row['seconds'] for row in rows]):.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of tables")
    parser.add_argument("--cache", type=Path, required=True, help="folder of base networks")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--work", type=Path, help="folder of agents and records so far  [default: --out]")
    parser.add_argument("--every", type=int, default=1, help="use every n-th data set")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--episodes", type=int, default=60, help="of each fold's agent")
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = PaperNEON(tolerance=TOLERANCE)
    work = given.work or given.out
    work.mkdir(parents=True, exist_ok=True)
    corpus = items(given.data, given.cache, given.every)
    dealt = folds([item.data_set for item in corpus], count=given.folds)
    so_far = work / "neon_paper_records.json"
    records: list[dict[str, Any]] = json.loads(so_far.read_text()) if so_far.exists() else []
    for fold, held in enumerate(dealt):
        agent = agent_of(fold, [i for i in corpus if i.data_set not in held], given.episodes, settings, work)
        for item in corpus:
            if item.data_set in held and item.data_set not in {record["set"] for record in records}:
                records += one_set(item, agent, settings)
                write_durably(so_far, json.dumps(records, indent=1).encode())
    found = {
        "command": f"neon_paper.py --every {given.every} --folds {given.folds} --episodes {given.episodes}",
        "settings": asdict(settings),
        "versions": versions(),
        "folds": dealt,
        "records": records,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    write_durably(given.out / "neon_paper.json", json.dumps(found, indent=1).encode())
    text = f"`{found['command']}`, {len(corpus)} networks, tolerance {TOLERANCE:g} point\n\n{table(records)}"
    write_durably(given.out / "neon_paper.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
