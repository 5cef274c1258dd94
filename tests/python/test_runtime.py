from __future__ import annotations

import contextlib
import pickle
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import random_networks
import reference
from rlcompress import artifact, kernels
from rlcompress.contract import Argmax, Contract
from rlcompress.errors import FormatError, InvalidValueError, MissingFileError, RlcompressError, UnsupportedError
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.runtime import Runtime


def balance_policy() -> Network:
    """CartPole-v1: right iff theta + 0.3 * theta_dot > 0."""
    weight = [[0, 0, 0, 0], [0, 0, 1, 0.3]]
    return Network((Dense(weight, [0, 0]),), Contract((4,), Argmax()))


def test_sources_are_equal(tmp_path, squashed_network: Network) -> None:
    path = tmp_path / "network.rlc"
    squashed_network.save(path)
    observation = np.array([0.1, 0.2, 3.0], np.float32)
    expected = reference.run(squashed_network, observation[None], [False, False])[0]
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), squashed_network):
        action = Runtime(source)(observation)
        assert action.dtype == np.float32
        assert action.tobytes() == expected.tobytes()


def test_properties(squashed_network: Network) -> None:
    runtime = Runtime(squashed_network)
    assert runtime.contract == squashed_network.contract
    assert runtime.metadata == squashed_network.metadata
    assert (runtime.input_size, runtime.output_size) == (3, 2)
    assert runtime.weights_bytes == artifact.weights_bytes(squashed_network) == 4 * (15 + 5 + 10 + 2)
    assert runtime.target in kernels.targets()
    assert artifact.decode(runtime.image) == squashed_network
    assert "squash" in repr(runtime)


def test_argmax_gives_integers() -> None:
    runtime = Runtime(Network(balance_policy().layers, Contract((4,), Argmax(start=-1))))
    one = runtime(np.array([0, 0, 0.1, 0], np.float32))
    assert (one, type(one)) == (0, np.int64)
    batch = runtime(np.array([[0, 0, 0.1, 0], [0, 0, 0, 0], [0, 0, 0.1, -1]], np.float32))
    assert batch.dtype == np.int64
    assert batch.tolist() == [0, -1, -1]


def test_shapes_of_observations() -> None:
    rng = np.random.default_rng(0)
    layer = Dense(rng.standard_normal((3, 12)), np.zeros(3))
    runtime = Runtime(Network((layer,), Contract((3, 4))))
    batch = rng.standard_normal((5, 3, 4)).astype(np.float32)
    actions = runtime(batch)
    assert actions.shape == (5, 3)
    assert np.stack([runtime(one) for one in batch]).tobytes() == actions.tobytes()
    assert runtime(batch.transpose(0, 2, 1).copy().transpose(0, 2, 1)).tobytes() == actions.tobytes()
    assert runtime(batch[0].tolist()).tobytes() == actions[0].tobytes()
    assert runtime(batch[:0]).shape == (0, 3)


@pytest.mark.parametrize("shape", [(), (12,), (4, 3), (5, 4, 3), (1, 5, 3, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    runtime = Runtime(Network((Dense(np.ones((3, 12)), np.zeros(3)),), Contract((3, 4))))
    for call in (runtime, runtime.predict, runtime.logits):
        with pytest.raises(InvalidValueError) as caught:
            call(np.zeros(shape, np.float32))
        assert "(3, 4)" in str(caught.value)
        assert f"found {shape}" in str(caught.value)


@pytest.mark.parametrize("bad", [np.zeros(4, complex), np.array(["a"] * 4), {"obs": 1}, [[1, 2], [3]], None])
def test_other_values_are_refused(bad: object) -> None:
    with pytest.raises(InvalidValueError, match="observation"):
        Runtime(balance_policy())(bad)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint8, np.int64, bool, ">f4"]
)
def test_numbers_are_cast_to_float32(dtype: object) -> None:
    runtime = Runtime(Network((Dense(np.eye(2), np.zeros(2)),)))
    assert runtime(np.array([1, 0], dtype)).tolist() == [1, 0]


def test_float64_beyond_float32_is_infinite() -> None:
    runtime = Runtime(Network((Dense(np.eye(2), np.zeros(2)),)))
    assert runtime(np.array([1e300, 1.0])).tolist()[0] == np.inf


def test_nan_observations_follow_the_format() -> None:
    nan = np.float32(np.nan)
    weight = [[1, 0], [0, 1], [0, 1]]
    argmax = Runtime(Network((Dense(weight, [0, -5, 0]),), Contract((2,), Argmax())))
    assert argmax(np.array([nan, nan])) == 0
    raw = Runtime(Network((Dense(np.eye(2), np.zeros(2), "relu"),)))
    assert raw(np.array([nan, 1])).tolist()[0] == 0.0
    raw = Runtime(Network((Dense([[1.0]], [0]),)))
    assert raw(np.array([-nan])).view(np.uint32).tolist() == [0x7FC00000]


def test_out_is_filled_and_returned(squashed_network: Network) -> None:
    runtime = Runtime(squashed_network)
    batch = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    for observation, shape in ((batch, (4, 2)), (batch[0], (2,))):
        out = np.full(shape, 9, np.float32)
        assert runtime(observation, out=out) is out
        assert out.tobytes() == runtime(observation).tobytes()
    discrete = Runtime(balance_policy())
    states = np.array([[0, 0, 1, 0], [0, 0, -1, 0]], np.float32)
    out = np.full(2, 9, np.int64)
    assert discrete(states, out=out) is out
    assert out.tolist() == [1, 0]
    single = np.array(9, np.int64)
    assert discrete(states[0], out=single) is single
    assert single == 1


def test_out_of_another_kind_is_refused(squashed_network: Network) -> None:
    runtime, observation = Runtime(squashed_network), np.zeros(3, np.float32)
    read_only = np.zeros(2, np.float32)
    read_only.flags.writeable = False
    for out in (
        np.zeros(3, np.float32),
        np.zeros(2),
        np.zeros((1, 2), np.float32),
        np.zeros(4, np.float32)[::2],
        read_only,
        [0, 0],
    ):
        with pytest.raises(InvalidValueError, match="out"):
            runtime(observation, out=out)
    with pytest.raises(InvalidValueError, match="int64"):
        Runtime(balance_policy())(np.zeros(4), out=np.zeros((), np.float32))


def test_logits_are_the_outputs_before_the_head() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        network = random_networks.network(rng)
        shape = network.contract.observation_shape
        rows = rng.standard_normal((3, *shape)).astype(np.float32)
        decoded = artifact.decode(artifact.encode(network, golden=0))
        was = network.contract
        contract = Contract(shape, normalisation=was.normalisation, selected=was.selected)
        expected = Runtime(Network(decoded.layers, contract))(rows)
        image = artifact.encode(network.with_metadata(a=1), golden=2)
        runtime = Runtime(image)
        assert runtime.logits(rows).tobytes() == expected.tobytes()
        assert runtime.logits(rows[0]).tobytes() == expected[0].tobytes()


def test_self_test_counts_golden_vectors(squashed_network: Network) -> None:
    assert Runtime(artifact.encode(squashed_network, golden=5)).self_test() == 5
    assert Runtime(squashed_network).self_test() == 0


def test_self_test_finds_other_bits(squashed_network: Network) -> None:
    image = bytearray(artifact.encode(squashed_network, golden=5, metadata=False))
    image[-20 - 4] ^= 1  # last output of the fourth vector
    struct.pack_into("<I", image, 12, 0)
    struct.pack_into("<I", image, 12, zlib.crc32(image))
    with pytest.raises(RlcompressError, match="golden vector 3 of 5"):
        Runtime(bytes(image)).self_test()


def test_threads_share_one_runtime() -> None:
    rng = np.random.default_rng(9)
    layers = [Dense(rng.standard_normal((64, 64)) / 8, np.zeros(64), "tanh") for _ in range(3)]
    runtime = Runtime(Network(tuple(layers)))
    batches = [rng.standard_normal((50, 64)).astype(np.float32) for _ in range(40)]
    expected = [runtime(batch).tobytes() for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda batch: runtime(batch).tobytes(), batches)) == expected
        assert list(pool.map(lambda batch: runtime.logits(batch).tobytes(), batches)) == expected


def test_runtime_can_be_sent_to_another_process(squashed_network: Network) -> None:
    runtime = Runtime(squashed_network)
    copy = pickle.loads(pickle.dumps(runtime))
    observation = np.ones(3, np.float32)
    assert copy(observation).tobytes() == runtime(observation).tobytes()


def test_bad_sources(tmp_path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.rlc"):
        Runtime(tmp_path / "none.rlc")
    with pytest.raises(FormatError):
        Runtime(b"no image")
    with pytest.raises(InvalidValueError, match="int"):
        Runtime(3)  # type: ignore[arg-type]


def test_predict_has_neither_state_nor_randomness() -> None:
    runtime = Runtime(balance_policy())
    assert runtime.predict(np.array([0, 0, 1, 0])) == (1, None)
    with pytest.raises(UnsupportedError, match="state"):
        runtime.predict(np.zeros(4), state=(np.zeros(1),))
    with pytest.raises(UnsupportedError, match="deterministic"):
        runtime.predict(np.zeros(4), deterministic=False)


@pytest.mark.parametrize("environments", [1, 3])
def test_stable_baselines_evaluates_a_runtime(environments: int) -> None:
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    env = make_vec_env("CartPole-v1", n_envs=environments, seed=0)
    mean, _ = evaluate_policy(Runtime(balance_policy()), env, n_eval_episodes=6)  # type: ignore[arg-type]
    env.close()
    assert mean > 450


def test_an_array_to_fill_is_checked(squashed_network: Network) -> None:
    runtime = Runtime(squashed_network)
    observation = np.array([0.1, 0.2, 3.0], np.float32)
    buffer = np.empty(2, np.float32)
    assert runtime(observation, out=buffer) is buffer
    assert runtime(observation, buffer) is buffer
    assert buffer.tobytes() == runtime(observation).tobytes()
    read_only = np.empty(2, np.float32)
    read_only.flags.writeable = False
    wrong = [
        np.empty(3, np.float32),
        np.empty(2),
        np.empty((1, 2), np.float32),
        np.empty(4, np.float32)[::2],
        read_only,
    ]
    for out in wrong:
        with pytest.raises(InvalidValueError, match="out"):
            runtime(observation, out=out)
    shared = np.zeros(5, np.float32)
    with pytest.raises(InvalidValueError, match="overlap"):
        runtime(shared[:3], out=shared[2:4])


def test_what_is_not_plain_float32_gives_the_same(squashed_network: Network) -> None:
    runtime = Runtime(squashed_network)
    observation = np.array([0.1, 0.2, 3.0], np.float32)
    expected = runtime(observation).tobytes()
    swapped = observation.astype(observation.dtype.newbyteorder())
    misaligned = np.frombuffer(b"x" + observation.tobytes(), np.uint8)[1:].view(np.float32)
    strided = np.repeat(observation, 2)[::2]
    for other in (
        observation.astype(np.float64),
        swapped,
        misaligned,
        strided,
        observation.tolist(),
        tuple(observation),
    ):
        assert runtime(other).tobytes() == expected
    assert runtime(np.stack([observation] * 40)).tobytes() == expected * 40


@pytest.mark.parametrize("arguments", [(), (1, 2, 3)])
def test_a_call_with_other_arguments_is_a_type_error(squashed_network: Network, arguments: tuple[int, ...]) -> None:
    runtime = Runtime(squashed_network)
    with pytest.raises(TypeError):
        runtime(*arguments)
    with pytest.raises(TypeError):
        runtime(np.zeros(3, np.float32), output=None)


def test_a_subclass_may_have_a_call_of_its_own(squashed_network: Network) -> None:
    class Doubled(Runtime):
        def __call__(self, observation: object, out: object = None) -> object:
            return 2 * super().__call__(observation)

    observation = np.array([0.1, 0.2, 3.0], np.float32)
    assert (Doubled(squashed_network)(observation) == 2 * Runtime(squashed_network)(observation)).all()


def test_calls_keep_no_reference(squashed_network: Network) -> None:
    runtime, observation, buffer = Runtime(squashed_network), np.zeros(3, np.float32), np.zeros(2, np.float32)
    before = sys.getrefcount(observation), sys.getrefcount(buffer), sys.getrefcount(runtime)
    for _ in range(100):
        runtime(observation, out=buffer)
        runtime(observation.tolist())
        with contextlib.suppress(InvalidValueError):
            runtime(observation, out=observation)
    assert (sys.getrefcount(observation), sys.getrefcount(buffer), sys.getrefcount(runtime)) == before
