"""State dicts of torch, from untrusted bytes: `torch.load(weights_only=True)` alone, checked before and after."""

from __future__ import annotations

import io
import pickletools
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlcompress.arrays import FloatArray
from rlcompress.errors import ImportFormatError, UnsupportedError
from rlcompress.importers.bounded_zip import is_zip, open_zip
from rlcompress.optional import require

_SAFE_SINCE = (2, 6)
_TENSOR_LIMIT = 1 << 26  # values in one tensor
_RECORD_LIMIT = 4096


@dataclass(frozen=True)
class StateDict:
    """Named tensors of a policy.

    Args:
        name: of the file, for messages.
        tensors: by key.
    """

    name: str
    tensors: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self.tensors

    def array(self, key: str, dimensions: int) -> FloatArray:
        """One tensor as a float32 array.

        Raises:
            ImportFormatError: missing, wrong number of dimensions, not a plain floating-point tensor, NaN or infinity.
        """
        if key not in self.tensors:
            raise ImportFormatError(f"{self.name}: the state dict has no {key!r}; give a complete file")
        tensor = self.tensors[key]
        torch = require("torch")
        if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise ImportFormatError(f"{self.name}: {key!r}: a plain tensor expected, {type(tensor).__name__} found")
        if not tensor.is_floating_point() or tensor.dim() != dimensions:
            raise ImportFormatError(
                f"{self.name}: {key!r}: {dimensions} dimensions of floating-point values expected, "
                f"shape {tuple(tensor.shape)} of {tensor.dtype} found"
            )
        if not 1 <= tensor.numel() <= _TENSOR_LIMIT:  # strides may repeat a small storage endlessly
            raise ImportFormatError(
                f"{self.name}: {key!r}: 1 to {_TENSOR_LIMIT} values expected, shape {tuple(tensor.shape)} found"
            )
        array: FloatArray = tensor.detach().to(torch.float32).contiguous().numpy()
        if not np.isfinite(array).all():
            raise ImportFormatError(
                f"{self.name}: {key!r} has NaN or infinite values: its training diverged; give another"
            )
        return array


def load_state(content: bytes, name: str) -> StateDict:
    """The tensors of a state dict file, in the zip format of torch >= 1.6 or the one before it.

    Raises:
        ImportFormatError: damaged, or anything but a dict of tensors.
        MissingExtraError: torch is not installed.
        UnsupportedError: torch older than 2.6, whose weights_only mode could be tricked into running code.
    """
    torch = _safe_torch()
    if is_zip(content):
        _check_records(content, name)
    else:
        _check_stream(content, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise many unrelated types
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            raise ImportFormatError(
                f"{name}: the weights cannot be read: it holds pickled objects, such as a whole module, which can run "
                "code when read; save tensors alone, torch.save(module.state_dict(), path), or convert the module in "
                "Python: rlcompress.load_policy(module).save('model.rlc')"
            ) from error
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ImportFormatError(f"{name}: the weights cannot be read ({reason}); fetch the file again") from error
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise ImportFormatError(f"{name}: a dict of named tensors expected, {type(state).__name__} found")
    return StateDict(name=name, tensors=state)


def _safe_torch() -> Any:
    torch = require("torch")
    version = re.match(r"(\d+)\.(\d+)", str(torch.__version__))
    if version is None or (int(version[1]), int(version[2])) < _SAFE_SINCE:
        raise UnsupportedError(
            f"torch {torch.__version__}: reading weights from a file is only safe with torch >= 2.6; "
            "upgrade with: pip install 'rlcompress[train]'"
        )
    return torch


def _check_records(content: bytes, name: str) -> None:
    """torch stores its records unpacked: a packed one could only be a bomb."""
    archive = open_zip(content, name, _RECORD_LIMIT)
    for member, info in archive.members.items():
        if info.compress_type != 0 or info.file_size > len(content):
            raise ImportFormatError(f"{name}: record {member!r} is packed, which torch never writes; refused")


def _check_stream(content: bytes, name: str) -> None:
    """The old format is five pickles, then raw storages. The fourth declares their sizes: none may exceed the file."""
    stream = io.BytesIO(content)
    try:
        for part in range(5):
            for _, argument, _ in pickletools.genops(stream):
                if part == 3 and isinstance(argument, int) and not -1 <= argument <= len(content):
                    raise ValueError(f"a size of {argument} in a file of {len(content)} bytes")
    except Exception as error:  # genops raises many unrelated types
        raise ImportFormatError(
            f"{name}: the weights cannot be read ({str(error)[:200]}); fetch the file again"
        ) from error
