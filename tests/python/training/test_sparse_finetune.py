"""Masks that hold, masks that are found, and what stays untouched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from rlcompress.errors import CheckpointError, InvalidValueError

torch = pytest.importorskip("torch")

from rlcompress.training.finetuning import FineTuning  # noqa: E402
from rlcompress.training.mask_search import Schedule  # noqa: E402
from rlcompress.training.sparse_finetune import fine_tune, gradual  # noqa: E402

SHORT = FineTuning(epochs=2, batch_size=32, warmup_steps=2)
QUICK = Schedule(start=0.2, refresh_steps=5, rows=64)


@dataclass(frozen=True)
class Plan:
    layers: tuple[str, ...]
    kept: tuple[int, ...]


def mlp(seed: int = 0, width: int = 24):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(8, width),
            torch.nn.ReLU(),
            torch.nn.Linear(width, 12),
            torch.nn.ReLU(),
            torch.nn.Linear(12, 3),
        )


def blobs(rows: int = 512, seed: int = 0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    centres = np.random.default_rng(7).standard_normal((3, 8)) * 1.5
    return (centres[y] + rng.standard_normal((rows, 8))).astype(np.float32), y


def accuracy(model, data) -> float:
    x, y = data
    with torch.no_grad():
        return float((model(torch.tensor(x)).argmax(1).numpy() == y).mean())


def trained():
    model = mlp()
    masks = {"0.weight": np.ones((24, 8), bool)}
    return fine_tune(model, masks, blobs(), FineTuning(epochs=6, batch_size=32, learning_rate=1e-2, distil=0))


@pytest.fixture(scope="module")
def dense():
    return trained()


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(left, right) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_masked_weights_stay_zero_and_the_rest_learns(dense):
    rng = np.random.default_rng(1)
    masks = {"0.weight": rng.random((24, 8)) < 0.4, "2.weight": rng.random((12, 24)) < 0.3}
    before = state(dense)
    found = fine_tune(dense, masks, blobs(), SHORT)
    weights = dict(found.named_parameters())
    for name, mask in masks.items():
        assert (weights[name].detach().numpy()[~mask] == 0).all()
        assert not np.array_equal(weights[name].detach().numpy()[mask], before[name].numpy()[mask])
    assert same(before, state(dense))


def test_fine_tuning_mends_what_pruning_broke(dense):
    plan = Plan(("0.weight", "2.weight", "4.weight"), (20, 25, 12))
    cut = fine_tune(dense, plan, blobs(), FineTuning(epochs=0))
    mended = fine_tune(dense, plan, blobs(), FineTuning(epochs=8, batch_size=32, learning_rate=1e-2, warmup_steps=5))
    assert accuracy(mended, blobs()) > accuracy(cut, blobs()) + 0.05


def test_a_plan_keeps_the_largest_magnitudes(dense):
    found = fine_tune(dense, Plan(("2.weight",), (7,)), blobs(), FineTuning(epochs=0))
    kept = found[2].weight.detach().numpy().ravel()
    original = np.abs(dense[2].weight.detach().numpy().ravel())
    assert set(np.flatnonzero(kept)) == set(np.argsort(-original, kind="stable")[:7])


@pytest.mark.parametrize("importance", ["loss", "magnitude"])
def test_gradual_meets_its_target_exactly(dense, importance):
    schedule = Schedule(start=0.2, refresh_steps=5, rows=64, importance=importance)
    found, masks = gradual(dense, 0.9, blobs(), SHORT, schedule)
    total = sum(mask.size for mask in masks.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == int(0.1 * total + 1e-9)
    for name, mask in masks.items():
        weight = dict(found.named_parameters())[name].detach().numpy()
        assert mask.dtype == np.bool_
        assert (weight[~mask] == 0).all()


@pytest.mark.parametrize(("epochs", "ramp"), [(0, 0.5), (1, 1.0), (1, 0.0), (1, 0.5)])
def test_the_target_is_met_however_short_the_training(dense, epochs, ramp):
    settings = FineTuning(epochs=epochs, batch_size=256)
    for target, kept in ((0.9, 51), (Plan(("0.weight", "4.weight"), (9, 5)), 14)):
        _, masks = gradual(dense, target, blobs(), settings, Schedule(ramp=ramp))
        assert sum(int(mask.sum()) for mask in masks.values()) == kept


@pytest.mark.parametrize("importance", ["loss", "magnitude"])
@pytest.mark.parametrize("rows", [1, 512])
@pytest.mark.parametrize(("target", "kept"), [(0.0, 516), (0.5, 258), (np.float32(0.875), 64)])
def test_as_many_stay_as_asked_whatever_the_rows_tell(dense, importance, rows, target, kept):
    x, y = blobs()
    schedule = Schedule(rows=64, importance=importance)
    _, masks = gradual(dense, target, (x[:rows], y[:rows]), FineTuning(epochs=1), schedule)
    assert sum(int(mask.sum()) for mask in masks.values()) == kept
    assert all(mask.any() for mask in masks.values())


def test_at_least_the_share_asked_goes():
    model = torch.nn.Sequential(torch.nn.Linear(8, 13), torch.nn.ReLU(), torch.nn.Linear(13, 3))
    _, masks = gradual(model, 0.9, blobs(64), FineTuning(epochs=0))
    assert sum(int(mask.sum()) for mask in masks.values()) == 14  # of 143


def test_gradual_keeps_the_split_of_a_plan(dense):
    plan = Plan(("0.weight", "4.weight"), (9, 5))
    found, masks = gradual(dense, plan, blobs(), SHORT, QUICK)
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"0.weight": 9, "4.weight": 5}
    assert torch.count_nonzero(found[2].weight) == found[2].weight.numel()


def test_gradual_beats_one_cut_by_magnitude(dense):
    longer = FineTuning(epochs=8, batch_size=32, learning_rate=1e-2, warmup_steps=5)
    total = 24 * 8 + 12 * 24 + 36
    keep = total - int(0.92 * total)
    flat = np.concatenate([dense[i].weight.detach().abs().numpy().ravel() for i in (0, 2, 4)])
    chosen = flat >= np.sort(flat)[-keep]
    parts = np.split(chosen, [192, 192 + 288])
    masks = dict(
        zip(("0.weight", "2.weight", "4.weight"), (p.reshape(s) for p, s in zip(parts, ((24, 8), (12, 24), (3, 12)))))
    )
    test = blobs(2000, seed=5)
    assert accuracy(gradual(dense, 0.92, blobs(), longer, QUICK)[0], test) > accuracy(
        fine_tune(dense, masks, blobs(), longer), test
    )


def test_no_kept_weight_hangs_on_a_dead_unit(dense):
    settings = FineTuning(epochs=4, batch_size=32, learning_rate=1e-2)
    _, masks = gradual(dense, 0.9, blobs(), settings, Schedule(start=0.2, refresh_steps=5, rows=256, regrow_until=1.0))
    first, second, third = (masks[name] for name in ("0.weight", "2.weight", "4.weight"))
    for into, out in ((first, second), (second, third)):
        assert not (into.any(1) & ~out.any(0)).any()


def test_generators_and_modes_stay_as_they_are(dense):
    dense.eval()
    torch.manual_seed(3)
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    found, _ = gradual(dense, 0.5, blobs(), SHORT, QUICK)
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])
    assert not found.training
    dense.train()
    assert fine_tune(dense, {}, blobs(), SHORT).training


def test_equal_seeds_give_equal_bits(dense):
    first, masks = gradual(dense, 0.8, blobs(), SHORT, QUICK)
    again, masks_again = gradual(dense, 0.8, blobs(), SHORT, QUICK)
    other, _ = gradual(dense, 0.8, blobs(), FineTuning(epochs=2, batch_size=32, warmup_steps=2, seed=1), QUICK)
    assert same(state(first), state(again))
    assert all(np.array_equal(masks[name], masks_again[name]) for name in masks)
    assert not same(state(first), state(other))


def test_a_stopped_training_goes_on_with_the_same_bits(dense, tmp_path):
    settings = FineTuning(epochs=4, batch_size=32, warmup_steps=2)
    whole, masks = gradual(dense, 0.8, blobs(), settings, QUICK)

    class StopError(Exception):
        pass

    def stop(epoch):
        if epoch.done == 2:
            raise StopError

    path = tmp_path / "training.pt"
    with pytest.raises(StopError):
        gradual(dense, 0.8, blobs(), settings, QUICK, on_epoch=stop, checkpoint=path)
    resumed, masks_resumed = gradual(dense, 0.8, blobs(), settings, QUICK, checkpoint=path)
    assert same(state(whole), state(resumed))
    assert all(np.array_equal(masks[name], masks_resumed[name]) for name in masks)
    with pytest.raises(CheckpointError, match="another training"):
        gradual(dense, 0.7, blobs(), settings, QUICK, checkpoint=path)
    x, y = blobs()
    for change in ({"data": (-x, y)}, {"model": whole}, {"teacher": whole}):
        with pytest.raises(CheckpointError, match="another training"):
            gradual(
                **{"model": dense, "data": (x, y), **change},
                target=0.8,
                settings=settings,
                schedule=QUICK,
                checkpoint=path,
            )
    path.write_bytes(b"broken")
    with pytest.raises(CheckpointError, match="delete it"):
        gradual(dense, 0.8, blobs(), settings, QUICK, checkpoint=path)


def test_loaders_and_augmentation(dense):
    x, y = blobs()
    rows = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    loader = torch.utils.data.DataLoader(rows, batch_size=64, shuffle=True)
    found, masks = gradual(
        dense, 0.7, loader, SHORT, QUICK, augment=lambda x, g: x + 0.01 * torch.randn(x.shape, generator=g)
    )
    again, _ = gradual(
        dense, 0.7, loader, SHORT, QUICK, augment=lambda x, g: x + 0.01 * torch.randn(x.shape, generator=g)
    )
    assert same(state(found), state(again))
    assert sum(int(mask.sum()) for mask in masks.values()) == int(0.3 * 516)


def test_values_as_targets():
    x, _ = blobs()
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    found, _ = gradual(
        model, 0.5, (x, x[:, 0] * 2), FineTuning(epochs=12, batch_size=32, distil=0, learning_rate=1e-2), QUICK
    )
    with torch.no_grad():
        assert float(((found(torch.tensor(x))[:, 0].numpy() - x[:, 0] * 2) ** 2).mean()) < 0.2 * float(
            np.var(x[:, 0] * 2)
        )


def test_convolutions_with_batch_norm_and_masks_that_came_along():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, bias=False),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 2),
    )
    torch.nn.utils.prune.random_unstructured(model[4], "weight", 0.5)
    given = model[4].weight_mask.numpy() != 0
    rng = np.random.default_rng(0)
    x = rng.standard_normal((128, 1, 6, 6)).astype(np.float32)
    data = (x, (x.mean((1, 2, 3)) > 0).astype(np.int64))
    found, masks = gradual(model, 0.6, data, SHORT, QUICK)
    assert not (masks["4.weight"] & ~given).any()
    assert (found[4].weight.detach().numpy()[~given] == 0).all()
    assert hasattr(model[4], "weight_mask")


def test_a_shared_weight_has_all_its_names():
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8), torch.nn.Linear(8, 3))
    model[2].weight = model[0].weight
    mask = np.eye(8, dtype=bool)
    found = fine_tune(model, {"2.weight": mask}, blobs(64), FineTuning(epochs=1))
    assert found[2].weight is found[0].weight
    assert (found[0].weight.detach().numpy()[~mask] == 0).all()
    _, masks = gradual(model, {"2.weight": 8}, blobs(64), FineTuning(epochs=1))
    assert int(masks["2.weight"].sum()) == 8


class Masked(torch.nn.Module):
    def __init__(self, mask) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


def masked_by_the_user(kind: str):
    """A model whose first weight and bias come with masks, and those masks."""
    model, generator = mlp(), torch.Generator().manual_seed(0)
    masks = {name: torch.rand(getattr(model[0], name).shape, generator=generator) < 0.5 for name in ("weight", "bias")}
    for name, mask in masks.items():
        if kind == "pruned":
            torch.nn.utils.prune.custom_from_mask(model[0], name, mask)
        else:
            torch.nn.utils.parametrize.register_parametrization(model[0], name, Masked(mask))
    return model, masks


@pytest.mark.parametrize("kind", ["pruned", "parametrised"])
@pytest.mark.parametrize(
    "train",
    [
        lambda model: fine_tune(model, {"0.weight": np.ones((24, 8), bool)}, blobs(), SHORT),
        lambda model: fine_tune(model, {"2.weight": np.ones((12, 24), bool)}, blobs(), SHORT),
        lambda model: fine_tune(model, Plan(("0.weight",), (190,)), blobs(), SHORT),
        lambda model: gradual(model, 0.3, blobs(), SHORT, QUICK)[0],
        lambda model: gradual(model, 0.3, blobs(), SHORT, QUICK, skip=("0.weight",))[0],
    ],
)
def test_what_the_user_masked_stays_zero(kind, train):
    model, masks = masked_by_the_user(kind)
    found = train(model)
    for name, mask in masks.items():
        value = getattr(found[0], name).detach()
        assert (value[~mask] == 0).all()
        assert (value[mask] != 0).any()


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"9.weight": np.ones((3, 12), bool)}, "no parameter"),
        ({"4.weight": np.ones((3, 11), bool)}, "bool of"),
        ({"4.weight": np.ones((3, 12))}, "bool of"),
        ([np.ones((3, 12), bool)], "dict"),
        (Plan(("4.weight",), (37,)), r"0\.\.36"),
    ],
)
def test_bad_masks_are_refused(dense, masks, message):
    with pytest.raises(InvalidValueError, match=message):
        fine_tune(dense, masks, blobs(), SHORT)


@pytest.mark.parametrize(
    ("target", "message"),
    [(1.0, "below 1"), (-0.1, "below 1"), (True, "below 1"), ("half", "below 1"), (0.999, "at least 3 in 3 layers")],
)
def test_bad_targets_are_refused(dense, target, message):
    with pytest.raises(InvalidValueError, match=f"target: .*{message}"):
        gradual(dense, target, blobs(), SHORT, QUICK)


@pytest.mark.parametrize("skip", ["4", "4.weight", ("4.*",), ["[4]"]])
def test_skipped_layers_stay_dense(dense, skip):
    _, masks = gradual(dense, 0.5, blobs(64), FineTuning(epochs=0), skip=skip)
    assert set(masks) == {"0.weight", "2.weight"}


def test_a_skip_that_matches_nothing_is_refused(dense):
    with pytest.raises(InvalidValueError, match="skip: 'head' matches no weight"):
        gradual(dense, 0.5, blobs(64), SHORT, skip=("4", "head"))


def test_nothing_to_prune_is_said():
    with pytest.raises(InvalidValueError, match="nothing to prune"):
        gradual(torch.nn.Sequential(torch.nn.PReLU()), 0.5, blobs(), SHORT, QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:0], y[:0]), "rows"),
        (lambda x, y: (x, y[:-1]), "as many rows"),
        (lambda x, y: (np.where(x > 1, np.nan, x), y), "finite x"),
        (lambda x, y: (x, y - 1), "class indices"),
        (lambda x, y: (x, y + 1), "y below 3"),
        (lambda x, y: (x, x[:, :2]), "outputs of"),
        (lambda x, y: [], "none found"),
        (lambda x, y: 3, "iterable"),
    ],
)
def test_bad_rows_are_refused(dense, change, message):
    with pytest.raises(InvalidValueError, match=message):
        fine_tune(dense, {}, change(*blobs(40)), SHORT)


def test_a_loss_that_explodes_is_said(dense):
    x, y = blobs()
    with pytest.raises(InvalidValueError, match="lower learning_rate"):
        fine_tune(dense, {}, (x, y), FineTuning(epochs=3, batch_size=32, learning_rate=1e30))


def test_few_rows_are_learnt_with_the_defaults():
    data = blobs(100)
    found = fine_tune(mlp(), {}, data, FineTuning(epochs=16, distil=0))
    assert accuracy(found, data) > accuracy(mlp(), data) + 0.2


def test_warm_up_takes_a_tenth_of_few_steps_and_all_of_itself_of_many():
    settings = FineTuning(learning_rate=1.0, final_share=1.0)
    assert [settings.rate(step, 50) for step in (0, 3, 4, 5)] == pytest.approx([0.2, 0.8, 1, 1])
    assert [settings.rate(step, 1000) for step in (0, 49, 99)] == pytest.approx([0.01, 0.5, 1])
    assert settings.rate(0, 3) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", -1), ("learning_rate", 0.0), ("distil", 1.5), ("temperature", float("nan"))]
)
def test_bad_settings_are_refused(name, value):
    with pytest.raises(InvalidValueError, match=name):
        FineTuning(**{name: value})
