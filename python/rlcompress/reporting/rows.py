"""What a report says about a result, as words: shared by the text table and the Markdown page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from rlcompress.engine.result import Candidate, Result

TEXT_COLUMNS = frozenset(("name", "method", "split", "verdict", "phase", "what", "version"))
BEST_MARK, DISTILLED_MARK = "▶", "▷"
LEGEND = f"{BEST_MARK} smallest accepted   {DISTILLED_MARK} smallest accepted without reward"
_REJECTED_SHOWN = 8
_NONE = "-"


@dataclass(frozen=True)
class Section:
    """Rows of the main table under one heading; cells are in the order of `columns`.

    Args:
        title: of the rows.
        rows: of cells.
        hidden: how many more there are, in report.json alone.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    hidden: int = 0


@dataclass(frozen=True)
class ScreenedGroup:
    """Candidates of one method that never reached the acceptance test, in one line.

    Args:
        method: how they were made.
        count: how many.
        smallest, largest: stored bytes.
        best: highest mean score on the screening seeds.
        best_bytes: stored bytes of that one.
    """

    method: str
    count: int
    smallest: int
    largest: int
    best: float
    best_bytes: int


def words_of(result: Result) -> tuple[str, str]:
    """What a score is and what it is a mean over: returns and episodes, or scores and rows of data."""
    task = result.settings.get("task")
    by_rows = isinstance(task, Mapping) and task.get("kind") == "dataset"
    return ("score", "rows") if by_rows else ("return", "episodes")


def columns(result: Result) -> tuple[str, ...]:
    """Headings of the main table."""
    score, units = words_of(result)
    sizes = ("name", "method", "parameters", "bytes", "MACs", "µs")
    return (*sizes, score, "95 % interval", units, "split", "agreement", "verdict")


def screened_columns(result: Result) -> tuple[str, ...]:
    """Headings of the table of what was screened only."""
    return ("method", "candidates", "bytes", f"best {words_of(result)[0]}", "its bytes")


def number(value: float, digits: int = 1) -> str:
    """`value` with thousands separators, or `-` when it is not finite."""
    return f"{value:,.{digits}f}" if isfinite(value) else _NONE


def score_text(value: float) -> str:
    """A mean score; shares, such as accuracies, with four digits."""
    return number(value, 4 if abs(value) <= 1 else 1)


def interval_text(candidate: Candidate) -> str:
    """The interval of the mean as `[lower, upper]`."""
    lower, upper = candidate.interval
    return f"[{score_text(lower)}, {score_text(upper)}]"


def verdict(candidate: Candidate) -> str:
    """Accepted or not, and why."""
    if candidate.accepted is None:
        return candidate.reason or _NONE
    word = "accepted" if candidate.accepted else "rejected"
    return f"{word}: {candidate.reason}" if candidate.reason else word


def row(candidate: Candidate, mark: str = "") -> tuple[str, ...]:
    """One candidate as cells in the order of `columns`."""
    in_torch = candidate.role == "teacher" and candidate.torch_latency_us is not None
    latency = candidate.torch_latency_us if in_torch else candidate.latency_us
    return (
        f"{mark}{candidate.name}",
        candidate.method,
        f"{candidate.parameters:,}",
        f"{candidate.weights_bytes:,}",
        f"{candidate.macs:,}",
        _NONE if latency is None else number(latency, 2) + (" (torch)" if in_torch else ""),
        score_text(candidate.mean) if candidate.values.size else _NONE,
        interval_text(candidate),
        f"{candidate.values.size:,}",
        candidate.judged_on,
        _NONE if candidate.agreement is None else number(candidate.agreement, 3),
        verdict(candidate),
    )


def sections(result: Result) -> tuple[Section, ...]:
    """The main table: teacher, chosen networks, other accepted ones, baselines, the paper's, the smallest rejected."""
    chosen = [candidate for candidate in (result.best_candidate, result.best_without_reward) if candidate is not None]
    chosen = chosen[:1] if len(chosen) == 2 and same(chosen[0], chosen[1]) else chosen
    others = [one for one in _of_run(result) if not any(same(one, best) for best in chosen)]
    accepted = _by_size(one for one in others if one.accepted)
    judged = _by_size(one for one in others if not one.accepted and one.judged_on != "screen")
    shown = judged[:_REJECTED_SHOWN]
    found = [
        Section("teacher", (row(result.teacher),)),
        Section("result", tuple(row(one, _mark(one, result)) for one in chosen)),
        Section("accepted too", tuple(map(row, accepted))),
        Section("baselines", tuple(row(one) for one in result.candidates if one.role == "baseline")),
        Section("the paper's algorithm", tuple(row(one) for one in result.candidates if one.role == "paper")),
        Section("not accepted", tuple(map(row, shown)), len(judged) - len(shown)),
    ]
    return tuple(section for section in found if section.rows)


def screened(result: Result) -> tuple[ScreenedGroup, ...]:
    """Candidates that were only screened, grouped by method in order of appearance."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in _of_run(result):
        if candidate.judged_on == "screen" and not candidate.accepted:
            groups.setdefault(candidate.method, []).append(candidate)
    return tuple(_group(method, members) for method, members in groups.items())


def screened_row(group: ScreenedGroup) -> tuple[str, ...]:
    """A group as cells in the order of `screened_columns`."""
    sizes = f"{group.smallest:,}..{group.largest:,}"
    return group.method, f"{group.count:,}", sizes, score_text(group.best), f"{group.best_bytes:,}"


def headlines(result: Result) -> tuple[str, str]:
    """The two results that must not be mixed up: copied from the teacher alone, and improved on the score itself."""
    best = result.best_candidate
    if result.algorithm in ("neon", "neon-paper"):
        nothing = "nothing smaller was proven within the tolerance"
        return f"narrowed: {_headline(result, best, nothing)}", f"as it was: {_headline(result, result.teacher)}"
    if result.algorithm == "purl":
        recovered = best is not None and best.method == "recovered"
        how = "recovered without training" if recovered else "weights as they were"
        return (
            f"pruned, {how}: {_headline(result, best)}",
            f"dense: {_headline(result, result.teacher)}",
        )
    polished = best if best is not None and best.uses_reward else None
    smaller = "" if best is None or best.uses_reward else "nothing smaller than the distilled network was accepted"
    return (
        f"distilled only (no reward used): {_headline(result, result.best_without_reward)}",
        f"polished and quantised (needs the environment): {_headline(result, polished, smaller)}",
    )


def same(left: Candidate, right: Candidate) -> bool:
    """Whether two candidates are the same network, possibly judged on different splits."""
    return left is right or left.network is right.network or (left.name, left.network) == (right.name, right.network)


def compression_ratio(result: Result, candidate: Candidate) -> float:
    """Stored bytes of the teacher over those of the candidate."""
    return result.teacher.weights_bytes / max(1, candidate.weights_bytes)


def _headline(result: Result, candidate: Candidate | None, otherwise: str = "") -> str:
    if candidate is None:
        return otherwise or "none accepted"
    ratio = compression_ratio(result, candidate)
    share = f"{number(ratio, 0 if ratio >= 100 else 1)}x smaller than the teacher's {result.teacher.weights_bytes:,}"
    score, things = words_of(result)
    units = f"{candidate.values.size:,} {candidate.judged_on} {things}"
    found = f"{score} {score_text(candidate.mean)} {interval_text(candidate)}"
    return f"{candidate.name}, {candidate.weights_bytes:,} bytes ({share}), {found} over {units}"


def _mark(candidate: Candidate, result: Result) -> str:
    if candidate is result.best_candidate:
        return f"{BEST_MARK} "
    return f"{DISTILLED_MARK} "


def _of_run(result: Result) -> list[Candidate]:
    """Candidates of the run itself; of those listed more than once (screened, then accepted), the last entry."""
    latest = {id(one.network): one for one in result.candidates if one.role == "candidate"}
    return list(latest.values())


def _by_size(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda one: (one.weights_bytes, one.name))


def _group(method: str, members: list[Candidate]) -> ScreenedGroup:
    sizes = [one.weights_bytes for one in members]
    best = max(members, key=lambda one: one.mean)
    return ScreenedGroup(method, len(members), min(sizes), max(sizes), best.mean, best.weights_bytes)
