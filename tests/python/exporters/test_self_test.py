"""The self-test of exported source notices wrong weights."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from embed.exported import stored
from rlcompress import artifact
from rlcompress.contract import Argmax, Contract
from rlcompress.exporters.c import c_source
from rlcompress.exporters.cpp import cpp_source
from rlcompress.layers import Dense
from rlcompress.network import Network

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
FLIPS = 12
MOST_MISSED = 0.04


def small() -> Network:
    """One layer as straight-line code, of which four action numbers show next to nothing."""
    weight = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    return Network((Dense(weight, [5.0, -5.0]),), Contract((4,), Argmax()))


def dead() -> Network:
    """Half of the units are never above zero in a stored vector."""
    rng = np.random.default_rng(2)
    hidden = Dense(rng.normal(size=(16, 4)), np.where(np.arange(16) % 2, -50, 0.5), "relu")
    return Network((hidden, Dense(rng.normal(size=(3, 16)), [0, 0, 0])), Contract((4,), Argmax()))


NETWORKS = {
    "small": small(),
    "dead": dead(),
    **{name: artifact.load(GOLDEN / f"v1_{name}.rlc") for name in ("int4", "integer")},
}


def flipped(network: Network, rng: np.random.Generator) -> Network:
    """The network with the sign of one weight changed."""
    at = int(rng.integers(len(network.layers)))
    weight = np.array(network.layers[at].weight)
    mask = getattr(network.layers[at], "mask", None)
    places = np.argwhere((weight != 0) & (True if mask is None else mask))
    place = tuple(places[rng.integers(len(places))])
    weight[place] = -weight[place]
    layers = [dataclasses.replace(layer, weight=weight) if i == at else layer for i, layer in enumerate(network.layers)]
    return stored(network.with_layers(layers))


def with_its_self_test(wrong: str, right: str, name: str) -> str:
    """One network's source with the self-test of another."""
    mark = f"#ifdef {name.upper()}_SELF_TEST"
    before, _, _ = wrong.rpartition(mark)
    _, found, after = right.rpartition(mark)
    assert before
    return before + found + after


def write_c(right: Network, wrong: Network, name: str, folder: Path) -> None:
    made = c_source(right, name)
    (folder / f"{name}.h").write_text(made.header, encoding="utf-8")
    text = with_its_self_test(c_source(wrong, name).source, made.source, name)
    (folder / f"{name}.c").write_text(text, encoding="utf-8")


def write_cpp(right: Network, wrong: Network, name: str, folder: Path) -> None:
    text = with_its_self_test(cpp_source(wrong, name).text, cpp_source(right, name).text, name)
    (folder / f"{name}.h").write_text(text, encoding="utf-8")


C_CALL = "  {{ static {0}_workspace w; missed += {0}_self_test(&w) == 0; }}\n"
FORMS = {"gcc": (write_c, C_CALL, "c"), "g++": (write_cpp, "  missed += {0}::self_test() == 0;\n", "cpp")}


def missed(tool: str, pairs: list[tuple[Network, Network]], folder: Path) -> int:
    """Of how many second networks the self-test of the first one says nothing."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    write, call, suffix = FORMS[tool]
    names = [f"n{i}" for i in range(len(pairs))]
    for name, (right, wrong) in zip(names, pairs):
        write(right, wrong, name, folder)
    includes = "".join(f'#include "{name}.h"\n' for name in names)
    calls = "".join(call.format(name) for name in names)
    main = f"{includes}int main(void) {{\n  int missed = 0;\n{calls}  return missed;\n}}\n"
    (folder / f"main.{suffix}").write_text(main, encoding="utf-8")
    switches = [f"-D{name.upper()}_SELF_TEST" for name in names]
    sources = map(str, folder.glob(f"*.{suffix}"))
    subprocess.run([tool, "-O0", *switches, *sources, "-o", str(folder / "check")], check=True)
    return subprocess.run([folder / "check"], check=False).returncode


@pytest.mark.parametrize("tool", FORMS)
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_changed_sign_is_noticed(network: Network, tool: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    right = stored(network)
    assert missed(tool, [(right, right)], tmp_path) == 1
    assert missed(tool, [(right, flipped(right, rng)) for _ in range(FLIPS)], tmp_path) <= MOST_MISSED * FLIPS
