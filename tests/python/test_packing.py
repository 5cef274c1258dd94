from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Argmax, Contract, Raw
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.packing import pack
from rlcompress.runtime import Runtime

RNG = np.random.default_rng(0)


def masked_network(density: float) -> Network:
    def layer(inputs: int, outputs: int) -> Dense:
        weight = RNG.standard_normal((outputs, inputs)).astype(np.float32) / np.float32(np.sqrt(inputs))
        return Dense(weight, np.zeros(outputs), "relu", mask=RNG.random(weight.shape) < density)

    return Network((layer(8, 192), layer(192, 192), layer(192, 4)), Contract((8,)))


def test_the_chosen_forms_are_never_slower_or_larger() -> None:
    network = masked_network(0.3)
    for prefer in ("latency", "size"):
        packing = pack(network, prefer=prefer)
        for index in range(3):
            forms = [form for form in packing.forms if form.layer == index]
            (chosen,) = [form for form in forms if form.chosen]
            if prefer == "size":
                assert chosen.size_bytes == min(form.size_bytes for form in forms)
            else:
                assert chosen.latency_us <= 1.05 * min(form.latency_us for form in forms)


def test_a_slow_sparse_form_is_not_taken_and_a_fast_one_is() -> None:
    def middle(density: float) -> str:
        return next(form.name for form in pack(masked_network(density)).forms if form.chosen and form.layer == 1)

    assert middle(0.4) == "dense"
    assert middle(0.002) == "sparse"


def test_the_packed_network_computes_the_same() -> None:
    network = masked_network(0.1)
    x = RNG.standard_normal((20, 8)).astype(np.float32)
    expected = Runtime(network)(x)
    np.testing.assert_allclose(Runtime(pack(network).network)(x), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(Runtime(pack(network, x).network)(x), expected, atol=0.05 * np.abs(expected).max())


def test_observations_offer_the_integer_form() -> None:
    x = RNG.standard_normal((50, 8)).astype(np.float32)
    names = {form.name for form in pack(masked_network(0.1), x).forms}
    assert names == {"dense", "sparse", "integer"}
    assert all(form.name == "integer" for form in pack(masked_network(0.9), x, "size").forms if form.chosen)


@pytest.mark.parametrize("head", [Raw(), Argmax()])
def test_how_far_actions_moved_is_told(head: Any) -> None:
    network = replace(masked_network(0.9), contract=Contract((8,), head))
    x = RNG.standard_normal((300, 8)).astype(np.float32)
    packing = pack(network, x, "size")
    before, after = Runtime(network)(x), Runtime(packing.network)(x)
    assert packing.action_error is not None
    assert 0 < packing.action_error < 0.2
    moved = before != after if isinstance(head, Argmax) else np.abs(after - before) / before.std(0)
    assert packing.action_error == pytest.approx(np.mean(moved), rel=1e-4)
    assert pack(network, prefer="size").action_error is None


def test_other_arguments_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="prefer"):
        pack(masked_network(0.5), prefer="speed")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="observation"):
        pack(masked_network(0.5), np.zeros((3, 7)))
