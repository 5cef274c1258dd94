"""Results as Markdown: one table per group, ours beside everybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def markdown(results: Sequence[dict[str, Any]]) -> str:
    """All groups with the machine they were measured on."""
    parts = [
        "# Kernels beside their peers\n\nMicroseconds, minimum (median) of batches. One thread, one pinned core.\n"
    ]
    for result in results:
        versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
        about = f"{result['machine']['processor']}; {result['machine']['system']}; {versions}"
        about += f"; commit {result['machine']['commit']}; {result['clock']} clock"
        parts.append(f"\n## {result['title']}\n\n{_rows(result)}\n\n{about}\n")
        missing = sorted(_missing(result))
        parts.append("".join(f"\n- {line}" for line in missing) + ("\n" if missing else ""))
    return "".join(parts)


def best(row: dict[str, Any], role: str, prefix: str = "") -> tuple[str, float] | None:
    """Name and minimum of the fastest contender of a role, or None."""
    timed = [
        (entry["minimum_us"], name)
        for name, entry in row["contenders"].items()
        if entry["role"] == role and name.startswith(prefix) and "minimum_us" in entry
    ]
    return (min(timed)[1], min(timed)[0]) if timed else None


def ratios(row: dict[str, Any]) -> dict[str, Any]:
    """How ours stands.

    Returns:
        `best_peer` and `times_best_peer` (above 1: ours is faster), `times_best_dense`, `of_limit` (1 = at the limit),
        `meets`: `must`, `aim` or `no`; each only where it can be said.
    """
    goal, ours = row["goal"] or {}, best(row, "ours")
    peer, dense = best(row, "peer", goal.get("peer", "")), best(row, "dense")
    found: dict[str, Any] = {}
    if peer is not None:
        found["best_peer"] = peer[0]
    if ours is None:
        return found
    if peer is not None:
        found["times_best_peer"] = peer[1] / ours[1]
    if dense is not None:
        found["times_best_dense"] = dense[1] / ours[1]
    if row["limit"] and "us" in row["limit"]:
        found["of_limit"] = ours[1] / row["limit"]["us"]
    if goal and peer is not None:
        found["meets"] = _met(goal, found)
    return found


def _met(goal: dict[str, Any], found: dict[str, Any]) -> str:
    if found["times_best_peer"] < goal["must"]:
        return "no"
    by_ratio = goal["aim"] is not None and found["times_best_peer"] >= goal["aim"]
    by_limit = goal["of_limit"] is not None and found.get("of_limit", 1e9) <= goal["of_limit"]
    return "aim" if by_ratio or by_limit else "must"


def _rows(result: dict[str, Any]) -> str:
    names = list(dict.fromkeys(name for row in result["rows"] for name in row["contenders"]))
    heads = ["work", "times best peer", "must / aim", "meets", "limit", "of limit", *names]
    if any(best(row, "dense") for row in result["rows"]):
        heads.insert(2, "times best dense")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in result["rows"]:
        cells = _cells(row)
        lines.append("| " + " | ".join(cells[head] if head in cells else _timing(row, head) for head in heads) + " |")
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> dict[str, str]:
    found, goal, limit = ratios(row), row["goal"], row["limit"] or {}
    times = f"{found['times_best_peer']:.2f} ({found['best_peer']})" if "times_best_peer" in found else "-"
    aim = "-"
    if goal:
        aimed = f"{goal['aim']:g}" if goal["aim"] is not None else f"{goal['of_limit']:g} of limit"
        aim = f"{goal['must']:g} / {aimed}"
    return {
        "work": row["work"],
        "times best peer": times,
        "times best dense": f"{found['times_best_dense']:.2f}" if "times_best_dense" in found else "-",
        "must / aim": aim,
        "meets": found.get("meets", "-"),
        "limit": f"{limit['us']:.3g}, {limit['by']}" if "us" in limit else "-",
        "of limit": f"{found['of_limit']:.2f}" if "of_limit" in found else "-",
    }


def _timing(row: dict[str, Any], name: str) -> str:
    entry = row["contenders"].get(name, {})
    if "minimum_us" not in entry:
        return "missing" if "missing" in entry else "-"
    return f"{_short(entry['minimum_us'])} ({_short(entry['median_us'])})"


def _short(microseconds: float) -> str:
    return f"{microseconds:.0f}" if microseconds >= 1000 else f"{microseconds:.3g}"


def _missing(result: dict[str, Any]) -> set[str]:
    return {
        f"{name}: {entry['missing']}".replace("\n", " ")
        for row in result["rows"]
        for name, entry in row["contenders"].items()
        if "missing" in entry
    }
