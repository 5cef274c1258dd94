from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Argmax, Contract
from rlcompress.layers import Dense
from rlcompress.layers.activation import ACTIVATIONS, DEFAULT_ALPHA
from rlcompress.network import Network

torch = pytest.importorskip("torch")

from rlcompress.errors import InvalidValueError  # noqa: E402  # torch first: the module needs it
from rlcompress.importers.torch_module import to_torch  # noqa: E402
from rlcompress.runtime import Runtime  # noqa: E402
from rlcompress.tasks.labelled import Pair  # noqa: E402
from rlcompress.training.relearning import Relearning, relearn  # noqa: E402
from rlcompress.training.together import Course, Lessons, _Stack, train_together  # noqa: E402


def student(hidden: tuple[int, ...], kind: str = "relu", seed: int = 0, selected: Any = None) -> Network:
    rng, inputs = np.random.default_rng(seed), 6 if selected is None else len(selected)
    widths = (inputs, *hidden, 3)
    layers = tuple(
        Dense(
            rng.standard_normal((rows, columns)).astype(np.float32) / np.float32(columns**0.5),
            0.3 * rng.standard_normal(rows).astype(np.float32),
            kind if level < len(hidden) else "identity",  # type: ignore[arg-type]
            DEFAULT_ALPHA.get(kind, 0.0) if level < len(hidden) else 0.0,
        )
        for level, (columns, rows) in enumerate(pairwise(widths))
    )
    return Network(layers, Contract((6,), Argmax(), selected=selected))


def lessons(discrete: bool = True, rows: int = 60) -> Lessons:
    rng = np.random.default_rng(9)
    taught = rng.standard_normal((rows, 3)).astype(np.float32)
    labels = taught.argmax(1) if discrete else (3 + 2 * rng.standard_normal((rows, 3))).astype(np.float32)
    return Lessons(rng.standard_normal((rows, 6)).astype(np.float32), taught, labels)


def loss(network: Any, given: Lessons, course: Course, scale: Any) -> Any:
    functional, outputs = torch.nn.functional, network(torch.from_numpy(given.inputs))
    taught, heat = torch.from_numpy(given.taught), course.temperature
    if given.discrete:
        soft = [functional.log_softmax(each / heat, 1) for each in (outputs, taught)]
        same = heat**2 * functional.kl_div(*soft, log_target=True, reduction="batchmean")
        return course.distil * same + (1 - course.distil) * functional.cross_entropy(
            outputs, torch.from_numpy(given.labels)
        )
    wanted = (taught, torch.from_numpy(given.labels))
    parts = [(((outputs - each) / scale) ** 2).mean() for each in wanted]
    return course.distil * parts[0] + (1 - course.distil) * parts[1]


@pytest.mark.parametrize("discrete", [True, False])
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_gradients_are_those_of_torch(kind: str, discrete: bool) -> None:
    students = [student((4, 5), kind, 1), student((7, 2), kind, 2)]
    given, course = lessons(discrete), Course()
    stack = _Stack(students, given, course)
    with torch.inference_mode():
        stack._backward(torch.from_numpy(given.inputs), *stack._targets())
    scale = torch.tensor(stack.scale, dtype=torch.float32)
    for index, network in enumerate(students):
        module = to_torch(network)
        loss(module, given, course, scale).backward()
        linears = [part for part in module if isinstance(part, torch.nn.Linear)]
        for level, linear in enumerate(linears):
            found = stack.slopes[2 * level][index, : linear.in_features, : linear.out_features].T
            bias = stack.slopes[2 * level + 1][index, 0, : linear.out_features]
            units = scale if level == 2 else torch.ones(linear.out_features)  # the last layer is kept in units
            torch.testing.assert_close(found, linear.weight.grad * units[:, None], rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(bias, linear.bias.grad * units, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("discrete", [True, False])
def test_training_lowers_the_loss_of_every_student(discrete: bool) -> None:
    given, course = lessons(discrete, 400), Course(steps=200)
    students = [student((8,), seed=1), student((3,), seed=2), student((), seed=3), student((4, 4), "tanh", 4)]
    scale = torch.tensor(given.labels.std(0) if not discrete else np.ones(3), dtype=torch.float32)
    for before, after in zip(students, train_together(students, given, course, 0)):
        assert after.widths == before.widths
        assert loss(to_torch(after), given, course, scale) < 0.8 * loss(to_torch(before), given, course, scale)


def test_padding_changes_nothing_and_the_same_call_gives_the_same_bits() -> None:
    given, course = lessons(rows=200), Course(steps=30)
    small, wide = student((3,), seed=5), student((40,), seed=6)
    together = train_together([small, wide], given, course, 1)
    assert together == train_together([small, wide], given, course, 1)
    alone = train_together([small], given, course, 1)[0]
    for one, other in zip(together[0].dense_layers(), alone.dense_layers()):
        np.testing.assert_allclose(one.weight, other.weight, rtol=1e-3, atol=1e-4)


def test_masks_and_selections_hold() -> None:
    masked = student((5,), seed=7)
    mask = np.random.default_rng(0).random((5, 6)) < 0.5
    masked = masked.with_layers([replace(masked.layers[0], mask=mask), masked.layers[1]])
    few = student((5,), seed=8, selected=(0, 2, 5))
    given = lessons(rows=200)
    trained = train_together([masked, few], given, Course(steps=20), 0)
    assert np.array_equal(trained[0].dense_layers()[0].mask, mask)
    assert not trained[0].dense_layers()[0].weight[~mask].any()
    assert trained[1].contract.selected == (0, 2, 5)
    outside = replace(given, inputs=np.where(np.isin(np.arange(6), (0, 2, 5)), given.inputs, 7.0).astype(np.float32))
    assert train_together([few], outside, Course(steps=20), 0) == train_together([few], given, Course(steps=20), 0)


def test_no_steps_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="steps: at least 1"):
        train_together([student((2,))], lessons(), Course(steps=0), 0)


def test_values_behind_an_activation_start_from_the_weights_that_they_have() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 4)).astype(np.float32)
    layers = (
        Dense(rng.standard_normal((8, 4)), np.zeros(8), "tanh"),
        Dense(rng.standard_normal((2, 8)), np.zeros(2), "sigmoid"),
    )
    network = Network(layers)
    y = Runtime(network)(x)
    (found,) = train_together([network], Lessons(x, y, y), Course(steps=50), 0)
    np.testing.assert_allclose(Runtime(found)(x), y, atol=0.02)
    learnt = relearn(network, 0, 1, Pair(x, y), Relearning(epochs=2), 0)
    np.testing.assert_allclose(Runtime(learnt)(x), y, atol=0.02)
