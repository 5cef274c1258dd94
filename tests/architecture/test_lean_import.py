"""`import rlcompress` loads NumPy and the core alone, and fast."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

BUDGET_MS = 50
RUNS = 7

# Processor time of the importing thread: neither a busy machine nor the idling threads of a BLAS must count.
MEASURE = """
import json, sys, time
import numpy
before = set(sys.modules)
start = time.thread_time()
import {module}
milliseconds = 1e3 * (time.thread_time() - start)
print(json.dumps([milliseconds, sorted(set(sys.modules) - before)]))
"""


def measure(module: str) -> tuple[float, list[str]]:
    command = [sys.executable, "-c", MEASURE.format(module=module)]
    milliseconds, loaded = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return milliseconds, loaded


@pytest.mark.parametrize("module", ["rlcompress", "rlcompress.runtime", "rlcompress.artifact", "rlcompress.ranking"])
def test_only_numpy_and_the_core_are_loaded(module):
    _, loaded = measure(module)
    roots = {name.split(".")[0] for name in loaded}
    foreign = sorted(roots - {"rlcompress", "numpy"} - set(sys.stdlib_module_names))
    assert not foreign, f"import {module} also loads {foreign}"
    assert "rlcompress._core" in loaded


def test_import_costs_at_most_50_ms_on_top_of_numpy():
    best = min(measure("rlcompress")[0] for _ in range(RUNS))
    assert best <= BUDGET_MS, f"import rlcompress takes {best:.1f} ms on top of NumPy; the budget is {BUDGET_MS} ms"


def test_the_public_names_are_there_without_importing_anything_more():
    heavy = "{'torch', 'gymnasium', 'click', 'rich'}"
    code = f"import rlcompress, sys; dir(rlcompress); print(sorted(set(sys.modules) & {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_resolves():
    code = (
        "import rlcompress; [getattr(rlcompress, name) for name in rlcompress.__all__]; print(len(rlcompress.__all__))"
    )
    pytest.importorskip("torch")
    assert int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout) >= 20
