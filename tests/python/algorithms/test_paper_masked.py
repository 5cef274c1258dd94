from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from balancing import redundant
from rlcompress.algorithms.pops_paper.masked import Lesson, activate, copy_of, fresh, loss_of, train
from rlcompress.contract import Argmax, Contract, Normalisation, clip_to, squash_to
from rlcompress.layers import ACTIVATIONS, Dense
from rlcompress.layers.activation import DEFAULT_ALPHA
from rlcompress.network import Network
from rlcompress.ranking import magnitude_masks
from rlcompress.runtime import Runtime
from rlcompress.training.labels import agreement, label

torch = pytest.importorskip("torch")


TEACHER = redundant()
ROWS = np.random.default_rng(0).normal(0, [1, 1, 0.2, 1], (500, 4)).astype(np.float32)
LABELS = label(TEACHER, ROWS)
LESSON = Lesson(steps=150, batch_size=64, learning_rate=3e-3, temperature=0.01)
THOROUGH = replace(LESSON, steps=400, learning_rate=1e-2)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_first_student_is_the_teacher() -> None:
    learner = copy_of(TEACHER)
    assert learner.network(TEACHER) == replace(TEACHER, metadata={})
    assert learner.kept == (64, 32)
    assert learner.hidden == (16,)


def test_a_student_may_be_a_copy_of_a_masked_or_quantised_teacher() -> None:
    from rlcompress.quantise import quantise_rows

    small = quantise_rows(TEACHER)
    assert copy_of(small).network(small).layers == small.dense_float().layers


def test_fresh_students_are_glorot_uniform() -> None:
    learner = fresh((4, 200, 2), rng())
    bound = np.sqrt(6 / 204)
    assert 0.95 * bound < np.abs(learner.weights[0]).max() <= bound
    assert abs(learner.weights[0].mean()) < 0.05 * bound
    assert not any(bias.any() for bias in learner.biases)
    assert [weight.shape for weight in learner.weights] == [(200, 4), (2, 200)]


def test_masks_are_the_largest_weights_of_each_layer() -> None:
    lesson = replace(LESSON, steps=1, learning_rate=1e-9, pruning_frequency=1, clock=3)
    found = train(copy_of(TEACHER), TEACHER, LABELS, lesson, rng(), lambda step: 0.25 if step == 3 else 0.9)
    expected = magnitude_masks([layer.weight for layer in TEACHER.dense_layers()], 0.25)
    assert all(np.array_equal(a, b) for a, b in zip(found.masks, expected, strict=True))
    assert found.kept == (48, 24)
    assert all(not layer.weight[~layer.mask].any() for layer in found.network(TEACHER).dense_layers())


def test_masked_weights_rest_and_may_come_back() -> None:
    learner = copy_of(TEACHER)
    masks = (np.ones((16, 4), np.bool_), np.ones((2, 16), np.bool_))
    masks[0][3] = False
    asleep = train(replace(learner, masks=masks), TEACHER, LABELS, replace(LESSON, steps=20), rng())
    assert np.array_equal(asleep.weights[0][3], learner.weights[0][3])
    assert not np.array_equal(asleep.weights[0][4], learner.weights[0][4])
    awake = train(asleep, TEACHER, LABELS, replace(LESSON, steps=1, pruning_frequency=1), rng(), lambda step: 0.0)
    assert all(mask.all() for mask in awake.masks)


def test_masks_stay_while_pruning_is_paused() -> None:
    pruned = train(copy_of(TEACHER), TEACHER, LABELS, replace(LESSON, pruning_frequency=5), rng(), lambda step: 0.5)
    rested = train(pruned, TEACHER, LABELS, LESSON, rng(), lambda step: 0.9)
    assert rested.kept == pruned.kept == (32, 16)


def test_students_learn_the_teachers_actions() -> None:
    learner = train(fresh((4, 8, 2), rng()), TEACHER, LABELS, THOROUGH, rng())
    assert agreement(LABELS, learner.network(TEACHER)) > 0.95


def test_training_is_deterministic() -> None:
    one, other = (train(fresh((4, 8, 2), rng()), TEACHER, LABELS, LESSON, rng()) for _ in range(2))
    assert one.network(TEACHER) == other.network(TEACHER)
    assert all(np.array_equal(a, b) for a, b in zip(one.squares, other.squares, strict=True))


def test_lessons_in_two_pieces_are_one_lesson() -> None:
    whole = train(copy_of(TEACHER), TEACHER, LABELS, LESSON, rng())
    generator, half = rng(), replace(LESSON, steps=75)
    first = train(copy_of(TEACHER), TEACHER, LABELS, half, generator)
    assert train(first, TEACHER, LABELS, half, generator).network(TEACHER) == whole.network(TEACHER)


def test_students_normalise_and_select_as_the_teacher_does() -> None:
    normalisation = Normalisation(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 1, 2]))
    contract = Contract((4,), Argmax(), normalisation=normalisation, selected=(1, 2, 3))
    teacher = Network((Dense(np.array([[-1.0, -2, 1], [1, 2, -1]]), np.zeros(2)),), contract)
    rows = (ROWS * 3 + 2).astype(np.float32)
    labels = label(teacher, rows)
    learner = train(fresh((3, 2), rng()), teacher, labels, THOROUGH, rng())
    assert agreement(labels, learner.network(teacher)) > 0.95


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_those_of_the_runtime(activation: Any) -> None:
    alpha = DEFAULT_ALPHA.get(activation, 0.0)
    layer = Dense(np.eye(4), np.zeros(4), activation, alpha)
    expected = Runtime(Network((layer,)))(ROWS)
    assert np.allclose(activate(torch.tensor(ROWS), activation, alpha).numpy(), expected, atol=1e-5)


# Losses


def test_the_loss_is_the_published_sum() -> None:
    outputs = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)
    teacher = np.random.default_rng(2).normal(size=(7, 3)).astype(np.float32)
    p = np.exp(teacher) / np.exp(teacher).sum(1, keepdims=True) + 1e-5
    q = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True) + 1e-5
    found = loss_of(Contract((4,), Argmax()))(torch.tensor(outputs), torch.tensor(p))
    assert float(found) == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-4)


def test_continuous_losses_compare_actions() -> None:
    outputs = torch.tensor([[0.5, 9.0], [-9.0, 0.0]])
    squash = squash_to(np.array([-2.0, -1.0]), np.array([2.0, 3.0]))
    teacher = Network((Dense(np.eye(2), np.zeros(2)),), Contract((2,), squash))
    actions = torch.tensor(Runtime(teacher)(outputs.numpy()))
    assert float(loss_of(teacher.contract)(outputs, actions)) == pytest.approx(0, abs=1e-6)
    assert float(loss_of(teacher.contract)(outputs, actions + 1)) == pytest.approx(4, abs=1e-4)
    assert float(loss_of(Contract((2,)))(outputs, outputs + 2)) == 16


def test_beyond_the_bound_nothing_is_owed() -> None:
    loss = loss_of(Contract((2,), clip_to([-1.0, -1.0], [1.0, 1.0])))
    assert float(loss(torch.tensor([[5.0, -5.0]]), torch.tensor([[1.0, -1.0]]))) == 0
    assert float(loss(torch.tensor([[5.0, -5.0]]), torch.tensor([[0.5, -1.0]]))) == 4.5**2
    assert float(loss(torch.tensor([[0.5, -0.5]]), torch.tensor([[1.0, -1.0]]))) == 0.5
