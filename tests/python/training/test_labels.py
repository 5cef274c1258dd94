from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from balancing import linear, redundant
from rlcompress.contract import Argmax, Contract, Normalisation, clip_to, squash_to
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.runtime import Runtime
from rlcompress.training.labels import Labels, agreement, label, suited_losses

ROWS = np.random.default_rng(3).normal(size=(50, 4)).astype(np.float32)


def continuous(head: object) -> Network:
    weight = np.random.default_rng(4).normal(size=(2, 4))
    return Network((Dense(weight, np.zeros(2)),), Contract((4,), head))  # type: ignore[arg-type]


def test_labels_are_outputs_before_an_argmax() -> None:
    found = label(redundant(), ROWS)
    assert np.array_equal(found.targets, Runtime(redundant()).logits(ROWS))
    assert np.array_equal(found.observations, ROWS)


@pytest.mark.parametrize("head", [clip_to([-1.0, -1.0], [1.0, 1.0]), squash_to([-2.0, -1.0], [2.0, 3.0])])
def test_labels_are_actions_for_other_heads(head: object) -> None:
    teacher = continuous(head)
    assert np.array_equal(label(teacher, ROWS).targets, Runtime(teacher)(ROWS))


def test_observations_of_any_shape_are_flattened() -> None:
    teacher = replace(linear(), contract=Contract((2, 2), Argmax()))
    assert label(teacher, ROWS.reshape(50, 2, 2)).observations.shape == (50, 4)
    assert np.array_equal(label(teacher, ROWS).targets, label(linear(), ROWS).targets)


def test_the_teacher_normalises_for_itself() -> None:
    normalisation = Normalisation(np.ones(4), np.full(4, 2.0))
    teacher = replace(linear(), contract=replace(linear().contract, normalisation=normalisation))
    inside = label(linear(), normalisation.apply(ROWS)).targets
    assert np.allclose(label(teacher, ROWS).targets, inside, atol=1e-6)
    assert np.array_equal(label(teacher, ROWS).observations, ROWS)


def test_joined() -> None:
    one, other = label(linear(), ROWS[:20]), label(linear(), ROWS[20:])
    both = one.joined(other)
    assert np.array_equal(both.observations, ROWS)
    assert np.array_equal(both.targets, label(linear(), ROWS).targets)


@pytest.mark.parametrize(
    ("algorithm", "expected"), [("DQN", "weighted"), ("qrdqn", "weighted"), ("PPO", "soft"), ("", "soft")]
)
def test_values_are_sharpened_and_policies_are_not(algorithm: str, expected: str) -> None:
    assert suited_losses(linear().with_metadata(algorithm=algorithm))[0] == expected


def test_continuous_actions_have_one_loss() -> None:
    assert suited_losses(continuous(clip_to([-1.0, -1.0], [1.0, 1.0]))) == ("square",)


def test_agreement_of_discrete_actions_is_a_share() -> None:
    answers = label(linear(), ROWS)
    assert agreement(answers, linear()) == 1
    assert agreement(answers, linear(-1)) == 0


def test_agreement_of_continuous_actions_is_explained_variance() -> None:
    teacher = continuous(clip_to([-9.0, -9.0], [9.0, 9.0]))
    answers = label(teacher, ROWS)
    mean = Dense(np.zeros((2, 4)), answers.targets.mean(0))
    assert agreement(answers, teacher) == pytest.approx(1)
    assert agreement(answers, teacher.with_layers([mean])) == pytest.approx(0, abs=1e-5)
    opposite = Labels(ROWS, -answers.targets)
    assert agreement(opposite, teacher) < -1
