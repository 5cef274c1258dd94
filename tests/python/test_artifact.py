from __future__ import annotations

import json
import struct
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import random_networks
import reference
from rlcompress import artifact, kernels
from rlcompress.contract import Argmax, Contract
from rlcompress.errors import FormatError, InvalidValueError, MissingFileError, UnsupportedError
from rlcompress.layers import Dense, QuantizedDense
from rlcompress.network import Network
from rlcompress.runtime import Runtime


def stored(network: Network, decoded: Network) -> Network:
    """The network without the masks that were not worth a sparse record."""
    pairs = zip(network.layers, decoded.layers)
    return network.with_layers([replace(was, mask=None) if now.mask is None else was for was, now in pairs])


@pytest.mark.parametrize("block", range(10))
def test_round_trip_keeps_network_and_bytes(block: int) -> None:
    rng = np.random.default_rng(block)
    sparse = 0
    for index in range(50):
        network = random_networks.network(rng).with_metadata(index=index)
        image = artifact.encode(network, golden=index % 3)
        decoded = artifact.decode(image)
        assert decoded == stored(network, decoded)
        assert decoded.metadata == {"index": index}
        assert artifact.encode(decoded, golden=index % 3) == image
        sparse += sum(layer.mask is not None for layer in decoded.layers)
    assert sparse > 0


def test_header_is_as_documented(squashed_network: Network) -> None:
    image = artifact.encode(squashed_network, golden=2)
    notes = b'{"score":1.5,"source":"test"}'
    header = struct.unpack_from("<4sBBHIIIIBBHI", image)
    assert header[:5] == (b"RLC\x1a", 1, 1, 2, len(image))
    assert header[6:] == (3, 2, 3, 3, 2, len(notes))
    assert header[5] == zlib.crc32(image[:12] + bytes(4) + image[16:])
    assert image.endswith(notes + bytes(-len(notes) % 4))
    assert image[32:40] == struct.pack("<II", 1, 3)


def test_smallest_policy_has_nine_bytes_of_weights(tiny_policy: Network) -> None:
    assert artifact.weights_bytes(tiny_policy) == 9
    image = artifact.encode(tiny_policy, golden=0)
    assert len(image) == artifact.file_bytes(tiny_policy, golden=0) == 64
    assert kernels.Model(image).weights_bytes == 9
    record = image[44:]
    assert record[:9] == struct.pack("<BBBBIb", 1, 0, 2, 2, 2, -3)
    weight = tiny_policy.layers[0].weight.T.reshape(-1)  # input-major
    assert record[9:17] == bytes(int(a) & 15 | (int(b) & 15) << 4 for a, b in zip(weight[::2], weight[1::2]))
    assert record[17:] == bytes(3)


def test_selection_is_stored_as_bits(selecting_network: Network) -> None:
    image = artifact.encode(selecting_network, golden=0)
    assert image[25] == 2 | 4
    at = 32 + 12 + 4 + 2 * 9 * 4  # header, shape, clip, mean and scale
    assert image[at : at + 4] == bytes([0b0010_0001, 0b1, 0, 0])
    whole = artifact.weights_bytes(selecting_network.with_metadata())
    assert whole == 2 + sum(4 * layer.parameter_count for layer in selecting_network.layers)
    assert kernels.Model(image).weights_bytes == whole
    assert artifact.load(image) == selecting_network
    assert kernels.Model(artifact.without_head(artifact.encode(selecting_network))).input_size == 9


def test_wide_inputs_are_stored_output_major() -> None:
    weight = np.arange(128, dtype=np.float32).reshape(2, 64)
    image = artifact.encode(Network((Dense(weight, np.zeros(2)),)), golden=0)
    assert image[48:] == weight.tobytes()
    image = artifact.encode(Network((Dense(weight[:, :63], np.zeros(2)),)), golden=0)
    assert image[48:] == weight[:, :63].T.tobytes()


def test_wide_weights_fill_whole_cache_lines() -> None:
    """70 outputs are stored in rows of 80 at a multiple of 64; what fills them is +0 and counts as no byte."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(70, 40)).astype(np.float32)
    network = Network((Dense(weight, np.zeros(70)),))
    image = artifact.encode(network, golden=0)
    rows = np.frombuffer(image[-40 * 80 * 4 :], "<f4").reshape(40, 80)
    assert (len(image) - rows.nbytes) % 64 == 0
    assert np.array_equal(rows[:, :70], weight.T)
    assert not rows[:, 70:].view(np.uint32).any()
    assert artifact.decode(image) == network
    assert artifact.weights_bytes(network) == kernels.Model(image).weights_bytes == weight.nbytes


@pytest.mark.parametrize("filler", [1.0, -0.0])
def test_other_fillers_are_refused(filler: float) -> None:
    network = Network((Dense(np.ones((70, 40), np.float32), np.zeros(70)),))
    image = bytearray(artifact.encode(network, golden=0))
    image[-4:] = struct.pack("<f", filler)
    image[12:16] = bytes(4)
    image[12:16] = struct.pack("<I", zlib.crc32(image))
    with pytest.raises(FormatError, match=f"weights.*{len(image) - 4}.*beyond the outputs"):
        kernels.Model(bytes(image))


@pytest.mark.parametrize("target", kernels.targets())
@pytest.mark.parametrize("outputs", [64, 70, 127, 128, 130, 300])
def test_wide_layers_of_any_width_equal_the_reference(outputs: int, target: str) -> None:
    rng = np.random.default_rng(outputs)
    layers = (
        Dense(rng.normal(size=(outputs, 35)).astype(np.float32), rng.normal(size=outputs), "relu"),
        Dense(rng.normal(size=(outputs + 7, outputs)).astype(np.float32), rng.normal(size=outputs + 7), "tanh"),
    )
    network = Network(layers)
    observations = rng.normal(size=(5, 35)).astype(np.float32)
    expected = reference.run(network, observations, [False, False])
    with kernels.forced_target(target):
        runtime = Runtime(network)
        assert np.array_equal(runtime(observations).view(np.uint32), expected.view(np.uint32))
        assert np.array_equal(runtime(observations[0]).view(np.uint32), expected[0].view(np.uint32))


def test_weights_bytes_agree_with_the_core() -> None:
    rng = np.random.default_rng(77)
    for _ in range(200):
        network = random_networks.network(rng)
        assert artifact.weights_bytes(network) == kernels.Model(artifact.encode(network, golden=0)).weights_bytes


@pytest.mark.parametrize(("density", "sparse"), [(0.05, True), (0.95, False)])
def test_sparse_record_is_used_only_where_smaller(density: float, sparse: bool) -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((30, 40)).astype(np.float32)
    layer = Dense(weight, np.zeros(30), mask=rng.random((30, 40)) < density)
    image = artifact.encode(Network((layer,)), golden=0)
    assert (image[40] == 2) is sparse
    assert len(image) <= artifact.file_bytes(Network((replace(layer, mask=None),)), golden=0)
    decoded = artifact.decode(image).layers[0]
    assert np.array_equal(decoded.weight, layer.weight)
    assert (decoded.mask is not None) is sparse


def test_bias_of_zeros_is_not_stored() -> None:
    assert artifact.weights_bytes(Network((Dense(np.ones((2, 3)), np.zeros(2)),))) == 24
    assert artifact.weights_bytes(Network((Dense(np.ones((2, 3)), np.ones(2)),))) == 32
    assert artifact.weights_bytes(Network((QuantizedDense(np.ones((2, 3)), np.zeros(2, np.int8), 8),))) == 6
    assert artifact.weights_bytes(Network((QuantizedDense(np.ones((2, 3)), np.ones(2, np.int8), 4),))) == 4


def test_golden_vectors_are_fixed_and_within_range(squashed_network: Network) -> None:
    image = artifact.encode(squashed_network, golden=8, metadata=False)
    assert image == artifact.encode(squashed_network, golden=8, metadata=False)
    assert artifact.golden_count(image) == 8
    vectors = np.frombuffer(image[-8 * 5 * 4 :], "<f4").reshape(8, 5)
    inputs, actions = np.ascontiguousarray(vectors[:, :3]), np.ascontiguousarray(vectors[:, 3:])
    assert (inputs >= squashed_network.contract.observation_low).all()
    assert (inputs <= squashed_network.contract.observation_high).all()
    assert len(np.unique(inputs)) == 24
    found = np.empty((8, 2), np.float32)
    kernels.Model(image).run(inputs, found)
    assert found.tobytes() == actions.tobytes()


def test_golden_inputs_ignore_meaningless_ranges() -> None:
    bound = np.array([4.8, 3.4e38], np.float32)
    contract = Contract((2,), observation_low=-bound, observation_high=bound)
    inputs = artifact.golden.golden_inputs(contract, 100)
    assert np.abs(inputs[:, 1]).max() < 4 < np.abs(inputs[:, 0]).max() < 4.8


metadata_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), metadata_values, max_size=4))
def test_any_json_travels_as_metadata(metadata: dict[str, object]) -> None:
    network = Network((Dense([[1.0]], [0.0]),), metadata=metadata)
    image = artifact.encode(network, golden=0)
    assert artifact.decode(image).metadata == metadata
    assert artifact.encode(artifact.decode(image), golden=0) == image


@pytest.mark.parametrize(
    "entry", [np.float32(1), float("nan"), float("inf"), {1: 2}, {1, 2}, b"x", "\ud800", {"a": {2: 1, 10: 1}}]
)
def test_metadata_that_is_not_json_is_refused(entry: object) -> None:
    network = Network((Dense([[1.0]], [0.0]),), metadata={"entry": entry})
    with pytest.raises(InvalidValueError, match="metadata"):
        artifact.encode(network)
    assert artifact.encode(network, metadata=False)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[1]",
        b'{"a": 1}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":1e2}',
        b'{"a":"\\u00e9"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' + b"1" * 5000 + b"}",
    ],
    ids=range(12),
)
def test_metadata_in_another_encoding_is_refused(text: bytes) -> None:
    image = bytearray(artifact.encode(Network((Dense([[1.0]], [0.0]),)), golden=0))
    struct.pack_into("<I", image, 28, len(text))
    image += text + bytes(-len(text) % 4)
    struct.pack_into("<II", image, 8, len(image), 0)
    struct.pack_into("<I", image, 12, zlib.crc32(image))
    if text.endswith(b"1}") and len(text) > 5000 and not hasattr(sys, "get_int_max_str_digits"):
        pytest.skip("this Python reads integers of any length")
    with pytest.raises(FormatError) as caught:
        artifact.decode(bytes(image))
    assert caught.value.field == "metadata"
    assert caught.value.offset == len(image) - len(text) - -len(text) % 4


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Network((Dense([[1.0]], [0.0]),) * 65), "65"),
        (Network((Dense(np.zeros((0, 2)), np.zeros(0)),)), "widths"),
        (Network((Dense(np.zeros((1 << 20) + 1)[:, None], np.zeros((1 << 20) + 1)),)), "1048577"),
        (Network((Dense([[1.0]], [0.0]),), Contract((1,), Argmax(1 << 24))), "argmax start"),
        (Network((Dense([[1.0]], [0.0]),), Contract(((1 << 20) + 1,), selected=(0,))), "observation of 1..1048576"),
    ],
    ids=["layers", "no outputs", "outputs", "start", "observation"],
)
def test_what_the_format_cannot_hold_is_refused(network: Network, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        artifact.encode(network)


def test_golden_count_out_of_range(tiny_policy: Network) -> None:
    with pytest.raises(InvalidValueError, match="65536"):
        artifact.encode(tiny_policy, golden=65_536)


def test_sparse_bomb_is_refused_by_decode_and_still_runs() -> None:
    """A small valid file whose layer would unpack to 10^12 weights."""
    size = 1 << 20
    record = struct.pack("<BBBBII", 2, 0, 0, 0, size, 0) + bytes(4 * size)
    head = struct.pack("<4sBBHIIIIBBHI", b"RLC\x1a", 1, 1, 1, 40 + len(record), 0, size, size, 0, 0, 0, 0)
    image = bytearray(head + struct.pack("<II", 1, size) + record)
    struct.pack_into("<I", image, 12, zlib.crc32(image))
    with pytest.raises(UnsupportedError, match="1048576 x 1048576"):
        artifact.decode(bytes(image))
    found = np.ones((1, size), np.float32)
    kernels.Model(bytes(image)).run(np.ones((1, size), np.float32), found)
    assert not found.any()


def test_save_and_load(tmp_path, squashed_network: Network) -> None:
    path = tmp_path / "network.rlc"
    path.write_bytes(b"old")
    squashed_network.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["network.rlc"]
    assert artifact.load(path) == artifact.load(str(path)) == squashed_network
    assert artifact.load(path.read_bytes()) == artifact.load(bytearray(path.read_bytes())) == squashed_network
    assert artifact.load(path).metadata == squashed_network.metadata


def test_failed_save_leaves_the_old_file(tmp_path, squashed_network: Network, monkeypatch) -> None:
    path = tmp_path / "network.rlc"
    path.write_bytes(b"old")

    def full_disk(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        artifact.save(squashed_network, path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["network.rlc"]


def test_missing_files_are_named(tmp_path, squashed_network: Network) -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.rlc"):
        artifact.load(tmp_path / "nowhere.rlc")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        artifact.save(squashed_network, tmp_path / "folder" / "network.rlc")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), b"RLC", json.dumps({"a": 1}).encode()])
def test_other_files_are_refused_by_name(tmp_path, content: bytes) -> None:
    path = tmp_path / "policy.zip"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"policy\.zip"):
        artifact.load(path)


def test_load_takes_paths_and_bytes_only() -> None:
    with pytest.raises(InvalidValueError, match="int"):
        artifact.load(3)  # type: ignore[arg-type]
