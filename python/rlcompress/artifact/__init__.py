"""`.rlc` files: one network, its contract, and the vectors that prove it.

The specification is `docs/format.md`; in short, blocks without holes, each padded with zeros to a multiple of 4 bytes:

1. header, 32 bytes: `RLC` SUB, u8 version 1, u8 arithmetic 1, u16 layers, u32 length, u32 CRC-32, u32 inputs,
   u32 outputs, u8 head (raw, argmax, clip, squash), u8 flags (range, normalisation, selection, aligned layers),
   u16 golden vectors, u32 metadata length;
2. contract: u8 rank, u32 dimensions; low, high; clip, mean, scale; selection, one bit for each input; for argmax i32
   start; for clip and squash low, high, scale, offset;
3. layers: u8 kind (dense, sparse), u8 activation, u8 weight type (float32, int8, int4), u8 scales, u32 outputs; then,
   where present, alpha, u32 nonzeros, row scale, column exponents, float32 bias, row counts and column indices, integer
   bias, weights;
4. golden vectors: inputs and action, float32;
5. metadata: JSON with sorted keys and no white space.

Wide weights start at a multiple of 64.

Everything is little-endian; one content has one encoding. Dense weights lie input-major (output-major where few outputs
have many inputs). The C++ core is the only validator of 1 to 4; Python slices what it found valid, and checks 5.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from rlcompress.artifact.files import write_atomically
from rlcompress.artifact.layout import FILE_LIMIT
from rlcompress.artifact.reader import decode, decode_contract, decode_metadata, golden_count
from rlcompress.artifact.writer import encode, weights_bytes, without_head
from rlcompress.errors import FormatError, InvalidValueError, MissingFileError
from rlcompress.kernels import verify
from rlcompress.network import Network

__all__ = [
    "decode",
    "decode_contract",
    "decode_metadata",
    "encode",
    "file_bytes",
    "golden_count",
    "load",
    "read_image",
    "save",
    "weights_bytes",
    "without_head",
    "write_atomically",
]

_ZIP = b"PK\x03\x04"
_ZIP_REMEDY = (
    "a zip: one of Stable-Baselines3 becomes an .rlc file by rlcompress.load_policy('ppo.zip').save('ppo.rlc'), "
    "and a smaller one by the command rlcompress pops --policy ppo.zip --env ID"
)


def file_bytes(network: Network, golden: int = 8, metadata: bool = True) -> int:
    """Size of the file that `encode` makes, in bytes."""
    return len(encode(network, golden, metadata))


def save(network: Network, path: str | PathLike[str], golden: int = 8, metadata: bool = True) -> None:
    """Write the network's `.rlc` file: a reader finds the old file or the whole new one, also after a power failure.

    Args:
        network: the network.
        path: where to; an existing file is replaced.
        golden, metadata: as in `encode`.

    Raises:
        InvalidValueError: see `encode`.
        MissingFileError: the folder does not exist.
    """
    write_atomically(path, encode(network, golden, metadata))


def load(source: str | PathLike[str] | bytes | bytearray | memoryview) -> Network:
    """Read a network from an `.rlc` file or its bytes.

    Raises:
        MissingFileError: no such file.
        FormatError: not a valid `.rlc` file.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode(bytes(source))
    image = read_image(source)
    try:
        return decode(image)
    except FormatError as error:
        raise _in_file(error, source) from None


def read_image(path: str | PathLike[str]) -> bytes:
    """The bytes of an `.rlc` file, found valid.

    Raises:
        MissingFileError: no such file.
        FormatError: not a valid `.rlc` file.
    """
    if not isinstance(path, (str, PathLike)):
        raise InvalidValueError(f"source: a path or the bytes of an .rlc file expected, found {type(path).__name__}")
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > FILE_LIMIT:
            raise FormatError("total_length", 8, f"at most {FILE_LIMIT} bytes", f"{size} bytes (file {file})")
        image = file.read_bytes()
    except FileNotFoundError:
        raise MissingFileError(f"no such .rlc file: {fspath(path)!r}; check the path") from None
    try:
        verify(image)
    except FormatError as error:
        if image.startswith(_ZIP):
            error = FormatError(error.field, error.offset, error.expected, _ZIP_REMEDY)
        raise _in_file(error, path) from None
    return image


def _in_file(error: FormatError, path: str | PathLike[str]) -> FormatError:
    return FormatError(error.field, error.offset, error.expected, f"{error.found} (file {fspath(path)})")
