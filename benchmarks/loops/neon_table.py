"""Tables of the NEON benchmark."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlcompress.algorithms.neon.certify import level_of
from rlcompress.engine.versions import versions

MANY_ROWS = 900
COLUMNS = (
    "picker",
    "trainings",
    "geometric",
    "redrawn",
    "median",
    "arithmetic",
    "without top set",
    "test change",
    f">= {MANY_ROWS} rows",
    "sets over",
    "truly over %",
    "balanced change",
    "worst set",
    "CPU s",
)


def by_set(rows: Sequence[Any], key: str) -> dict[str, float]:
    """Mean of a figure over the networks of each set."""
    names = sorted({row["set"] for row in rows})
    return {name: float(np.mean([row[key] for row in rows if row["set"] == name])) for name in names}


def summary(rows: Sequence[Any], tolerance: float = 1.0) -> dict[str, float]:
    """The columns of a row of the table; ratios and changes are means over sets of the means of their networks."""
    logs = by_set([{**row, "log": np.log(row["ratio"])} for row in rows], "log")
    ratios, changes, balanced = by_set(rows, "ratio"), by_set(rows, "change"), by_set(rows, "balanced_change")
    many = by_set([row for row in rows if row["rows"] >= MANY_ROWS], "change")
    errors = {
        name: float(np.sqrt(np.mean([row["error"] ** 2 for row in rows if row["set"] == name]))) for name in changes
    }
    over = [entry[1] > 0 for row in rows for entry in row["again"] if np.isfinite(entry[1])]
    again = by_set(
        [{**row, "log": float(np.mean([entry[0] for entry in row["again"]]))} for row in rows if row["again"]], "log"
    )
    sets_over = sum(changes[name] < -tolerance - errors[name] for name in changes)
    top = max(ratios, key=lambda name: ratios[name])
    return {
        "trainings": float(np.mean([row["moves"] for row in rows])),
        "geometric": float(np.exp(np.mean(list(logs.values())))),
        "redrawn": float(np.exp(np.mean(list(again.values())))) if again else float("nan"),
        "median": float(np.exp(np.median(list(logs.values())))),
        "arithmetic": float(np.mean(list(ratios.values()))),
        "without top set": float(np.mean([value for name, value in ratios.items() if name != top])),
        "test change": float(np.mean(list(changes.values()))),
        f">= {MANY_ROWS} rows": float(np.mean(list(many.values()))) if many else float("nan"),
        "sets over": float(sets_over),
        "truly over %": 100 * float(np.mean(over)) if over else float("nan"),
        "balanced change": float(np.mean(list(balanced.values()))),
        "worst set": min(balanced.values()),
        "CPU s": float(np.mean([row["seconds"] for row in rows])),
    }


def markdown(found: dict[str, Any]) -> str:
    """The whole page."""
    rows = found["methods"]["agent"]
    lines = ["# NEON on networks that the agent never saw", ""]
    lines += [
        f"{len(rows)} random networks on {len({row['set'] for row in rows})} data sets, {found['folds']} folds of "
        f"families, one agent per fold ({found['passes']} passes over runs on >= {found['learned_from']} networks); at "
        f"most {found['moves']} trainings per network, every rule as many as the agent made on the same deal of the "
        "rows. Ratios are of parameters, max_drop = 1 point, z = 1.645; changes are in points on rows that nothing "
        "else touched; *redrawn*: geometric mean over 20 new deals of all rows; *sets over*: mean drop over the "
        "tolerance by more than its standard error; *truly over*: share of runs, all rows of large sets dealt anew "
        "20 times, whose true drop exceeds the tolerance; balanced change: of balanced accuracy, mean and worst set.",
        "",
    ]
    lines += _table(COLUMNS, _method_rows(found["methods"]))
    lines += ["", *_against(found["methods"])]
    lines += ["", "## With fewer trainings", ""]
    lines += _table(COLUMNS, _method_rows(found["fewer"]))
    lines += ["", "## The agent at other tolerances", ""]
    head, cells = tuple(name for name in COLUMNS[1:] if name not in ("truly over %", "redrawn")), []
    for tolerance, entries in found["tolerances"].items():
        made = summary(entries, float(tolerance))
        cells.append([f"{tolerance} points", *_cells(made, only=head)])
    lines += _table(("picker", *head), cells)
    lines += ["", "## What certainty costs", ""]
    lines += [
        "The agent at 1 point. *z*: standard errors that the acceptance test allows for; *errs*: the chance that it "
        "promises at most, of accepting a network over the tolerance.",
        "",
    ]
    head = ("geometric", "redrawn", "test change", "sets over", "truly over %", "balanced change", "worst set")
    cells = [[z, f"{100 * level_of(float(z)):.1f} %", *_cells(summary(entries), only=head)]
             for z, entries in found["certainty"].items()]  # fmt: skip
    lines += _table(("z", "errs", *head), cells)
    lines += ["", "## What is asked of balanced accuracy", ""]
    lines += [
        "*kept*, the default: no drop over the tolerance seen on the testing rows; *proven*: its bound within the "
        "tolerance, as for accuracy; *ignored*: nothing. *Sets over*: mean drop of balanced accuracy over the "
        "tolerance by more than its standard error.",
        "",
    ]
    lines += _table(("asked", "geometric", "median", "test change", "balanced change", "worst set", "sets over"),
                    [_even_row(name, entries) for name, entries in found["balanced"].items()])  # fmt: skip
    lines += ["", "## Per set, the agent at 1 point", ""]
    head = ("set", "networks", "parameters before", "after", "ratio", "change", "balanced change", "rows", "moves made")
    lines += _table(head, [_set_row(rows, name) for name in sorted({row["set"] for row in rows})])
    machine = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"
    lines += ["", f"{machine}; " + ", ".join(f"{name} {value}" for name, value in versions().items())]
    return "\n".join(lines) + "\n"


def _even_row(name: str, rows: Sequence[Any]) -> list[str]:
    tolerance = float(name.partition(", ")[2].split()[0])
    made, errors = (
        summary(rows, tolerance),
        by_set([{**row, "square": row["balanced_error"] ** 2} for row in rows], "square"),
    )
    counts = {key: sum(row["set"] == key for row in rows) for key in errors}
    over = sum(
        change < -tolerance - (errors[key] / counts[key]) ** 0.5
        for key, change in by_set(rows, "balanced_change").items()
    )
    cells = [f"{made[key]:,.{0 if key in ('geometric', 'median') else 2}f}"
             for key in ("geometric", "median", "test change", "balanced change", "worst set")]  # fmt: skip
    return [name, *cells, str(over)]


def _against(methods: dict[str, Any]) -> list[str]:
    """How the agent does against each rule on the same deals, networks as units."""
    lines = []
    for name in ("ladder", "greedy"):
        lines.append(f"- The agent less the {name} rule at equal trainings, redrawn: {_difference(methods, name)}.")
    text = _difference(methods, "every move")
    lines.append(
        f"- The agent less *every move*, which makes all of the menu and so shows what is left to gain: {text}."
    )
    return lines


def _difference(methods: dict[str, Any], name: str) -> str:
    """Mean difference of the logarithms of the redrawn ratios, with its standard error over networks."""
    pairs = zip(methods["agent"], methods[name])
    differences = [np.mean([a[0] - b[0] for a, b in zip(one["again"], other["again"])]) for one, other in pairs]
    mean, error = np.mean(differences), np.std(differences, ddof=1) / len(differences) ** 0.5
    word = "a tie" if abs(mean) < 2 * error else ("the agent wins" if mean > 0 else "the agent loses")
    return f"logarithm of the ratio {mean:+.3f} ± {error:.3f} (standard error): {word}"


def _method_rows(methods: dict[str, Any]) -> list[list[str]]:
    merged: dict[str, list[Any]] = {}
    for name, rows in methods.items():
        merged.setdefault(name.split(", seed")[0] + (", depth and inputs kept" if "kept" in name else "")
                          if "seed" in name else name, []).extend(rows)  # fmt: skip
    return [[name, *_cells(summary(rows))] for name, rows in merged.items()]


def _cells(made: dict[str, float], only: Sequence[str] = COLUMNS[1:]) -> list[str]:
    found = []
    for name in only:
        value, digits = made[name], {"sets over": 0, "trainings": 1, "CPU s": 1, "truly over %": 1}.get(name, 2)
        found.append("-" if not np.isfinite(value) else f"{value:,.0f}" if value >= 100 else f"{value:.{digits}f}")
    return found


def _set_row(rows: Sequence[Any], name: str) -> list[str]:
    mine = [row for row in rows if row["set"] == name]
    ratio = float(np.exp(np.mean([np.log(row["ratio"]) for row in mine])))
    made = "; ".join(", ".join(row["made"]) for row in mine[:1])
    after = " ".join(f"{row['parameters']:,.0f}" for row in mine)
    before = " ".join(f"{row['parameters'] * row['ratio']:,.0f}" for row in mine)
    means = [f"{np.mean([row[key] for row in mine]):+.2f}" for key in ("change", "balanced_change")]
    return [name, str(len(mine)), before, after, f"{ratio:,.1f}", *means, str(mine[0]["rows"]), made]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return [f"| {' | '.join(line)} |" for line in (head, rule, *rows)]


def small(found: dict[str, Any]) -> dict[str, Any]:
    """The results with rounded figures, without the list of redraws."""

    def one(row: Any) -> Any:
        again = row["again"]
        over = [entry[1] > 0 for entry in again if np.isfinite(entry[1])]
        kept = {key: (float(f"{value:.5g}") if isinstance(value, float) else value) for key, value in row.items()}
        logs = float(np.mean([entry[0] for entry in again])) if again else None
        return {**kept, "again": {"deals": len(again), "log_ratio": logs, "told": len(over), "over": sum(over)}}

    brief = ("table", "ratio", "change", "balanced_change", "balanced_error", "moves", "seconds")
    parts = {
        key: {
            name: [{k: v for k, v in one(row).items() if name.startswith("agent") or k in brief} for row in rows]
            for name, rows in found[key].items()
        }
        for key in ("methods", "tolerances", "fewer", "certainty", "balanced")
    }
    return {**found, **parts, "versions": versions()}
