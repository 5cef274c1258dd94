from __future__ import annotations

import copy

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
torch = pytest.importorskip("torch")

from gymnasium.utils.env_checker import check_env  # noqa: E402

import rlcompress as rlc  # noqa: E402
from rlcompress.errors import EvaluationError, InvalidValueError  # noqa: E402
from rlcompress.layerwise.rewards import Reward  # noqa: E402
from rlcompress.layerwise.thresholds import ALPHAS, alpha_counts  # noqa: E402
from torch_models import ResNet, mlp, seeded  # noqa: E402

X = np.random.default_rng(0).standard_normal((60, 12)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 4, 60)


def environment(**changes):
    settings = {"data": (X, Y), "target_sparsity": 0.8, "target_accuracy": 0.3, **changes}
    return rlc.PruningEnv(seeded(mlp), **settings)


@pytest.mark.parametrize("reward", ["dense", "terminal", "potential"])
@pytest.mark.parametrize("actions", ["alpha", "quantile", (1.0, 0.5, 0.1)])
def test_gymnasium_accepts_it(reward, actions) -> None:
    check_env(environment(reward=reward, actions=actions), skip_render_check=True)


def test_actions_are_multiples_of_the_deviation() -> None:
    env = environment(min_keep=0.001)
    assert env.action_space.n == 23
    for layer, counts in zip(env.prunable.layers, env.counts):
        sigma = layer.weight.astype(np.float64).std()
        wanted = [int((np.abs(layer.weight) >= np.float32(alpha * sigma)).sum()) for alpha in ALPHAS]
        assert counts.tolist() == np.maximum(wanted, 1).tolist()
        assert counts[0] == layer.size
    assert alpha_counts([np.full((2, 2), 0.5, np.float32)], [0, 1])[0].tolist() == [4, 4]  # strict: std is 0


def test_an_episode_by_hand() -> None:
    env = environment()
    state, info = env.reset(seed=3)
    assert state.tolist() == pytest.approx([0] * 6 + [0, 192 / 392])
    assert (info["sparsity"], info["accuracy"]) == (0, env.dense_accuracy)
    kept = list(env.prunable.sizes)
    for layer, action in enumerate((5, 12, 7)):
        kept[layer] = int(env.counts[layer, action])
        state, reward, terminated, truncated, info = env.step(action)
        accuracy, sparsity = env.evaluator.score(kept), 1 - sum(kept) / 392
        assert info["plan"].kept == tuple(kept)
        assert (info["accuracy"], info["sparsity"]) == (accuracy, pytest.approx(sparsity))
        assert reward == pytest.approx(-5 * (max(1 - accuracy / 0.3, 0) + max(1 - sparsity / 0.8, 0)))
        assert state[2 * layer : 2 * layer + 2].tolist() == pytest.approx(
            [accuracy, 1 - kept[layer] / env.prunable.sizes[layer]]
        )
        assert (terminated, truncated) == (layer == 2, False)
    with pytest.raises(InvalidValueError, match="reset"):
        env.step(0)


def test_reward_modes_agree_on_the_end() -> None:
    actions = (9, 15, 4)
    totals = {}
    for mode in ("terminal", "potential"):
        env = environment(reward=mode)
        env.reset()
        start = env.reward.value(env.dense_accuracy, 0.0)
        rewards = [env.step(action)[1] for action in actions]
        totals[mode] = sum(rewards) + (start if mode == "potential" else 0)
        if mode == "terminal":
            assert rewards[:2] == [0, 0]
    assert totals["terminal"] == pytest.approx(totals["potential"])


def test_counterfactuals_are_what_steps_would_give_and_change_nothing() -> None:
    env = environment()
    env.reset()
    env.step(6)
    before, cost = env.evaluator.spent, env._info(None, None)["counterfactual_cost"]
    scores, values = env.counterfactuals()
    assert env.evaluator.spent - before <= cost + 1e-9
    for action in (0, 11, 22):
        twin = environment()
        twin.reset()
        twin.step(6)
        info = twin.step(action)[4]
        assert (info["accuracy"], info["value"]) == (scores[action], pytest.approx(values[action]))
    assert env.plan.kept[1:] == env.prunable.sizes[1:]


def test_a_floor_stops_layer_collapse() -> None:
    model = seeded(mlp)
    with torch.no_grad():
        model[2].weight.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))  # all below 2.2 deviations
    env = rlc.PruningEnv(model, data=(X, Y), target_sparsity=0.9, min_keep=0.05)
    assert env.counts[1, -1] == 8
    assert env.counts.min() >= 1


def test_a_judge_that_fails_is_the_worst_reward_and_said() -> None:
    calls = []

    def evaluate(model: torch.nn.Module) -> float:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("out of paper")
        return float("nan") if len(calls) == 3 else 0.5

    env = rlc.PruningEnv(seeded(mlp), evaluate, target_sparsity=0.5)
    env.reset()
    for words in ("out of paper", "finite"):
        state, reward, _, _, info = env.step(20)
        assert reward == -10
        assert words in info["error"]
        assert state in env.observation_space
    assert env.step(20)[4]["error"] is None
    with pytest.raises(EvaluationError, match="finite"):
        rlc.PruningEnv(seeded(mlp), lambda _: float("inf"), target_sparsity=0.5)


def test_the_users_model_stays() -> None:
    model = seeded(ResNet).train()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    x = np.random.default_rng(0).standard_normal((20, 1, 8, 8)).astype(np.float32)
    env = rlc.PruningEnv(model, data=(x, Y[:20]), target_sparsity=0.9, recovery=["batchnorm", "least_squares"])
    env.reset()
    while not env.step(15)[2]:
        pass
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training


def test_scores_outside_0_to_1_are_shown_relative_to_the_dense_one() -> None:
    env = rlc.PruningEnv(seeded(mlp), lambda model: -200.0 - float((model[0].weight == 0).sum()), target_sparsity=0.5)
    env.reset()
    state, reward, *_ = env.step(10)
    assert state in env.observation_space
    assert state[0] == pytest.approx((-200 - (192 - env.counts[0, 10])) / 200)
    assert reward < 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target_sparsity": 0}, "target_sparsity"),
        ({"target_sparsity": 1.5}, "target_sparsity"),
        ({"target_accuracy": float("nan")}, "target_accuracy"),
        ({"beta": -1}, "beta"),
        ({"reward": "sparse"}, "reward"),
        ({"actions": "beta"}, "actions"),
        ({"actions": ()}, "actions"),
        ({"actions": (2.0,)}, "shares"),
        ({"min_keep": 0}, "min_keep"),
        ({"data": None}, "exactly one"),
    ],
)
def test_settings_out_of_range(changes, words) -> None:
    with pytest.raises(InvalidValueError, match=words):
        environment(**changes)
    with pytest.raises(InvalidValueError, match="action"):
        environment().step(23)


def test_reward_bounds() -> None:
    reward = Reward(-100.0, 0.5)
    assert reward.value(-100, 0.5) == 0
    assert reward.value(-150, 0.5) == -2.5
    assert reward.value(-1e9, 0) == reward.value(float("nan"), 1) == reward.worst == -10
