"""Teachers for users who bring none: trained by Stable-Baselines3 until held-out episodes show a solved environment."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.engine.durable import write_durably
from rlcompress.engine.events import Emit, Note, PhaseStarted, Progress
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.optional import require
from rlcompress.problem import Float64Array
from rlcompress.tasks.episodes import Environment
from rlcompress.teacher_presets import Preset, presets_for

PHASE = "teacher training"
TRAINING_SEED = 30_000_000
EVALUATION_SEED = 40_000_000
"""Episode seeds of training and evaluation, outside every pool that judges the compressed policy."""

_EPISODES = 20
_CONFIRMATIONS = 80
_PATIENCE = 8
"""Evaluations without gain, once the threshold is met, after which training stops."""


@dataclass(frozen=True)
class TeacherRecord:
    """What was trained and how well it did; stored beside the policy.

    Args:
        env_id, seed, algorithm: what ran.
        env_kwargs: of the environment.
        steps: environment steps taken.
        mean, std: of the returns of `episodes` held-out episodes.
        threshold: the environment's own bar for a solved task, or None.
        solved: whether the mean reaches it (None without one).
        seconds: wall time of the training.
        sha256: digest of the stored policy.
    """

    env_id: str
    seed: int
    algorithm: str
    steps: int
    mean: float
    std: float
    episodes: int
    threshold: float | None
    solved: bool | None
    seconds: float = 0.0
    sha256: str = ""
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)


def train_teacher(
    env_id: str,
    path: Path,
    seed: int,
    on_event: Emit,
    *,
    env_kwargs: Mapping[str, Any] | None = None,
    max_steps: int | None = None,
    max_seconds: float | None = None,
) -> TeacherRecord:
    """Train a policy and write it as a Stable-Baselines3 zip, atomically, with its record as JSON beside it.

    The same arguments give the same policy, unless `max_seconds` cuts the training short.

    Args:
        env_id: registered Gymnasium id.
        path: of the zip.
        seed: >= 0.
        on_event: told of progress.
        env_kwargs: passed to `gymnasium.make`.
        max_steps: environment steps at most; the preset's when None.
        max_seconds: stop after this time and keep the best policy so far.

    Raises:
        InvalidValueError: unknown environment, or a bad setting.
        UnsupportedError: spaces without a preset.
        MissingExtraError: Stable-Baselines3 is not installed.
    """
    if seed < 0:
        raise InvalidValueError(f"seed: a value >= 0 expected, found {seed}")
    if max_steps is not None and max_steps < 1:
        raise InvalidValueError(f"max_steps: a value >= 1 expected, found {max_steps}")
    require("stable_baselines3")
    torch = require("torch")
    environment = Environment(env_id, tuple(sorted((env_kwargs or {}).items())))
    began = time.monotonic()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        session = _best_session(environment, seed, on_event, max_steps, max_seconds)
    finally:
        torch.set_num_threads(threads)
    image = session.image()
    digest = hashlib.sha256(image).hexdigest()
    spent = round(time.monotonic() - began, 3)
    record = replace(session.record(), seconds=spent, sha256=digest, env_kwargs=dict(env_kwargs or {}))
    write_durably(path, image)
    write_durably(record_path(path), json.dumps(asdict(record), indent=1, default=str).encode())
    _tell(record, on_event)
    return record


def _best_session(
    environment: Environment, seed: int, on_event: Emit, max_steps: int | None, max_seconds: float | None
) -> _Session:
    """The presets of the environment's kind in turn, until one solves it or the budget is spent."""
    probe = environment.make()
    presets = presets_for(probe)
    threshold = None if probe.spec is None else probe.spec.reward_threshold
    probe.close()
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    found: list[_Session] = []
    steps_left = max_steps or sum(preset.steps for preset in presets)
    for preset in presets:
        preset = replace(preset, steps=min(preset.steps, steps_left))
        found.append(_Session(environment, preset, seed, threshold, on_event, deadline))
        found[-1].train()
        steps_left -= preset.steps
        solved = threshold is None or found[-1].record().mean >= threshold
        if solved or steps_left < 1 or (deadline is not None and time.monotonic() > deadline):
            break
    return max(found, key=lambda session: session.record().mean)


def record_path(path: Path) -> Path:
    """Where the record of the teacher at `path` lies."""
    return path.with_suffix(".json")


def stored_teacher(
    path: Path, env_id: str, seed: int, env_kwargs: Mapping[str, Any] | None = None
) -> TeacherRecord | None:
    """The record of a finished teacher at `path`, or None when there is none and it has to be trained.

    Raises:
        CheckpointError: it belongs to another environment, other arguments of it or another seed, or the policy is not
            the one recorded.
    """
    try:
        record = TeacherRecord(**json.loads(record_path(path).read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        name = record_path(path)
        raise CheckpointError(f"{name}: not a teacher record ({error}); choose another run folder") from error
    wanted = (env_id, dict(env_kwargs or {}), seed)
    if (record.env_id, dict(record.env_kwargs), record.seed) != wanted:
        raise CheckpointError(
            f"{path}: holds a teacher for {_told(record.env_id, record.env_kwargs, record.seed)}, not "
            f"{_told(*wanted)}; choose another run folder"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if digest != record.sha256:
        raise CheckpointError(f"{path}: digest {record.sha256} expected, found {digest}; choose another run folder")
    return record


def _told(env_id: str, env_kwargs: Mapping[str, Any], seed: int) -> str:
    return f"{env_id} {json.dumps(dict(env_kwargs)) if env_kwargs else ''}".strip() + f" with seed {seed}"


def _tell(record: TeacherRecord, on_event: Emit) -> None:
    bar = "" if record.threshold is None else f" (threshold {record.threshold:g})"
    text = f"teacher: {record.algorithm}, {record.steps:,} steps, return {record.mean:.1f} ± {record.std:.1f}"
    on_event(Note(f"{text} over {record.episodes} held-out episodes{bar}"))
    if record.solved is False:
        text = "the teacher does not reach the environment's threshold; students are judged against it all the same"
        on_event(Note(text, warning=True))


class _Session:
    """One training: the model, the best policy so far and when to stop."""

    def __init__(
        self,
        environment: Environment,
        preset: Preset,
        seed: int,
        threshold: float | None,
        on_event: Emit,
        deadline: float | None,
    ) -> None:
        self.environment, self.preset, self.seed, self.threshold = environment, preset, seed, threshold
        self.on_event, self.deadline = on_event, deadline
        self.model = _model(environment, preset, seed)
        self.best: tuple[Float64Array, int, dict[str, Any]] | None = None
        self.next_evaluation = preset.evaluate_every
        self.without_gain = 0

    def train(self) -> None:
        self.on_event(PhaseStarted(PHASE, f"training {self.preset.algorithm} on {self.environment.env_id}"))
        self.model.learn(total_timesteps=self.preset.steps, callback=lambda _locals, _globals: self.after_step())
        if self.best is None or self.model.num_timesteps > self.best[1]:
            self.evaluate()
        self.model.get_env().close()

    def after_step(self) -> bool:
        """Whether training goes on."""
        steps = self.model.num_timesteps
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.on_event(Note("the teacher's training was cut short by the time budget", True))
            return False
        if steps < self.next_evaluation:
            return True
        self.next_evaluation += self.preset.evaluate_every
        self.on_event(Progress(min(1.0, steps / self.preset.steps), PHASE))
        return not self.evaluate()

    def evaluate(self) -> bool:
        """Score the policy on held-out episodes, keep it if it is the best; True when it is good enough to stop."""
        values = self.returns(0, _EPISODES)
        steps = self.model.num_timesteps
        better = self.best is None or values.mean() > self.best[0].mean()
        if better:
            weights = {name: value.clone() for name, value in self.model.policy.state_dict().items()}
            self.best = (values, steps, weights)
        detail = f"{self.preset.algorithm}, {steps:,} steps: return {values.mean():.1f} ± {values.std(ddof=1):.1f}"
        self.on_event(PhaseStarted(PHASE, detail))
        assert self.best is not None
        if self.threshold is None or self.best[0].mean() < self.threshold:
            return False
        self.without_gain = 0 if better else self.without_gain + 1
        return self.saturated(values) or self.without_gain >= _PATIENCE

    def saturated(self, values: Float64Array) -> bool:
        """Whether every episode ends with the same return, on further seeds too: nothing is left to gain."""
        if self.threshold is None or values.mean() < self.threshold or np.ptp(values) > 0:
            return False
        return bool((self.returns(_EPISODES, _CONFIRMATIONS) == values[0]).all())

    def returns(self, start: int, count: int) -> Float64Array:
        return _returns(self.environment, self.model.predict, EVALUATION_SEED + start, count)

    def image(self) -> bytes:
        """The best policy as the bytes of a Stable-Baselines3 zip."""
        assert self.best is not None
        self.model.policy.load_state_dict(self.best[2])
        buffer = io.BytesIO()
        self.model.save(buffer)
        return buffer.getvalue()

    def record(self) -> TeacherRecord:
        assert self.best is not None
        values = self.best[0]
        mean, std = float(values.mean()), float(values.std(ddof=1))
        solved = None if self.threshold is None else mean >= self.threshold
        algorithm, steps = self.preset.algorithm, int(self.best[1])
        name, bar = self.environment.env_id, None if self.threshold is None else float(self.threshold)
        return TeacherRecord(name, self.seed, algorithm, steps, mean, std, values.size, bar, solved)


def _model(environment: Environment, preset: Preset, seed: int) -> Any:
    sb3 = require("stable_baselines3")
    vec_env = require("stable_baselines3.common.vec_env")
    monitor = require("stable_baselines3.common.monitor")
    env = vec_env.DummyVecEnv([lambda: monitor.Monitor(environment.make())] * preset.environments)
    settings = {**preset.settings, "policy_kwargs": {"net_arch": list(preset.hidden)}}
    train = getattr(sb3, preset.algorithm)
    return train("MlpPolicy", env, seed=TRAINING_SEED + seed, device="cpu", verbose=0, **settings)


def _returns(environment: Environment, predict: Callable[..., Any], seed: int, count: int) -> Float64Array:
    """Returns of deterministic episodes, stepped side by side so that the policy sees batches."""
    envs = [environment.make() for _ in range(count)]
    observations = [env.reset(seed=seed + index)[0] for index, env in enumerate(envs)]
    totals = np.zeros(count)
    running = list(range(count))
    while running:
        actions, _ = predict(np.stack([observations[index] for index in running]), deterministic=True)
        going = []
        for index, action in zip(running, actions):
            observations[index], reward, terminated, truncated, _ = envs[index].step(action)
            totals[index] += float(reward)
            if not (terminated or truncated):
                going.append(index)
        running = going
    for env in envs:
        env.close()
    return totals
