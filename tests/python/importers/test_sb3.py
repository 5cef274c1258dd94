from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Argmax, Clip, Squash
from rlcompress.errors import ImportFormatError, InvalidValueError, StatisticsWarning, UnsupportedError
from rlcompress.importers import load_policy, read_vecnormalize

spaces = pytest.importorskip("gymnasium").spaces
torch = pytest.importorskip("torch")
nn = torch.nn

OBSERVATION = spaces.Box(-3, 3, (3,))
UNEVEN = spaces.Box(np.array([-1, 0, -5], np.float32), np.array([1, 2.5, -1], np.float32))
BINARY = spaces.Discrete(4)

Zip = Callable[..., tuple[Any, Path]]
Act = Callable[[Any, Any], Any]


def check_same_actions(model: Any, path: Path, act: Act, count: int = 300, **options: Any) -> Any:
    network = load_policy(path, **options)
    rng = np.random.default_rng(0)
    observations = rng.uniform(-3, 3, (count, *network.contract.observation_shape)).astype(np.float32)
    wanted, _ = model.predict(observations, deterministic=True)
    np.testing.assert_allclose(act(network, observations), wanted, atol=2e-5, rtol=0)
    assert len(np.unique(wanted, axis=0)) > 1  # else the comparison shows nothing
    return network


@pytest.mark.parametrize(
    ("algorithm", "action", "head", "activation"),
    [
        ("DQN", BINARY, Argmax, "relu"),
        ("PPO", BINARY, Argmax, "tanh"),
        ("PPO", UNEVEN, Clip, "tanh"),
        ("A2C", BINARY, Argmax, "tanh"),
        ("A2C", UNEVEN, Clip, "tanh"),
        ("SAC", UNEVEN, Squash, "relu"),
        ("TD3", UNEVEN, Squash, "relu"),
        ("DDPG", UNEVEN, Squash, "relu"),
        ("TRPO", BINARY, Argmax, "tanh"),
        ("TRPO", UNEVEN, Clip, "tanh"),
        ("TQC", UNEVEN, Squash, "relu"),
        ("CrossQ", UNEVEN, Squash, "relu"),
        ("QRDQN", BINARY, Argmax, "relu"),
        ("ARS", BINARY, Argmax, "relu"),
        ("ARS", UNEVEN, Squash, "relu"),
    ],
)
def test_acts_as_the_original(
    algorithm: str, action: Any, head: type, activation: str, sb3_model: Zip, act: Act
) -> None:
    model, path = sb3_model(algorithm, OBSERVATION, action)
    network = check_same_actions(model, path, act)
    assert isinstance(network.contract.head, head)
    assert [layer.activation for layer in network.layers] == [activation, activation, "identity"]
    assert network.widths[:3] == (3, 8, 6)
    np.testing.assert_array_equal(network.contract.observation_high, [3, 3, 3])
    import stable_baselines3

    assert network.metadata == {
        "source_format": "sb3",
        "algorithm": algorithm.lower(),
        "sb3_version": stable_baselines3.__version__,
        "source_file": "model.zip",
        "teacher_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


@pytest.mark.parametrize("net_arch", [[], [5], {"pi": [5, 4], "vf": [3]}, {"pi": [], "vf": [3]}, {"vf": [7]}])
def test_every_form_of_net_arch(net_arch: Any, sb3_model: Zip, act: Act) -> None:
    model, path = sb3_model("PPO", OBSERVATION, UNEVEN, policy_kwargs={"net_arch": net_arch})
    check_same_actions(model, path, act)


@pytest.mark.parametrize("algorithm", ["DQN", "SAC", "TD3", "CrossQ", "QRDQN", "ARS"])
def test_networks_without_hidden_layers(algorithm: str, sb3_model: Zip, act: Act) -> None:
    action = BINARY if "DQN" in algorithm else UNEVEN
    model, path = sb3_model(algorithm, OBSERVATION, action, policy_kwargs={"net_arch": []})
    assert len(check_same_actions(model, path, act).layers) == 1


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.ELU, nn.SiLU, nn.LeakyReLU, nn.Identity])
@pytest.mark.parametrize("algorithm", ["PPO", "TD3"])
def test_every_activation(algorithm: str, activation: Any, sb3_model: Zip, act: Act) -> None:
    model, path = sb3_model(algorithm, OBSERVATION, UNEVEN, policy_kwargs={"activation_fn": activation})
    check_same_actions(model, path, act)


@pytest.mark.parametrize(
    "kwargs", [{"batch_norm": False}, {"batch_norm_eps": 0.5}, {"activation_fn": nn.Tanh, "net_arch": [5]}]
)
def test_normalisation_is_part_of_the_layers(kwargs: Any, sb3_model: Zip, act: Act) -> None:
    model, path = sb3_model("CrossQ", OBSERVATION, UNEVEN, policy_kwargs=kwargs)
    check_same_actions(model, path, act)


@pytest.mark.parametrize("quantiles", [1, 7])
def test_q_values_are_means_of_quantiles(quantiles: int, sb3_model: Zip, act: Act) -> None:
    model, path = sb3_model("QRDQN", OBSERVATION, BINARY, policy_kwargs={"n_quantiles": quantiles})
    network = check_same_actions(model, path, act)
    assert network.widths == (3, 8, 6, 4)


@pytest.mark.parametrize(
    ("policy", "action", "kwargs", "head", "layers"),
    [
        ("LinearPolicy", UNEVEN, {}, Clip, 1),
        ("LinearPolicy", UNEVEN, {"squash_output": True}, Squash, 1),
        ("LinearPolicy", BINARY, {"with_bias": True}, Argmax, 1),
        ("MlpPolicy", UNEVEN, {"squash_output": False}, Clip, 3),
    ],
)
def test_every_policy_of_ars(
    policy: str, action: Any, kwargs: Any, head: type, layers: int, sb3_model: Zip, act: Act
) -> None:
    model, path = sb3_model("ARS", OBSERVATION, action, policy, policy_kwargs=kwargs)
    network = check_same_actions(model, path, act)
    assert (type(network.contract.head), len(network.layers)) == (head, layers)


@pytest.mark.parametrize("algorithm", ["SAC", "TQC", "CrossQ"])
@pytest.mark.parametrize("clip_mean", [None, 0.5, 0.0])
def test_sac_with_state_dependent_exploration(
    clip_mean: float | None, algorithm: str, sb3_model: Zip, act: Act
) -> None:
    kwargs = {} if clip_mean is None else {"clip_mean": clip_mean}
    model, path = sb3_model(algorithm, OBSERVATION, UNEVEN, use_sde=True, policy_kwargs=kwargs)
    network = check_same_actions(model, path, act)
    assert network.contract.head.high[0] == {None: 2.0, 0.5: 0.5, 0.0: np.inf}[clip_mean]


@pytest.mark.parametrize("squash", [False, True])
def test_ppo_with_state_dependent_exploration(squash: bool, sb3_model: Zip, act: Act) -> None:
    model, path = sb3_model("PPO", OBSERVATION, UNEVEN, use_sde=True, policy_kwargs={"squash_output": squash})
    network = check_same_actions(model, path, act)
    assert isinstance(network.contract.head, Squash if squash else Clip)


def test_observations_of_many_dimensions_are_flattened(sb3_model: Zip, act: Act) -> None:
    model, path = sb3_model("A2C", spaces.Box(-1, 1, (2, 3, 2)), BINARY)
    assert check_same_actions(model, path, act).contract.observation_shape == (2, 3, 2)


def test_abbreviated_observation_range_is_left_open(sb3_model: Zip, act: Act) -> None:
    rng = np.random.default_rng(1)
    high = rng.uniform(1, 2, 1500).astype(np.float32)
    model, path = sb3_model("PPO", spaces.Box(-high, high), BINARY)
    network = check_same_actions(model, path, act)
    assert network.input_size == 1500
    assert network.contract.observation_low is None


def test_abbreviated_action_range_is_asked_for(rebuild: Callable[..., Path]) -> None:
    path = rebuild(data=lambda d: d["action_space"].update(low="[-2. ... -2.]"))
    with pytest.raises(UnsupportedError, match="action_range"):
        load_policy(path)
    network = load_policy(path, action_range=(-1, [2, 3]))
    np.testing.assert_array_equal(network.contract.head.low, [-1, -1])
    np.testing.assert_array_equal(network.contract.head.high, [2, 3])
    with pytest.raises(InvalidValueError, match="action_range"):
        load_policy(path, action_range=(-1, [2, 3, 4]))


def test_shared_trunk_of_old_versions(rebuild: Callable[..., Path], plain_zip: Path, act: Act) -> None:
    def share(state: dict[str, Any]) -> None:
        for kind in ("weight", "bias"):
            state[f"mlp_extractor.shared_net.0.{kind}"] = state.pop(f"mlp_extractor.policy_net.0.{kind}")
            state[f"mlp_extractor.policy_net.0.{kind}"] = state.pop(f"mlp_extractor.policy_net.2.{kind}")

    assert load_policy(rebuild(state=share)) == load_policy(plain_zip)


def test_packed_zip_is_read(rebuild: Callable[..., Path], plain_zip: Path) -> None:
    assert load_policy(rebuild(compression=8)) == load_policy(plain_zip)


def test_file_names_leave_no_path(plain_zip: Path, tmp_path: Path) -> None:
    path = tmp_path / "späti\udce9.ZIP"
    path.write_bytes(plain_zip.read_bytes())
    assert load_policy(path).metadata["source_file"] == "späti?.ZIP"


class CustomNet(nn.Module):  # type: ignore[misc]
    pass


@pytest.mark.parametrize(
    ("algorithm", "observation", "action", "settings", "match"),
    [
        ("PPO", spaces.Dict({"a": OBSERVATION}), BINARY, {"policy": "MultiInputPolicy"}, "Dict"),
        ("PPO", OBSERVATION, spaces.MultiDiscrete([2, 3]), {}, "MultiDiscrete"),
        ("PPO", OBSERVATION, spaces.MultiBinary(3), {}, "MultiBinary"),
        ("PPO", spaces.MultiBinary(3), BINARY, {}, "MultiBinary"),
        ("DQN", spaces.Discrete(5), BINARY, {}, "one-hot"),
        ("DQN", spaces.Box(0, 255, (1, 36, 36), np.uint8), BINARY, {"policy": "CnnPolicy"}, "image"),
        ("A2C", spaces.Box(0, 255, (4, 4, 3), np.uint8), BINARY, {}, "image"),
        ("PPO", OBSERVATION, spaces.Box(-1, 1, (2, 2)), {}, "shape"),
        ("PPO", OBSERVATION, BINARY, {"policy_kwargs": {"activation_fn": nn.Softplus}}, "Softplus"),
        ("PPO", OBSERVATION, BINARY, {"policy_kwargs": {"activation_fn": nn.GELU}}, "GELU"),
        ("PPO", OBSERVATION, BINARY, {"policy_kwargs": {"activation_fn": nn.PReLU}}, "PReLU"),
        ("MaskablePPO", OBSERVATION, BINARY, {}, "mask"),
        ("RecurrentPPO", OBSERVATION, BINARY, {"policy": "MlpLstmPolicy"}, "recurrent"),
    ],
)
def test_unsupported_policies_say_so(
    algorithm: str, observation: Any, action: Any, settings: dict[str, Any], match: str, sb3_model: Zip
) -> None:
    _, path = sb3_model(algorithm, observation, action, **settings)
    with pytest.raises(UnsupportedError, match=match):
        load_policy(path)


@pytest.mark.parametrize(
    ("edits", "match"),
    [
        ({"data": lambda d: d["policy_class"].update(__module__="__main__")}, "__main__"),
        ({"data": lambda d: d["policy_class"].update(__module__="sb3_contrib.new.policies")}, "sb3_contrib"),
        ({"data": lambda d: d["policy_kwargs"].update(features_extractor_class="<class 'x.Y'>")}, "features extractor"),
        ({"state": lambda s: s.update({"features_extractor.cnn.0.weight": s["log_std"]})}, "features extractor"),
        ({"state": lambda s: s.update({"lstm_actor.weight_ih_l0": s["log_std"]})}, "recurrent"),
        ({"state": lambda s: s.update({"mlp_extractor.policy_net.1.weight": s["log_std"]})}, "plain MLP"),
        ({"state": lambda s: s.update({"mlp_extractor.policy_net.norm.w": s["log_std"]})}, "plain MLP"),
        (
            {
                "data": lambda d: d["action_space"].update(
                    {":type:": "<class 'gym.spaces.discrete.Discrete'>", "n": 2, "start": 1}
                )
            },
            "start at 1",
        ),
        ({"data": lambda d: d["action_space"].update({":type:": "<class 'my.Space'>"})}, "my.Space"),
    ],
)
def test_unsupported_contents_say_so(edits: dict[str, Any], match: str, rebuild: Callable[..., Path]) -> None:
    with pytest.raises(UnsupportedError, match=match):
        load_policy(rebuild(**edits))


@pytest.mark.parametrize(
    ("name", "widths", "parameters", "activation", "algorithm", "version"),
    [
        ("dqn/CartPole-v1", (4, 256, 256, 2), 67586, "relu", "dqn", "1.0rc0"),
        ("dqn/LunarLander-v2", (8, 256, 256, 4), 69124, "relu", "dqn", "1.0rc0"),
        ("dqn/Acrobot-v1", (6, 256, 256, 3), 68355, "relu", "dqn", "1.0rc0"),
        ("dqn/MountainCar-v0", (2, 256, 256, 3), 67331, "relu", "dqn", "1.0rc0"),
        ("ppo/LunarLander-v2", (8, 64, 64, 4), 4996, "tanh", "ppo", "1.0rc0"),
        ("ppo/LunarLanderContinuous-v2", (8, 64, 64, 2), 4866, "tanh", "ppo", "1.0rc0"),
        ("a2c/CartPole-v1", (4, 64, 64, 2), 4610, "tanh", "a2c", "2.4.0a11"),
        ("sac/Pendulum-v1", (3, 64, 64, 1), 4481, "relu", "sac", "<1.0"),
        ("sac/HalfCheetah-v3", (17, 256, 256, 6), 71942, "relu", "sac", "1.3.1a0"),
    ],
)
def test_published_agents(
    name: str,
    widths: tuple[int, ...],
    parameters: int,
    activation: str,
    algorithm: str,
    version: str,
    agent: Callable[[str], Path],
) -> None:
    network = load_policy(agent(f"{name}.zip"))  # warnings are errors: none asks for statistics
    assert network.widths == widths
    assert network.parameter_count == parameters
    assert network.layers[0].activation == activation
    assert (network.metadata["algorithm"], network.metadata["sb3_version"]) == (algorithm, version)


@pytest.mark.parametrize("name", ["ppo/MountainCar-v0", "ppo/BipedalWalker-v3", "ppo/HalfCheetah-v3"])
def test_published_agents_that_need_statistics(name: str, agent: Callable[[str], Path]) -> None:
    path, pickle = agent(f"{name}.zip"), agent(f"{name}.vecnormalize.pkl")
    with pytest.warns(StatisticsWarning, match=r"vecnormalize\.pkl lies beside it.*--vecnormalize"):
        bare = load_policy(path)
    network = load_policy(path, vecnormalize=pickle)
    assert bare.contract.normalisation is None
    assert network.contract.normalisation == read_vecnormalize(pickle)
    assert network.layers == bare.layers


@pytest.mark.parametrize(
    ("name", "inputs", "action", "kwargs"),
    [
        ("ppo/MountainCar-v0", 2, spaces.Discrete(3), {"net_arch": [64, 64]}),
        ("ppo/BipedalWalker-v3", 24, spaces.Box(-1, 1, (4,)), {"net_arch": [64, 64]}),
        ("ppo/HalfCheetah-v3", 17, spaces.Box(-1, 1, (6,)), {"net_arch": [256, 256], "activation_fn": nn.ReLU}),
    ],
)
def test_published_agents_act_as_in_the_original(
    name: str, inputs: int, action: Any, kwargs: Any, agent: Callable[[str], Path], sb3_model: Zip, act: Act
) -> None:
    model, _ = sb3_model("PPO", spaces.Box(-np.inf, np.inf, (inputs,)), action, policy_kwargs=kwargs)
    with zipfile.ZipFile(agent(f"{name}.zip")) as archive:
        model.policy.load_state_dict(torch.load(io.BytesIO(archive.read("policy.pth")), weights_only=True))
    network = load_policy(agent(f"{name}.zip"), vecnormalize=agent(f"{name}.vecnormalize.pkl"))
    statistics = network.contract.normalisation
    observations = np.random.default_rng(0).normal(statistics.mean, 2 * statistics.scale, (300, inputs))
    observations = observations.astype(np.float32)
    wanted, _ = model.predict(statistics.apply(observations), deterministic=True)
    np.testing.assert_allclose(act(network, observations), wanted, atol=1e-4)


def test_published_agents_behave(agent: Callable[[str], Path], act: Act) -> None:
    gymnasium = pytest.importorskip("gymnasium")
    for name, env_name, least in (("dqn/CartPole-v1", "CartPole-v1", 500), ("sac/Pendulum-v1", "Pendulum-v1", -400)):
        network = load_policy(agent(f"{name}.zip"))
        env = gymnasium.make(env_name)
        observation, _ = env.reset(seed=3)
        total, over = 0.0, False
        while not over:
            observation, reward, ended, cut, _ = env.step(act(network, observation[None])[0])
            total, over = total + float(reward), ended or cut
        assert total >= least, name


@pytest.mark.parametrize(
    "name", ["dqn/Acrobot-v1", "ppo/LunarLanderContinuous-v2", "sac/Pendulum-v1", "sac/HalfCheetah-v3"]
)
def test_published_agents_run_in_the_core(name: str, agent: Callable[[str], Path], act: Act) -> None:
    from rlcompress.runtime import Runtime

    network = load_policy(agent(f"{name}.zip"))
    observations = np.random.default_rng(0).uniform(-2, 2, (200, network.input_size)).astype(np.float32)
    np.testing.assert_allclose(Runtime(network)(observations), act(network, observations), atol=1e-4)


def test_rejects_action_range_for_discrete_actions(sb3_model: Zip) -> None:
    _, path = sb3_model("DQN", OBSERVATION, BINARY)
    with pytest.raises(InvalidValueError, match="action_range"):
        load_policy(path, action_range=(0, 1))


def test_policy_that_does_not_fit_its_action_space(rebuild: Callable[..., Path]) -> None:
    path = rebuild(data=lambda d: d["policy_class"].update(__module__="stable_baselines3.dqn.policies"))
    with pytest.raises(ImportFormatError, match="action space"):
        load_policy(path)
