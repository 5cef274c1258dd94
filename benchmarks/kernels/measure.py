"""Measure one group and write its JSON: `python benchmarks/kernels/measure.py GROUP --out FILE`.

`compare.py` starts it with one thread and pinned.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import in_process
import limits
import machine
from groups import GROUPS, TINY, Group
from registry import Contender, contenders_of
from timing import CLOCK, MissingError, Prepared, time_in_turns


def measure_group(name: str, group: Group, names: list[str], core: int) -> dict[str, Any]:
    """One group's rows.

    Args:
        name: of the group.
        group: what to measure.
        names: substrings of contenders to keep; empty = all.
        core: processor that C++ programs are pinned to.

    Returns:
        JSON-able: title, machine, versions, and for each row its contenders' timings or what they miss.
    """
    chosen = [one for one in contenders_of(name) if not names or any(part in one.name for part in names)]
    rows = []
    for work in group.works:
        rows.append(_row(work, group, chosen, names, core))
        print(f"{name}: {work.name}", file=sys.stderr, flush=True)
    found = {"group": name, "title": group.title, "machine": machine.describe(), "versions": machine.versions()}
    return {
        **found,
        "command": " ".join(["benchmarks/kernels/measure.py", *_without_folders(sys.argv[1:])]),
        "clock": CLOCK,
        "rows": rows,
    }


def _without_folders(words: list[str]) -> list[str]:
    """The command line as a record keeps it: no folder of this machine."""
    return [Path(word).name if Path(word).is_absolute() else word for word in words]


def _row(work: Any, group: Group, chosen: list[Contender], names: list[str], core: int) -> dict[str, Any]:
    entries: dict[str, dict[str, Any]] = {}
    ready: dict[str, Prepared] = {}
    for contender in chosen:
        entries[contender.name] = {"role": contender.role}
        try:
            prepared = contender.prepare(work)
            work.check(prepared.answer())
            ready[contender.name] = prepared
        except MissingError as error:
            entries[contender.name]["missing"] = str(error)
        except Exception as error:  # a peer that fails is a row of the table and no end of the run
            entries[contender.name]["missing"] = f"{type(error).__name__}: {error}"
    if group.program:
        entries.update(in_process.contenders(group.program, work, group.effort, core, names))
    for name, timing in time_in_turns(ready, group.effort).items():
        entries[name].update(vars(timing))
    goal = group.goals.get(work.name)
    return {
        "work": work.name,
        "goal": None if goal is None else vars(goal),
        "limit": limits.of(work, core) if not names else None,
        "contenders": entries,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--contenders", default="", help="comma-separated parts of names; default: all")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn of their own future
    machine.pin(options.core)
    names = [part for part in options.contenders.split(",") if part]
    group = (TINY if options.tiny else GROUPS)[options.group]
    found = measure_group(options.group, group, names, options.core)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
