"""What a folder of published policies still earns with integer weights and in integers altogether.

    python benchmarks/loops/quantised.py --agents FOLDER --out benchmarks/loops/results

Each zip is rounded as it is, without any training: weight by weight, and the weights of a layer together on
observations of the policy's own episodes (`quantise_rows`, `quantise_static`: whichever of both acts more like it on
observations held back). Returns and changed actions are of other episodes. Beside them the static int8 that
onnxruntime's own tools make of the same observations, where onnx and onnxruntime are installed. Writes
`quantised.json` and `quantised.md`.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from onnx_policy import OnnxPolicy
from policies import POLICIES
from records import command, keep

import rlcompress as rlc
from rlcompress.calibration import action_error, observation_rows
from rlcompress.engine.versions import versions
from rlcompress.quantise_activations import nearest_layers

OBSERVATIONS, LATER = 8000, 100_000


def forms(network: rlc.Network, observations: Any) -> dict[str, rlc.Network]:
    """The policy, and its forms by name."""
    return {
        "float32": network,
        "int8 weights, one by one": rlc.quantise_rows(network, 8),
        "int8 weights": rlc.quantise_rows(network, 8, observations),
        "int4 weights, one by one": rlc.quantise_rows(network, 4),
        "int4 weights": rlc.quantise_rows(network, 4, observations),
        "integers, one by one": nearest_layers(network, observation_rows(network, observations), 100.0),
        "integers": rlc.quantise_static(network, observations),
    }


def judged(agents: Path, name: str, episodes: int) -> dict[str, Any]:
    """Returns and changed actions of all forms of a policy."""
    env_id, env_kwargs = POLICIES[name]
    statistics = agents / f"{name}.vecnormalize.pkl"
    network = rlc.load_policy(agents / f"{name}.zip", vecnormalize=statistics if statistics.exists() else None)
    task = rlc.PolicyTask(env_id, env_kwargs)
    observations = task.visit(network, 0, OBSERVATIONS, 0).observations
    unseen = observation_rows(network, task.visit(network, LATER, OBSERVATIONS, 0).observations)
    rows = {}
    for form, made in forms(network, observations).items():
        score = task.score(made, "final", 0, episodes)
        error = action_error(network, made, unseen)
        rows[form] = {"mean": score.mean, "half": 1.96 * score.std / score.count**0.5, "action_error": error}
    if find_spec("onnx") and find_spec("onnxruntime"):
        rows["onnxruntime"] = peer(network, OnnxPolicy(network, observations), unseen, name, episodes)
    return {"policy": name, "episodes": episodes, "forms": rows}


def peer(network: rlc.Network, policy: OnnxPolicy, unseen: Any, name: str, episodes: int) -> dict[str, Any]:
    """The same figures of what is no network of ours, on episodes of other seeds."""
    env_id, env_kwargs = POLICIES[name]
    discrete = network.contract.head.kind == "argmax"
    wanted, found = rlc.Runtime(network)(unseen.reshape(-1, *network.contract.observation_shape)), policy(unseen)
    returns = []
    with gymnasium.make(env_id, **env_kwargs) as env:
        for seed in range(episodes):
            observation, _ = env.reset(seed=LATER + seed)
            total, over = 0.0, False
            while not over:
                action = policy(observation[None])[0]
                observation, reward, terminated, truncated, _ = env.step(int(action) if discrete else action)
                total, over = total + float(reward), terminated or truncated
            returns.append(total)
    error = (wanted != found).mean() if discrete else (np.abs(wanted - found) / wanted.std(0)).mean()
    half = 1.96 * np.std(returns) / episodes**0.5
    return {"mean": float(np.mean(returns)), "half": float(half), "action_error": float(error)}


def table(found: dict[str, Any]) -> str:
    """Markdown: a line per policy."""
    names = list(found["rows"][0]["forms"])
    lines = [
        "# Published policies in integers, without any training",
        "",
        f"    {found['command']}",
        "",
        f"Mean returns with 95 % intervals over {found['rows'][0]['episodes']} episodes, and, in percent, how many",
        "actions are not those of float32 on later observations of its own episodes (of continuous actions: how",
        "far they move, in percent of their standard deviation). *One by one*: every weight rounded to the nearest",
        "integer.",
        "*onnxruntime*: its own static quantisation on the same observations, int8 weights per channel and uint8",
        "activations.",
        "",
        f"| policy | {' | '.join(names)} |",
        "| --- |" + " ---: |" * len(names),
    ]
    for row in found["rows"]:
        cells = [f"{f['mean']:.1f} ± {f['half']:.1f} ({100 * f['action_error']:.1f})" for f in row["forms"].values()]
        lines.append(f"| {row['policy']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=Path, required=True, help="folder of ALGO/ENV.zip")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=100)
    given = parser.parse_args()
    rows = []
    for name in POLICIES:
        if (given.agents / f"{name}.zip").exists():
            rows.append(judged(given.agents, name, given.episodes))
            print(json.dumps(rows[-1]), flush=True)
    found = {"command": command(), "versions": versions(), "rows": rows}
    keep(given.out, "quantised", found, table(found))


if __name__ == "__main__":
    main()
