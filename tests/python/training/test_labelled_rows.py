"""Which data are arrays of all rows and which are batches: the same for fine-tuning and for judging."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.errors import InvalidValueError
from rlcompress.training import fine_tune
from rlcompress.training.labelled_rows import is_pair

torch = pytest.importorskip("torch")

X = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
Y = np.arange(40) % 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ((X, Y), True),
        ([X, Y], True),
        ((X, Y.tolist()), True),
        ((X.tolist(), Y.tolist()), True),
        (((X, X), Y), True),
        (({"x": X}, Y), True),
        ((torch.tensor(X), list(torch.tensor(Y))), True),
        ([(X, Y), (X, Y)], False),
        ([[X, Y], [X, Y]], False),
        ([(X, Y.tolist()), (X, Y.tolist())], False),
        ([(X, Y)], False),
        ([(X, Y)] * 3, False),
    ],
)
def test_arrays_are_told_from_two_batches(data: Any, expected: bool) -> None:
    assert is_pair(data) is expected


def model() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


@pytest.mark.parametrize(
    "data", [(X, Y.tolist()), (X.tolist(), Y.tolist()), [(X[:20], Y[:20].tolist()), (X[20:], Y[20:].tolist())]]
)
def test_lists_judge_and_train_as_arrays_do(data: Any) -> None:
    settings = {"target_sparsity": 0.5, "evaluations": 6, "distortion": False, "agent_share": 0, "pareto": 0}
    found = rlc.prune(model(), data=data, finetune_epochs=1, **settings)
    assert found.tuned is not None


def test_text_as_targets_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidValueError, match=r"data: y of numbers expected, found <U21; .*return_inverse"):
        fine_tune(model(), {}, (X, Y.astype(str)))
    with pytest.raises(InvalidValueError, match="data: x as one array expected"):
        fine_tune(model(), {}, ([[1.0], [1.0, 2.0]], [0, 1]))
