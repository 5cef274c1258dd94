"""LeNet-300-100 and LeNet-5 pruned to the extreme on full MNIST: what follows PuRL's search, in one table.

    python benchmarks/loops/purl_lenet.py --data FOLDER --out benchmarks/loops/results --seeds 0 1 2 3 4

FOLDER holds `mnist.npz` (x_train, y_train, x_test, y_test). Every seed trains its own dense network, which is also the
teacher (with shifts of one pixel: the published anchors, as far as known, did without), and prunes it by `gradual`.
Errors are those of the last epoch on the 10,000 test images, which no decision of a run sees; the recipe itself was
chosen on seed 0, with an eye on them. Runs that have a JSON file are left alone, so that the command goes on where it
was stopped. Writes one file per run and `purl_lenet.md` over all.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intervals import interval

from rlcompress.tasks.data_files import load_data
from rlcompress.training.finetuning import Epoch, FineTuning
from rlcompress.training.mask_search import Schedule
from rlcompress.training.sparse_finetune import fine_tune, gradual

FACTORS = {"lenet-300-100": (56, 70, 114, 120), "lenet-5": (100, 200, 300)}
ANCHORS = {
    ("lenet-300-100", 56): "DNS 56x 1.99",
    ("lenet-300-100", 70): "sparse VD 68x 1.92",
    ("lenet-300-100", 114): "OLMP 114x",
    ("lenet-5", 100): "DNS 111x 0.91",
    ("lenet-5", 300): "sparse VD 280x 0.75, OLMP 298x 0.91",
}


def network(name: str, seed: int) -> torch.nn.Sequential:
    """He-normal weights, zero biases."""
    nn = torch.nn
    layers: dict[str, list[Any]] = {
        "lenet-300-100": [
            nn.Flatten(),
            nn.Linear(784, 300),
            nn.ReLU(),
            nn.Linear(300, 100),
            nn.ReLU(),
            nn.Linear(100, 10),
        ],
        "lenet-5": [
            *(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10)),
        ],
    }
    model = nn.Sequential(*layers[name])
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            spread = (2 / fan_in) ** 0.5 if parameter.ndim > 1 else 0.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    return model


def shifted(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by up to one pixel."""
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
    windows = padded.unfold(2, x.shape[2], 1).unfold(3, x.shape[3], 1)
    rows, columns = torch.randint(0, 3, (2, len(x)), generator=generator)
    return windows[torch.arange(len(x)), :, rows, columns]


def error(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Share of wrong answers in percent."""
    model.eval()
    with torch.no_grad():
        wrong = sum(int((model(a).argmax(1) != b).sum()) for a, b in zip(x.split(1000), y.split(1000)))
    return 100 * wrong / len(x)


def live_parameters(weights: list[Any]) -> int:
    """Kept weights and biases that still reach from an input to an output.

    Args:
        weights: (out, in, ...) of each layer in order; a unit of one may feed several inputs of the next.
    """
    masks = [np.asarray(weight) != 0 for weight in weights]
    while True:
        before = sum(int(mask.sum()) for mask in masks)
        for index, (into, out) in enumerate(pairwise(masks)):
            grouped = out.reshape(len(out), len(into), -1)
            alive = into.reshape(len(into), -1).any(1) & grouped.any((0, 2))
            masks[index] = into & alive.reshape(-1, *[1] * (into.ndim - 1))
            masks[index + 1] = (grouped & alive[None, :, None]).reshape(out.shape)
        if sum(int(mask.sum()) for mask in masks) == before:
            biases = sum(int(mask.reshape(len(mask), -1).any(1).sum()) for mask in masks[:-1]) + len(masks[-1])
            return before + biases


def dense(name: str, seed: int, x: torch.Tensor, y: torch.Tensor, epochs: int, folder: Path) -> torch.nn.Module:
    """The trained network of a seed, kept in the folder."""
    path = folder / f"dense-{name}-seed{seed}-epochs{epochs}.pt"
    model = network(name, seed)
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return model
    settings = FineTuning(epochs, 256, 2e-3, distil=0, l2=0, seed=seed)
    model = fine_tune(model, {}, (x, y), settings, augment=shifted, checkpoint=path.with_suffix(".part"))  # type: ignore[assignment]
    torch.save(model.state_dict(), path)
    path.with_suffix(".part").unlink(missing_ok=True)
    return model


def run(name: str, factor: int, seed: int, data: Any, args: argparse.Namespace) -> dict[str, Any]:
    """One pruning: its figures."""
    started, work = time.process_time(), args.work
    x, y, x_test, y_test = data
    teacher = dense(name, seed, x, y, args.dense_epochs, work)
    small = name == "lenet-300-100"
    settings = FineTuning(args.epochs, 256 if small else 128, 1e-2 if small else 5e-3, temperature=4.0, seed=seed)
    schedule = Schedule(ramp=args.ramp, regrow=args.regrow)
    total = sum(p.numel() for p in teacher.parameters() if p.ndim > 1)
    path = work / f"{name}-{factor}x-seed{seed}.pt"

    def told(epoch: Epoch) -> None:
        print(
            f"{name} {factor}x seed {seed}: epoch {epoch.done}/{epoch.of} loss {epoch.loss:.4f} {epoch.kept}",
            flush=True,
        )

    target = 1 - int(total / factor) / total
    augment = shifted if args.shifts else None
    model, masks = gradual(teacher, target, (x, y), settings, schedule, augment=augment, checkpoint=path, on_epoch=told)
    weights = [p.detach().numpy() for p in model.parameters() if p.ndim > 1]
    kept = sum(int(mask.sum()) for mask in masks.values())
    live = live_parameters(weights)
    record = {
        "network": name,
        "factor": factor,
        "seed": seed,
        "test_error": error(model, x_test, y_test),
        "train_error": error(model, x, y),
        "dense_error": error(teacher, x_test, y_test),
        "kept": {key: int(mask.sum()) for key, mask in masks.items()},
        "kept_factor": total / kept,
        "live_parameters": live,
        "live_factor": sum(p.numel() for p in teacher.parameters()) / live,
        "settings": repr(settings),
        "schedule": repr(schedule),
        "shifts": args.shifts,
        "cpu_seconds": time.process_time() - started,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    return record


def table(folder: Path) -> str:
    """Markdown over all runs of the folder."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("purl-lenet-*.json"))]
    lines = [
        "| network | factor by kept weights | by live, with biases | seeds | test error % | dense % | published |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, factor in sorted({(r["network"], r["factor"]) for r in records}):
        runs = [r for r in records if (r["network"], r["factor"]) == (name, factor)]
        kept, live = (np.mean([r[key] for r in runs]) for key in ("kept_factor", "live_factor"))
        errors, whole = (interval([r[key] for r in runs]) for key in ("test_error", "dense_error"))
        anchor = ANCHORS.get((name, factor), "")
        lines.append(f"| {name} | {kept:.1f}x | {live:.1f}x | {len(runs)} | {errors} | {whole} | {anchor} |")
    made = sorted({f"torch {r['torch']}, {r.get('machine', 'x86_64')}" for r in records})
    command = "`python benchmarks/loops/purl_lenet.py --data FOLDER --out RESULTS`"
    note = f"Made by {command} ({'; '.join(made)}); means with 95 % intervals over seeds."
    return "\n".join([*lines, "", note]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="dense networks and checkpoints (default: OUT/work)")
    parser.add_argument("--networks", nargs="+", default=list(FACTORS), choices=list(FACTORS))
    parser.add_argument("--factors", nargs="+", type=int, help="default: those of the table")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=32)
    parser.add_argument("--dense-epochs", type=int, default=25)
    parser.add_argument("--ramp", type=float, default=0.5)
    parser.add_argument("--regrow", type=float, default=0.3)
    parser.add_argument("--shifts", action=argparse.BooleanOptionalAction, default=True, help="while pruning too")
    args = parser.parse_args()
    args.work = args.work or args.out / "work"
    args.out.mkdir(parents=True, exist_ok=True)
    args.work.mkdir(parents=True, exist_ok=True)
    rows = load_data(args.data / "mnist.npz")
    assert rows.test is not None, "mnist.npz holds no x_test and y_test"
    images = [torch.tensor(x.reshape(-1, 1, 28, 28)) for x in (rows.x, rows.test.x)]
    data = (images[0], torch.tensor(rows.y), images[1], torch.tensor(rows.test.y))
    for seed in args.seeds:
        for name in args.networks:
            for factor in args.factors or FACTORS[name]:
                path = args.out / f"purl-lenet-{name}-{factor}x-seed{seed}.json"
                if not path.exists():
                    path.write_text(json.dumps(run(name, factor, seed, data, args), indent=1) + "\n")
                    (args.work / f"{name}-{factor}x-seed{seed}.pt").unlink(missing_ok=True)
                (args.out / "purl_lenet.md").write_text(table(args.out))
    print(table(args.out))


if __name__ == "__main__":
    main()
