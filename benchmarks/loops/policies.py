"""PoPS on a folder of published Stable-Baselines3 policies: the whole table by one command.

    python benchmarks/loops/policies.py --agents FOLDER --out benchmarks/loops/results

Each policy is given as its zip (with the VecNormalize file beside it where there is one). Every run's figures come
from final seeds that no decision of the run saw. Writes one JSON file per policy and seed with the smallest accepted
network beside it (the teacher where none was), and two tables over all JSON files in the folder: `policies.md`, and
`summary.md` for the README.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import rlcompress as rlc
from rlcompress import artifact
from rlcompress.engine.result import Candidate, Result

POLICIES: dict[str, tuple[str, dict[str, Any]]] = {
    "dqn/CartPole-v1": ("CartPole-v1", {}),
    "a2c/CartPole-v1": ("CartPole-v1", {}),
    "ppo/LunarLander-v2": ("LunarLander-v3", {}),
    "dqn/LunarLander-v2": ("LunarLander-v3", {}),
    "ppo/LunarLanderContinuous-v2": ("LunarLander-v3", {"continuous": True}),
    "dqn/MountainCar-v0": ("MountainCar-v0", {}),
    "ppo/MountainCar-v0": ("MountainCar-v0", {}),
    "dqn/Acrobot-v1": ("Acrobot-v1", {}),
    "sac/Pendulum-v1": ("Pendulum-v1", {}),
    "ppo/BipedalWalker-v3": ("BipedalWalker-v3", {}),
}


def run(agents: Path, name: str, seed: int, jobs: int, paper: bool) -> Result:
    """One policy, from its zip to its result."""
    env_id, env_kwargs = POLICIES[name]
    statistics = agents / f"{name}.vecnormalize.pkl"
    teacher = rlc.load_policy(agents / f"{name}.zip", vecnormalize=statistics if statistics.exists() else None)
    task = rlc.PolicyTask(env_id, env_kwargs, jobs=jobs)
    algorithm = rlc.PoPS.paper() if paper else rlc.PoPS()
    return rlc.compress(teacher, task, algorithm, seed=seed, jobs=jobs, on_event=rlc.progress())


def line(candidate: Candidate | None, by: str) -> dict[str, Any] | None:
    """The figures of one line of the table."""
    if candidate is None:
        return None
    return {
        "name": candidate.name,
        "parameters": candidate.parameters,
        "bytes": candidate.weights_bytes,
        "return": candidate.mean,
        "interval": candidate.interval,
        "episodes": candidate.values.size,
        "judged_on": candidate.judged_on,
        "agreement": candidate.agreement,
        "reason": candidate.reason,
        "size": candidate.parameters if by == "parameters" else candidate.weights_bytes,
    }


def record(result: Result, name: str, paper: bool, seconds: float) -> dict[str, Any]:
    """What is kept of a run."""
    polished = [c for c in result.candidates if c.accepted and c.uses_reward]
    scratch = next((c for c in result.candidates if c.method == "from scratch"), None)
    failed = [c for c in result.candidates if c.role == "candidate" and not c.accepted and c.judged_on == "final"]
    return {
        "policy": name,
        "algorithm": result.algorithm,
        "paper": paper,
        "seed": result.seed,
        "seconds": seconds,
        "phase_seconds": dict(result.seconds),
        "teacher": line(result.teacher, "bytes"),
        "distilled": line(result.best_without_reward, "parameters"),
        "polished": line(min(polished, key=lambda c: c.weights_bytes, default=None), "bytes"),
        "from_scratch": line(scratch, "parameters"),
        "not_accepted": line(failed[-1] if failed else None, "parameters"),
        "notes": list(result.notes),
        "machine": {"processor": platform.machine(), "system": platform.system(), "python": platform.python_version()},
        "versions": dict(result.versions),
    }


def cell(entry: dict[str, Any], unit: str) -> str:
    """One cell of the table."""
    low, high = entry["interval"]
    size = entry["parameters"] if unit == "parameters" else entry["bytes"]
    agreement = "" if entry["agreement"] is None else f", agreement {entry['agreement']:.2f}"
    shape = entry["name"].replace(" float32", "")
    return f"**{size}** {unit} ({shape}): {entry['return']:.1f} [{low:.1f}, {high:.1f}]{agreement}"


def missed(entry: dict[str, Any]) -> str:
    """What a run ended with that the acceptance test refused."""
    found = entry.get("not_accepted")
    return f"not accepted: {cell(found, 'parameters')}, {found['bytes']} bytes" if found else "none accepted"


def row(entry: dict[str, Any]) -> str:
    """One run as a line of the table."""
    teacher = entry["teacher"]
    low, high = teacher["interval"]
    cells = [
        entry["policy"],
        ("paper" if entry["paper"] else "default") + f", seed {entry['seed']}",
        f"{teacher['parameters']} parameters: {teacher['return']:.1f} [{low:.1f}, {high:.1f}], n={teacher['episodes']}",
        cell(entry["distilled"], "parameters") if entry["distilled"] else missed(entry),
        cell(entry["polished"], "bytes") if entry["polished"] else "none accepted",
        cell(entry["from_scratch"], "parameters") if entry["from_scratch"] else "-",
        f"{entry['seconds']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def table(folder: Path) -> str:
    """Markdown over all records of a folder."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("policy-*.json"))]
    heads = ["policy", "run", "teacher", "distilled only (no reward used)", "polished and quantised"]
    heads += ["same search without a teacher", "seconds"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *map(row, records)]
    return "\n".join(lines) + "\n"


def summary(folder: Path) -> str:
    """The README's table: default runs only, one line per policy, before and after."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("policy-*.json"))]
    lines = ["| policy | before | after, distilled only | after, polished and quantised |", "|---|---|---|---|"]
    for entry in (entry for entry in records if not entry["paper"]):
        cells = [entry["policy"]]
        for name, unit in (("teacher", "bytes"), ("distilled", "parameters"), ("polished", "bytes")):
            found = entry[name]
            if found is None:
                cells.append("-")
                continue
            size = found["bytes"] if unit == "bytes" else found["parameters"]
            low, high = found["interval"]
            missed = " †" if " < " in found["reason"].partition("; final: ")[2] else ""
            cells.append(f"{size:,} {unit}: {found['return']:.1f} [{low:.1f}, {high:.1f}]{missed}")
        lines.append("| " + " | ".join(cells) + " |")
    footnote = "† passed the acceptance test, but its lower bound misses the bar on the final episodes."
    return "\n".join([*lines, "", footnote]) + "\n"


def main() -> None:
    """Run the named policies (all by default) and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=Path, required=True, help="folder with ALGO/ENV.zip")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/loops/results"))
    parser.add_argument("--policy", action="append", choices=sorted(POLICIES), help="one policy; may be given again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--paper", action="store_true", help="run PoPS.paper() instead of the default")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.policy or list(POLICIES):
        begin = time.perf_counter()
        result = run(arguments.agents, name, arguments.seed, arguments.jobs, arguments.paper)
        print(result.report())
        kept = record(result, name, arguments.paper, time.perf_counter() - begin)
        suffix = "-paper" if arguments.paper else ""
        path = arguments.out / f"policy-{name.replace('/', '-')}-seed{arguments.seed}{suffix}.json"
        path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        artifact.save(result.best, path.with_suffix(".rlc"))
        (arguments.out / "policies.md").write_text(table(arguments.out))
        (arguments.out / "summary.md").write_text(summary(arguments.out))


if __name__ == "__main__":
    main()
