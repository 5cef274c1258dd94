"""Small forms of a folder of policies, to check on every processor.

    python benchmarks/embedded/compressed.py --agents AGENTS --out FOLDER
    python tests/embed/cross_check.py --targets all --networks 0 --policies FOLDER --record RESULTS/cross_policies.json

Each `ALGO/ENV.zip` of Stable-Baselines3 (with its `ENV.vecnormalize.pkl`) becomes four files, none of which has to
score anything: real weights, normalisation and heads are what the check wants. `-int8` and `-int4` have integer weights
with a scale for each row, `-integer` integer activations too, `-sparse` a tenth of the weights of its wide layers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import rlcompress as rlc
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.quantise import quantise_rows

KEPT = 0.1


def sparse(network: Network) -> Network:
    """The largest tenth of the weights of layers with more than a thousand; others as they are."""
    layers = []
    for layer in network.dense_layers():
        if layer.weight.size > 1000:
            (mask,) = rlc.magnitude_masks([layer.weight], sparsity=1 - KEPT)
            layer = Dense(layer.weight, layer.bias, layer.activation, layer.alpha, mask=mask)
        layers.append(layer)
    return network.with_layers(layers)


def observations(network: Network) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(256, ...) standard normal, in the units of the network's normalisation."""
    shape = network.contract.observation_shape
    rows = np.random.default_rng(0).standard_normal((256, *shape))
    known = network.contract.normalisation
    if known is not None:
        rows = rows * np.asarray(known.scale).reshape(shape) + np.asarray(known.mean).reshape(shape)
    return rows.astype(np.float32)


def forms(network: Network) -> dict[str, Network]:
    return {
        "int8": quantise_rows(network, 8),
        "int4": quantise_rows(network, 4),
        "integer": rlc.quantise_static(network, observations(network)),
        "sparse": sparse(network),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=Path, required=True, help="folder of ALGO/ENV.zip")
    parser.add_argument("--out", type=Path, required=True, help="folder of the files")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(given.agents.glob("*/*.zip")):
        statistics = path.with_suffix(".vecnormalize.pkl")
        network = rlc.load_policy(path, vecnormalize=statistics if statistics.exists() else None)
        for form, made in forms(network).items():
            name = f"{path.parent.name}-{path.stem}-{form}.rlc"
            made.save(given.out / name)
            print(name, (given.out / name).stat().st_size, "bytes", flush=True)


if __name__ == "__main__":
    main()
