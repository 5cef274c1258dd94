"""`Network`: an immutable chain of layers with its contract and metadata. Everything else takes and returns these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

from rlcompress.contract import Contract
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense, Layer


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of layers, what goes in and comes out, and free metadata.

    Args:
        layers: at least one; the outputs of each are the inputs of the next.
        contract: defaults to a flat observation and raw outputs.
        metadata: JSON-able notes that travel in the file (source, environment, scores, ...); no influence on results.

    Raises:
        InvalidValueError: layers that do not fit each other or the contract.
    """

    layers: tuple[Layer, ...]
    contract: Contract = None  # type: ignore[assignment]  # filled in __post_init__ from the first layer
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "metadata", dict(self.metadata))
        if not self.layers:
            raise InvalidValueError("network: at least one layer expected, none found")
        for index, (before, after) in enumerate(zip(self.layers, self.layers[1:])):
            if before.out_features != after.in_features:
                raise InvalidValueError(
                    f"network: layer {index} gives {before.out_features} values, "
                    f"layer {index + 1} takes {after.in_features}"
                )
        if self.contract is None:
            object.__setattr__(self, "contract", Contract((self.layers[0].in_features,)))
        if self.contract.network_inputs != self.input_size:
            raise InvalidValueError(
                f"network: the contract gives {self.contract.network_inputs} values of the observation, "
                f"layer 0 takes {self.input_size}"
            )
        low = getattr(self.contract.head, "low", None)
        if low is not None and low.shape != (self.output_size,):
            found = f"the last layer gives {self.output_size}"
            raise InvalidValueError(f"network: head for {low.shape[0]} outputs, {found}")

    def __eq__(self, other: object) -> bool:
        """Same layers and contract; metadata does not count."""
        if not isinstance(other, Network):
            return NotImplemented
        return self.layers == other.layers and self.contract == other.contract

    @property
    def input_size(self) -> int:
        """Inputs of the first layer: the values that it reads of `contract.input_size` in an observation."""
        return self.layers[0].in_features

    @property
    def output_size(self) -> int:
        """Outputs of the last layer, before the head."""
        return self.layers[-1].out_features

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden widths, outputs."""
        return (self.input_size, *(layer.out_features for layer in self.layers))

    @property
    def parameter_count(self) -> int:
        """Kept weights and biases of all layers."""
        return sum(layer.parameter_count for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    def with_layers(self, layers: Sequence[Layer]) -> Network:
        """The same contract and metadata around other layers."""
        return replace(self, layers=tuple(layers))

    def with_metadata(self, **entries: Any) -> Network:
        """The same network with entries added to its metadata."""
        return replace(self, metadata={**self.metadata, **entries})

    def dense_float(self) -> Network:
        """The same network with plain float32 layers."""
        return self.with_layers([layer.dense_float() for layer in self.layers])

    def dense_layers(self) -> tuple[Dense, ...]:
        """The layers, when all of them are plain `Dense` ones.

        Raises:
            InvalidValueError: another kind of layer is among them.
        """
        found = tuple(layer for layer in self.layers if isinstance(layer, Dense))
        if len(found) != len(self.layers):
            kinds = ", ".join(layer.kind for layer in self.layers)
            raise InvalidValueError(f"network: float32 dense layers expected, found {kinds}; use dense_float() first")
        return found

    def save(self, path: str | PathLike[str]) -> None:
        """Write the `.rlc` file, atomically."""
        from rlcompress.artifact import save  # upward on purpose: the user's door to floor 1

        save(self, path)
