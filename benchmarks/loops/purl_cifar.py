"""ResNet-20 and a MobileNet-V2 on CIFAR-10: allocations of sparsity before and after the same short fine-tuning.

    python benchmarks/loops/purl_cifar.py --data FOLDER --out benchmarks/loops/results --seeds 0 1 2

FOLDER holds `cifar10_jpeg.npz`. Every seed trains its own dense network (kept in --nets). Plans are judged on images
held out of training; the test images are looked at once before and once after fine-tuning. PuRL's plan is chosen among
--finalists by short trainings. For some methods the same number of epochs also goes from the dense network to the
plan's counts while it trains (`gradual`). Runs that have a JSON file are left alone, and rows of an unfinished one are
in --nets, so that the command goes on where it was stopped. Writes one file per run and `purl_cifar.md` over all.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cifar_nets import NETS, Cifar, dense_net, read_cifar, shifted

import rlcompress as rlc
from rlcompress.engine.versions import versions
from rlcompress.layerwise.allocate import BASELINES
from rlcompress.layerwise.evaluate import evaluator
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.prunable import Prunable, prunable
from rlcompress.training.finetuning import FineTuning
from rlcompress.training.mask_search import Schedule
from rlcompress.training.sparse_finetune import fine_tune, gradual

FLOOR = 0.001
GRADUAL = ("erk", "purl")
RAMP = Schedule(start=0.5, ramp=0.5, refresh_steps=25, regrow=0.0, importance="magnitude")
T_975 = (0.0, 12.71, 4.30, 3.18, 2.78)


def accuracy(model: Any, rows: tuple[Any, Any]) -> float:
    """Percent of the rows whose class is found."""
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(part).argmax(1) for part in rows[0].split(500)])
    return 100 * float((found == rows[1]).double().mean())


@dataclass(frozen=True, eq=False)
class Trained:
    """What a method gives.

    Args:
        plan: weights kept per layer.
        model: fine-tuned with masks held.
        seconds: of the search, its finalists and the fine-tuning.
    """

    plan: Plan
    model: Any
    seconds: float


def trained(
    method: str, model: Any, target: Prunable, data: Cifar, sparsity: float, tuning: FineTuning, given: Any
) -> Trained:
    """The method's plan, found and fine-tuned."""
    began = time.perf_counter()
    if method in BASELINES:
        plan = BASELINES[method](target.layers, sparsity, FLOOR)
        tuned = fine_tune(target.apply(plan), plan, data.train, tuning, teacher=model, augment=shifted)
        return Trained(plan, tuned, time.perf_counter() - began)
    algorithm = rlc.PuRL(
        target_sparsity=sparsity, evaluations=given.plans, pareto=0, min_keep=FLOOR, recovery="batchnorm"
    )
    training = {"finetune": tuning, "finetune_data": data.train, "augment": shifted, "finalists": given.finalists}
    found = rlc.prune(model, data=data.judge, algorithm=algorithm, seed=tuning.seed, **training)
    return Trained(found.plan, found.model, time.perf_counter() - began)


def one_network(
    model: Any, data: Cifar, arguments: argparse.Namespace, seed: int, rows_file: Path
) -> list[dict[str, Any]]:
    """Rows of the table for one dense network; those in `rows_file` are not made again."""
    target = prunable(model, data.judge[0][:1])
    repaired = evaluator(target, data=data.judge, recovery="batchnorm", cache=False)
    dense = accuracy(model, data.test)
    rows: list[dict[str, Any]] = json.loads(rows_file.read_text()) if rows_file.exists() else []
    made = {(row["target"], row["method"]) for row in rows}
    tuning = FineTuning(arguments.tune_epochs, 128, arguments.tune_rate, distil=0.5, seed=seed)
    for method, sparsity in product((*BASELINES, "purl"), arguments.sparsities):
        if (sparsity, method) in made:
            continue
        found = trained(method, model, target, data, sparsity, tuning, arguments)
        plan, ramped = found.plan, None
        if method in GRADUAL:
            ramped, _ = gradual(model, plan, data.train, tuning, RAMP, augment=shifted)
        rows.append(
            {
                "target": sparsity,
                "method": method,
                "sparsity": 1 - sum(plan.kept) / sum(target.sizes),
                "judge": 100 * repaired.score(plan.kept),
                "before": accuracy(target.apply(plan), data.test),
                "after": accuracy(found.model, data.test),
                "gradual": None if ramped is None else accuracy(ramped, data.test),
                "dense": dense,
                "seconds": found.seconds,
                "kept": list(plan.kept),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
        rows_file.write_text(json.dumps(rows))
    return rows


def interval(values: list[float]) -> str:
    """Mean and half the 95 % interval of the mean (Student's t)."""
    if len(values) < 2:
        return f"{np.mean(values):.2f}"
    return f"{np.mean(values):.2f} ± {T_975[len(values) - 1] * np.std(values, ddof=1) / len(values) ** 0.5:.2f}"


def markdown(runs: list[dict[str, Any]]) -> str:
    """The table over all runs."""
    lines = ["# PuRL on CIFAR-10: test accuracy in percent (mean ± 95 % interval over seeds)", ""]
    for name in sorted({run["net"] for run in runs}):
        mine = [run for run in runs if run["net"] == name]
        facts = mine[0]["settings"]
        dense = interval([run["rows"][0]["dense"] for run in mine])
        lines += [f"## {name}, width {facts['width']}, {facts['weights']:,} weights, {len(mine)} seeds", ""]
        lines += [
            f"Dense {dense}; {facts['rows']:,} training images, {facts['dense_epochs']} dense epochs, "
            f"{facts['plans']} plans per search and {facts['finalists']} finalists; {facts['tune_epochs']} epochs of "
            f"fine-tuning at {facts['tune_rate']:g}, which the seconds contain. `{facts['command']}`",
            "",
            "| removed % | method | judge, BatchNorm re-estimated | test, as pruned | test, fine-tuned "
            "| test, pruned while training | seconds |",
            "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for target in facts["sparsities"]:
            for method in (*BASELINES, "purl"):
                rows = [r for run in mine for r in run["rows"] if (r["target"], r["method"]) == (target, method)]
                cells = [interval([row[key] for row in rows]) for key in ("judge", "before", "after")]
                cells.append("" if rows[0]["gradual"] is None else interval([row["gradual"] for row in rows]))
                seconds = np.mean([row["seconds"] for row in rows])
                lines.append(f"| {100 * target:g} | {method} | {' | '.join(cells)} | {seconds:.0f} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Train or read the networks, run everything, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--nets", type=Path, default=Path("runs/cifar"), help="where dense networks are kept")
    parser.add_argument("--networks", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--rows", type=int, default=50_000, help="training images to use")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--sparsities", type=float, nargs="+", default=[0.8, 0.9, 0.95])
    parser.add_argument("--dense-epochs", type=int, default=10)
    parser.add_argument("--tune-epochs", type=int, default=1)
    parser.add_argument("--tune-rate", type=float, default=1e-2, help="highest learning rate of the fine-tuning")
    parser.add_argument("--plans", type=int, default=60)
    parser.add_argument("--finalists", type=int, default=12)
    arguments = parser.parse_args()
    data = read_cifar(arguments.data, arguments.rows)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for name in arguments.networks:
            path = arguments.out / f"purl-cifar-{name}-width{arguments.width}-seed{seed}.json"
            if path.exists():
                continue
            model = dense_net(name, arguments.width, data, seed, arguments.dense_epochs, arguments.nets)
            weights = sum(prunable(model, data.judge[0][:1]).sizes)
            kind = f"rows{arguments.rows}-epochs{arguments.dense_epochs}-tuned{arguments.tune_epochs}"
            kind += f"-rate{arguments.tune_rate:g}-plans{arguments.plans}-finalists{arguments.finalists}"
            rows_file = arguments.nets / f"{path.stem}-{kind}.json"
            rows = one_network(model, data, arguments, seed, rows_file)
            told = ("width", "rows", "dense_epochs", "tune_epochs", "tune_rate", "plans", "finalists", "sparsities")
            settings = {key: getattr(arguments, key) for key in told}
            settings["command"] = (
                f"purl_cifar.py {' '.join(Path(word).name if '/' in word else word for word in sys.argv[1:])}"
            )
            settings["versions"] = versions()
            settings["weights"] = weights
            path.write_text(
                json.dumps({"net": name, "seed": seed, "settings": settings, "rows": rows}, indent=1) + "\n"
            )
    runs = [json.loads(path.read_text()) for path in sorted(arguments.out.glob("purl-cifar-*.json"))]
    (arguments.out / "purl_cifar.md").write_text(markdown(runs))


if __name__ == "__main__":
    main()
