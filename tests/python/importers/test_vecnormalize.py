from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Normalisation
from rlcompress.errors import ImportFormatError, InvalidValueError, MissingFileError, RlcompressError, UnsupportedError
from rlcompress.importers import load_policy, read_vecnormalize
from rlcompress.importers.pickle_records import Record, record_pickle, recorded_array

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("stable_baselines3")


def make_statistics(**settings: Any) -> Any:
    """A VecNormalize that has seen observations, with generators seeded in its spaces."""
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    wrapper = VecNormalize(DummyVecEnv([lambda: gymnasium.make("Pendulum-v1")]), **settings)
    wrapper.seed(0)
    wrapper.observation_space.seed(1)
    wrapper.action_space.seed(2)
    wrapper.reset()
    for _ in range(20):
        wrapper.step(np.array([[0.5]], np.float32))
    return wrapper


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def write(value: Any, protocol: int = pickle.DEFAULT_PROTOCOL) -> Path:
        path = tmp_path / "vecnormalize.pkl"
        path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
        return path

    return write


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_normalises_as_the_original(protocol: int, saved: Callable[..., Path]) -> None:
    statistics = make_statistics(clip_obs=1.5, epsilon=1e-3)
    found = read_vecnormalize(saved(statistics, protocol))
    assert found is not None
    assert found.clip == 1.5
    observations = np.random.default_rng(0).uniform(-8, 8, (200, 3)).astype(np.float32)
    np.testing.assert_allclose(found.apply(observations), statistics.normalize_obs(observations), atol=1e-5)


def test_saved_by_the_original(tmp_path: Path) -> None:
    statistics = make_statistics()
    statistics.save(str(tmp_path / "v.pkl"))
    found = read_vecnormalize(tmp_path / "v.pkl")
    assert found is not None
    np.testing.assert_allclose(found.mean, statistics.obs_rms.mean, rtol=1e-6)
    np.testing.assert_allclose(found.scale, np.sqrt(statistics.obs_rms.var + 1e-8), rtol=1e-6)


def test_observations_left_alone(saved: Callable[..., Path], plain_zip: Path) -> None:
    path = saved(make_statistics(norm_obs=False))
    assert read_vecnormalize(path) is None
    assert load_policy(plain_zip, vecnormalize=path).contract.normalisation is None


def test_dict_observations_are_unsupported(saved: Callable[..., Path]) -> None:
    statistics = make_statistics()
    statistics.obs_rms = {"a": statistics.obs_rms}
    with pytest.raises(UnsupportedError, match="dict"):
        read_vecnormalize(saved(statistics))


def test_published_statistics(agent: Callable[[str], Path]) -> None:
    found = read_vecnormalize(agent("ppo/HalfCheetah-v3.vecnormalize.pkl"))
    assert found is not None
    assert (found.mean.shape, found.clip) == ((17,), 10.0)
    np.testing.assert_allclose(found.mean[[0, 8]], [-0.13607119, 4.148289])
    assert 0.1 < found.scale.min() < found.scale.max() < 10


def test_attached_to_the_policy(saved: Callable[..., Path], plain_zip: Path) -> None:
    path = saved(make_statistics())
    network = load_policy(plain_zip, vecnormalize=path)
    assert network.contract.normalisation == read_vecnormalize(path)
    with pytest.raises(InvalidValueError, match="at most one"):
        load_policy(plain_zip, vecnormalize=path, observation_stats={"mean": [0], "var": [1]})
    with pytest.raises(InvalidValueError, match="3 inputs expected"):
        load_policy(plain_zip, observation_stats=Normalisation(np.zeros(4, np.float32), np.ones(4, np.float32)))


def test_nothing_in_the_file_is_run(saved: Callable[..., Path], canary: Any) -> None:
    with pytest.raises(ImportFormatError, match="not a VecNormalize file"):
        read_vecnormalize(saved(canary))
    statistics = make_statistics()
    whole = read_vecnormalize(saved(statistics))
    statistics.old_obs = [canary, {"a": canary}]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert read_vecnormalize(saved(statistics, protocol)) == whole
    statistics.obs_rms.mean = canary
    with pytest.raises(ImportFormatError, match=r"obs_rms\.mean"):
        read_vecnormalize(saved(statistics))
    assert not canary.path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        b".",
        b"(",
        b"N.",
        pickle.dumps({"obs_rms": 1}),
        b"cos\nsystem\n(S'touch /tmp/never'\ntR.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",  # frame beyond the file
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",  # bytearray of a terabyte
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x.",  # bytes
        b"\x80\x04\x8d" + struct.pack("<Q", (1 << 64) - 1) + b"x.",  # text
        b"Nr\xff\xff\xff\xff.",  # memo index that asks for 64 GiB
        b"Np99999999999\n.",
        b"\x80\x04N\x82\x01.",  # extension code
        b"P1\n.",  # persistent reference
        b"c" + b"a" * 100 + b"\n.",
        b"(" * 200_000 + b"l" * 100_000 + b".",
        b"".join(b"cm%d\nn\n0" % i for i in range(1000)) + b"N.",  # endless different classes
        b"cm\nn\n}b.",  # state for a class
        b"\x8a\xff" + b"\x7f" * 255 + b".",
    ],
)
def test_hostile_files(content: bytes, saved: Callable[..., Path]) -> None:
    with pytest.raises(ImportFormatError):
        read_vecnormalize(saved(content))


def test_damage_is_an_error_or_gives_finite_statistics(saved: Callable[..., Path]) -> None:
    content = pickle.dumps(make_statistics())
    for length in range(1, len(content), len(content) // 80):
        with pytest.raises(ImportFormatError):
            read_vecnormalize(saved(content[:length]))
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        try:
            found = read_vecnormalize(saved(bytes(damaged)))
        except RlcompressError:
            continue
        assert found is None or (np.isfinite(found.mean).all() and (found.scale > 0).all())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"obs_rms.mean": np.array([np.nan, 0, 0])}, "finite"),
        ({"obs_rms.var": np.array([-1.0, 1, 1])}, "variances"),
        ({"obs_rms.var": np.ones(4)}, "one shape"),
        ({"obs_rms.mean": np.array(["a", "b", "c"], object)}, "numbers"),
        ({"obs_rms.mean": np.array([1, 2, 3])}, "numbers"),
        ({"obs_rms.mean": np.zeros(0), "obs_rms.var": np.zeros(0)}, "one shape"),
        ({"clip_obs": -1.0}, "clip_obs"),
        ({"clip_obs": "x"}, "clip_obs"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"obs_rms": 5}, "obs_rms"),
    ],
)
def test_statistics_that_make_no_sense(change: dict[str, Any], match: str, saved: Callable[..., Path]) -> None:
    statistics = make_statistics()
    for name, value in change.items():
        target = statistics.obs_rms if "." in name else statistics
        setattr(target, name.rpartition(".")[2], value)
    with pytest.raises(ImportFormatError, match=match):
        read_vecnormalize(saved(statistics))


def test_missing_and_long_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.pkl"):
        read_vecnormalize(tmp_path / "gone.pkl")
    with (tmp_path / "long.pkl").open("wb") as file:
        file.truncate(1 << 26)
    with pytest.raises(ImportFormatError, match="more than"):
        read_vecnormalize(tmp_path / "long.pkl")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(4, dtype=">f8"),
        np.arange(4, dtype=np.float32)[::2],
        np.float64(2.5),
        np.float32(1.5),
        3,
        2.5,
        True,
        np.array(7.0),
        np.array([True, False]),
    ],
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_are_decoded_exactly(array: Any, protocol: int) -> None:
    found = recorded_array(record_pickle(pickle.dumps(array, protocol), "a.pkl"))
    assert found is not None
    np.testing.assert_array_equal(found, array)
    assert found.dtype.kind == np.asarray(array).dtype.kind


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_both_names_of_numpys_core(module: str) -> None:
    content = pickle.dumps(np.arange(3.0), 2)
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        content = content.replace(name, module.encode())
    found = recorded_array(record_pickle(content, "a.pkl"))
    np.testing.assert_array_equal(found, np.arange(3.0))


def test_other_objects_are_no_arrays() -> None:
    for value in (
        np.array([{}], object),
        np.array(["a"]),
        "text",
        None,
        [1.0],
        np.zeros(2, "c16"),
        np.zeros(1, "M8[s]"),
    ):
        assert recorded_array(record_pickle(pickle.dumps(value), "a.pkl")) is None
    assert isinstance(record_pickle(pickle.dumps(np.random.default_rng(0)), "a.pkl"), Record)
