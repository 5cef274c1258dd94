"""ResNet-20 and a MobileNet-V2 on CIFAR-10: allocations of sparsity before and after the same short fine-tuning.

    python benchmarks/loops/purl_cifar.py --data FOLDER --out benchmarks/loops/results --seeds 0 1 2

FOLDER holds `cifar10_jpeg.npz`. Every seed trains its own dense network (kept in --nets). Plans are judged on images
held out of training; the test images are looked at once before and once after fine-tuning. Free allocations, and what
rival searches find with as many plans, are cut once and fine-tuned. PuRL chooses among --finalists by short trainings
and lets weights go while the dense network trains for as many epochs (`gradual`); ERK's counts are trained so as well,
which tells the way of training from the plan. Rows that were made are left alone, so that the command goes on where it
was stopped, and several processes may share the rows among them. Writes one file per network and seed and
`purl_cifar.md` over all.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from cifar_nets import NETS, Cifar, dense_net, read_cifar, shifted
from purl_cifar_table import markdown
from records import command
from searches import SEARCHES, rival

import rlcompress as rlc
from rlcompress.engine.versions import versions
from rlcompress.layerwise.allocate import BASELINES
from rlcompress.layerwise.evaluate import evaluator
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.prunable import Prunable, prunable
from rlcompress.training.finetuning import FineTuning
from rlcompress.training.mask_search import Schedule
from rlcompress.training.sparse_finetune import fine_tune, gradual

Row = dict[str, Any]
FLOOR = 0.001
RAMP = Schedule(start=0.5, ramp=0.5, refresh_steps=25, regrow=0.0, importance="magnitude")
GRADUALLY = ", gradual"
METHODS = (*BASELINES, *SEARCHES, "erk" + GRADUALLY, "purl")


def accuracy(model: Any, rows: tuple[Any, Any]) -> float:
    """Percent of the rows whose class is found."""
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(part).argmax(1) for part in rows[0].split(500)])
    return 100 * float((found == rows[1]).double().mean())


@dataclass(frozen=True, eq=False)
class Bench:
    """What all rows of a dense network share.

    Args:
        model: dense, trained.
        data: training images, judge and test images.
        tuning: the short fine-tuning.
        plans, finalists: of PuRL.
        folder: keeps PuRL's runs, so that the row of its search and that of its finalists share the search.
    """

    model: Any
    data: Cifar
    tuning: FineTuning
    plans: int
    finalists: int
    folder: Path

    def row(self, method: str, sparsity: float) -> Row:
        """Scores of a method in percent: of its plan with BatchNorm re-estimated, and of the network after training."""
        began = time.perf_counter()
        target = prunable(self.model, self.data.judge[0][:1])
        recovered: Any = evaluator(target, data=self.data.judge, recovery="batchnorm", cache=False)
        searched, tuned, plan = self._purl(sparsity) if method == "purl" else self._rival(method, target, sparsity)
        seconds = time.perf_counter() - began
        return {
            "target": sparsity,
            "method": method,
            "sparsity": 1 - sum(plan.kept) / sum(target.sizes),
            "judge": 100 * recovered.score(searched.kept),
            "before": accuracy(recovered.model(searched.kept), self.data.test),
            "after": accuracy(tuned, self.data.test),
            "dense": accuracy(self.model, self.data.test),
            "seconds": seconds,
            "searched": list(searched.kept),
            "kept": list(plan.kept),
        }

    def _rival(self, method: str, target: Prunable, sparsity: float) -> tuple[Plan, Any, Plan]:
        """The plan of a free allocation or of a search, and the network trained with it."""
        if method in SEARCHES:
            plan = rlc.prune(self.model, **self._judged(rival(method, **self._asked(sparsity)))).plan
        else:
            plan = BASELINES[method.removesuffix(GRADUALLY)](target.layers, sparsity, FLOOR)
        if method.endswith(GRADUALLY):
            return plan, gradual(self.model, plan, self.data.train, self.tuning, RAMP, augment=shifted)[0], plan
        cut = target.apply(plan)
        return plan, fine_tune(cut, plan, self.data.train, self.tuning, teacher=self.model, augment=shifted), plan

    def _purl(self, sparsity: float) -> tuple[Plan, Any, Plan]:
        """The plan that the search found best untrained, the trained network, and the plan of that."""
        given = self._judged(rlc.PuRL(**self._asked(sparsity)))
        given["run_dir"] = self.folder / f"{100 * sparsity:g}"
        untrained = rlc.prune(self.model, **given)
        training: dict[str, Any] = {
            "finetune": self.tuning,
            "finetune_data": self.data.train,
            "augment": shifted,
            "gradual": RAMP,
        }
        found = rlc.prune(self.model, **given, **training, finalists=self.finalists)  # goes on from that search
        return untrained.plan, found.model, found.plan

    def _asked(self, sparsity: float) -> dict[str, Any]:
        asked: dict[str, Any] = {"target_sparsity": sparsity, "evaluations": self.plans, "pareto": 0}
        return asked | {"min_keep": FLOOR, "recovery": "batchnorm"}

    def _judged(self, search: rlc.PuRL) -> dict[str, Any]:
        return {"data": self.data.judge, "algorithm": search, "seed": self.tuning.seed}


def all_rows(bench: Bench, sparsities: list[float], methods: list[str], known: list[Row]) -> list[Row]:
    """Rows of the table for one dense network: those known, those that lie in its folder, and those asked for."""
    made = {(row["target"], row["method"]) for row in known}
    for sparsity, method in product(sparsities, methods):
        path = bench.folder / f"row-{100 * sparsity:g}-{method}.json"
        if (sparsity, method) not in made and not path.exists():
            row = bench.row(method, sparsity)
            print(json.dumps(row), flush=True)
            path.write_text(json.dumps(row))
    found = [json.loads(path.read_text()) for path in bench.folder.glob("row-*.json")]
    rows = {(row["target"], row["method"]): row for row in (*known, *found)}
    return sorted(rows.values(), key=lambda row: (row["target"], METHODS.index(row["method"])))


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
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--dense-epochs", type=int, default=10)
    parser.add_argument("--tune-epochs", type=int, default=2)
    parser.add_argument("--tune-rate", type=float, default=1e-2, help="highest learning rate of the fine-tuning")
    parser.add_argument("--plans", type=int, default=60)
    parser.add_argument("--finalists", type=int, default=6)
    arguments = parser.parse_args()
    data = read_cifar(arguments.data, arguments.rows)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for name in arguments.networks:
            stem = f"purl-cifar-{name}-width{arguments.width}-tuned{arguments.tune_epochs}"
            path = arguments.out / f"{stem}-seed{seed}.json"
            model = dense_net(name, arguments.width, data, seed, arguments.dense_epochs, arguments.nets)
            weights = sum(prunable(model, data.judge[0][:1]).sizes)
            kind = f"rows{arguments.rows}-epochs{arguments.dense_epochs}"
            kind += f"-rate{arguments.tune_rate:g}-plans{arguments.plans}-finalists{arguments.finalists}"
            folder = arguments.nets / f"{path.stem}-{kind}"
            folder.mkdir(parents=True, exist_ok=True)
            tuning = FineTuning(arguments.tune_epochs, 128, arguments.tune_rate, distil=0.5, temperature=4.0, seed=seed)
            bench = Bench(model, data, tuning, arguments.plans, arguments.finalists, folder)
            known = json.loads(path.read_text())["rows"] if path.exists() else []
            rows = all_rows(bench, arguments.sparsities, arguments.methods, known)
            told = ("width", "rows", "dense_epochs", "tune_epochs", "tune_rate", "plans", "finalists")
            settings = {key: getattr(arguments, key) for key in told}
            settings["command"] = command()
            settings["versions"] = versions()
            settings["weights"] = weights
            path.write_text(
                json.dumps({"net": name, "seed": seed, "settings": settings, "rows": rows}, indent=1) + "\n"
            )
    runs = [json.loads(path.read_text()) for path in sorted(arguments.out.glob("purl-cifar-*.json"))]
    (arguments.out / "purl_cifar.md").write_text(markdown(runs, METHODS, tuple(BASELINES)))


if __name__ == "__main__":
    main()
