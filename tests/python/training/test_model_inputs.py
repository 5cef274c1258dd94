"""Models and rows of other forms than one float32 tensor in, one out."""

from __future__ import annotations

import numpy as np
import pytest

from rlcompress.errors import InvalidValueError

torch = pytest.importorskip("torch")

from rlcompress.training.finetuning import FineTuning  # noqa: E402
from rlcompress.training.mask_search import Schedule  # noqa: E402
from rlcompress.training.sparse_finetune import fine_tune, gradual  # noqa: E402

SHORT = FineTuning(epochs=2, batch_size=16)
QUICK = Schedule(rows=32)


def mlp(classes: int = 3):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, classes))


def rows(count: int = 64):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, 6)), rng.integers(0, 3, count)


class Forms(torch.nn.Module):
    """Two inputs; several outputs."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.body, self.form = mlp(), form

    def forward(self, left, right):
        logits = self.body(torch.cat([left, right], 1))
        if self.form == "dict":
            return {"hidden": left, "logits": logits}
        return (None, logits, right) if self.form == "tuple" else logits.tolist()


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("given", [np.float64, np.float32, np.float16])
def test_rows_come_in_the_type_of_the_model(kind, given):
    x, y = rows()
    found, masks = gradual(mlp().to(kind), 0.5, (x.astype(given), y), SHORT, QUICK, teacher=mlp())
    assert found[0].weight.dtype == kind
    assert found[0].weight.isfinite().all()
    assert (found[0].weight.detach()[torch.tensor(~masks["0.weight"])] == 0).all()


def test_token_ids_stay_whole():
    model = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Flatten(), torch.nn.Linear(20, 3))
    tokens, y = np.random.default_rng(0).integers(0, 9, (64, 5)).astype(np.int32), rows()[1]
    _, masks = gradual(model, 0.5, (tokens, y), SHORT, QUICK)
    assert int(masks["2.weight"].sum()) == 30


def test_a_weight_shared_with_an_embedding_has_the_name_of_its_layer():
    model = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Flatten(), torch.nn.Linear(4, 9, bias=False))
    model[2].weight = model[0].weight
    tokens, y = np.arange(18)[:, None] % 9, np.arange(18) % 9
    found, masks = gradual(model, 0.5, (tokens, y), SHORT, QUICK)
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"2.weight": 18}
    assert found[2].weight is found[0].weight


def test_whole_numbers_become_floats_without_an_embedding():
    x, y = rows()
    fine_tune(mlp(), {}, ((x * 9).astype(np.uint8), y), SHORT)


def test_two_batches_are_no_pair():
    x, y = (torch.tensor(part) for part in rows())
    both = fine_tune(mlp(), {}, [(x[:32], y[:32]), (x[32:], y[32:])], SHORT)
    three = fine_tune(mlp(), {}, iter_twice(x, y), SHORT)
    assert all(torch.equal(left, right) for left, right in zip(both.parameters(), three.parameters()))


def iter_twice(x, y):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=32)


@pytest.mark.parametrize("form", ["dict", "tuple"])
@pytest.mark.parametrize("inputs", ["tuple", "dict", "list", "arrays"])
def test_several_inputs_and_outputs(form, inputs):
    x, y = (torch.tensor(part) for part in rows())
    left, right = x[:, :2], x[:, 2:]
    pair = {"tuple": (left, right), "list": [left, right], "dict": {"right": right, "left": left}}
    data = ((left, right), y) if inputs == "arrays" else [(pair[inputs], y)] * 3
    _, masks = gradual(Forms(form), 0.5, data, SHORT, QUICK)
    assert sum(int(mask.sum()) for mask in masks.values()) == 36


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        (mlp(), lambda x, y: (x[:, :4], y), r"cannot run on rows of \(64, 4\) float32"),
        (mlp(1), lambda x, y: (x, y > 1), "single logit"),
        (Forms("list"), lambda x, y: ((x[:, :2], x[:, 2:]), y), "wrap the model"),
        (mlp(), lambda x, y: ((x, x[:9]), y), "as many rows"),
    ],
)
def test_what_does_not_fit_is_said(model, change, message):
    with pytest.raises(InvalidValueError, match=message):
        fine_tune(model, {}, change(*rows()), SHORT)
