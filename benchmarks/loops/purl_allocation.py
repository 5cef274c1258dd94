"""One-shot allocation on LeNet-300-100: ours, the paper's agent, free and searched baselines, and all 23^3 plans.

    python benchmarks/loops/purl_allocation.py --data FOLDER --seeds 3 --out benchmarks/loops/results

FOLDER holds `mnist.npz`. Every searching method judges the same number of plans on 5,000 images held out of training;
test accuracy is looked at once per method, without any training after pruning. Plans are taken as they are pruned, but
in rows that say otherwise: `purl, recovered` is what the default gives back, and with least squares what is kept is
fitted to the dense layers' outputs, layer by layer, for every plan that is judged. The second table asks whether a
reward after every layer brings the paper's agent to a feasible plan in fewer episodes. JSON and Markdown go to `--out`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intervals import interval
from lenet_300_100 import Mnist, dense_net, read_mnist
from searches import SEARCHES, rival

import rlcompress as rlc
from rlcompress.algorithms.purl.judging import Judge, ModelProblem, ModelTask
from rlcompress.engine.driver import drive
from rlcompress.layerwise.evaluate import evaluator
from rlcompress.layerwise.prunable import prunable
from rlcompress.layerwise.thresholds import alpha_counts

REWARDS = ("dense", "terminal", "potential")
CLAIM_SPARSITY, CLAIM_DROP = 0.8, 0.05


def methods(sparsity: float, plans: int) -> dict[str, Any]:
    """Searching methods, each at the same number of judged plans; the paper's agent by its own 100 episodes."""
    given: dict[str, Any] = {"target_sparsity": sparsity, "evaluations": plans, "pareto": 0}
    return {
        **{name: rival(name, **given) for name in SEARCHES},
        "purl on the grid": rlc.PuRL(grid="alpha", **given),
        "purl without the agent": rlc.PuRL(agent_share=0.0, **given),
        "purl": rlc.PuRL(**given),
        "purl.paper()": rlc.PuRL.paper(target_sparsity=sparsity),
    }


def search(model: Any, data: Mnist, algorithm: Any, seed: int) -> tuple[Any, float]:
    """Findings and seconds of one search."""
    target = prunable(model, data.judge[0][:1])
    problem: Any = ModelProblem(
        Judge(target, evaluator(target, data=data.judge)), ModelTask("LeNet-300-100"), None, seed
    )
    began = time.perf_counter()
    return drive(algorithm, problem, lambda event: None).output, time.perf_counter() - began


def accuracy_of(model: Any, rows: tuple[Any, Any]) -> Callable[[Any], float]:
    """Accuracy by plan on these rows."""
    target = prunable(model, rows[0][:1])
    judge = evaluator(target, data=rows)
    return judge.score


def all_grid_scores(model: Any, rows: tuple[Any, Any]) -> tuple[Any, Any]:
    """Accuracy of all 23^3 plans (first layers computed once, the last one stacked), and the counts of the grid."""
    linear = [part for part in model if isinstance(part, torch.nn.Linear)]
    weights = [part.weight.detach() for part in linear]
    cuts = [np.arange(23) / 10 * float(weight.numpy().std(dtype=np.float64)) for weight in weights]
    masked = [[weight * (weight.abs() >= float(np.float32(cut))) for cut in row] for weight, row in zip(weights, cuts)]
    biases = [part.bias.detach() for part in linear]
    last = torch.cat(masked[2])
    x, y = rows
    scores = np.zeros((23, 23, 23))
    for first in range(23):
        hidden = torch.relu(x @ masked[0][first].T + biases[0])
        for second in range(23):
            inner = torch.relu(hidden @ masked[1][second].T + biases[1])
            logits = (inner @ last.T).reshape(len(x), 23, -1) + biases[2]
            scores[first, second] = (logits.argmax(2) == y[:, None]).double().mean(0).numpy()
    return scores, alpha_counts([weight.numpy() for weight in weights])


def grid_optimum(scores: Any, counts: Any, sizes: Any, sparsity: float) -> tuple[int, ...]:
    """The plan with the best score that removes at least the share asked."""
    totals = counts[0][:, None, None] + counts[1][None, :, None] + counts[2][None, None, :]
    allowed = totals <= int(np.floor(sum(sizes) * (1 - sparsity) + 1e-9))
    best = np.unravel_index(np.argmax(np.where(allowed, scores, -1.0)), scores.shape)
    return tuple(int(row[at]) for row, at in zip(counts, best))


def one_network(model: Any, data: Mnist, seed: int, plans: int, sparsities: list[float]) -> list[dict[str, Any]]:
    """Rows of the first table for one dense network."""
    torch.set_num_threads(1)
    test = accuracy_of(model, data.test)
    judged = accuracy_of(model, data.judge)
    sizes = prunable(model, data.test[0][:1]).sizes
    began = time.perf_counter()
    scores, counts = all_grid_scores(model, data.judge)
    grid_seconds = time.perf_counter() - began
    rows: list[dict[str, Any]] = []

    def add(name: str, sparsity: float, kept: Any, judged_plans: int, spent: float, seconds: float) -> None:
        rows.append(
            {
                "seed": seed,
                "target": sparsity,
                "method": name,
                "kept": list(kept),
                "sparsity": 1 - sum(kept) / sum(sizes),
                "judge": 100 * judged(kept),
                "test": 100 * test(kept),
                "plans": judged_plans,
                "spent": spent,
                "seconds": seconds,
            }
        )
        print(json.dumps(rows[-1]), flush=True)

    for sparsity in sparsities:
        for name, algorithm in methods(sparsity, plans).items():
            found, seconds = search(model, data, algorithm, seed)
            if name == "purl":
                for start in found.starts[:4]:
                    add(start.origin, sparsity, start.kept, 1, 1.0, 0.0)
            add(name, sparsity, found.best.kept, found.judged, found.spent, seconds)
        add("23^3 by force", sparsity, grid_optimum(scores, counts, sizes, sparsity), 23**3, np.nan, grid_seconds)
    return rows


def recovered(model: Any, data: Mnist, seed: int, plans: int, in_loop: int, sparsities: list[float]) -> list[Any]:
    """Rows with what is kept fitted to the dense layers' outputs, of the free allocations too: still no training.

    Args:
        plans: of the default, which recovers the plan that it found.
        in_loop: of the search that recovers every plan.
    """
    rows = []
    for sparsity in sparsities:
        given: dict[str, Any] = {"target_sparsity": sparsity, "pareto": 0}
        default = rlc.PuRL(evaluations=plans, **given)
        in_the_loop = rlc.PuRL(recovery="least_squares", evaluations=in_loop, **given)
        for name, algorithm in (("purl, recovered", default), ("purl, least squares", in_the_loop)):
            began = time.perf_counter()
            found = rlc.prune(model, data=data.judge, test=data.test, seed=seed, algorithm=algorithm).findings
            free = [one for one in found.starts if one.origin in FREE and algorithm is in_the_loop]
            judged = [(f"{one.origin}, least squares", one, 1) for one in free]
            for method, plan, count in (*judged, (name, found.best, found.judged)):
                row: dict[str, Any] = {"seed": seed, "target": sparsity, "method": method}
                row |= {"kept": list(plan.kept), "sparsity": plan.sparsity, "plans": count}
                row |= {"judge": 100 * plan.score, "test": 100 * plan.final, "spent": found.spent}
                rows.append({**row, "seconds": time.perf_counter() - began})
                print(json.dumps(rows[-1]), flush=True)
    return rows


def claim(model: Any, data: Mnist, seed: int, agents: int) -> list[dict[str, Any]]:
    """Episodes until the paper's agent has a plan of its own that meets both targets, by kind of reward."""
    rows = []
    for reward in REWARDS:
        for agent in range(agents):
            paper = rlc.PuRL.paper(target_sparsity=CLAIM_SPARSITY, max_drop=CLAIM_DROP, reward=reward)
            found, seconds = search(model, data, paper, agent)
            rows.append({"seed": seed, "agent": agent, "reward": reward, "first": found.first_feasible})
            rows[-1] |= {"feasible": found.feasible, "score": 100 * found.best.score, "seconds": seconds}
            print(json.dumps(rows[-1]), flush=True)
    return rows


def markdown(rows: list[dict[str, Any]], claims: list[dict[str, Any]], plans: int) -> str:
    """Both tables."""
    lines = [f"# One-shot allocation, LeNet-300-100 on MNIST, {plans} plans per search, no training after pruning", ""]
    for target in sorted({row["target"] for row in rows}):
        here = [row for row in rows if row["target"] == target]
        seeds = sorted({row["seed"] for row in here})
        free = {s: max(r["test"] for r in here if r["seed"] == s and r["method"] in FREE) for s in seeds}
        lines += [
            f"## {100 * target:g} %",
            "",
            "| method | removed % | judge % | test % | over the best free start | plans |",
        ]
        lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
        for name in dict.fromkeys(row["method"] for row in here):
            mine = [row for row in here if row["method"] == name]
            over = [row["test"] - free[row["seed"]] for row in mine]
            met = all(row["sparsity"] >= target - 1e-9 for row in mine)
            cells = (
                name,
                f"{np.mean([100 * row['sparsity'] for row in mine]):.2f}",
                interval([row["judge"] for row in mine]),
                interval([row["test"] for row in mine]),
                interval(over) if met else "misses the target",
                f"{np.mean([row['plans'] for row in mine]):.0f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    if claims:
        lines += [f"## Episodes of the paper's agent to {100 * CLAIM_SPARSITY:g} % removed at a loss of at most "]
        lines[-1] += f"{100 * CLAIM_DROP:g} points; 101 where it never came there"
        lines += ["", "| reward | runs | feasible | median episodes to the first | best score % |"]
        lines.append("| --- | ---: | ---: | ---: | ---: |")
        for reward in REWARDS:
            mine = [row for row in claims if row["reward"] == reward]
            median = np.median([row["first"] or 101 for row in mine])
            done = sum(row["first"] is not None for row in mine)
            score = np.mean([row["score"] for row in mine])
            lines.append(f"| {reward} | {len(mine)} | {done} | {median:g} | {score:.2f} |")
    return "\n".join(lines) + "\n"


FREE = ("uniform", "erk", "global", "lamp")


def main() -> None:
    """Train or read the networks, run everything, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--nets", type=Path, default=Path("runs/lenet"), help="where dense networks are kept")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plans", type=int, default=300)
    parser.add_argument(
        "--recovered-plans", type=int, default=100, help="least squares in the loop: a plan takes longer"
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--agents", type=int, default=3, help="agent seeds of the second table, per network")
    parser.add_argument("--sparsities", type=float, nargs="+", default=[0.9, 0.95])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = read_mnist(arguments.data)
    rows: list[dict[str, Any]] = []
    claims: list[dict[str, Any]] = []
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.seeds):
        model = dense_net(data, seed, arguments.epochs, arguments.nets)
        rows += one_network(model, data, seed, arguments.plans, arguments.sparsities)
        rows += recovered(model, data, seed, arguments.plans, arguments.recovered_plans, arguments.sparsities)
        claims += claim(model, data, seed, arguments.agents)
        record = {"plans": arguments.plans, "rows": rows, "claims": claims}
        text = json.dumps(record, indent=1).replace("NaN", "null") + "\n"
        (arguments.out / "purl_allocation.json").write_text(text)
        (arguments.out / "purl_allocation.md").write_text(markdown(rows, claims, arguments.plans))


if __name__ == "__main__":
    main()
