from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Argmax, Contract, Normalisation, Raw, clip_to, squash_to
from rlcompress.errors import InvalidValueError, UnsupportedError
from rlcompress.importers import load_policy
from rlcompress.importers.torch_module import from_torch, to_torch
from rlcompress.importers.two_outputs import two_outputs
from rlcompress.layers import ACTIVATIONS, Dense
from rlcompress.network import Network
from rlcompress.runtime import Runtime

torch = pytest.importorskip("torch")
nn = torch.nn
prune = pytest.importorskip("torch.nn.utils.prune")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.SiLU(), nn.ELU(), nn.ELU(0.3), nn.LeakyReLU(), nn.LeakyReLU(0.2),
        nn.GELU(approximate="tanh"), nn.Identity(), nn.Dropout(0.5),
    ],
    ids=str,
)  # fmt: skip
def test_computes_what_the_module_computes(activation: Any, outputs: Callable[[Network, Any], Any]) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), activation, nn.Linear(8, 3)).eval()
    x = torch.randn(50, 4) * 3
    np.testing.assert_allclose(outputs(from_torch(module), x), module(x).detach(), atol=1e-5)


def test_nested_subclassed_and_training_modules(outputs: Callable[[Network, Any], Any]) -> None:
    class Block(nn.Sequential):  # type: ignore[misc]
        pass

    module = nn.Sequential(
        Block(nn.Linear(3, 5), nn.Tanh()), nn.Dropout(0.9), nn.Sequential(nn.Linear(5, 2, bias=False))
    )
    network = from_torch(module)
    assert module.training  # left as it was
    x = torch.randn(20, 3)
    np.testing.assert_allclose(outputs(network, x), module.eval()(x).detach(), atol=1e-6)
    assert not network.layers[1].bias.any()
    assert from_torch(nn.Linear(2, 3)).widths == (2, 3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_are_rounded(dtype: Any) -> None:
    module = nn.Linear(3, 2).to(dtype)
    layer = from_torch(module).dense_layers()[0]
    np.testing.assert_array_equal(layer.weight, module.weight.detach().float())
    assert module.weight.dtype == dtype


def test_pruning_masks_become_masks(outputs: Callable[[Network, Any], Any]) -> None:
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    prune.l1_unstructured(module[0], "weight", 0.5)
    prune.random_unstructured(module[0], "bias", 2)
    prune.l1_unstructured(module[2], "weight", 0.3)
    prune.l1_unstructured(module[2], "weight", 0.3)  # a second one on top
    with torch.no_grad():
        module[0].weight_orig.add_(1)  # not yet applied to .weight
    network = from_torch(module)
    for layer, linear in zip(network.dense_layers(), (module[0], module[2])):
        assert layer.mask is not None
        np.testing.assert_array_equal(layer.mask, linear.weight_mask.numpy() != 0)
    x = torch.randn(20, 6)
    np.testing.assert_allclose(outputs(network, x), module(x).detach(), atol=1e-5)


def test_parametrized_weights(outputs: Callable[[Network, Any], Any]) -> None:
    module = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), nn.ReLU(), nn.Linear(3, 1))
    x = torch.randn(9, 4)
    np.testing.assert_allclose(outputs(from_torch(module), x), module(x).detach(), atol=1e-6)


def test_module_is_left_as_it_is() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    prune.l1_unstructured(module[0], "weight", 0.5)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    network = from_torch(module)
    with torch.no_grad():
        module[2].weight.zero_()
    assert network.dense_layers()[1].weight.any()  # a copy, not a view
    module.load_state_dict(before)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert not any(parameter.grad is not None for parameter in module.parameters())


class Custom(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 2))


class Backwards(nn.Sequential):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return super().forward(-x)


class NoisyLinear(nn.Linear):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return super().forward(x) + 1


class MyReLU(nn.ReLU):  # type: ignore[misc]
    pass


class ReLU(nn.Module):  # type: ignore[misc]
    """A name of torch's, but not torch's."""


def hooked() -> Any:
    linear = nn.Linear(2, 2)
    linear.register_forward_hook(lambda *_: None)
    return linear


@pytest.mark.parametrize(
    ("module", "match"),
    [
        (Custom(), "Custom"),
        (Backwards(nn.Linear(2, 2)), "overrides forward"),
        (nn.Sequential(NoisyLinear(2, 2)), "NoisyLinear"),
        (nn.Sequential(nn.Linear(2, 2), MyReLU()), "MyReLU"),
        (nn.Sequential(nn.Linear(2, 2), ReLU()), "ReLU"),
        (nn.Sequential(nn.Linear(2, 2), nn.GELU()), "approximate"),
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1)), "largest output stays"),
        (nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), "LayerNorm"),
        (nn.Sequential(nn.Linear(2, 2), nn.PReLU(init=-0.5)), "PReLU"),
        (nn.Sequential(nn.Conv1d(1, 1, 1)), "Conv1d"),
        (nn.Sequential(nn.Linear(2, 2), nn.Flatten(0)), "Flatten"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), "must follow"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Tanh()), "must follow"),
        (nn.Sequential(), "no linear layer"),
        (nn.Sequential(hooked()), "hooks"),
        (nn.Sequential(nn.Linear(2, 2, device="meta")), "meta"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_else_is_refused(module: Any, match: str) -> None:
    with pytest.raises(UnsupportedError, match=match):
        from_torch(module)


def test_weights_that_make_no_sense() -> None:
    with pytest.raises(InvalidValueError, match="takes 4"):
        from_torch(nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1)))
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight[0, 0] = float("nan")
    with pytest.raises(InvalidValueError, match="finite"):
        from_torch(module)
    with pytest.raises(InvalidValueError, match="finite"):
        from_torch(nn.Linear(2, 2).double().requires_grad_(False).apply(lambda m: m.weight.fill_(1e200)))


def normalised(affine: bool = True) -> Any:
    """Two layers with running statistics of their own, in evaluation mode."""
    norm = nn.BatchNorm1d(5, eps=0.01, affine=affine)
    module = nn.Sequential(nn.Linear(4, 5, bias=affine), nn.Dropout(0.5), norm, nn.ReLU(), nn.Linear(5, 2))
    with torch.no_grad():
        module(3 * torch.randn(64, 4) + 1)
        if affine:
            norm.weight.normal_()
            norm.bias.normal_()
    return module.eval()


@pytest.mark.parametrize("affine", [True, False])
def test_batch_normalisation_is_folded(affine: bool, outputs: Callable[[Network, Any], Any]) -> None:
    module, x = normalised(affine), torch.randn(50, 4)
    network = from_torch(module)
    assert network.widths == (4, 5, 2)
    np.testing.assert_allclose(outputs(network, x.numpy()), module(x).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("module", "match"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.BatchNorm1d(2)), "before its activation"),
        (nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)), "follow a linear layer"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)), "depends on the batch"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(3)), "2 features expected, found 3"),
        (nn.Sequential(nn.Linear(2, 2), nn.PReLU(2)), "one slope"),
    ],
)
def test_normalisation_elsewhere_is_refused(module: Any, match: str) -> None:
    with pytest.raises(UnsupportedError, match=match):
        from_torch(module)


def test_one_slope_is_a_leaky_relu(outputs: Callable[[Network, Any], Any]) -> None:
    module, x = nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 2)), torch.randn(20, 3)
    np.testing.assert_allclose(outputs(from_torch(module), x.numpy()), module(x).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("last", [nn.Identity(), nn.Sigmoid()])
def test_one_output_becomes_two(last: Any, outputs: Callable[[Network, Any], Any]) -> None:
    module, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1), last), torch.randn(50, 3)
    network = two_outputs(module)
    assert (network.output_size, network.contract.head) == (2, Argmax())
    sure = module(x).detach().numpy().ravel() > (0.5 if isinstance(last, nn.Sigmoid) else 0)
    assert np.array_equal(Runtime(network)(x.numpy()), sure)
    with pytest.raises(InvalidValueError, match="one output"):
        two_outputs(network)


def test_contract_is_taken() -> None:
    contract = Contract((2, 2), Argmax())
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    assert from_torch(module, contract).contract == contract
    network = load_policy(module, contract=contract, observation_stats={"mean": [0] * 4, "scale": [2] * 4})
    assert network.contract.normalisation is not None
    assert network.contract.head == Argmax()
    with pytest.raises(InvalidValueError, match="the contract"):
        from_torch(module, Contract((5,)))
    with pytest.raises(InvalidValueError, match="action_range"):
        load_policy(module, action_range=(0, 1))


def masked_network() -> Network:
    rng = np.random.default_rng(0)
    layers, inputs = [], 3
    for index, activation in enumerate(ACTIVATIONS):
        alpha = {"elu": 0.5, "leaky_relu": 0.1}.get(activation, 0.0)
        mask = rng.random((4, inputs)) < 0.6 if index % 2 else None
        layers.append(Dense(rng.standard_normal((4, inputs)), rng.standard_normal(4), activation, alpha, mask))
        inputs = 4
    return Network(tuple(layers))


def test_round_trip_is_exact(outputs: Callable[[Network, Any], Any]) -> None:
    network = masked_network()
    state = torch.random.get_rng_state()
    module = to_torch(network)
    assert torch.equal(state, torch.random.get_rng_state())  # draws no random number
    assert from_torch(module) == network
    x = torch.randn(40, 3)
    np.testing.assert_allclose(outputs(network, x), module(x).detach(), atol=1e-5)


def test_masks_survive_training() -> None:
    network = masked_network()
    module = to_torch(network)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    module(torch.randn(8, 3)).square().sum().backward()
    optimizer.step()
    trained = from_torch(module)
    assert trained != network
    for before, after in zip(network.dense_layers(), trained.dense_layers()):
        assert (before.mask is None) == (after.mask is None)
        assert before.mask is None or np.array_equal(before.mask, after.mask)


def test_normalisation_and_head_stay_outside(squashed_network: Network) -> None:
    module = to_torch(squashed_network)
    assert [type(part).__name__ for part in module] == ["Linear", "Tanh", "Linear"]
    assert from_torch(module, squashed_network.contract) == squashed_network


@pytest.mark.parametrize("head", [Raw(), Argmax(3), clip_to([-1, 0], [1, 0.5]), squash_to([-2, 0], [2, 1])])
@pytest.mark.parametrize("scaled", [True, False])
def test_with_its_contract_a_module_acts_as_the_runtime(head: Any, scaled: bool) -> None:
    rng = np.random.default_rng(0)
    scaling = Normalisation(np.arange(6), np.arange(1, 7), 1.5) if scaled else None
    contract = Contract((2, 3), head, normalisation=scaling, selected=(0, 2, 5))
    layers = (Dense(rng.standard_normal((8, 3)), np.ones(8), "tanh"), Dense(rng.standard_normal((2, 8)), np.zeros(2)))
    network = Network(layers, contract)
    x = (4 * rng.standard_normal((50, 2, 3))).astype(np.float32)
    module = to_torch(network, with_contract=True)
    found = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, Runtime(network)(x), atol=1e-5)
    np.testing.assert_allclose(module(torch.from_numpy(x[0])).detach().numpy(), found[0], atol=1e-5)
