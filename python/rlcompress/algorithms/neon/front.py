"""The front of a run: networks that no other one beats, by cost and score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rlcompress.network import Network


@dataclass(frozen=True, eq=False)
class FrontPoint:
    """A network with its cost and its score on the choosing rows.

    Args:
        name: `teacher`, or arm and widths.
        network: itself.
        cost: in the unit that the settings name.
        score: on the choosing rows: accuracy, or R2 as in `NEONResult`.
        drop, bound: on the testing rows; None where it was not tested.
        accepted: verdict of the test, None where it was not tested.
    """

    name: str
    network: Network
    cost: float
    score: float
    drop: float | None
    bound: float | None
    accepted: bool | None


def front_of(points: Iterable[FrontPoint]) -> tuple[FrontPoint, ...]:
    """Those that no other one beats, the costliest first, each with a score below the one before.

    One beats another where it costs no more and scores no less; of those alike in both the accepted one stays, else the
    first.
    """
    front: list[FrontPoint] = []
    for point in sorted(points, key=lambda one: (one.cost, -one.score, not one.accepted)):
        if not front or point.score > front[-1].score:
            front.append(point)
    return tuple(reversed(front))
