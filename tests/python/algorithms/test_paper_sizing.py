from __future__ import annotations

import pytest

from rlcompress.algorithms.pops_paper.sizing import Sizing, kept_weights, shrunk_widths
from rlcompress.errors import InvalidValueError

CARTPOLE, LUNARLANDER = (4, 256, 256, 128, 2), (8, 64, 64, 64, 4)


def layers(widths: tuple[int, ...]) -> list[int]:
    return [before * after for before, after in zip(widths, widths[1:])]  # noqa: RUF007


@pytest.mark.parametrize(
    ("teacher", "redundancy", "sizing", "expected", "weights"),
    [
        (CARTPOLE, [0.83984375, 0.8346405029296875, 0.83795166015625, 0.83984375], "cartpole", (70, 152, 34), 16_156),
        (CARTPOLE, [0.99] * 4, "cartpole", (4, 141, 2), 866),
        (CARTPOLE, [0.95] * 4, "cartpole", (23, 137, 11), 4_772),
        (LUNARLANDER, [0.99] * 4, "lunarlander", (4, 18, 4), 192),
        (LUNARLANDER, [0.95] * 4, "lunarlander", (3, 34, 3), 240),
    ],
)
def test_widths_of_three_hidden_layers_are_those_of_the_reference_code(
    teacher: tuple[int, ...], redundancy: list[float], sizing: Sizing, expected: tuple[int, ...], weights: int
) -> None:
    kept = kept_weights(layers(teacher), redundancy)
    found = shrunk_widths(teacher, kept, sum(layers(teacher)), sizing)
    assert found == expected
    assert sum(layers((teacher[0], *found, teacher[-1]))) == weights


def test_kept_weights_of_the_published_run() -> None:
    found = kept_weights(layers(CARTPOLE), [0.83984375, 0.8346405029296875, 0.83795166015625, 0.83984375])
    assert found == (164, 10_837, 5_310, 41)
    assert kept_weights([100], [1 - 7 / 100]) == (7,)  # no weight lost to rounding
    with pytest.raises(InvalidValueError, match="redundancy"):
        kept_weights([1, 2], [0.5])


@pytest.mark.parametrize("sizing", ["cartpole", "lunarlander"])
@pytest.mark.parametrize("hidden", [(), (64,), (64, 64), (256, 256), (64, 32, 16), (32,) * 4, (32,) * 5, (16,) * 9])
def test_any_depth_gives_widths_that_are_no_larger(sizing: Sizing, hidden: tuple[int, ...]) -> None:
    teacher = (6, *hidden, 3)
    full = layers(teacher)
    assert shrunk_widths(teacher, full, sum(full), sizing) == hidden
    for share in (0.5, 0.9, 0.99, 1.0):
        found = shrunk_widths(teacher, kept_weights(full, [share] * len(full)), sum(full), sizing)
        assert len(found) == len(hidden)
        assert all(width >= 1 for width in found)
        assert sum(layers((6, *found, 3))) <= max(sum(full), 1)


@pytest.mark.parametrize("hidden", [(256,), (256, 256), (256, 256, 128), (64, 64, 64, 64)])
def test_the_weights_asked_for_are_about_kept(hidden: tuple[int, ...]) -> None:
    teacher = (8, *hidden, 4)
    kept = kept_weights(layers(teacher), [0.9] * (len(hidden) + 1))
    found = shrunk_widths(teacher, kept, sum(layers(teacher)))
    assert sum(layers((8, *found, 4))) == pytest.approx(sum(kept), rel=0.3)


def test_no_more_weights_than_before() -> None:
    kept = (164, 10_837, 5_310, 41)
    found = shrunk_widths(CARTPOLE, kept, 5_000)
    assert sum(layers((4, *found, 2))) <= 5_000
    assert found < shrunk_widths(CARTPOLE, kept, 99_584)


def test_a_wrong_number_of_layers_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="2 layers"):
        shrunk_widths((4, 8, 2), (1, 2, 3), 100)
