"""A recurrent, convolutional policy for Pong made into a dense network that sees less, and that one packed.

    pip install ale-py
    python benchmarks/loops/pong.py --policy pong-v4.model.80.tar --out benchmarks/loops/results

The policy is the published one of github.com/greydanus/baby-a3c (842,407 parameters: four convolutions and a GRU). It
sees frames of 80 x 80 points and remembers; the network sees the last two frames at 40 x 40 and remembers nothing.
Writes `pong.json`, and the packed networks beside --work; where a run left both, the network is packed and judged anew.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

import rlcompress as rlc
from rlcompress.artifact import weights_bytes
from rlcompress.engine.versions import versions
from rlcompress.imitation import Imitated
from rlcompress.problem import Score

ENV_ID = "rlcompress/PongFrames-v0"
EXPERT_PARAMETERS = 842_407


class PongFrames(gymnasium.Env[Any, Any]):
    """Pong as the last two frames of 40 x 40 points in 0..1, the newer first; `info["frame"]` is the policy's view."""

    def __init__(self) -> None:
        import ale_py

        gymnasium.register_envs(ale_py)
        self.game = gymnasium.make("ALE/Pong-v5", frameskip=(2, 5), repeat_action_probability=0.0)
        self.observation_space = gymnasium.spaces.Box(0, 1, (2, 40, 40), np.float32)
        self.action_space = self.game.action_space
        self.seen: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        picture, _ = self.game.reset(seed=seed)
        frame = view(picture)
        self.seen = np.stack([halved(frame)] * 2)
        return self.seen, {"frame": frame}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        picture, reward, terminated, truncated, _ = self.game.step(action)
        frame = view(picture)
        self.seen = np.stack([halved(frame), self.seen[0]])
        return self.seen, float(reward), terminated, truncated, {"frame": frame}

    def close(self) -> None:
        self.game.close()


def view(picture: Any) -> Any:
    """The court as (80, 80) float32 in 0..1, as the published policy was trained on it."""
    from PIL import Image

    court = picture[35:195].mean(2)
    low, high = court.min(), court.max()
    stretched = ((court - low) * (255 / max(high - low, 1)) + 0.5).astype(np.uint8)
    small = Image.fromarray(stretched).resize((80, 80), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32) / 255


def halved(frame: Any) -> Any:
    return frame.reshape(40, 2, 40, 2).mean((1, 3), dtype=np.float32)


class Recurrent:
    """The published policy behind Stable-Baselines3's `predict`.

    Args:
        path: its state dict; nothing in it is unpickled but tensors.
    """

    def __init__(self, path: Path) -> None:
        weights = torch.load(path, weights_only=True)
        self.weights = weights.get("state_dict", weights)

    @torch.no_grad()
    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        w, functional = self.weights, torch.nn.functional
        x = torch.from_numpy(observation)[:, None]
        for name in ("conv1", "conv2", "conv3", "conv4"):
            x = functional.elu(functional.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1))
        memory = torch.zeros(len(x), 256) if state is None else state * torch.from_numpy(~episode_start)[:, None]
        gru = [w[f"gru.{part}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        memory = torch.gru_cell(x.flatten(1), memory, *gru)
        scores = functional.linear(memory, w["actor_linear.weight"], w["actor_linear.bias"])
        return scores.argmax(1).numpy(), memory


def forms(network: rlc.Network, observations: Any) -> dict[str, rlc.Network]:
    """The network as it is, with smaller weights, and with integer activations fitted to observations."""
    return {
        "float32": network,
        "int8": rlc.quantise_rows(network, 8, observations),
        "int4": rlc.quantise_rows(network, 4, observations),
        "integer": rlc.quantise_static(network, observations),
    }


def shown(score: Score) -> dict[str, float]:
    return {"mean": score.mean, "error": score.std / score.count**0.5, "episodes": score.count}


def imitated(given: argparse.Namespace, task: rlc.PolicyTask, work: Path) -> Imitated:
    settings = rlc.Imitation(
        tuple(given.hidden),
        rounds=given.rounds,
        visit_steps=given.visit_steps,
        train_steps=given.train_steps,
        learning_rate=given.rate,
    )
    return rlc.imitate(
        Recurrent(given.policy),
        task,
        settings,
        expert_sees="frame",
        episodes=given.episodes,
        seed=given.seed,
        checkpoint=work / "pong-rounds.bin",
        on_event=print,
    )


def student(given: argparse.Namespace, task: rlc.PolicyTask, work: Path) -> tuple[rlc.Network, dict[str, Any]]:
    """The network, and what is known of it: of the run that left both, or made."""
    record, network = given.out / "pong.json", work / "pong-float32.rlc"
    if record.exists() and network.exists():
        return rlc.load(network), json.loads(record.read_text())
    began = time.monotonic()
    found = imitated(given, task, work)
    known = {"rows": {"expert": shown(found.expert) | {"weights_bytes": 4 * EXPERT_PARAMETERS}}}
    arguments = {name: value for name, value in vars(given).items() if name not in ("policy", "out", "work")}
    known |= {"agreement": found.agreement, "observations": found.observations, "arguments": arguments}
    return found.network, known | {"seconds": round(time.monotonic() - began)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True, help="the published state dict")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result")
    parser.add_argument("--work", type=Path, help="folder of the networks [default: --out]")
    parser.add_argument("--hidden", type=int, nargs="+", default=[32])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--visit-steps", type=int, default=10_000)
    parser.add_argument("--train-steps", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--episodes", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    work = given.work or given.out
    work.mkdir(parents=True, exist_ok=True)
    gymnasium.register(ENV_ID, lambda: PongFrames())
    task = rlc.PolicyTask(ENV_ID)
    network, known = student(given, task, work)
    rows = {"expert": known["rows"]["expert"]}
    for name, form in forms(network, task.visit(network, 0, 20_000, given.seed).observations).items():
        form.save(work / f"pong-{name}.rlc")
        rows[name] = shown(task.score(form, "final", 0, given.episodes)) | {"weights_bytes": weights_bytes(form)}
        print(name, rows[name], flush=True)
    found = known | {"rows": rows, "versions": {**versions(), "ale-py": version("ale-py")}}
    (given.out / "pong.json").write_text(json.dumps(found, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
