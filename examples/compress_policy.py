"""From a trained policy to the file that runs on the device, in a minute or two.

    python examples/compress_policy.py                                            # trains PPO on CartPole-v1 first
    python examples/compress_policy.py --policy ppo.zip --env LunarLander-v3      # a policy of your own

Its settings are smaller than the defaults of `rlcompress pops`, which find smaller networks and take longer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium as gym

import rlcompress as rlc

SMALL = rlc.PoPS(rounds=3, train_steps=300, variants=1, focus_variants=2, generations=20, polish_shapes=2)
TINY = rlc.PoPS(
    rounds=1,
    train_steps=60,
    visit_steps=300,
    variants=1,
    focus_variants=1,
    min_episodes=20,
    max_episodes=30,
    polish=False,
    baselines=False,
)


def train(env_id: str, path: Path, steps: int) -> Path:
    """A teacher, as you would train and save it yourself."""
    import torch
    from stable_baselines3 import PPO

    torch.set_num_threads(1)  # networks this small are slower on several
    model = PPO("MlpPolicy", env_id, seed=0, device="cpu", n_steps=1024, n_epochs=5)
    model.learn(steps)
    model.save(path)
    return path


def compress(policy: Path, env_id: str, settings: rlc.PoPS, out: Path) -> Path:
    """Compress the policy, print the report, and save the smallest network that was accepted."""
    teacher = rlc.load_policy(policy)
    task = rlc.PolicyTask(env_id)
    result = rlc.compress(teacher, task, settings, seed=0, run_dir=out / "run", on_event=rlc.progress())
    print(result.report())
    path = out / "policy.rlc"
    result.best.save(path)
    weights = rlc.Runtime(path).weights_bytes
    print(f"{path}: {path.stat().st_size:,} bytes, {weights:,} of them weights; {policy}: {policy.stat().st_size:,}")
    return path


def play(path: Path, env_id: str, seed: int) -> float:
    """Return of one episode, with the compressed policy alone: what the device does, in Python."""
    policy = rlc.Runtime(path)
    env = gym.make(env_id)
    observation, _ = env.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total += float(reward)
        over = terminated or truncated
    env.close()
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, help="Stable-Baselines3 zip or .rlc; trained here when left out")
    parser.add_argument("--env", default="CartPole-v1", help="Gymnasium environment (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/example"), help="folder (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=50_000, help="of training a teacher (default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes, to see that it runs")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    policy = given.policy or train(given.env, given.out / "teacher.zip", given.steps)
    path = compress(policy, given.env, TINY if given.tiny else SMALL, given.out)
    print("return of one episode with it:", play(path, given.env, seed=1))


if __name__ == "__main__":
    main()
