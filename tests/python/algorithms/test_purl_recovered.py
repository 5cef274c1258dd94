"""Which plan is returned where the search led to one that does not recover."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import rlcompress as rlc  # noqa: E402
from rlcompress.algorithms.purl.journal import empty_journal  # noqa: E402
from rlcompress.algorithms.purl.recovered import recovered  # noqa: E402
from rlcompress.layerwise.best_recovery import NONE, BestRecovery, RecoveryTrial  # noqa: E402
from rlcompress.layerwise.evaluate import evaluator  # noqa: E402

FIT: Any = frozenset(["least_squares"])
QUICK: dict[str, Any] = {"target_sparsity": 0.9, "evaluations": 60, "agent_share": 0, "pareto": 0}


def scene(seed: int, count: int) -> tuple[Any, Any, Any]:
    """A network of random weights, rows with few hidden causes that it labels, and others."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 4))
    rng, causes = np.random.default_rng(seed), np.random.default_rng(9).standard_normal((5, 20))

    def rows(count: int) -> tuple[Any, Any]:
        x = (rng.standard_normal((count, 5)) @ causes + 1).astype(np.float32)
        with torch.no_grad():
            return x, model(torch.tensor(x)).argmax(1).numpy()

    return model, rows(count), rows(2000)


def test_the_starts_are_recovered_where_nothing_helps_the_plan_of_the_search() -> None:
    model, rows, unseen = scene(4, 120)
    cut, found = (rlc.prune(model, data=rows, test=unseen, recovery=how, **QUICK) for how in ("none", "auto"))
    judge = evaluator(rlc.prunable(model, rows[0][:1]), data=rows)
    best = cut.findings.best
    assert not RecoveryTrial(judge).of(best.kept).recovery
    assert found.findings.recovery == ("least_squares",)
    assert found.findings.best.score > best.score + 0.2
    assert found.findings.best.final is not None
    assert best.final is not None
    assert found.findings.best.final > best.final + 0.2
    scores = [judge.recovering(FIT).score(start.kept) for start in found.findings.starts]
    assert found.findings.best.score == max(scores)
    assert found.findings.spent - cut.findings.spent <= 2 * (1 + len(scores))


def test_it_is_said_that_nothing_was_recovered_and_why() -> None:
    model, rows, _ = scene(0, 120)
    found = rlc.prune(model, data=rows, **QUICK)
    assert found.findings.recovery == ()
    said = [note for note in found.notes if note.startswith("not recovered without training: ")]
    assert len(said) == 1
    assert "rows held back" in said[0]
    assert "least_squares scores" in said[0]
    tuned = rlc.prune(model, data=rows, recovery="none", **QUICK)
    assert not any("not recovered" in note for note in tuned.notes)


class _Trial:
    """Answers from a table by plan."""

    def __init__(self, answers: dict[Any, BestRecovery]) -> None:
        self.answers, self.asked = answers, []

    def of(self, kept: Any, rival: Any = None, among: Any = None) -> BestRecovery:
        self.asked.append((kept, rival, among))
        return self.answers[kept]


class _Judge:
    dense = (9, 9)

    def __init__(self, answers: dict[Any, BestRecovery]) -> None:
        self.trial = _Trial(answers)

    def recovery_trial(self) -> Any:
        return self.trial


def outcome(answers: dict[Any, BestRecovery]) -> tuple[Any, list[Any]]:
    """What is returned of a search that found (1, 2), scored 0.7, and rivals."""
    judge: Any = _Judge(answers)
    journal = empty_journal(2).with_plans([(9, 9), (1, 2), (2, 1), (3, 0)], [1.0, 0.7, 0.4, 0.3], "lamp")
    return recovered(judge, journal, 1, [2, 3, 2]), judge.trial.asked


def test_the_best_of_all_that_recover_is_returned() -> None:
    no = BestRecovery(NONE, 1.0, reason="rows held back lose")
    rival = BestRecovery(FIT, 2.0, 0.8)
    found, asked = outcome({(1, 2): no, (2, 1): rival, (3, 0): BestRecovery(FIT, 2.0, 0.75)})
    assert (found.index, found.recovery, found.score, found.spent) == (2, ("least_squares",), 0.8, 5.0)
    assert found.refused == ""
    assert asked == [((1, 2), None, None), ((2, 1), (1, 2), None), ((3, 0), (1, 2), None)]
    found, asked = outcome({(1, 2): BestRecovery(FIT, 1.0, 0.9), (2, 1): rival, (3, 0): no})
    assert (found.index, found.score) == (1, 0.9)
    assert asked[1] == ((2, 1), (1, 2), [FIT])  # what helps the plan is tried on the rivals


def test_a_rival_that_recovers_below_the_plan_as_pruned_is_left() -> None:
    no = BestRecovery(NONE, 1.0, reason="rows held back lose")
    found, _ = outcome({(1, 2): no, (2, 1): BestRecovery(FIT, 2.0, 0.7), (3, 0): no})
    assert (found.index, found.recovery, found.score) == (1, (), 0.7)
    assert found.refused == "rows held back lose"
