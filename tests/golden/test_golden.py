"""Files of every released format version still load, run to the same bits, and are what today's writer makes.

`python tests/golden/test_golden.py` writes the files of the current version that are missing, never over existing ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlcompress import artifact
from rlcompress.contract import Argmax, Clip, Contract, Normalisation, squash_to
from rlcompress.layers import ACTIVATIONS, Dense, IntegerDense, QuantizedDense
from rlcompress.layers.activation import DEFAULT_ALPHA
from rlcompress.network import Network
from rlcompress.runtime import Runtime

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("v*.rlc"))


def _wave(*shape: int, step: int = 7, modulus: int = 23) -> np.ndarray:
    """Fixed numbers in -1..1 that no library's random generator changes."""
    count = int(np.prod(shape))
    return ((np.arange(count) * step % modulus) * 2.0 / (modulus - 1) - 1).reshape(shape).astype(np.float32)


def networks() -> dict[str, Network]:
    """Content of each file of format version 1."""
    balance = Network(
        (Dense([[0, 0, 0, 0], [0, 0, 1, 0.25]], [0, 0]),), Contract((4,), Argmax()), {"task": "CartPole-v1"}
    )
    tiny = QuantizedDense(np.rint(_wave(2, 8) * 7), np.zeros(2, np.int8), 4, row_exponent=[-3])
    squash = Contract(
        (3,),
        squash_to(np.full(1, -2, np.float32), np.full(1, 2, np.float32), 3.0),
        np.array([-1, -1, -8], np.float32),
        np.array([1, 1, 8], np.float32),
        Normalisation(np.array([0.1, 0, -0.5]), np.array([0.5, 0.5, 4]), 10.0),
    )
    pendulum = Network((Dense(_wave(6, 3), _wave(6), "tanh"), Dense(_wave(1, 6), [0.25])), squash)
    mask = _wave(9, 70, step=5, modulus=17) > 0.8
    sparse = (
        Dense(_wave(9, 70), _wave(9), "relu", mask=mask),
        QuantizedDense(np.rint(_wave(20, 9) * 127), np.rint(_wave(20) * 127), 8, "elu", 1.0, np.abs(_wave(20)) + 0.5),
        QuantizedDense(
            np.rint(_wave(4, 20) * 7), _wave(4), 4, row_exponent=[-2, -1, 0, 1], column_exponent=np.arange(20) % 5 - 2
        ),
    )
    selected = Contract(
        (4, 5),
        Argmax(),
        normalisation=Normalisation(_wave(20), np.abs(_wave(20)) + 0.5, 5.0),
        selected=(0, 3, 7, 8, 12, 15, 16, 19),
    )
    bound = np.array([1, 2, 3, np.inf], np.float32)
    clip = Contract((7, 5, 2), Clip(-bound, bound, np.ones(4), np.zeros(4)))
    chain = [Dense(_wave(5, 5), _wave(5), name, DEFAULT_ALPHA.get(name, 0.0)) for name in ACTIVATIONS]
    wide = (Dense(_wave(130, 6), _wave(130), "silu"), Dense(_wave(3, 130) / 8, np.zeros(3)))
    integers = (
        IntegerDense(
            np.rint(_wave(70, 63) * 127), np.rint(_wave(70) * 99999), 100.5, 127, np.abs(_wave(70)) / 1e4 + 1e-5
        ),
        IntegerDense(np.rint(_wave(18, 70) * 99), np.rint(_wave(18) * 77), 20.25, 0, np.full(18, 1e-4), "tanh"),
        IntegerDense(
            np.rint(_wave(3, 18) * 127), [7, 8, 9], 127.5, 128, [1e-3, 2e-3, 3e-3], "elu", 1.0, np.arange(18) % 3
        ),
    )
    return {
        "v1_balance": balance,
        "v1_int4": Network((tiny,), Contract((8,), Argmax(1))),
        "v1_squash": pendulum,
        "v1_sparse": Network(sparse, clip),
        "v1_activations": Network(tuple(chain)),
        "v1_wide": Network(wide),
        "v1_integer": Network(integers, Contract((63,), Argmax(-1))),
        "v1_selected": Network((tiny,), selected),
    }


def regenerate() -> None:
    """Write the files that are missing."""
    for name, network in networks().items():
        path = FOLDER / f"{name}.rlc"
        if not path.exists():
            artifact.save(network, path, golden=4)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_loads_and_gives_its_bits(path: Path) -> None:
    network = artifact.load(path)
    runtime = Runtime(path)
    assert runtime.self_test() == 4
    assert runtime.contract == network.contract
    assert runtime.weights_bytes == artifact.weights_bytes(network)


@pytest.mark.parametrize("name", networks())
def test_writer_makes_the_same_bytes(name: str) -> None:
    network = networks()[name]
    image = (FOLDER / f"{name}.rlc").read_bytes()
    assert artifact.encode(network, golden=4) == image
    loaded = artifact.load(image)
    assert loaded.metadata == network.metadata
    assert loaded == network


if __name__ == "__main__":
    regenerate()
