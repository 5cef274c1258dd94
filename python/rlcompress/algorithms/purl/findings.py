"""What a search found: values only, for results and reports."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment, Kept
from rlcompress.algorithms.purl.config import Settings
from rlcompress.algorithms.purl.journal import Journal
from rlcompress.algorithms.purl.judging import Judge
from rlcompress.algorithms.purl.recovered import Recovered, recovered
from rlcompress.algorithms.purl.searching import check_judged
from rlcompress.algorithms.purl.state import State
from rlcompress.layerwise.plan import Plan
from rlcompress.layerwise.recovery import Recovery
from rlcompress.layerwise.rewards import Reward

_FEWEST_PLANS, _ABOVE_SHARE, _FAR_ABOVE = 8, 0.7, 0.25
"""Of plans, of them above the dense model, and of its score: what makes a function look like a loss."""


@dataclass(frozen=True)
class LayerFinding:
    """One layer under the plan.

    Args:
        name, kind: of the layer.
        size: weights.
        kept: weights kept.
        macs: multiply-accumulates per row of the dense layer.
        score: of the model with this layer and those before it pruned, the rest dense; None where not judged.
    """

    name: str
    kind: str
    size: int
    kept: int
    macs: int
    score: float | None

    @property
    def sparsity(self) -> float:
        return 1 - self.kept / self.size


@dataclass(frozen=True)
class PlanFinding:
    """A judged plan.

    Args:
        origin: where it came from.
        kept: weights per layer.
        sparsity: share removed.
        score: on the rows of the search.
        final: on the final rows, or None.
        meets: whether the sparsity asked is reached.
    """

    origin: str
    kept: Kept
    sparsity: float
    score: float
    final: float | None
    meets: bool


@dataclass(frozen=True)
class Findings:
    """What a search found.

    Args:
        plan: the plan to use.
        layers: it, layer by layer.
        best: it, as judged.
        dense: the model as given.
        starts: free allocations and the dynamic programmes, in order.
        pareto: plans that none beats in both sparsity and score, densest first.
        target_sparsity, target_score: what was asked.
        judged: plans judged.
        spent: network evaluations, partial ones by their share; recovery included.
        episodes: of the agent.
        returns: sums of rewards, per episode.
        first_feasible: episode (from 1) whose own plan first met both targets, or None.
        notes: what the user must know.
        recovery: what the model of the plan was recovered by after the search; its scores contain it.
    """

    plan: Plan
    layers: tuple[LayerFinding, ...]
    best: PlanFinding
    dense: PlanFinding
    starts: tuple[PlanFinding, ...]
    pareto: tuple[PlanFinding, ...]
    target_sparsity: float
    target_score: float
    judged: int
    spent: float
    episodes: int
    returns: tuple[float, ...]
    first_feasible: int | None
    notes: tuple[str, ...]
    recovery: tuple[Recovery, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether the plan meets both targets."""
        return self.met_with(self.best.score)

    def met_with(self, score: float) -> bool:
        """Whether both targets are met where the plan's model has this score."""
        return self.best.meets and score >= self.target_score


def target_score(journal: Journal, settings: Settings) -> float:
    """The score asked: the dense one less what may be lost."""
    return float(journal.scores[0]) - settings.max_drop


def chosen(journal: Journal, rollouts: list[Kept], allowed: Allotment, settings: Settings) -> int:
    """Place in the journal of the plan to return.

    With a promised sparsity: the best score within the budget. Else as the paper: among the agent's own plans the best
    feasible one by reward, then the highest reward. The dense plan where nothing was judged yet.
    """
    if settings.exact:
        return journal.best(allowed) or 0
    place = {journal.plan(index): index for index in range(journal.count)}
    plans = [place[plan] for plan in rollouts if plan in place]
    if not plans:
        return 0
    wanted = target_score(journal, settings)
    rule = Reward(wanted, settings.target_sparsity, settings.beta)

    def merit(index: int) -> tuple[bool, float, float, int]:
        score, sparsity = float(journal.scores[index]), allowed.sparsity(journal.plan(index))
        feasible = score >= wanted and allowed.meets(journal.plan(index))
        return feasible, rule.value(score, sparsity), score, -index

    return max(plans, key=merit)


def findings(judge: Judge, allowed: Allotment, settings: Settings, state: State, recovers: bool = False) -> Findings:
    """The findings of a state.

    Args:
        judge, allowed, settings, state: of the search.
        recovers: whether the plan is recovered without training where that helps.

    Raises:
        EvaluationError: the judge failed on every plan that could be returned.
    """
    check_judged(state, allowed, settings)
    journal = state.journal
    rollouts = [tuple(int(count) for count in row) for row in state.rollouts]
    index = chosen(journal, rollouts, allowed, settings)
    starts = starts_of(judge, allowed, settings, journal)
    returned = Recovered(index)
    if recovers:
        # A plan that promises nothing keeps its place: the starts are no answer to a soft target.
        promised = allowed.meets(journal.plan(index))
        rivals = [at for _, at in starts if promised and allowed.meets(journal.plan(at))]
        returned = recovered(judge, journal, index, rivals)
    index = returned.index
    kept = journal.plan(index)
    finals = {figure.index: float(figure.values.mean()) for figure in state.figures}
    known = journal.known()

    def finding(at: int, origin: str = "") -> PlanFinding:
        plan = journal.plan(at)
        score = float(journal.scores[at])
        return PlanFinding(
            origin or journal.origin(at), plan, allowed.sparsity(plan), score, finals.get(at), allowed.meets(plan)
        )

    wanted = target_score(journal, settings)
    best, notes = finding(index), list(state.notes)
    if returned.recovery:
        names, score = " and ".join(returned.recovery), returned.score
        notes.append(f"recovered without training ({names}): {score:.4f} in place of {best.score:.4f} as pruned")
        best = replace(best, score=score)
    elif returned.refused:
        notes.append(f"not recovered without training: {returned.refused}")
    return Findings(
        plan=judge.prunable.plan(kept),
        layers=layer_findings(judge, allowed, kept, known),
        best=best,
        dense=finding(0),
        starts=tuple(finding(at, name) for name, at in starts),
        pareto=tuple(finding(at) for at in journal.front()),
        target_sparsity=settings.target_sparsity,
        target_score=wanted,
        judged=journal.count,
        spent=state.spent + returned.spent,
        episodes=state.episodes,
        returns=tuple(float(value) for value in state.returns),
        first_feasible=_first_feasible(rollouts, known, allowed, wanted),
        notes=(*notes, *_notes(best, wanted, settings, allowed, state), *_upside_down(judge, journal)),
        recovery=returned.recovery,
    )


def layer_findings(judge: Judge, allowed: Allotment, kept: Kept, known: dict[Kept, float]) -> tuple[LayerFinding, ...]:
    """A plan layer by layer, with the scores that are known of its parts."""
    return tuple(
        LayerFinding(
            layer.name,
            layer.kind,
            layer.size,
            count,
            layer.macs,
            known.get((*kept[: at + 1], *allowed.ceilings[at + 1 :])),
        )
        for at, (layer, count) in enumerate(zip(judge.prunable.layers, kept))
    )


def starts_of(judge: Judge, allowed: Allotment, settings: Settings, journal: Journal) -> list[tuple[str, int]]:
    """Name and place of each start; two that are the same plan share a place."""
    place = {journal.plan(index): index for index in range(journal.count)}
    free = [(name, place[judge.start(allowed, settings, name)]) for name in settings.starts]
    return [*free, *(("dp", at) for at in journal.of("dp"))]


def _first_feasible(rollouts: list[Kept], known: dict[Kept, float], allowed: Allotment, wanted: float) -> int | None:
    for episode, plan in enumerate(rollouts, 1):
        if known.get(plan, float("-inf")) >= wanted and allowed.meets(plan):
            return episode
    return None


def _upside_down(judge: Judge, journal: Journal) -> list[str]:
    """Whether the user's function looks like a loss: nearly all that is removed makes it larger, and by far.

    Of 108 searches on digits (30 to 90 % removed) it told all 54 that were given an error or a loss, and no other.
    """
    dense, pruned = float(journal.scores[0]), journal.scores[1:]
    differing = pruned[np.isfinite(pruned) & (pruned != dense)]
    if not judge.by_function or differing.size < _FEWEST_PLANS or np.mean(differing > dense) < _ABOVE_SHARE:
        return []
    highest = float(differing.max())
    if highest - dense <= _FAR_ABOVE * abs(dense):
        return []
    return [
        f"scores grow as weights are removed, from {dense:.4g} of the dense model up to {highest:.4g}: where the "
        "function that judges gives a loss, the search made the model worse; larger must be better, so return -loss"
    ]


def _notes(best: PlanFinding, wanted: float, settings: Settings, allowed: Allotment, state: State) -> list[str]:
    notes, journal = [], state.journal
    if best.origin == "dense" and not best.meets:
        notes.append(f"no plan at sparsity {settings.target_sparsity:g} was judged: the plan is the dense model")
    elif not best.meets and allowed.feasible:
        below = 100 * (settings.target_sparsity - best.sparsity)
        notes.append(f"the plan lies {below:.2f} points below the sparsity asked: the targets of this preset are soft")
    if best.score < wanted:
        text = f"no plan at sparsity {settings.target_sparsity:g} keeps a score of {wanted:.4f} without training"
        dense_enough = [at for at in journal.front() if journal.scores[at] >= wanted]
        if dense_enough:
            removed = allowed.sparsity(journal.plan(dense_enough[-1]))
            text += f"; the sparsest that does as pruned removes {100 * removed:.2f} %"
        notes.append(f"{text}; the plan is the closest one")
    failed = int((journal.scores == float("-inf")).sum())
    if failed:
        text = f"the judge failed on {failed} of {journal.count} plans, which were passed over"
        notes.append(f"{text}; the first time: {state.failure}")
    return notes
