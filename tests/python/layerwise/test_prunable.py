from __future__ import annotations

import copy
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402

from rlcompress.errors import InvalidValueError, UnsupportedError  # noqa: E402
from rlcompress.importers.torch_module import to_torch  # noqa: E402
from rlcompress.layerwise.allocate import uniform  # noqa: E402
from rlcompress.layerwise.evaluate import evaluator  # noqa: E402
from rlcompress.layerwise.plan import Plan  # noqa: E402
from rlcompress.layerwise.prunable import prunable  # noqa: E402
from rlcompress.ranking import magnitude_masks  # noqa: E402
from torch_models import ResNet, cnn, mlp, mobilenet, seeded  # noqa: E402

IMAGE = np.zeros((2, 1, 8, 8), np.float32)


class Backwards(nn.Module):
    """Registers its layers in another order than it calls them, and one that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.unused, self.first = nn.Linear(5, 2), nn.Linear(3, 3), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.dropout(self.first(x), 0.5, train=True))


def test_layers_come_in_the_order_of_the_forward() -> None:
    found = prunable(seeded(Backwards), np.zeros((3, 4), np.float32))
    assert [layer.name for layer in found.layers] == ["first.weight", "last.weight"]
    assert any("unused.weight" in note for note in found.notes)
    untraced = prunable(seeded(Backwards))
    assert [layer.name for layer in untraced.layers] == ["last.weight", "unused.weight", "first.weight"]
    assert any("no example inputs" in note for note in untraced.notes)


def test_kinds_groups_and_cost() -> None:
    layers = {layer.name: layer for layer in prunable(seeded(mobilenet), IMAGE).layers}
    depthwise = layers["4.body.3.weight"]
    assert (depthwise.kind, depthwise.groups, depthwise.weight.shape) == ("conv2d", 16, (16, 1, 3, 3))
    assert (depthwise.outputs, depthwise.macs) == (16 * 4 * 4, 16 * 4 * 4 * 9)
    assert (layers["8.weight"].kind, layers["8.weight"].macs) == ("linear", 32)
    volume = prunable(nn.Sequential(nn.Conv3d(2, 4, 2)), np.zeros((5, 2, 3, 3, 3), np.float32)).layers[0]
    assert (volume.kind, volume.macs, volume.outputs) == ("conv3d", 4 * 8 * 16, 4 * 8)
    line = prunable(nn.Sequential(nn.Conv1d(2, 4, 3)), torch.zeros(5, 2, 7)).layers[0]
    assert (line.kind, line.macs) == ("conv1d", 4 * 5 * 6)


def test_the_users_model_mode_and_generators_stay() -> None:
    model = seeded(ResNet).train()
    model.blocks[1].eval()
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    found = prunable(model, IMAGE)
    pruned = found.apply(uniform(found.layers, 0.9))
    noisy = prunable(seeded(Backwards), np.zeros((3, 4), np.float32))
    noisy.apply(uniform(noisy.layers, 0.5))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert [module.training for module in pruned.modules()] == modes
    assert not model._forward_hooks
    assert pruned.conv1.weight.requires_grad


def test_applied_weights_are_the_largest_and_the_rest_is_zero() -> None:
    model = seeded(cnn)
    found = prunable(model, IMAGE)
    plan = uniform(found.layers, 0.75)
    wanted = [magnitude_masks([layer.weight], 1 - kept / layer.size)[0] for layer, kept in zip(found.layers, plan.kept)]
    masks = found.masks(plan)
    assert all(np.array_equal(mask, expected) for mask, expected in zip(masks, wanted))
    for pruned in (found.apply(plan), found.apply(masks), found.apply(plan, prune_masks=True)):
        for layer, mask in zip(found.layers, masks):
            weight = pruned.get_submodule(layer.name.rpartition(".")[0]).weight.detach().numpy()
            assert np.array_equal(weight, np.where(mask, layer.weight, 0))
    assert prune.is_pruned(found.apply(plan, prune_masks=True))
    assert found.apply(plan).state_dict().keys() == model.state_dict().keys()


def test_masks_that_a_model_comes_with_are_held() -> None:
    model = seeded(mlp)
    prune.l1_unstructured(model[0], "weight", 0.5)
    model(torch.zeros(1, 12))  # now its weight hangs on a graph, which deepcopy refuses
    held = model[0].weight_mask.numpy().astype(bool)
    found = prunable(model, np.zeros((1, 12), np.float32))
    assert (found.ceilings[0], found.sizes[0], found.layers[0].name) == (96, 192, "0.weight")
    assert found.plan(found.sizes).kept == found.ceilings
    everything = Plan(tuple(layer.name for layer in found.layers), found.sizes, found.sizes)
    assert np.array_equal(found.masks(everything)[0], held)
    assert np.array_equal(found.apply(everything)[0].weight.detach().numpy() != 0, held)
    assert prune.is_pruned(model)


class _Mask(nn.Module):
    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * self.mask


def test_parametrised_weights_become_plain_and_their_zeros_are_held() -> None:
    model = seeded(mlp)
    mask = torch.ones(16, 12)
    mask[:, :3] = 0
    parametrize.register_parametrization(model[0], "weight", _Mask(mask))
    parametrizations.weight_norm(model[2])
    x = torch.linspace(-1, 1, 24).reshape(2, 12)
    found = prunable(model, x)
    assert found.ceilings == (144, 160, 40)
    plain = found.apply(found.plan(found.ceilings))
    assert torch.equal(plain(x), model(x))
    assert parametrize.is_parametrized(model[0])
    assert not parametrize.is_parametrized(plain[0])


def test_a_spectral_norm_is_folded_as_evaluation_sees_it() -> None:
    model = seeded(mlp)
    parametrizations.spectral_norm(model[2])
    x = torch.linspace(-1, 1, 24).reshape(2, 12)
    wanted = model.eval()(x)
    found = prunable(model.train(), x)
    assert torch.equal(found.apply(found.plan(found.ceilings)).eval()(x), wanted)


class _Bare(nn.Module):
    """An attention, a matrix of no layer, and a head that shares the embedding's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(10, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mix = nn.Parameter(torch.ones(8, 8))
        self.body, self.head = nn.Linear(8, 8), nn.Linear(8, 10, bias=False)
        self.head.weight = self.emb.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.emb(tokens)
        return self.head(self.body(self.attention(x, x, x)[0] @ self.mix))


def test_notes_tell_what_stays_dense_and_what_is_shared() -> None:
    found = prunable(seeded(_Bare), torch.zeros(2, 5, dtype=torch.long))
    assert sorted(layer.name for layer in found.layers) == ["body.weight", "head.weight"]
    assert sorted(found.notes) == [
        "attention: left dense, MultiheadAttention is no kind that is pruned",
        "emb.weight: shared with head.weight, pruned with it",
        "mix: left dense, it is a bare parameter, of no layer",
    ]


def test_shared_weights_count_once() -> None:
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(4, 4))
    model[3].weight = shared.weight
    found = prunable(model, np.zeros((1, 4), np.float32))
    assert found.sizes == (16,)
    assert found.layers[0].macs == 48
    assert any("counted once" in note for note in found.notes)
    pruned = found.apply(uniform(found.layers, 0.5))
    assert pruned[3].weight is pruned[0].weight
    assert int((pruned[2].weight == 0).sum()) == 8


def test_frozen_empty_and_other_layers_are_skipped_with_a_note() -> None:
    model = seeded(mlp)
    model[0].weight.requires_grad_(False)
    empty = nn.Linear(4, 1)
    empty.weight = nn.Parameter(torch.empty(0, 4))
    model.append(empty).append(nn.Embedding(3, 4))
    found = prunable(model)
    assert [layer.name for layer in found.layers] == ["2.weight", "4.weight"]
    text = "\n".join(found.notes)
    assert all(word in text for word in ("frozen", "empty", "Embedding"))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(InvalidValueError, match="frozen"):
        prunable(model)


def test_skip_by_name_and_pattern() -> None:
    model = seeded(ResNet)
    names = [layer.name for layer in prunable(model, IMAGE, skip=["fc", "blocks.*.shortcut"]).layers]
    assert "fc.weight" not in names
    assert not any("shortcut" in name for name in names)
    assert "blocks.1.conv1.weight" in names
    with pytest.raises(InvalidValueError, match="head"):
        prunable(model, IMAGE, skip=["head"])


def test_models_that_cannot_be_pruned_say_why() -> None:
    with pytest.raises(InvalidValueError, match="nothing to prune"):
        prunable(nn.Sequential(nn.ReLU()))
    with pytest.raises(InvalidValueError, match=r"shape \[\(2, 5\)\]"):
        prunable(seeded(mlp), np.zeros((2, 5), np.float32))
    with pytest.raises(InvalidValueError, match="call the model once"):
        prunable(nn.Sequential(nn.LazyLinear(3)))
    with pytest.raises(InvalidValueError, match="Module or Network"):
        prunable("model.pt")  # type: ignore[arg-type]
    broken = seeded(mlp)
    with torch.no_grad():
        broken[2].weight[0, 0] = float("nan")
    with pytest.raises(InvalidValueError, match=r"2\.weight"):
        prunable(broken)


def test_plans_and_masks_of_another_model_are_refused() -> None:
    found = prunable(seeded(mlp))
    with pytest.raises(InvalidValueError, match="another model"):
        found.masks(Plan(("a",), (3,), (1,)))
    with pytest.raises(InvalidValueError, match="one per layer"):
        found.apply([])
    with pytest.raises(InvalidValueError, match=r"0\.weight"):
        found.apply([np.ones(3, bool), np.ones(3, bool), np.ones(3, bool)])
    with pytest.raises(UnsupportedError, match="torch module"):
        found.apply_network(found.plan(found.sizes))


def test_plans_replay_on_another_copy() -> None:
    plan = uniform(prunable(seeded(cnn), IMAGE).layers, 0.8)
    one, two = (prunable(seeded(cnn), IMAGE).apply(Plan.from_json(plan.to_json())) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters()))


def test_networks_are_pruned_as_networks(squashed_network) -> None:
    found = prunable(squashed_network)
    assert [layer.name for layer in found.layers] == ["0.weight", "2.weight"]
    network = found.apply_network(found.plan((4, 3)))
    assert [layer.kept_weights for layer in network.dense_layers()] == [4, 3]
    assert network.contract == squashed_network.contract
    module = found.apply(found.plan((4, 3)))
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    assert torch.equal(module(x), to_torch(network)(x))


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_other_floating_types_keep_their_type(kind) -> None:
    model = seeded(mlp).to(kind)
    found = prunable(model, np.zeros((1, 12), np.float32))
    assert found.layers[0].weight.dtype == np.float32
    assert found.apply(uniform(found.layers, 0.5))[0].weight.dtype == kind


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile's own imports
@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile, lambda model: nn.DataParallel(torch.compile(model))])
def test_wrappers_are_taken_off(wrap) -> None:
    bare = seeded(mlp)
    wrapped = wrap(bare)
    names = list(wrapped.state_dict())
    found, plain = prunable(wrapped, torch.zeros(1, 12)), prunable(bare, torch.zeros(1, 12))
    assert [layer.name for layer in found.layers] == [layer.name for layer in plain.layers]
    assert any("is taken off" in note for note in found.notes)
    kept = [size // 2 for size in found.sizes]
    twin, wanted = (target.apply(target.plan(kept)) for target in (found, plain))
    assert type(twin) is type(bare)
    assert all(torch.equal(a, b) for a, b in zip(twin.state_dict().values(), wanted.state_dict().values()))
    assert list(wrapped.state_dict()) == names
    assert evaluator(found, data=(np.zeros((9, 12), np.float32), np.zeros(9, int))).cached
