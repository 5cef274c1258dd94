"""Finalists: the plan that trains best, told by short trainings. At an extreme sparsity one cut says little of it.

No published source: successive trials as in a search, with mixtures of the best plans so far.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.algorithms.purl.allotment import Allotment, Kept
from rlcompress.algorithms.purl.findings import Findings, PlanFinding, layer_findings
from rlcompress.algorithms.purl.journal import Journal, empty_journal
from rlcompress.algorithms.purl.judging import FinalRows, Judge
from rlcompress.algorithms.purl.proposals import blended_plan
from rlcompress.algorithms.purl.tuning import Tuning
from rlcompress.engine.durable import write_durably
from rlcompress.engine.events import Emit, PhaseStarted, Progress
from rlcompress.training.labelled_rows import is_pair, whole_rows
from rlcompress.training.model_inputs import taken

SHARE = 0.25
"""Of the fine-tuning that a trial takes. Five plans of one ResNet-20 at 95 % came in the order of the whole."""

TrialScore = Callable[[Kept, Tuning], float]
"""Score of a plan on the rows of the search after this training; -inf where it diverges."""


@dataclass(frozen=True, eq=False)
class Finals:
    """How finalists are tried.

    Args:
        count: plans to train.
        tuning: the whole fine-tuning.
        score: of a plan after a training.
        seed: of the mixtures.
        final: rows that no choice sees, or None.
        folder: keeps the scores, so that the same call does not train again; or None.
    """

    count: int
    tuning: Tuning
    score: TrialScore
    seed: int = 0
    final: FinalRows | None = None
    folder: Path | None = None


def with_finalist(judge: Judge, allowed: Allotment, found: Findings, finals: Finals, emit: Emit) -> Findings:
    """The findings with the plan that trained best in place of the search's: the search's own plan and the starts are
    tried first, then mixtures of the best so far, all at the sparsity asked.
    """
    emit(PhaseStarted("finalists", f"training each of {finals.count} plans for a part of the fine-tuning"))
    trial, path = short(finals.tuning), _path(finals)
    known = _read(path)
    given = dict.fromkeys([found.best.kept, *(start.kept for start in found.starts if allowed.meets(start.kept))])
    waiting, journal = list(given), empty_journal(allowed.layers)
    for at in range(finals.count):
        rng = np.random.default_rng([finals.seed, at])
        plan = waiting.pop(0) if waiting else blended_plan(journal, allowed, rng)
        if plan is None:
            break
        if plan not in known:
            known[plan] = finals.score(plan, trial)
            _write(path, known)
        journal = journal.with_plans([plan], [known[plan]], "given" if plan in given else "blended")
        emit(Progress((at + 1) / finals.count, "finalists"))
    return _replaced(judge, allowed, found, journal, finals.final)


def short(tuning: Tuning) -> Tuning:
    """`SHARE` of a fine-tuning: fewer epochs; where one is too long, a part of the rows drawn at random, or the first
    batches of a loader (an iterable of unknown length gives a whole epoch).
    """
    settings = tuning.settings
    epochs = max(1, round(SHARE * settings.epochs))
    part = min(1.0, SHARE * settings.epochs / epochs)
    rows = tuning.rows if part == 1 else _part_of(tuning.rows, part, settings.seed)
    return replace(tuning, rows=rows, settings=replace(settings, epochs=epochs))


def _part_of(rows: Any, part: float, seed: int) -> Any:
    if not is_pair(rows):
        return list(islice(rows, math.ceil(part * len(rows)))) if hasattr(rows, "__len__") else rows
    x, y = whole_rows(rows)
    places = np.sort(np.random.default_rng(seed).permutation(len(y))[: math.ceil(part * len(y))])
    return taken(x, places), y[places]


def _replaced(judge: Judge, allowed: Allotment, found: Findings, journal: Journal, final: FinalRows | None) -> Findings:
    best = journal.best(allowed)
    text = f"{journal.count} plans were trained for {100 * SHARE:g} % of the fine-tuning"
    if best is None:
        return replace(found, notes=(*found.notes, f"{text}: every one diverged"))
    if journal.plan(best) == found.best.kept:
        return replace(found, notes=(*found.notes, f"{text}: the search's own plan came out best"))
    kept, names = journal.plan(best), {start.kept: start.origin for start in found.starts}
    text += f": {journal.scores[best]:.4f} for the plan, {journal.scores[0]:.4f} for the best one without training"
    path = [(*kept[: at + 1], *allowed.ceilings[at + 1 :]) for at in range(allowed.layers)]
    judged, recovered = judge.scores(path), judge.recovering(found.recovery).scores([kept])
    scores = dict(zip(path, judged.values))
    known = next((start.final for start in found.starts if start.kept == kept), None)
    if final is not None and (known is None or found.recovery):
        known = final.judge(judge.recovering(found.recovery)).scores([kept]).values[0]
    origin = names.get(kept, "blended")
    return replace(
        found,
        plan=judge.prunable.plan(kept),
        layers=layer_findings(judge, allowed, kept, scores),
        best=PlanFinding(origin, kept, allowed.sparsity(kept), recovered.values[0], known, allowed.meets(kept)),
        spent=found.spent + judged.spent + (recovered.spent if found.recovery else 0.0),
        notes=(*found.notes, text),
    )


def _path(finals: Finals) -> Path | None:
    if finals.folder is None:
        return None
    return finals.folder / f"finalists-{finals.tuning.digest}.json"


def _read(path: Path | None) -> dict[Kept, float]:
    if path is None or not path.exists():
        return {}
    return {tuple(kept): float(score) for kept, score in json.loads(path.read_bytes())}


def _write(path: Path | None, known: dict[Kept, float]) -> None:
    if path is not None:
        write_durably(path, json.dumps([[list(kept), score] for kept, score in known.items()]).encode())
