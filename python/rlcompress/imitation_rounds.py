"""The rounds of an imitation, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlcompress.engine.checkpoint import check_same, pack, unpack
from rlcompress.engine.durable import write_durably
from rlcompress.errors import CheckpointError
from rlcompress.network import Network
from rlcompress.tasks.policy import SEED_BASE
from rlcompress.training.labels import Labels


@dataclass(frozen=True, eq=False)
class Rounds:
    """What finished rounds have reached: all that the next one depends on.

    Args:
        networks: of each round.
        returns: theirs on screening episodes.
        labels: what was met, with what the expert said of it; None before the first round.
        next_seed: of the next episodes to learn from.
    """

    networks: tuple[Network, ...] = ()
    returns: tuple[float, ...] = ()
    labels: Labels | None = None
    next_seed: int = SEED_BASE["data"]

    @property
    def count(self) -> int:
        """Finished rounds."""
        return len(self.networks)

    @property
    def best(self) -> Network:
        """The network of the round that earned most; the earliest of equals."""
        return self.networks[max(range(self.count), key=self.returns.__getitem__)]


def save_rounds(path: Path, rounds: Rounds, identity: Mapping[str, Any]) -> None:
    """Write them, so that a crash at any moment leaves the old file or the new one.

    Args:
        identity: JSON-able facts of the imitation that they belong to.

    Raises:
        CheckpointError: the system refuses to write.
    """
    write_durably(path, pack(rounds, Rounds, {"identity": dict(identity)}))


def load_rounds(path: Path, identity: Mapping[str, Any]) -> Rounds:
    """Those in the file; none where there is no file.

    Raises:
        CheckpointError: damaged, of another imitation, or in no folder.
    """
    if not path.absolute().parent.is_dir():
        raise CheckpointError(f"{path}: no folder to write it into; make the folder first")
    if not path.exists():
        return Rounds()
    try:
        rounds, about = unpack(path.read_bytes(), Rounds)
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"{path}: no checkpoint of an imitation ({error}); delete it") from error
    check_same(path, "imitation", about.get("identity"), identity)
    assert isinstance(rounds, Rounds)
    return rounds
