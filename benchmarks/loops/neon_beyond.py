"""NEON where its agent never learned: targets that are values, and networks outside the ranges of its training.

    python benchmarks/loops/neon_beyond.py --data FOLDER --out benchmarks/loops/results

Values: tables of the folder taken as values, and scikit-learn's diabetes set (needs the extra `data`), with random
networks of the usual ranges. Outside: a layer of 2,000 neurons, eight hidden layers, and two of 2,000, on tables of
classes. The shipped agent at its defaults; test rows are scored once. Killed and started again it goes on where it was.
The rows go into `neon_beyond.md` and a section of `neon.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from neon_sections import beyond_table, put_section

from rlcompress.algorithms.neon import NEON
from rlcompress.algorithms.neon.scene import HeldRows, scene_of
from rlcompress.corpus import Architecture, CorpusSettings, random_architecture, train_base
from rlcompress.corpus.build import capped
from rlcompress.corpus.folder import DataSet
from rlcompress.engine.durable import write_durably
from rlcompress.engine.run import compress
from rlcompress.engine.versions import versions
from rlcompress.problem import Problem
from rlcompress.tasks.data_files import load_data
from rlcompress.tasks.dataset import DatasetTask

VALUES = ("215_2dplanes", "564_fried", "wine_quality_white", "diabetes")
CLASSES = ("magic", "pendigits", "churn")
OUTSIDE = ((2000,), (300,) * 8, (2000, 2000))
TITLE = "Values, and networks outside the ranges of training"


def task_of(folder: Path, name: str, values: bool, rows: int, seed: int) -> DatasetTask:
    """The set's rows, dealt by the seed; `diabetes` as values is scikit-learn's."""
    source = "diabetes" if (name, values) == ("diabetes", True) else str(folder / f"{name}.tsv.gz")
    data = load_data(source, kind="values" if values else "classes")
    metric: Any = "squared_error" if values else "accuracy"
    kept, _ = capped(DataSet(name, data.x, data.y, metric), rows, 0)
    return DatasetTask(kept.x, kept.y, validation=0.5, seed=seed, metric=metric, name=name)


def one(task: DatasetTask, kind: str, architecture: Architecture, seed: int, max_drop: float) -> dict[str, Any]:
    """Train the network, narrow it, and score both once on the test rows."""
    began = time.process_time()
    teacher = train_base(task, architecture, seed=seed, seconds=600.0)
    trained, began = time.process_time() - began, time.process_time()
    result = compress(teacher, task, NEON(max_drop=max_drop), seed=0, jobs=1)
    seconds = time.process_time() - began
    scene, pair = scene_of(Problem(teacher, task, 0)), task.rows("final")
    rows = HeldRows(pair.x, pair.y)
    before, after = (scene.values(network, rows)[0] for network in (teacher, result.best))
    offset = 0.0 if scene.discrete else 1.0
    return {
        "kind": kind,
        "set": task.name,
        "hidden": list(architecture.hidden),
        "rows": len(scene.choosing) + len(scene.testing),
        "test_rows": len(rows),
        "before": teacher.parameter_count,
        "after": result.best.parameter_count,
        "ratio": teacher.parameter_count / result.best.parameter_count,
        "score": 100 * (float(before.mean()) + offset),
        "change": 100 * float((after - before).mean()),
        "error": 100 * float((after - before).std() / len(rows) ** 0.5),
        "seconds": round(seconds, 2),
        "training_seconds": round(trained, 2),
        "notes": list(result.notes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of tables")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--rows", type=int, default=6000, help="most rows of a data set")
    parser.add_argument("--networks", type=int, default=3, help="per set of values")
    parser.add_argument("--max-drop", type=float, default=0.01)
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = CorpusSettings()
    ranges = {"layers": settings.layers, "widths": settings.widths, "step": settings.step}
    work: list[tuple[str, str, int, Architecture]] = []
    for index in range(given.networks):
        for place, name in enumerate(VALUES):
            random = random_architecture(np.random.default_rng((index, place, 5)), **ranges)
            work.append(("values", name, index, random))
    for index, hidden in enumerate(OUTSIDE):
        work += [("outside", name, index, Architecture.plain(*hidden)) for name in CLASSES]
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "neon_beyond.json"
    records: list[dict[str, Any]] = json.loads(path.read_text())["records"] if path.exists() else []
    done = {(record["kind"], record["set"], tuple(record["hidden"])) for record in records}
    command = f"neon_beyond.py --rows {given.rows} --networks {given.networks} --max-drop {given.max_drop:g}"
    for kind, name, index, architecture in sorted(work, key=lambda entry: entry[2]):
        if (kind, name, architecture.hidden) in done:
            continue
        task = task_of(given.data, name, kind == "values", given.rows, index)
        records.append(one(task, kind, architecture, index, given.max_drop))
        print(json.dumps(records[-1]), flush=True)
        found = {"command": command, "versions": versions(), "records": records}
        write_durably(path, (json.dumps(found, indent=None) + "\n").encode())
        body = beyond_table(records, command, given.max_drop)
        write_durably(given.out / "neon_beyond.md", f"## {TITLE}\n\n{body}".encode())
        put_section(given.out / "neon.md", TITLE, body)


if __name__ == "__main__":
    main()
