from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from rlcompress import Dense, Network, kernels
from rlcompress.errors import InvalidValueError
from rlcompress.training.masked import MaskedMLP
from rlcompress.training.masked_layer import aligned_arrays


@pytest.fixture(params=kernels.targets())
def target(request):
    with kernels.forced_target(request.param) as name:
        yield name


def network_of(widths, density, activation="relu", seed=0):
    rng = np.random.default_rng(seed)
    layers = []
    for index, (columns, rows) in enumerate(itertools.pairwise(widths)):
        weight = (rng.standard_normal((rows, columns)) / np.sqrt(columns * density + 1)).astype(np.float32)
        last = index == len(widths) - 2
        mask = rng.random(weight.shape) < density
        layers.append(Dense(weight, rng.normal(0, 0.1, rows), "identity" if last else activation, 0.0, mask))
    return Network(tuple(layers))


def torch_steps(network, batches, loss, temperature, make):
    """The same steps in float64 with masked gradients; returns losses, weights and biases."""
    weights = [torch.tensor(layer.weight, dtype=torch.float64, requires_grad=True) for layer in network.layers]
    biases = [torch.tensor(layer.bias, dtype=torch.float64, requires_grad=True) for layer in network.layers]
    optimiser, losses = make([*weights, *biases]), []
    for x, y in batches:
        values = torch.tensor(x, dtype=torch.float64)
        for layer, weight, bias in zip(network.layers, weights, biases):
            values = values @ weight.T + bias
            values = {"relu": torch.relu, "tanh": torch.tanh, "identity": lambda v: v}[layer.activation](values)
        if loss == "cross_entropy":
            found = torch.nn.functional.cross_entropy(values, torch.tensor(y))
        elif loss == "mse":
            found = torch.nn.functional.mse_loss(values, torch.tensor(y, dtype=torch.float64))
        else:
            p = torch.log_softmax(torch.tensor(y, dtype=torch.float64) / temperature, -1)
            q = torch.log_softmax(values / temperature, -1)
            found = temperature**2 * torch.nn.functional.kl_div(q, p, reduction="batchmean", log_target=True)
        optimiser.zero_grad()
        found.backward()
        for layer, weight in zip(network.layers, weights):
            weight.grad *= torch.tensor(layer.mask)
        optimiser.step()
        losses.append(float(found.detach()))
    return losses, [w.detach().numpy() for w in weights], [b.detach().numpy() for b in biases]


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "kl"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("batch", [1, 16, 37, 128, 150])
def test_steps_follow_torch_in_float64(target, loss, activation, optimiser, batch):
    network = network_of((20, 33, 150, 5), 0.3, activation)
    rng = np.random.default_rng(1)
    batches = []
    for _ in range(3):
        x = rng.standard_normal((batch, 20)).astype(np.float32)
        y = rng.standard_normal((batch, 5)).astype(np.float32)
        batches.append((x, y.argmax(1) if loss == "cross_entropy" else y))
    make = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    }[optimiser]
    losses, weights, biases = torch_steps(network, batches, loss, 2.0, make)
    kind, rate = ("adam", 1e-3) if optimiser == "adam" else ("sgd", 0.05)
    mlp = MaskedMLP(network, kind, rate, loss, 2.0, 0.9 if optimiser == "momentum" else 0.0)
    assert [mlp.step(*pair) for pair in batches] == pytest.approx(losses, rel=1e-4, abs=1e-6)
    share = []
    for layer, before, weight, bias in zip(mlp.network().layers, network.layers, weights, biases):
        assert np.array_equal(layer.mask, before.mask)
        share.append(np.abs(layer.weight - weight).mean())
        assert np.abs(layer.bias - bias).mean() < 2e-5
    assert max(share) < 2e-5


def test_same_bits_on_every_target():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((200, 20)).astype(np.float32)
    labels = rng.integers(0, 5, 200)
    found = []
    for name in kernels.targets():
        with kernels.forced_target(name):
            for kind in ("sgd", "adam"):
                mlp = MaskedMLP(network_of((20, 40, 5), 0.4, "tanh"), kind)
                losses = [mlp.step(x, labels) for _ in range(4)]
                found.append((kind, losses, mlp.network()))
    for kind, losses, network in found:
        first = next(entry for entry in found if entry[0] == kind)
        assert losses == first[1]
        assert network == first[2]


@pytest.mark.parametrize("density", [0.04, 0.5])
def test_gradients_of_a_whole_tile_have_the_same_bits_on_every_target(density):
    rng = np.random.default_rng(4)
    mask = rng.random((70, 700)) < density
    x, dy = (rng.standard_normal((rows, 128)).astype(np.float32) for rows in (700, 70))
    found = []
    for name in kernels.targets():
        with kernels.forced_target(name):
            matrix = kernels.SparseMatrix(np.zeros(mask.shape, np.float32), mask, "rows")
            gradient = np.full(matrix.nonzeros, np.nan, np.float32)
            matrix.gradient(x, dy, gradient)
            matrix.values[:] = gradient
            found.append(matrix.unpack()[0])
    wanted = np.where(mask, dy.astype(np.float64) @ x.T.astype(np.float64), 0)
    assert np.abs(found[0] - wanted).max() < 1e-4
    assert all(array.tobytes() == found[0].tobytes() for array in found)


def test_large_arrays_are_aligned_and_apart():
    shapes = [(3, 16), (5000, 128), (1, 16), (600, 32)]
    arrays = aligned_arrays(shapes)
    for value, array in enumerate(arrays):
        assert not array.any()
        array[:] = value
    for value, (array, shape) in enumerate(zip(arrays, shapes)):
        assert array.shape == shape
        assert array.ctypes.data % 64 == 0
        assert (array == value).all()


def test_loss_falls_on_patterns_of_digits():
    rng = np.random.default_rng(3)
    prototypes = rng.random((10, 64)) < 0.3
    labels = rng.integers(0, 10, 512)
    x = (prototypes[labels] + rng.normal(0, 0.3, (512, 64))).astype(np.float32)
    mlp = MaskedMLP(network_of((64, 64, 64, 10), 0.1), learning_rate=5e-3)
    losses = [mlp.step(x[i : i + 128], labels[i : i + 128]) for _ in range(40) for i in range(0, 512, 128)]
    assert np.mean(losses[-4:]) < 0.2 * np.mean(losses[:4])


def test_masks_change_and_may_drop_everything(target):
    network = network_of((6, 8, 3), 0.5)
    mlp = MaskedMLP(network)
    x, labels = np.ones((4, 6), np.float32), np.array([0, 1, 2, 0])
    mlp.step(x, labels)
    before = mlp.network()
    masks = [layer.mask & (np.arange(layer.mask.size).reshape(layer.mask.shape) % 2 == 0) for layer in network.layers]
    mlp.set_masks(masks)
    for layer, old, mask in zip(mlp.network().layers, before.layers, masks):
        assert np.array_equal(layer.weight, np.where(mask, old.weight, 0))
    mlp.set_masks([np.zeros_like(mask) for mask in masks])
    assert np.isfinite(mlp.step(x, labels))
    mlp.set_masks([np.ones_like(mask) for mask in masks])
    mlp.step(x, labels)
    assert all(layer.mask is None for layer in mlp.network().layers)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.step(np.ones((2, 5), np.float32), [0, 1]),
        lambda m: m.step(np.ones((2, 6)), [0, 1]),
        lambda m: m.step(np.ones((0, 6), np.float32), []),
        lambda m: m.step(np.ones((2, 6), np.float32), [0, 3]),
        lambda m: m.step(np.ones((2, 6), np.float32), [0.0, 1.0]),
        lambda m: m.step(np.ones((2, 6), np.float32), [0]),
        lambda m: m.set_masks([]),
        lambda m: m.set_masks([np.ones((8, 6)), np.ones((3, 8))]),
        lambda m: MaskedMLP(m.network(), "lion"),
        lambda m: MaskedMLP(m.network(), loss="hinge"),
        lambda m: MaskedMLP(m.network(), learning_rate=0),
        lambda m: MaskedMLP(m.network(), momentum=1.0),
        lambda m: MaskedMLP(Network((Dense(np.ones((2, 2)), np.zeros(2), "gelu"),))),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InvalidValueError):
        call(MaskedMLP(network_of((6, 8, 3), 0.5)))
