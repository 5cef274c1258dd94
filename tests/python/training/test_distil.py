from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from balancing import redundant
from rlcompress.contract import Argmax, Contract, Normalisation, clip_to, squash_to
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.runtime import Runtime
from rlcompress.training.labels import Labels, agreement, label

pytest.importorskip("torch")

from rlcompress.training.distil import (
    Distillation,
    Student,
    distil,
    prepare_targets,
    student_contract,
)

TEACHER = redundant()
ROWS = np.random.default_rng(0).normal(0.5, [0.1, 1, 10, 2], (2000, 4)).astype(np.float32)
LABELS = label(TEACHER, ROWS)
CONTRACT = student_contract(TEACHER)
SHORT = Distillation(steps=40, batch_size=64)


def taught(students: list[Student], labels: Labels = LABELS, seed: int = 0) -> list[Network]:
    return distil(students, [labels] * len(students), CONTRACT, SHORT, seed)


@pytest.mark.parametrize("loss", ["sharp", "weighted", "soft"])
@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)])
def test_students_learn_the_teachers_actions(loss: str, hidden: tuple[int, ...]) -> None:
    student = Student(hidden, loss=loss)  # type: ignore[arg-type]
    settings = Distillation(steps=200, batch_size=128, learning_rate=2e-2)
    (network,) = distil([student], [LABELS], CONTRACT, settings, 0)
    assert network.widths == (4, *hidden, 2)
    other = label(TEACHER, np.random.default_rng(1).normal(0.5, [0.1, 1, 10, 2], (500, 4)).astype(np.float32))
    assert agreement(other, network) > 0.95


def test_training_is_deterministic_and_variants_differ() -> None:
    students = [Student((5,)), Student((5,), variant=1)]
    once, twice, other = taught(students), taught(students), taught(students, seed=1)
    assert once == twice
    assert once[0] != once[1]
    assert once[0] != other[0]


def test_company_of_other_shapes_changes_hardly_anything() -> None:
    students = [Student((3,)), Student((9,), "tanh"), Student(()), Student((4, 7))]
    together = taught(students)
    assert [network.widths[1:-1] for network in together] == [student.hidden for student in students]
    for student, network in zip(students, together):
        (alone,) = taught([student])
        assert np.allclose(Runtime(network).logits(ROWS), Runtime(alone).logits(ROWS), rtol=1e-2, atol=1e-2)


def test_students_see_raw_observations() -> None:
    normalisation = Normalisation(np.full(4, 3.0), np.full(4, 5.0))
    teacher = replace(TEACHER, contract=Contract((4,), Argmax(2), normalisation=normalisation))
    contract = student_contract(teacher)
    assert contract.normalisation is None
    assert contract.head == Argmax(2)


@pytest.mark.parametrize(
    "head", [clip_to([-2.0, -1.0], [2.0, 3.0]), squash_to(np.array([-2.0, -1.0]), np.array([2.0, 3.0]))]
)
def test_continuous_students_clip_to_the_teachers_range(head: object) -> None:
    teacher = replace(TEACHER, contract=Contract((4,), head))  # type: ignore[arg-type]
    found = student_contract(teacher).head
    assert found.kind == "clip"
    assert np.allclose(found.low, [-2, -1], atol=1e-6)
    assert np.allclose(found.high, [2, 3], atol=1e-6)


def test_continuous_actions_are_learnt_up_to_their_bounds() -> None:
    head = squash_to(np.array([-2.0]), np.array([2.0]))
    teacher = Network((Dense(np.array([[0.5, 0.2, 0.1, 0.4]]), np.array([0.3])),), Contract((4,), head))
    labels = label(teacher, ROWS)
    contract = student_contract(teacher)
    settings = Distillation(steps=300, batch_size=128, learning_rate=2e-2)
    (network,) = distil([Student((8,), "tanh", "square")], [labels], contract, settings, 0)
    assert agreement(labels, network) > 0.95
    assert np.abs(Runtime(network)(ROWS)).max() <= 2


def test_training_goes_on_from_a_given_network() -> None:
    still = Distillation(steps=1, learning_rate=1e-9)
    start = taught([Student((5,))])
    (again,) = distil([Student((5,))], [LABELS], CONTRACT, still, 0, start)
    assert np.allclose(Runtime(again).logits(ROWS), Runtime(start[0]).logits(ROWS), rtol=1e-3, atol=1e-3)


def test_masked_gradients_keep_the_padding_out() -> None:
    narrow, wide = taught([Student((2,)), Student((20,))])
    assert narrow.parameter_count == 2 * 5 + 2 * 3
    assert wide.parameter_count == 20 * 5 + 2 * 21


def test_what_never_varied_does_not_matter_where_it_varies() -> None:
    rows = ROWS.copy()
    rows[:, 1] = 0.25
    student, linear = taught([Student((8,)), Student(())], label(TEACHER, rows))
    moved = rows.copy()
    moved[:, 1] = 7
    for network in (student, linear):
        assert not network.dense_layers()[0].weight[:, 1].any()
        assert np.array_equal(Runtime(network).logits(rows), Runtime(network).logits(moved))


def test_what_rarely_changes_gets_no_large_weights() -> None:
    rows = ROWS.copy()
    rows[:, 1] = 0
    rows[7, 1] = 1
    labels = label(TEACHER, rows)
    largest = [
        np.abs(
            distil([Student((8,))], [labels], CONTRACT, replace(SHORT, least_spread=share), 0)[0]
            .dense_layers()[0]
            .weight[:, 1]
        ).max()
        for share in (0.0, 0.5)
    ]
    assert largest[0] > 5 > 2 > largest[1]


def test_targets_become_probabilities() -> None:
    values = np.array([[100.0, 100.1, 99.0]], np.float32)
    sharp = prepare_targets(values, "sharp")
    soft = prepare_targets(values, "soft")
    assert sharp.argmax() == 1
    assert sharp[0, 1] > 0.99
    assert soft[0] == pytest.approx(np.exp([0, 0.1, -1]) / np.exp([0, 0.1, -1]).sum(), rel=1e-4)
    assert prepare_targets(values, "square") is values
