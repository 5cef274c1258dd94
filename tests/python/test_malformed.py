"""Hostile files: every damage is a typed error, and no claim in a file makes the reader allocate."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest

from rlcompress import artifact
from rlcompress.errors import FormatError
from rlcompress.runtime import Runtime
from small_files import (
    INF,
    MINUS_ZERO,
    NAN,
    almost_full,
    biased,
    discrete,
    f32,
    full_contract,
    integers,
    leaky,
    nibbles,
    noted,
    odd_nibbles,
    one_output,
    selecting,
    sparse,
    sparse_float,
    two_layers,
    u8,
    u16,
    u32,
)


def refused(image: bytes) -> FormatError:
    """The error of an image, the same from decode and from the runtime."""
    with pytest.raises(FormatError) as caught:
        artifact.decode(image)
    error = caught.value
    with pytest.raises(FormatError) as again:
        Runtime(image)
    assert str(again.value) == str(error)
    assert error.field
    assert 0 <= error.offset <= max(len(image), 32)
    assert error.expected
    assert error.found
    assert error.expected != error.found
    return error


def patched(image: bytes, offset: int, data: bytes) -> bytes:
    """The image with other bytes at an offset and the right checksum."""
    changed = bytearray(image)
    changed[offset : offset + len(data)] = data
    struct.pack_into("<I", changed, 12, 0)
    struct.pack_into("<I", changed, 12, zlib.crc32(changed))
    return bytes(changed)


@pytest.fixture(params=["tiny_policy", "squashed_network", "sparse_network", "selecting_network", "integer_network"])
def image(request: pytest.FixtureRequest) -> bytes:
    return artifact.encode(request.getfixturevalue(request.param), golden=2)


def test_the_files_themselves_are_valid(image: bytes) -> None:
    assert artifact.encode(artifact.decode(image), golden=2) == image
    assert Runtime(image).self_test() == 2
    assert patched(image, 0, image[:1]) == image


def test_every_truncation_is_refused(image: bytes) -> None:
    for length in range(len(image)):
        refused(image[:length])


def test_every_extension_is_refused(image: bytes) -> None:
    for extra in range(1, 9):
        assert refused(image + bytes(extra)).field == "total_length"


def test_every_flipped_bit_is_refused(image: bytes) -> None:
    for position in range(8 * len(image)):
        changed = bytearray(image)
        changed[position // 8] ^= 1 << position % 8
        refused(bytes(changed))


def test_no_flipped_bit_under_a_right_checksum_breaks_the_reader(image: bytes) -> None:
    """Such a file is refused or another valid network, and what is read has one encoding."""
    for position in range(8 * len(image)):
        changed = bytearray(image)
        changed[position // 8] ^= 1 << position % 8
        candidate = patched(bytes(changed), 12, bytes(4))
        try:
            network = artifact.decode(candidate)
        except FormatError:
            continue
        runtime = Runtime(candidate)
        runtime(np.zeros(network.contract.observation_shape, np.float32))
        start, notes = candidate[:28], len(artifact.writer.metadata_bytes(network.metadata))
        again = artifact.encode(network, golden=2)
        assert len(again) == len(candidate), position
        vector = 4 * (network.contract.input_size + runtime._model.action_size)
        body = len(candidate) - notes - -notes % 4 - 2 * vector
        assert again[16:body] == candidate[16:body], (position, start)


RULES = [
    (leaky, 0, b"RLC\x1b", "magic"),
    (leaky, 4, u8(0), "version"),
    (leaky, 4, u8(2), "version"),
    (leaky, 5, u8(0), "arithmetic"),
    (leaky, 5, u8(2), "arithmetic"),
    (leaky, 6, u16(0), "layer_count"),
    (leaky, 6, u16(65), "layer_count"),
    (leaky, 6, u16(2), ""),
    (two_layers, 6, u16(1), ""),
    (leaky, 8, u32(80), "total_length"),
    (leaky, 8, u32(88), "total_length"),
    (leaky, 8, u32(0xFFFFFFFF), "total_length"),
    (leaky, 16, u32(0), "input_size"),
    (leaky, 16, u32(4), ""),
    (leaky, 16, u32((1 << 20) + 1), "input_size"),
    (leaky, 20, u32(0), "output_size"),
    (leaky, 20, u32(3), "output"),
    (leaky, 20, u32(0xFFFFFFFF), "output_size"),
    (leaky, 24, u8(4), "head"),
    (leaky, 24, u8(1), ""),
    (leaky, 25, u8(16), "contract_flags"),
    (leaky, 25, u8(4), ""),
    (leaky, 25, u8(128), "contract_flags"),
    (leaky, 26, u16(1), ""),
    (leaky, 26, u16(65_535), ""),
    (leaky, 28, u32(1), ""),
    (leaky, 28, u32(0xFFFFFFFF), ""),
    (noted, 28, u32(6), ""),
    (noted, 28, u32(8), ""),
    (noted, 28, u32(0), ""),
    (noted, 59, u8(1), "padding"),
    (leaky, 32, u8(0), "observation_rank"),
    (leaky, 32, u8(5), "observation_rank"),
    (leaky, 33, u8(1), ""),
    (leaky, 35, u8(1), ""),
    (leaky, 36, u32(0), ""),
    (leaky, 36, u32(2), ""),
    (full_contract, 40, NAN, "observation_low"),
    (full_contract, 48, f32(1.5), "observation"),
    (full_contract, 52, NAN, "observation_high"),
    (full_contract, 64, f32(0), "clip"),
    (full_contract, 64, f32(-1), "clip"),
    (full_contract, 64, NAN, "clip"),
    (full_contract, 68, NAN, "mean"),
    (full_contract, 76, INF, "mean"),
    (full_contract, 80, f32(0), "scale"),
    (full_contract, 84, f32(-1), "scale"),
    (full_contract, 88, INF, "scale"),
    (selecting, 40, u16(0), "selection"),
    (selecting, 40, u16(0x1FF), "selection"),
    (selecting, 41, u8(2), "selection"),
    (selecting, 41, u8(0x80), "selection"),
    (selecting, 42, u8(1), "padding"),
    (selecting, 25, u8(0), ""),
    (full_contract, 92, NAN, "low"),
    (full_contract, 96, f32(2), ""),
    (full_contract, 104, NAN, "high"),
    (full_contract, 108, INF, "scale"),
    (full_contract, 112, NAN, "scale"),
    (full_contract, 116, INF, "offset"),
    (leaky, 40, u8(0), "kind"),
    (leaky, 40, u8(4), "kind"),
    (leaky, 40, u8(3), "weight_type"),
    (leaky, 40, u8(2), ""),
    (leaky, 41, u8(8), "activation"),
    (leaky, 41, u8(0), ""),
    (leaky, 42, u8(3), "weight_type"),
    (leaky, 42, u8(1), ""),
    (leaky, 43, u8(0), ""),
    (leaky, 43, u8(1 | 8), "scales"),
    (leaky, 43, u8(4 | 8), "scales"),
    (leaky, 43, u8(2 << 3), "scales"),
    (leaky, 43, u8(3 << 3), "scales"),
    (leaky, 43, u8(32 | 8), "scales"),
    (leaky, 43, u8(128 | 8), "scales"),
    (leaky, 44, u32(0), "outputs"),
    (leaky, 44, u32(1), ""),
    (leaky, 44, u32(1 << 20), ""),
    (leaky, 44, u32((1 << 20) + 1), "outputs"),
    (leaky, 44, u32(0xFFFFFFFF), "outputs"),
    (two_layers, 60, u32(2), ""),
    (leaky, 48, NAN, "alpha"),
    (leaky, 48, f32(-0.1), "alpha"),
    (leaky, 48, f32(1.1), "alpha"),
    (leaky, 52, NAN, "bias"),
    (leaky, 56, INF, "bias"),
    (leaky, 56, MINUS_ZERO, "bias"),
    (leaky, 60, NAN, "weight"),
    (leaky, 80, INF, "weight"),
    (sparse, 48, u32(2), ""),
    (sparse, 48, u32(4), ""),
    (sparse, 48, u32(41), "nonzeros"),
    (sparse, 48, u32(0xFFFFFFFF), "nonzeros"),
    (sparse, 52, f32(0), "row"),
    (sparse, 52, f32(-1), "row"),
    (sparse, 56, INF, "row"),
    (sparse, 56, NAN, "row"),
    (sparse, 60, u8(121), "column"),
    (sparse, 79, struct.pack("<b", -121), "column"),
    (sparse, 80, NAN, "bias"),
    (sparse, 84, MINUS_ZERO, "bias"),
    (sparse, 88, u8(1), ""),
    (sparse, 89, u8(21), ""),
    (sparse, 90, u8(7), "ind"),
    (sparse, 90, u8(8), "ind"),
    (sparse, 92, u8(20), "ind"),
    (sparse, 93, u8(0x80), "weight"),
    (sparse_float, 58, u8(1), "padding"),
    (leaky, 52, bytes(8), "bias"),
    (biased(8), 48, bytes(2), "bias"),
    (biased(4), 48, u8(0), "bias"),
    (one_output, 43, u8(3), "scales"),
    (almost_full, 40, u8(2), "kind"),
    (discrete, 40, u32(1 << 24), "start"),
    (discrete, 40, struct.pack("<i", -(1 << 24)), "start"),
    (discrete, 40, struct.pack("<i", -(1 << 31)), "start"),
    (sparse_float, 60, NAN, "weight"),
    (sparse_float, 54, u8(9), "ind"),
    (nibbles, 48, u8(121), "row"),
    (nibbles, 50, u8(0x80), "row"),
    (nibbles, 51, u8(0x18), ""),
    (nibbles, 56, u8(0x81), "weight"),
    (nibbles, 57, u8(1), "padding"),
    (integers, 42, u8(2), "weight_type"),
    (integers, 43, u8(0), "scales"),
    (integers, 43, u8(2 | 4), "scales"),
    (integers, 43, u8(1 | 8), "scales"),
    (integers, 43, u8(1 | 16), "scales"),
    (integers, 43, u8(1), ""),
    (integers, 48, f32(0), "input scale"),
    (integers, 48, NAN, "input scale"),
    (integers, 48, INF, "input scale"),
    (integers, 52, u32(256), "input zero"),
    (integers, 56, f32(0), "row scale"),
    (integers, 60, MINUS_ZERO, "row scale"),
    (integers, 64, u8(121), "column"),
    (integers, 69, u8(1), "padding"),
    (integers, 72, u32((1 << 31) - 5 * 32_385), "bias"),
    (integers, 76, u32(1 << 31), "bias"),
    (integers, 80, u8(0x80), "weight"),
    (integers, 89, u8(1), "weight"),
    (integers, 95, u8(0xFF), "weight"),
    (odd_nibbles, 49, u8(0x13), ""),
    (odd_nibbles, 50, u8(1), "padding"),
    (odd_nibbles, 51, u8(0x80), "padding"),
]


@pytest.mark.parametrize(("build", "offset", "data", "field"), RULES)
def test_rule(build: Any, offset: int, data: bytes, field: str) -> None:
    valid = build()
    artifact.decode(valid)
    error = refused(patched(valid, offset, data))
    assert error.field != "checksum"
    assert field in error.field, str(error)


def test_checksum_is_checked() -> None:
    damaged = leaky()[:12] + bytes(4) + leaky()[16:]
    error = refused(damaged)
    assert (error.field, error.offset) == ("checksum", 12)


@pytest.mark.parametrize("build", [leaky, sparse, nibbles, integers, full_contract], ids=lambda build: build.__name__)
def test_hostile_sizes_allocate_nothing(build: Any) -> None:
    valid = build()
    large = [u32(0xFFFFFFFF), u32(1 << 20), u32(0x7FFFFFFF)]
    hostile = [patched(valid, offset, data) for offset in range(0, len(valid), 4) for data in large]
    hostile += [patched(valid, 26, u16(65_535))]
    tracemalloc.start()
    try:
        for image in hostile:
            try:
                artifact.decode(image)
            except FormatError:
                continue
        assert tracemalloc.get_traced_memory()[1] < len(valid) + (1 << 20)
    finally:
        tracemalloc.stop()


def test_random_bytes_are_refused() -> None:
    rng = np.random.default_rng(0)
    for length in range(200):
        refused(rng.bytes(length))
        body = bytearray(b"RLC\x1a\x01\x01" + rng.bytes(length + 26))
        struct.pack_into("<I", body, 8, len(body))
        refused(patched(bytes(body), 6, u16(1)))
