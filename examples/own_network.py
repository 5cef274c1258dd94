"""A network of your own, as one file that runs anywhere with the same bits.

    python examples/own_network.py [OUT.rlc]

Any `torch.nn.Sequential` of linear layers and activations will do; nothing is trained or compressed here, except that
nine of ten weights are pruned at the end to show what a mask does to the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import rlcompress as rlc


def build() -> rlc.Network:
    """A network of 20 sensor values and 3 actions, with what goes in and what comes out."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(20, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)
    )
    sensors = rlc.Normalisation(mean=np.full(20, 0.5), scale=np.full(20, 2.0), clip=5.0)
    contract = rlc.Contract((20,), head=rlc.Argmax(), normalisation=sensors)
    network = rlc.from_torch(module, contract).with_metadata(source="examples/own_network.py")
    print(f"widths {network.widths}, {network.parameter_count:,} parameters, {network.macs:,} MACs")

    observations = np.random.default_rng(0).normal(0, 2, (256, 20)).astype(np.float32)
    with torch.no_grad():
        wanted = module(torch.tensor(sensors.apply(observations))).numpy()
    error = np.abs(rlc.Runtime(network).logits(observations) - wanted).max()
    print(f"largest difference from torch: {error:.1e}")
    return network


def save_and_run(network: rlc.Network, path: Path) -> None:
    """Save, load again, and see that nothing changed."""
    network.save(path)
    runtime = rlc.Runtime(path)
    print(f"{path}: {path.stat().st_size:,} bytes, {runtime.self_test()} golden vectors right, {runtime.target}")

    observations = np.random.default_rng(1).normal(0, 2, (256, 20)).astype(np.float32)
    print("actions:", runtime(observations)[:10])
    print("one action into an array of yours:", runtime(observations[0], out=np.empty((), np.int64)))

    loaded = rlc.load(path)
    again = path.with_name(f"{path.stem}-again.rlc")
    loaded.save(again)
    assert loaded == network
    assert again.read_bytes() == path.read_bytes()
    assert rlc.Runtime(loaded).logits(observations).tobytes() == runtime.logits(observations).tobytes()
    print(f"{again}: loaded and saved again, the same bytes and the same bits")


def prune(network: rlc.Network, path: Path) -> None:
    """Keep the largest tenth of all weights: the file shrinks, because zeros are not stored."""
    layers = network.dense_layers()
    masks = rlc.magnitude_masks([layer.weight for layer in layers], sparsity=0.9, scope="global")
    network.with_layers([layer.with_mask(mask) for layer, mask in zip(layers, masks)]).save(path)
    print(f"{path}: {path.stat().st_size:,} bytes with nine of ten weights pruned")


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "own_network.rlc")
    network = build()
    save_and_run(network, path)
    prune(network, path.with_name(f"{path.stem}-pruned.rlc"))


if __name__ == "__main__":
    main()
