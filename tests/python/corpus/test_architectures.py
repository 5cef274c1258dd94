"""Random shapes of base networks."""

from __future__ import annotations

import numpy as np
import pytest

from rlcompress.corpus.architectures import Architecture, random_architecture
from rlcompress.errors import InvalidValueError


def test_the_published_draw() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_architecture(rng) for _ in range(4000)]
    depths = np.bincount([len(each.hidden) for each in drawn], minlength=7)[1:]
    widths = np.array([width for each in drawn for width in each.hidden])
    words = [word for each in drawn for word in each.activations]
    before = [word for each in drawn for word in each.before]
    assert np.all(np.abs(depths / 4000 - 1 / 6) < 0.02)
    assert sorted(set(widths)) == list(range(100, 1001, 100))
    assert np.all(np.abs(np.bincount(widths // 100)[1:] / len(widths) - 0.1) < 0.01)
    for word, share in (("relu", 0.9), ("tanh", 0.05), ("sigmoid", 0.05)):
        assert abs(words.count(word) / len(words) - share) < 0.01
    for word, share in (("none", 0.34), ("batch_norm", 0.33), ("dropout", 0.33)):
        assert abs(before.count(word) / len(before) - share) < 0.02


def test_the_generator_alone_decides() -> None:
    first, second = (random_architecture(np.random.default_rng(5)) for _ in range(2))
    assert first == second
    rng = np.random.default_rng(6)
    drawn = {random_architecture(rng, layers=(0, 2), widths=(3, 8), step=4) for _ in range(200)}
    assert {width for each in drawn for width in each.hidden} == {3, 7}
    assert {len(each.hidden) for each in drawn} == {0, 1, 2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"layers": (3, 2)}, "layers"), ({"widths": (0, 5)}, "widths"), ({"widths": (9, 5)}, "widths")],
)
def test_empty_ranges_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        random_architecture(np.random.default_rng(0), **settings)


def test_parts_must_fit() -> None:
    with pytest.raises(InvalidValueError, match="one activation"):
        Architecture((3, 4), ("relu",), ("none", "none"))
    with pytest.raises(InvalidValueError, match="gelu"):
        Architecture((3,), ("gelu",), ("none",))  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="widths >= 1"):
        Architecture.plain(3, 0)
    assert Architecture.plain(30, 4).name == "30-4"
    assert Architecture.plain().name == "linear"
