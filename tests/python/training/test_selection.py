"""Students on a contract that reads only some of the observation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Argmax, Contract
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.runtime import Runtime

pytest.importorskip("torch")

from rlcompress.training.distil import Distillation, Student, distil, student_contract
from rlcompress.training.labels import Labels, agreement, label

READ = (1, 3)


def _teacher() -> Network:
    """Its action depends on the values 1 and 3 of five alone."""
    weight = np.zeros((2, 5), np.float32)
    weight[0, 1], weight[1, 3] = 3.0, 1.0
    return Network((Dense(weight, [0.5, 0.0]),), Contract((5,), Argmax()))


def _labels() -> Labels:
    rng = np.random.default_rng(0)
    offset = np.array([9, 2, -7, 1, 0])  # standardising with other columns would show
    return label(_teacher(), (rng.standard_normal((800, 5)) * [1, 3, 5, 0.5, 2] + offset).astype(np.float32))


def _narrowed(labels: Labels) -> Labels:
    return Labels(np.ascontiguousarray(labels.observations[:, READ]), labels.targets)


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_a_student_learns_from_the_selected_values(hidden: tuple[int, ...]) -> None:
    labels, contract = _labels(), Contract((5,), Argmax(), selected=READ)
    settings = Distillation(steps=300, batch_size=128)
    found = distil([Student(hidden)], [labels], contract, settings, seed=1)[0]
    assert found.contract == contract
    assert found.layers[0].in_features == 2
    assert agreement(labels, found) > 0.97
    same = distil([Student(hidden)], [_narrowed(labels)], Contract((2,), Argmax()), settings, seed=1)[0]
    assert found.layers == same.layers


def test_training_goes_on_from_a_student_with_a_selection() -> None:
    labels, contract = _labels(), Contract((5,), Argmax(), selected=READ)
    start = distil([Student((3,))], [labels], contract, Distillation(steps=100), seed=1)[0]
    again = distil([Student((3,))], [labels], contract, Distillation(steps=1, learning_rate=1e-9), 1, [start])[0]
    rows = labels.observations[:50]
    difference: Any = Runtime(again).logits(rows) - Runtime(start).logits(rows)
    assert np.abs(difference).max() < 1e-3


def test_a_student_reads_what_its_teacher_reads() -> None:
    teacher = _teacher()
    narrow = Network((Dense(teacher.layers[0].weight[:, READ], [0.5, 0]),), Contract((5,), Argmax(), selected=READ))
    assert student_contract(narrow).selected == READ
    labels = _labels()
    assert np.allclose(label(narrow, labels.observations).targets, labels.targets, rtol=1e-5)
