from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from toy import teacher

from rlcompress.contract import Argmax, Clip, Contract, Normalisation, Raw, squash_to
from rlcompress.engine.checkpoint import DamagedError, pack, unpack
from rlcompress.engine.codec import ELEMENT_TYPES, Encoded, decode, encode, round_trip
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.layers import Dense, QuantizedDense
from rlcompress.network import Network


@dataclass(frozen=True)
class Cat:
    lives: int


@dataclass(frozen=True)
class Dog:
    name: str
    friend: Cat | None = None


@dataclass(frozen=True)
class Stranger:
    value: int = 0


@dataclass
class Loose:
    value: int = 0


@dataclass(frozen=True)
class State:
    pet: Union[Cat, Dog] = Cat(9)
    pets: tuple[Cat | Dog, ...] = ()
    kind: Literal["a", "b"] = "a"
    rate: float = 1.0
    named: Mapping[str, Sequence[float]] = field(default_factory=dict)
    array: npt.NDArray[np.float32] | None = None
    free: Any = None


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)
ARRAYS = st.sampled_from(ELEMENT_TYPES).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)


def same(left: Any, right: Any) -> bool:
    """Equality of types and bits."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack("<d", left) == struct.pack("<d", right)
    if isinstance(left, np.ndarray):
        return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(same(*pair) for pair in zip(left, right))
    return bool(left == right)


@given(PLAIN)
def test_plain_values_come_back_with_their_bits(value: Any) -> None:
    state = State(free=value)
    data = pack(state, State, {"step": 3})
    found, about = unpack(data, State)
    assert same(found.free, value)
    assert about == {"step": 3}
    assert pack(found, State, {"step": 3}) == data


@given(ARRAYS)
def test_arrays_come_back_with_their_bits_in_c_order_and_read_only(array: npt.NDArray[Any]) -> None:
    found = unpack(pack(State(free=[np.array(array, order="F"), array.T]), State, {}), State)[0].free
    assert same(found[0], array)
    assert same(found[1], np.array(array.T, order="C"))
    assert all(item.flags.c_contiguous and item.flags.aligned and not item.flags.writeable for item in found)


@given(st.floats())
def test_memory_and_file_give_the_same(value: float) -> None:
    state = State(rate=value, named={"x": [value, 1]}, array=np.full((2, 2), 0.1, "f4"))
    one, two = round_trip(state, State), unpack(pack(state, State, {}), State)[0]
    assert same(one.rate, two.rate)
    assert same(one.named, two.named)
    assert same(one.array, two.array)


def test_unions_and_nesting() -> None:
    state = State(pet=Dog("Rex", Cat(7)), pets=(Cat(1), Dog("Fido")), kind="b")
    assert round_trip(state, State) == state


def test_numpy_scalars_become_python_numbers() -> None:
    found = round_trip(State(rate=np.float64(0.1), free=(np.int64(3), np.float32(0.1), np.bool_(True))), State)
    assert type(found.rate) is float
    assert same(found.free, (3, float(np.float32(0.1)), True))


@pytest.mark.parametrize(
    "contract",
    [
        Contract((2, 3), Raw(), np.full(6, -np.inf), np.full(6, np.inf), Normalisation(np.ones(6), np.full(6, 0.3))),
        Contract((6,), Argmax(start=1)),
        Contract((6,), squash_to(np.full(4, -2.0), np.full(4, 3.0), mean_clip=5.0)),
        Contract((6,), Clip(np.full(4, -np.inf), np.full(4, 1.0), np.full(4, 0.1), np.zeros(4))),
    ],
)
def test_networks_come_back_whole(contract: Contract) -> None:
    rng = np.random.default_rng(0)
    dense = Dense(rng.normal(size=(5, 6)), rng.normal(size=5), "leaky_relu", 0.01, rng.random((5, 6)) < 0.5)
    quantised = QuantizedDense(
        rng.integers(-7, 8, (4, 5)), np.arange(4, dtype=np.int8), 4, row_exponent=[-3], column_exponent=np.arange(5)
    )
    network = Network((dense, quantised), contract, {"source": "x", "scores": [1.5, float("inf")]})
    found = unpack(pack(network, Network, {}), Network)[0]
    assert found == network
    assert found.metadata == network.metadata
    assert found.layers[0].mask is not None


@pytest.mark.parametrize(
    "value",
    [
        Stranger(),
        {1, 2},
        b"bytes",
        object(),
        1j,
        np.array(["text"]),
        np.array([object()]),
        np.zeros(2, ">f4"),
        {(1,): 2},
        1 << 5000,
    ],
)
def test_other_values_are_refused_with_their_place(value: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"State\.free\[0\]"):
        encode(State(free=[value]), State)


def test_state_types_are_frozen_and_unambiguous() -> None:
    with pytest.raises(InvalidValueError, match="frozen=True"):
        encode(Loose(), Loose)
    other = dataclass(frozen=True)(type("Cat", (), {"__annotations__": {"lives": int}}))
    with pytest.raises(InvalidValueError, match="share a name"):
        encode(Cat(1), Union[Cat, other])


@pytest.mark.parametrize(
    "tree",
    [
        {"$": "value", "type": "Stranger", "fields": {"value": 1}},
        {"$": "value", "type": "Cat", "fields": {"lives": "nine"}},
        {"$": "value", "type": "Cat", "fields": {"lives": True}},
        {"$": "value", "type": "Cat", "fields": {}},
        {"$": "value", "type": "Cat", "fields": {"lives": 9, "more": 1}},
        {"$": "array", "index": 1},
        {"$": "array", "index": -1},
        {"$": "float", "bits": "zz"},
        {"$": "float", "bits": "00"},
        {"$": "dict", "items": [[1]]},
        {"$": "dict", "items": [[[], 1]]},
        {"$": "os.system", "items": []},
        {"lives": 9},
        None,
        {"$": "array", "index": 0},
    ],
)
def test_trees_that_do_not_fit_are_refused(tree: Any) -> None:
    with pytest.raises(CheckpointError, match="Cat"):
        decode(Encoded(tree, (np.zeros(1),)), Cat)


def test_deep_nesting_is_an_error_message() -> None:
    tree: Any = []
    for _ in range(100_000):
        tree = [tree]
    with pytest.raises(CheckpointError, match="deep"):
        decode(Encoded(tree, ()), State)


def test_invalid_networks_are_refused() -> None:
    encoded = encode(teacher(), Network)
    bad = tuple(np.full_like(array, np.nan) if array.dtype.kind == "f" else array for array in encoded.arrays)
    with pytest.raises(CheckpointError, match="finite"):
        decode(Encoded(encoded.tree, bad), Network)


@given(st.data())
def test_every_changed_or_cut_file_is_found(data: st.DataObject) -> None:
    packed = pack(State(array=np.ones((2, 3), np.float32)), State, {})
    index = data.draw(st.integers(0, len(packed) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = packed[:index] + bytes([packed[index] ^ flip]) + packed[index + 1 :]
    for damaged in (changed, packed[:index], packed + b"\0"):
        with pytest.raises(DamagedError):
            unpack(damaged, State)
