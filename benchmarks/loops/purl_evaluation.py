"""Seconds per episode of `PruningEnv` with what evaluation remembers and without, and how it takes a ResNet-50.

    python benchmarks/loops/purl_evaluation.py --data FOLDER --out benchmarks/loops/results

FOLDER holds `mnist.npz` and `cifar10_jpeg.npz`. On LeNet-5 and ResNet-20, trained (and kept in --nets), the same DQN of
Stable-Baselines3 plays the same episodes twice; every plan, score and reward must be the same. Processor seconds of one
thread, the agent's own included. Of a ResNet-50 with random weights: seconds until the environment stands and for the
thresholds of all layers and actions, and the most memory that the process held beside the model. JSON and Markdown go
to --out.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import torch
from cifar_nets import dense_net, read_cifar
from intervals import interval
from lenet_300_100 import read_mnist
from purl_lenet import dense
from records import command, keep
from resnet_50 import resnet50
from stable_baselines3 import DQN

import rlcompress as rlc
from rlcompress.engine.versions import versions
from rlcompress.layerwise.thresholds import alpha_counts

SPARSITY = 0.9


class Logged(rlc.PruningEnv):
    """Keeps what every step gave."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.log: list[tuple[Any, ...]] = []

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step, noted."""
        given = super().step(action)
        self.log.append((tuple(given[4]["plan"].kept), given[4]["accuracy"], given[1]))
        return given


def played(model: Any, rows: Any, episodes: int, seed: int, cache: bool) -> tuple[float, list[tuple[Any, ...]]]:
    """Seconds per episode, and what every step gave."""
    env = Logged(model, data=rows, target_sparsity=SPARSITY, cache=cache)
    steps = episodes * len(env.prunable.layers)
    agent = DQN("MlpPolicy", env, learning_starts=steps // 5, exploration_fraction=0.6, seed=seed, device="cpu")
    began = time.process_time()
    agent.learn(steps)
    return (time.process_time() - began) / episodes, env.log


def compared(name: str, model: Any, rows: Any, episodes: int, seeds: list[int]) -> dict[str, Any]:
    """Seconds with and without, over seeds of the agent."""
    seconds: dict[str, list[float]] = {"plain": [], "cached": []}
    for seed in seeds:
        plain, expected = played(model, rows, episodes, seed, cache=False)
        cached, found = played(model, rows, episodes, seed, cache=True)
        assert found == expected, f"{name}, seed {seed}: the cached environment gives something else"
        seconds["plain"].append(plain)
        seconds["cached"].append(cached)
    return {"name": name, "episodes": episodes, "rows": len(rows[0]), "seeds": seeds, "steps": len(found), **seconds}


def large() -> dict[str, Any]:
    """Seconds and memory that a ResNet-50 takes."""
    model = resnet50()
    size = sum(weight.nbytes for weight in model.parameters())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.perf_counter()
    env = rlc.PruningEnv(model, lambda _: 0.5, example_inputs=torch.zeros(1, 3, 64, 64), target_sparsity=0.8)
    built = time.perf_counter() - began
    weights = [layer.weight for layer in env.prunable.layers]
    began = time.perf_counter()
    alpha_counts(weights)
    thresholds = time.perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    parameters = sum(weight.numel() for weight in model.parameters())
    return {"parameters": parameters, "build": built, "thresholds": thresholds, "memory": grown / size}


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "# Evaluation in PuRL's environment",
        "",
        "Processor seconds per episode of the same DQN, its own included; what every step gives is the same.",
        "",
        f"    {found['command']}",
        "",
        "| network | layers | rows judged | episodes | plain | cached | times as fast |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["networks"]:
        ratios = [a / b for a, b in zip(row["plain"], row["cached"])]
        layers = row["steps"] // row["episodes"]
        cells = (interval(row["plain"]), interval(row["cached"]), interval(ratios))
        lines.append(f"| {row['name']} | {layers} | {row['rows']:,} | {row['episodes']} | {' | '.join(cells)} |")
    big = found["resnet_50"]
    lines += [
        "",
        f"ResNet-50, {big['parameters']:,} parameters: the environment stands after {big['build']:.2f} s, the "
        f"thresholds of all layers and 23 actions take {big['thresholds']:.3f} s, and the process holds at most "
        f"{big['memory']:.2f} times the model's memory beside the model (a function judges: it gets its own copy).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--nets", type=Path, default=Path("runs/cifar"), help="where dense networks are kept")
    parser.add_argument("--rows", type=int, default=500, help="held-out images that judge")
    parser.add_argument("--episodes", type=int, default=25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    big = large()  # first, while the process is small
    arguments.nets.mkdir(parents=True, exist_ok=True)
    digits, images = read_mnist(arguments.data), read_cifar(arguments.data, 50_000)
    train, judge = ((x.reshape(-1, 1, 28, 28), y) for x, y in (digits.train, digits.judge))
    networks = {
        "LeNet-5": (dense("lenet-5", 0, *train, 5, arguments.nets), judge),
        "ResNet-20, width 8": (dense_net("resnet-20", 8, images, 0, 10, arguments.nets), images.judge),
    }
    rows = []
    for name, (model, held_out) in networks.items():
        judged = tuple(part[: arguments.rows] for part in held_out)
        rows.append(compared(name, model, judged, arguments.episodes, arguments.seeds))
        print(json.dumps(rows[-1]), flush=True)
    found = {"command": command(), "versions": versions(), "networks": rows, "resnet_50": big}
    keep(arguments.out, "purl_evaluation", found, table(found))


if __name__ == "__main__":
    main()
