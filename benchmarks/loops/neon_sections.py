"""Sections of NEON's page that other commands than `neon.py judge` fill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rlcompress.engine.durable import write_durably

KEPT = ("neon_paper.md", "neon_beyond.md")
"""Files with a section each, which `neon.py judge` keeps."""


def record_of(
    teacher: npt.NDArray[np.bool_], made: npt.NDArray[np.bool_], classes: npt.NDArray[Any]
) -> dict[str, float]:
    """Changes in points on rows that nothing else touched, from which rows each network finds.

    Args:
        teacher, made: (rows,) whether the class was found.
        classes: (rows,) the classes.
    """
    difference = made.astype(float) - teacher.astype(float)
    of_class = [difference[classes == label] for label in np.unique(classes)]
    recalls = [float(one.mean()) for one in of_class]
    doubt = float(np.sqrt(np.sum([(np.square(one).sum() + 1) / len(one) ** 2 for one in of_class]))) / len(of_class)
    return {
        "change": 100 * float(difference.mean()),
        "balanced_change": 100 * float(np.mean(recalls)),
        "balanced_error": 100 * doubt if difference.any() else 0.0,
        "error": 100 * float(difference.std() / len(difference) ** 0.5),
    }


def put_section(page: Path, title: str, body: str) -> None:
    """Put a section in place of the one of that title, or at the end."""
    text = page.read_text() if page.exists() else ""
    head = f"## {title}\n"
    before, found, after = text.partition(head)
    rest = after[after.index("\n## ") + 1 :] if found and "\n## " in after else ""
    parts = [before.rstrip("\n"), f"{head}\n{body.strip()}"] + ([rest.strip("\n")] if rest else [])
    write_durably(page, ("\n\n".join(part for part in parts if part) + "\n").encode())


def ways_table(records: Sequence[dict[str, Any]], command: str, episodes: int, learners: int) -> str:
    """A row per way, the same networks in all."""
    ways = list(dict.fromkeys(record["way"] for record in records))
    count = sum(record["way"] == ways[0] for record in records)
    head = (
        "way", "trainings", "ratio, as ended", "change, as ended", "worst", "accepted", "geometric", "median",
        "arithmetic", "test change", "balanced change", "worst set", "CPU s",
    )  # fmt: skip
    lines = [
        f"{count} networks; tolerance 1 point, z = 1.645, figures on rows that nothing else touched. *As ended*: "
        "geometric mean ratio and change of test accuracy (mean, worst network) of what a way ends with, proven "
        "or not; to the right of *accepted*, what was not accepted counts as the network itself. Every test has "
        "as many rows that the way's own choices have not seen, and asks for accuracy alone (ours with "
        "balanced='ignored'). Final shapes: 8 fresh networks of the shape that ours found, trained as its "
        "students are (labels alone, or the same distillation), the best on the choosing rows tested; they are "
        "given the shape. *Halving*: half of the neurons, a quarter, ... with 250 minibatches after each, until "
        "the score on the search rows falls by more than the tolerance. The published loop is reduced: 250 "
        "minibatches a step, and an agent that learned in "
        f"{episodes} episodes on {learners} networks of other families (the authors: 100 epochs, and days on a GPU).",
        "",
        *(f"| {' | '.join(line)} |" for line in (head, ["---", *["---:"] * (len(head) - 1)])),
    ]
    lines += [_way_line(way, [record for record in records if record["way"] == way]) for way in ways]
    names = ", ".join(sorted({record["set"] for record in records}))
    return "\n".join([*lines, "", f"Data sets: {names}. Command: `{command}`.", ""])


def _way_line(way: str, rows: Sequence[dict[str, Any]]) -> str:
    kept = np.array([row["accepted"] for row in rows])
    logs = np.log([row["ratio"] for row in rows])
    change, even = (np.array([row[key] for row in rows]) for key in ("change", "balanced_change"))
    held = np.where(kept, logs, 0.0)
    cells = [
        f"{np.mean([row['trainings'] for row in rows]):.1f}",
        f"{np.exp(logs.mean()):,.4g}",
        f"{change.mean():+.2f}",
        f"{change.min():+.2f}",
        f"{kept.sum()} of {len(rows)}",
        f"{np.exp(held.mean()):,.4g}",
        f"{np.exp(np.median(held)):,.4g}",
        f"{np.exp(held).mean():,.4g}",
        f"{np.where(kept, change, 0).mean():+.2f}",
        f"{np.where(kept, even, 0).mean():+.2f}",
        f"{np.where(kept, even, 0).min():+.2f}",
        f"{np.mean([row['seconds'] for row in rows]):.1f}",
    ]
    return f"| {' | '.join([way, *cells])} |"


def beyond_table(records: Sequence[dict[str, Any]], command: str, max_drop: float) -> str:
    """A row per network: values first, then networks outside the ranges."""
    head = ("target", "set", "hidden layers", "before", "after", "ratio", "score", "change", "error", "rows", "kept",
            "CPU s")  # fmt: skip
    lines = [
        "The shipped agent at its defaults. Scores are points of accuracy, or of R2 for values, on test rows that were "
        "scored once; *error*: standard error of the change; *rows*: for choosing and testing; *kept*: whether the "
        f"drop is at most {100 * max_drop:g} points plus that error. For classes the agent learned from these sets, "
        "but from no network of such sizes; from values it never learned.",
        "",
        *(f"| {' | '.join(line)} |" for line in (head, ["---"] * 3 + ["---:"] * (len(head) - 3))),
    ]
    for record in sorted(records, key=lambda one: (one["kind"] != "values", one["set"], one["before"])):
        kept = record["change"] >= -100 * max_drop - record["error"]
        cells = [
            "values" if record["kind"] == "values" else "classes",
            record["set"],
            "-".join(map(str, record["hidden"])),
            f"{record['before']:,}",
            f"{record['after']:,}",
            f"{record['ratio']:,.1f}",
            f"{record['score']:.2f}",
            f"{record['change']:+.2f}",
            f"{record['error']:.2f}",
            f"{record['rows']:,}",
            "yes" if kept else "no",
            f"{record['seconds']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for kind, name in (("values", "values"), ("outside", "networks outside the ranges")):
        rows = [record for record in records if record["kind"] == kind]
        if rows:
            ratio = float(np.exp(np.mean([np.log(record["ratio"]) for record in rows])))
            change = float(np.mean([record["change"] for record in rows]))
            lines += ["", f"- {name}: {len(rows)} networks, geometric mean {ratio:,.1f}x, mean change {change:+.2f}."]
    return "\n".join([*lines, "", f"Command: `{command}`.", ""])
