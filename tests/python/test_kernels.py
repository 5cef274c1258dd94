"""The typed face of the C++ core: what `Model.run` takes and refuses, targets, threads, a disturbed control word."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rlcompress import artifact, kernels
from rlcompress.contract import Contract
from rlcompress.errors import FormatError, InvalidValueError
from rlcompress.layers import Dense
from rlcompress.network import Network


def _image(inputs: int = 4, hidden: int = 24, outputs: int = 2) -> bytes:
    rng = np.random.default_rng(0)
    widths = (inputs, hidden, outputs)
    layers = tuple(
        Dense(rng.standard_normal((m, k)), rng.standard_normal(m), "tanh" if m == hidden else "identity")
        for k, m in itertools.pairwise(widths)
    )
    return artifact.encode(Network(layers, Contract((inputs,))), golden=3)


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def _read_only(*shape: int) -> np.ndarray:
    array = _zeros(*shape)
    array.flags.writeable = False
    return array


def _overlapping() -> tuple[np.ndarray, np.ndarray]:
    block = _zeros(40)
    return block[:12].reshape(3, 4), block[10:16].reshape(3, 2)


def _misaligned() -> np.ndarray:
    return np.zeros(49, np.uint8)[1:].view(np.float32).reshape(3, 4)


@pytest.mark.parametrize(
    ("observations", "actions", "error", "found"),
    [
        (np.zeros((3, 4)), _zeros(3, 2), TypeError, "float64"),
        (_zeros(3, 4).astype(">f4"), _zeros(3, 2), TypeError, ">f4"),
        ([[0.0] * 4], _zeros(1, 2), TypeError, "list"),
        (_zeros(3, 4), None, TypeError, "NoneType"),
        (_zeros(4), _zeros(1, 2), ValueError, r"\(4,\)"),
        (_zeros(3, 5), _zeros(3, 2), ValueError, r"\(3, 5\)"),
        (_zeros(3, 4), _zeros(2, 2), ValueError, "3 rows expected, 2 found"),
        (np.asfortranarray(_zeros(3, 4)), _zeros(3, 2), ValueError, "memory layout"),
        (_zeros(6, 4)[::2], _zeros(3, 2), ValueError, "memory layout"),
        (_misaligned(), _zeros(3, 2), ValueError, "memory layout"),
        (_zeros(3, 4), _read_only(3, 2), ValueError, "read-only"),
        (*_overlapping(), ValueError, "overlap"),
    ],
)
def test_run_refuses_unfit_arrays(observations, actions, error, found):
    with pytest.raises(error, match=found):
        kernels.Model(_image()).run(observations, actions)


def test_run_reads_a_read_only_observation_and_no_rows_at_all():
    model = kernels.Model(_image())
    actions = np.full((3, 2), np.nan, np.float32)
    model.run(_read_only(3, 4), actions)
    assert np.isfinite(actions).all()
    model.run(_zeros(0, 4), _zeros(0, 2))


@pytest.mark.parametrize("hidden", [24, 5000])  # workspace on the stack, and one that each thread keeps
def test_threads_share_a_model(hidden):
    model = kernels.Model(_image(hidden=hidden))
    observations = np.random.default_rng(1).standard_normal((8, 50, 4)).astype(np.float32)

    def run(rows: np.ndarray) -> bytes:
        actions = _zeros(len(rows), 2)
        model.run(rows, actions)
        return actions.tobytes()

    alone = [run(rows) for rows in observations]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, list(observations) * 5)) == alone * 5


def test_model_keeps_its_own_copy_and_pickles():
    model = kernels.Model(_image())
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.image, copy.input_size, copy.output_size, copy.action_size) == (_image(), 4, 2, 2)
    assert type(copy) is kernels.Model
    assert copy.self_test() == 3


def test_self_test_names_the_first_vector_that_differs():
    image = bytearray(_image())
    image[-4] ^= 1  # the last action of the last golden vector: this file has no metadata
    with pytest.raises(RuntimeError, match=r"golden vector 2 of 3"):
        kernels.Model(_with_checksum(bytes(image))).self_test()


def _with_checksum(image: bytes) -> bytes:
    blank = image[:12] + b"\0\0\0\0" + image[16:]
    return image[:12] + zlib.crc32(blank).to_bytes(4, "little") + image[16:]


def test_malformed_images_name_the_field():
    image = _image()
    for refuse in (kernels.Model, kernels.verify):
        with pytest.raises(FormatError) as caught:
            refuse(image[:5] + b"\x07" + image[6:])
        error = caught.value
        assert (error.field, error.offset, error.expected, error.found) == ("arithmetic", 5, "1", "7")
    kernels.verify(image)


def test_targets_are_listed_forced_and_restored():
    assert set(kernels.targets()) <= set(kernels.targets(available=False))
    assert kernels.targets()[-1] == "scalar"
    before = kernels.active_target()
    with kernels.forced_target("scalar") as name:
        assert kernels.active_target() == name == "scalar"
    assert kernels.active_target() == before
    with pytest.raises(InvalidValueError, match=r"'sse9'.*scalar"):
        kernels.force_target("sse9")
    assert kernels.active_target() == before


@pytest.mark.parametrize(("wanted", "printed"), [("scalar", "scalar"), ("sse9", "RLCOMPRESS_TARGET")])
def test_environment_chooses_the_target(wanted, printed):
    code = (
        "from rlcompress import kernels\n"
        "try:\n    print(kernels.active_target())\n"
        "except ValueError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "RLCOMPRESS_TARGET": wanted, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert printed in done.stdout


def test_times_are_of_single_runs_and_grow_with_the_work() -> None:
    def median(width: int) -> float:
        layers = (Dense(np.ones((width, 4)), np.ones(width), "relu"), Dense(np.ones((2, width)), np.ones(2)))
        model = kernels.Model(artifact.encode(Network(layers, Contract((4,)))))
        times = kernels.call_times_ns(model, np.ones((3, 4), np.float32), 500)
        assert times.shape == (500,)
        assert (times >= 0).all()
        return float(np.median(times))

    assert 0 < median(8) < median(4096)
    assert 0 < kernels.clock_ns() < 1e6
    assert 0 < kernels.read_ns(1 << 10, 20) < kernels.read_ns(1 << 22, 20)


def test_times_of_observations_of_another_size() -> None:
    model = kernels.Model(artifact.encode(Network((Dense(np.ones((2, 4)), np.ones(2)),), Contract((4,)))))
    with pytest.raises(InvalidValueError, match=r"\(n, 4\)"):
        kernels.call_times_ns(model, np.ones((3, 5), np.float32), 10)
