"""Imports point down only. The table here is the picture in CONTRIBUTING.md."""

from __future__ import annotations

import sys

import pytest

from architecture.source_tree import imports_of, module_name, package_files, relative

FLOORS = {
    0: ("errors", "optional", "arrays", "contract", "layers", "network", "problem"),
    1: (
        "_core",
        "kernels",
        "ranking",
        "quantise",
        "quantise_activations",
        "rounding",
        "calibration",
        "shrink",
        "unit_order",
        "statistics",
        "artifact",
        "runtime",
        "latency",
        "sparse",
        "packing",
    ),
    2: ("engine",),
    3: (
        "importers",
        "exporters",
        "training",
        "tasks",
        "teachers",
        "teacher_presets",
        "imitation",
        "imitation_rounds",
    ),
    4: ("corpus", "layerwise"),
    5: ("algorithms",),
    6: ("reporting", "cli", "__main__"),
}
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names}
TOP = 7  # rlcompress/__init__.py: the user's view

# Upward on purpose: doors for the user on a value's methods.
DOORS = {
    ("rlcompress.network", "rlcompress.artifact"),
    ("rlcompress.engine.result", "rlcompress.reporting.tables"),
    ("rlcompress.algorithms.purl.prune", "rlcompress.reporting.pruning"),
}

# Lists of what there is, which name modules as text so that their floor imports nothing from above.
REGISTRIES = {"rlcompress.engine.registry"}

LOADED_WITH_THE_PACKAGE = {"numpy", "rlcompress", *sys.stdlib_module_names}
HARD_DEPENDENCIES = {"click", "rich"}


def floor_of(module: str) -> int:
    parts = module.split(".")
    return TOP if len(parts) == 1 else FLOOR_OF[parts[1]]


def test_every_module_has_a_floor():
    homeless = sorted(
        {module_name(path).split(".")[1] for path in package_files() if "." in module_name(path)} - set(FLOOR_OF)
    )
    assert not homeless, f"give these a floor in FLOORS: {homeless}"


@pytest.mark.parametrize("path", package_files(), ids=relative)
def test_imports_point_down(path):
    name = module_name(path)
    for found in imports_of(path):
        if found.module.split(".")[0] != "rlcompress" or (name, found.module) in DOORS:
            continue
        if found.as_text and name in REGISTRIES:
            continue
        assert floor_of(found.module) <= floor_of(name), (
            f"{relative(path)}:{found.line}: {name} (floor {floor_of(name)}) "
            f"imports {found.module} (floor {floor_of(found.module)})"
        )


def test_every_door_is_used():
    used = {(module_name(path), found.module) for path in package_files() for found in imports_of(path)}
    assert used >= DOORS, f"remove doors that nobody uses: {sorted(DOORS - used)}"


@pytest.mark.parametrize("path", package_files(), ids=relative)
def test_optional_dependencies_are_loaded_on_first_use(path):
    folder = module_name(path).split(".")[1:2]
    allowed = LOADED_WITH_THE_PACKAGE | (HARD_DEPENDENCIES if folder and folder[0] in ("reporting", "cli") else set())
    for found in imports_of(path):
        if found.at_load:
            root = found.module.split(".")[0]
            assert root in allowed, f"{relative(path)}:{found.line}: import {root} inside the function that needs it"


def test_kernels_is_the_sole_importer_of_the_core():
    importers = {
        module_name(path)
        for path in package_files()
        for found in imports_of(path)
        if found.module == "rlcompress._core"
    }
    assert importers <= {"rlcompress.kernels"}
    assert importers, "rlcompress.kernels no longer imports _core: this test looks at the wrong name"
