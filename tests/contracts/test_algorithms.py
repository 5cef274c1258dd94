"""What every entry of the registry of algorithms keeps."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, is_dataclass
from typing import Any

import pytest

from balancing import redundant
from rlcompress.engine.checkpoint import pack
from rlcompress.engine.codec import round_trip
from rlcompress.engine.config import REQUIRED, from_config, settings, to_config
from rlcompress.engine.driver import Budget, drive
from rlcompress.engine.hints import value_types
from rlcompress.engine.process import Process
from rlcompress.engine.registry import ALGORITHMS, TASKS, algorithm_type, build_algorithm
from rlcompress.engine.result import Result
from rlcompress.errors import CheckpointError, InvalidValueError
from rlcompress.problem import Problem

NAMES = sorted(ALGORITHMS)
POLICY_ALGORITHMS = [name for name in NAMES if name.startswith("pops")]
"""Those whose problem is a policy in an environment."""


@pytest.mark.parametrize("name", NAMES)
def test_is_a_process_under_its_own_name(name: str) -> None:
    algorithm = algorithm_type(name)()
    assert isinstance(algorithm, Process)
    assert algorithm.algorithm == name
    assert is_dataclass(algorithm.state_type)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_frozen_and_compared_by_value(name: str) -> None:
    cls = algorithm_type(name)
    algorithm = cls()
    assert algorithm == cls()
    with pytest.raises(FrozenInstanceError):
        setattr(algorithm, settings(cls)[0].name, 0)


@pytest.mark.parametrize("name", NAMES)
def test_settings_survive_json(name: str) -> None:
    cls = algorithm_type(name)
    config = json.loads(json.dumps(to_config(cls()), allow_nan=False))
    assert build_algorithm(name, config) == cls()
    assert to_config(build_algorithm(name, config)) == config
    assert build_algorithm(name, {}) == cls()


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_of_the_wrong_type_is_refused_by_its_name(name: str) -> None:
    cls = algorithm_type(name)
    for setting in settings(cls):
        for wrong in (object(), [None]):
            with pytest.raises(InvalidValueError, match=f"^{setting.name}: .* expected, found"):
                cls(**{setting.name: wrong})


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_explained_and_has_a_default(name: str) -> None:
    for setting in settings(algorithm_type(name)):
        assert setting.help, setting.name
        assert setting.default is not REQUIRED, setting.name


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_takes_only_its_type(name: str) -> None:
    cls = algorithm_type(name)
    for setting in settings(cls):
        with pytest.raises(InvalidValueError, match=setting.name):
            from_config(cls, {setting.name: {"no": "such value"}})
    with pytest.raises(InvalidValueError, match="no such setting"):
        from_config(cls, {"nonesuch": 1})


@pytest.mark.parametrize("name", NAMES)
def test_is_documented_with_its_source(name: str) -> None:
    cls = algorithm_type(name)
    summary = (cls.__doc__ or "").strip().splitlines()[0]
    assert summary, "its first line is the help of the command"
    assert not summary.startswith(f"{cls.__name__}(")
    module = importlib.import_module(cls.__module__)
    assert "Source:" in f"{module.__doc__}{cls.__doc__}"


@pytest.mark.parametrize("name", NAMES)
def test_the_state_can_be_stored(name: str) -> None:
    assert value_types(algorithm_type(name)().state_type)


@pytest.mark.parametrize("name", POLICY_ALGORITHMS)
def test_starts_steps_and_finishes_from_any_state(name: str) -> None:
    for module in ("torch", "gymnasium", "cma"):
        pytest.importorskip(module)
    from rlcompress.tasks.policy import PolicyTask

    algorithm: Any = algorithm_type(name)(min_episodes=10, max_episodes=10)
    problem = Problem(redundant(8), PolicyTask("CartPole-v1", {"max_episode_steps": 20}), seed=2)
    state = algorithm.start(problem, lambda event: None)
    assert isinstance(state, algorithm.state_type)
    again = round_trip(state, algorithm.state_type)
    assert pack(again, algorithm.state_type, {}) == pack(state, algorithm.state_type, {})
    assert not algorithm.done(problem, state)
    outcome = drive(algorithm, problem, lambda event: None, budget=Budget(steps=1))
    assert isinstance(outcome.output, Result)
    assert outcome.output.algorithm == name
    assert outcome.steps == 1


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="pops"):
        algorithm_type("nonesuch")


def test_the_registry_loads_no_algorithm() -> None:
    code = (
        "import sys, rlcompress.engine.registry; "
        "print([m for m in sys.modules if m.startswith(('rlcompress.algorithms', 'rlcompress.tasks', 'torch'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(TASKS))
def test_tasks_can_be_built_from_a_description(name: str) -> None:
    module, _, attribute = TASKS[name].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute).from_description)
