"""Which judged plan to return once plans may be recovered without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rlcompress.algorithms.purl.journal import Journal
from rlcompress.algorithms.purl.judging import Judge
from rlcompress.layerwise.recovery import Recovery


@dataclass(frozen=True)
class Recovered:
    """The plan to return.

    Args:
        index: its place in the journal.
        spent: network evaluations that recovering took, whatever is cached.
        recovery: by what it is recovered.
        score: its score then.
        refused: why it stays as it was pruned; empty where it does not, or nothing was to be recovered.
    """

    index: int
    spent: float = 0.0
    recovery: tuple[Recovery, ...] = ()
    score: float = float("nan")
    refused: str = ""


def recovered(judge: Judge, journal: Journal, index: int, rivals: Sequence[int]) -> Recovered:
    """The plan that scores best, as it was pruned or recovered.

    What damages a network least is not always what recovers best: the search may have led away from plans that do, so
    the free starts are tried even where nothing helps its own. Each is recovered by what rows held back gain by, and
    there it must beat what the search found too.

    Args:
        judge: of plans as they are pruned.
        journal: of the search.
        index: place of the plan that scores best as it was pruned.
        rivals: places of the plans that may be returned in its stead.
    """
    best, trial = Recovered(index, score=float(journal.scores[index])), judge.recovery_trial()
    kept = journal.plan(index)
    if trial is None or kept == judge.dense:
        return best
    choice = trial.of(kept)
    refused, spent = choice.reason, choice.spent
    among = [choice.recovery] if choice.recovery else None  # what helps one plan is what the others need
    for at in dict.fromkeys((index, *rivals)):
        if at != index:
            choice = trial.of(journal.plan(at), kept, among)
            spent += choice.spent
        if choice.score > best.score:  # never where none helps: NaN
            best = Recovered(at, recovery=tuple(sorted(choice.recovery)), score=choice.score)
    return replace(best, spent=spent, refused="" if best.recovery else refused)
