"""Contracts: what they refuse, and the selection of inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rlcompress.contract import Contract, Normalisation
from rlcompress.engine.codec import round_trip
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense
from rlcompress.network import Network


def test_all_values_are_read_unless_told() -> None:
    contract = Contract((2, 3))
    rows = np.arange(12.0).reshape(2, 6)
    assert (contract.selected, contract.input_size, contract.network_inputs) == (None, 6, 6)
    assert contract.kept_inputs == (0, 1, 2, 3, 4, 5)
    assert contract.select(rows) is rows
    assert Contract((2, 3), selected=tuple(range(6))) == contract


def test_selected_values_in_order() -> None:
    contract = Contract((2, 3), selected=(0, 4))
    assert (contract.input_size, contract.network_inputs, contract.kept_inputs) == (6, 2, (0, 4))
    assert contract.select(np.arange(12.0).reshape(2, 6)).tolist() == [[0, 4], [6, 10]]
    assert contract.select(np.arange(6)).tolist() == [0, 4]
    assert contract != Contract((2, 3))
    assert contract != Contract((2, 3), selected=(0, 5))
    assert contract == Contract((2, 3), selected=tuple(np.array([0, 4])))


def test_selection_takes_python_numbers_out_of_arrays() -> None:
    contract = Contract((5,), selected=np.array([1, 3]))  # type: ignore[arg-type]
    assert contract.selected == (1, 3)
    assert all(type(value) is int for value in contract.selected or ())


@pytest.mark.parametrize("selected", [(), (1, 0), (0, 0), (-1, 2), (0, 3), (0.5,), ("a",), range(4)], ids=str)
def test_other_selections_are_refused(selected: Any) -> None:
    with pytest.raises(InvalidValueError, match="selected"):
        Contract((3,), selected=selected)


def test_normalisation_stays_over_the_whole_observation() -> None:
    whole = Normalisation(np.zeros(3), np.ones(3))
    assert Contract((3,), normalisation=whole, selected=(1,)).normalisation == whole
    with pytest.raises(InvalidValueError, match="normalisation"):
        Contract((3,), normalisation=Normalisation(np.zeros(1), np.ones(1)), selected=(1,))


def test_network_takes_the_selected_values() -> None:
    network = Network((Dense([[1.0, 2.0]], [0.0]),), Contract((3,), selected=(0, 2)))
    assert (network.input_size, network.contract.input_size) == (2, 3)
    assert network != Network((Dense([[1.0, 2.0]], [0.0]),), Contract((3,), selected=(1, 2)))
    with pytest.raises(InvalidValueError, match="gives 3 values"):
        Network(network.layers, Contract((3,)))


def test_checkpoints_keep_the_selection(selecting_network: Network) -> None:
    assert round_trip(selecting_network, Network) == selecting_network
