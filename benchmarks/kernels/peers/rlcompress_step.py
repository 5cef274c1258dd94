"""Ours: the fused masked training step."""

from __future__ import annotations

from typing import Any

from timing import Prepared
from work import StepWork

from peers import public_name


def step(work: StepWork) -> Prepared:
    """`MaskedMLP.step`: forward, backward, SGD on the kept weights."""
    make = public_name("rlcompress.training.masked", "MaskedMLP")

    def fresh() -> Any:
        return make(work.network, optimiser="sgd", learning_rate=work.learning_rate, loss="cross_entropy")

    model, x, labels = fresh(), work.x, work.labels

    def result() -> Any:
        once = fresh()
        once.step(x, labels)
        return [layer.weight for layer in once.network().dense_layers()]

    return Prepared(lambda: model.step(x, labels), result)
