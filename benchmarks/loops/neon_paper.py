"""NEON beside the published loop and plain ways, on base networks of data sets that no agent saw.

    python benchmarks/loops/neon_paper.py --data FOLDER --cache CACHE --tables TABLES --out benchmarks/loops/results

CACHE is what `neon_corpus.py` fills, TABLES the folder of `neon.py judge` with the agents of its folds; each network is
narrowed by the agent that saw neither its data set nor that family. The published loop's agents learn here, each on
networks of other families. Every way certifies on as many rows that its choices have not seen (95 %, one-sided) and is
scored once on final rows; two figures each: as the way ended, and with what was not accepted counted as the network
itself. Killed and started again it goes on where it was. The rows go into `neon_paper.md` and a section of `neon.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from neon_sections import put_section, ways_table
from neon_ways import judged, ways

from rlcompress.algorithms.neon_paper import PaperNEON, load_agent, save_agent, train_agent
from rlcompress.artifact import load
from rlcompress.corpus import (
    BaseNetworkCache,
    CorpusItem,
    CorpusSettings,
    data_set,
    data_set_files,
    family,
    folds,
    stored_items,
)
from rlcompress.corpus.folder import name_of
from rlcompress.engine.durable import write_durably
from rlcompress.engine.versions import versions

TOLERANCE = 1.0
TITLE = "The published loop and plain ways"


def first_items(folder: Path, cache: Path, every: int, networks: int) -> list[CorpusItem]:
    """The first stored networks of every `every`-th data set; the first of all sets before the second of any."""
    settings = CorpusSettings()
    found = []
    for file in data_set_files(folder)[::every]:
        found += stored_items(data_set(file, binarise="mean"), settings, BaseNetworkCache(cache))[:networks]
    return sorted(found, key=lambda item: item.index)


def lessons_of(folder: Path, cache: Path, held: set[str], count: int, largest: int) -> list[CorpusItem]:
    """Networks for the published agent: of `count` data sets of other families, the first that is not too large."""
    files = [file for file in data_set_files(folder) if family(name_of(file)) not in {family(name) for name in held}]
    found: list[CorpusItem] = []
    for file in files[:: max(1, len(files) // count)][:count]:
        stored = stored_items(data_set(file, binarise="mean"), CorpusSettings(), BaseNetworkCache(cache))
        found += [item for item in stored if item.network.parameter_count <= largest][:1]
    return found


def paper_agent(fold: int, held: set[str], given: argparse.Namespace, work: Path) -> Any:
    """The published loop's agent of a fold, trained unless its file is there; it must have seen none of `held`."""
    path = work / f"neon_paper_agent{fold}.rlc"
    if not path.exists():
        items, began = lessons_of(given.data, given.cache, held, given.learners, given.largest), time.monotonic()

        def say(episode: int, place: int, total: float) -> None:
            seconds = time.monotonic() - began
            print(f"fold {fold} episode {episode} {items[place].data_set}: {total:.0f} ({seconds:.0f} s)", flush=True)

        problems = [(item.network, item.task) for item in items]
        made = train_agent(problems, PaperNEON(tolerance=TOLERANCE), given.episodes, fold, say)
        save_agent(made, path, episodes=given.episodes, sets=[item.data_set for item in items])
    seen = {family(name) for name in load(path).metadata["sets"]}
    if seen & {family(name) for name in held}:
        raise SystemExit(f"{path}: learned from families of its own fold; remove it")
    return load_agent(str(path))


def our_agent(tables: Path, name: str) -> Path:
    """The agent of `neon.py judge` that learned from no data set of this family."""
    for path in sorted(tables.glob("agent-*.rlc")):
        learned = load(path).metadata["learned_from"]
        if family(name) not in {family(table.rpartition("-")[0]) for table in learned}:
            return path
    raise SystemExit(f"{tables}: an agent that did not learn from {name} expected; run `neon.py judge` first")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of tables")
    parser.add_argument("--cache", type=Path, required=True, help="folder of base networks")
    parser.add_argument("--tables", type=Path, required=True, help="folder of neon.py judge, for its agents")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--work", type=Path, help="folder of agents and records so far  [default: --out]")
    parser.add_argument("--every", type=int, default=3, help="use every n-th data set")
    parser.add_argument("--networks", type=int, default=1, help="of each data set")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--episodes", type=int, default=40, help="of each published agent")
    parser.add_argument("--learners", type=int, default=8, help="networks that a published agent learns on")
    parser.add_argument("--largest", type=int, default=300_000, help="parameters of those")
    given = parser.parse_args()
    torch.set_num_threads(1)
    work = given.work or given.out
    work.mkdir(parents=True, exist_ok=True)
    corpus = first_items(given.data, given.cache, given.every, given.networks)
    dealt = folds(sorted({item.data_set for item in corpus}), count=given.folds)
    so_far = work / "neon_paper_records.json"
    records: list[dict[str, Any]] = json.loads(so_far.read_text()) if so_far.exists() else []
    agents = {
        name: agent
        for fold, held in enumerate(dealt)
        for agent in [paper_agent(fold, set(held), given, work)]
        for name in held
    }
    judged_so_far = {(record["set"], record["index"]) for record in records}
    missing = [item for item in corpus if (item.data_set, item.index) not in judged_so_far]
    for item in missing:
        ours = our_agent(given.tables, item.data_set)
        for name, make in ways(item, TOLERANCE, agents[item.data_set], ours).items():
            records.append(judged(item, name, make, TOLERANCE))
            print(json.dumps(records[-1]), flush=True)
        write_durably(so_far, json.dumps(records, indent=1).encode())
        finish(given, dealt, records)
    if not missing:
        finish(given, dealt, records)


def finish(given: argparse.Namespace, dealt: Any, records: list[dict[str, Any]]) -> None:
    """Write the results of the networks so far."""
    options = ("every", "networks", "folds", "episodes", "learners", "largest")
    command = "neon_paper.py " + " ".join(f"--{name} {getattr(given, name)}" for name in options)
    settings = asdict(PaperNEON(tolerance=TOLERANCE))
    found = {"command": command, "settings": settings, "versions": versions(), "folds": dealt, "records": records}
    given.out.mkdir(parents=True, exist_ok=True)
    write_durably(given.out / "neon_paper.json", (json.dumps(found, indent=None) + "\n").encode())
    body = ways_table(records, command, given.episodes, given.learners)
    write_durably(given.out / "neon_paper.md", f"## {TITLE}\n\n{body}".encode())
    put_section(given.out / "neon.md", TITLE, body)


if __name__ == "__main__":
    main()
