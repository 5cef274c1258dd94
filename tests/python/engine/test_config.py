from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlcompress.engine.config import REQUIRED, Setting, from_config, settings, settle_types, to_config
from rlcompress.errors import InvalidValueError


@dataclass(frozen=True)
class Fast:
    jobs: int = 1


@dataclass(frozen=True)
class Slow:
    patience: float = 1.0


@dataclass(frozen=True)
class Options:
    keep: float = field(metadata={"help": "share of the return to keep"})
    widths: tuple[int, ...] = (8, 8)
    pair: tuple[int, str] = (1, "x")
    mode: Literal["a", "b"] = "a"
    limit: float | None = None
    names: Mapping[str, float] = field(default_factory=dict)
    engine: Fast | Slow = Fast()
    flag: bool = False


OPTIONS = st.builds(
    Options,
    keep=st.floats(),
    widths=st.lists(st.integers(), max_size=3).map(tuple),
    pair=st.tuples(st.integers(), st.text()),
    mode=st.sampled_from(["a", "b"]),
    limit=st.none() | st.floats(),
    names=st.dictionaries(st.text(), st.floats(), max_size=3),
    engine=st.builds(Fast, st.integers()) | st.builds(Slow, st.floats()),
    flag=st.booleans(),
)


@given(OPTIONS)
def test_json_round_trip(options: Options) -> None:
    config = json.loads(json.dumps(to_config(options), allow_nan=False))
    found = from_config(Options, config)
    assert repr(found) == repr(options)


def test_missing_fields_take_their_defaults_and_integers_pass_for_floats() -> None:
    found = from_config(Options, {"keep": 1, "limit": 2, "names": {"x": 3}, "engine": {"type": "Slow", "patience": 4}})
    assert found == Options(1.0, limit=2.0, names={"x": 3.0}, engine=Slow(4.0))
    assert all(type(value) is float for value in (found.keep, found.limit, found.names["x"]))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "keep: Options needs this setting"),
        ({"keep": "much"}, "keep: a number expected, found 'much'"),
        ({"keep": True}, "keep: a number expected, found True"),
        ({"keep": 1.0, "width": [1]}, "width: Options has no such setting; did you mean widths"),
        ({"keep": 1.0, "zzz": 1}, "zzz: Options has no such setting; known: keep, widths"),
        ({"keep": 1.0, "widths": [1, 2.5]}, r"widths\[1\]: a whole number expected, found 2.5"),
        ({"keep": 1.0, "widths": 3}, "widths: .*int.* expected, found 3"),
        ({"keep": 1.0, "pair": [1]}, "pair: 2 values expected, 1 found"),
        ({"keep": 1.0, "mode": "c"}, "mode: one of 'a', 'b' expected, found 'c'"),
        ({"keep": 1.0, "limit": "none"}, "limit: a number or None expected, found 'none'"),
        ({"keep": 1.0, "names": {"x": None}}, r"names\.x: a number expected, found None"),
        (
            {"keep": 1.0, "engine": {"type": "Fast", "job": 1}},
            r"engine\.job: Fast has no such setting; did you mean jobs",
        ),
        ({"keep": 1.0, "flag": 1}, "flag: True or False expected, found 1"),
        ([], "Options: a JSON object expected"),
    ],
)
def test_wrong_settings_name_the_field_and_the_remedy(config: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        from_config(Options, config)


def test_settings_list_the_fields_for_a_command_line() -> None:
    found = settings(Options)
    assert found[0] == Setting("keep", float, REQUIRED, "share of the return to keep")
    assert found[1] == Setting("widths", tuple[int, ...], (8, 8), "")
    assert found[5].default == {}


def test_only_json_able_dataclasses_are_settings() -> None:
    with pytest.raises(InvalidValueError, match="dataclass instance"):
        to_config(Options)
    with pytest.raises(InvalidValueError, match="keep: JSON-able"):
        to_config(Options(keep=object()))  # type: ignore[arg-type]


def test_types_are_checked_where_settings_are_made_in_python() -> None:
    settle_types(Options(1, limit=2, engine=Slow()))
    with pytest.raises(InvalidValueError, match=r"keep: a number expected, found '0\.5'"):
        settle_types(Options("0.5"))  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="flag: True or False expected, found 1"):
        settle_types(Options(1.0, flag=1))  # type: ignore[arg-type]


def test_numbers_that_mean_the_same_make_the_same_settings() -> None:
    given = Options(np.float64(1), flag=np.bool_(True))  # type: ignore[arg-type]
    settle_types(given)
    assert to_config(given) == to_config(Options(1.0, flag=True))
    whole = Options(1)
    settle_types(whole)
    assert json.dumps(to_config(whole)) == json.dumps(to_config(Options(1.0)))
