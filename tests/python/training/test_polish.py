from __future__ import annotations

import numpy as np
import pytest

from balancing import redundant
from rlcompress.quantise import grid_for
from rlcompress.runtime import Runtime
from rlcompress.training.polish import Generation, Search, Space, float_space, grid_space

pytest.importorskip("cma")

MEAN, SPREAD = np.array([0.1, -0.2, 0.0, 0.3]), np.array([1.0, 0.5, 0.1, 2.0])
TEACHER = redundant(4)
SPACE = float_space(TEACHER, MEAN, SPREAD, 0.3)
ROWS = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


def fitness(generation: Generation) -> np.ndarray:
    """Larger nearer to zero: a task that any search can do."""
    return -np.square(generation.genomes).sum(1)


def searched(generations: int, journal: np.ndarray) -> tuple[Search, np.ndarray]:
    search, rows = Search(SPACE, 7, 6, journal), list(journal)
    for _ in range(generations):
        rows.append(fitness(search.ask()))
        search.tell(rows[-1])
    return search, np.array(rows).reshape(-1, 6)


EMPTY = np.zeros((0, 6))


def test_the_origin_is_the_network() -> None:
    network = SPACE.network_of(SPACE.origin)
    assert network.widths == TEACHER.widths
    assert np.allclose(Runtime(network).logits(ROWS), Runtime(TEACHER).logits(ROWS), atol=1e-4)
    assert SPACE.origin.shape == (TEACHER.parameter_count,)


def test_a_layer_of_zeros_can_be_searched() -> None:
    zero = TEACHER.with_layers(
        [type(layer)(layer.weight * 0, layer.bias * 0, layer.activation) for layer in TEACHER.dense_layers()]
    )
    space = float_space(zero, MEAN, SPREAD, 0.3)
    assert not space.origin.any()
    assert Runtime(space.network_of(space.origin + 1)).logits(ROWS).any()


@pytest.mark.parametrize("split", [0, 1, 4, 8])
def test_a_search_replayed_from_its_journal_goes_on_the_same(split: int) -> None:
    whole, journal = searched(8, EMPTY)
    following = whole.ask()
    _, first = searched(split, EMPTY)
    resumed, again = searched(8 - split, first)
    assert np.array_equal(journal, again)
    assert resumed.centre() == whole.centre()
    assert np.array_equal(resumed.ask().genomes, following.genomes)


def test_others_who_draw_random_numbers_do_not_disturb_a_search() -> None:
    state = np.random.get_state()
    one, other = Search(SPACE, 7, 6, EMPTY), Search(SPACE, 8, 6, EMPTY)
    for search in (one, other, one):
        np.random.random(5)
        search.tell(fitness(search.ask()))
    alone, _ = searched(2, EMPTY)
    assert alone.centre() == one.centre()
    np.random.set_state(state)


def test_a_search_leaves_the_users_random_numbers_alone() -> None:
    state = np.random.get_state()
    try:
        np.random.seed(3)
        wanted = np.random.random(3)
        np.random.seed(3)
        searched(2, EMPTY)
        assert np.array_equal(np.random.random(3), wanted)
    finally:
        np.random.set_state(state)


def test_the_search_finds_what_is_better() -> None:
    _, journal = searched(40, EMPTY)
    assert journal[-1].mean() > 0.5 * journal[0].mean()  # both negative


def test_seeds_differ() -> None:
    one, other = (Search(SPACE, seed, 6, EMPTY).ask().genomes for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_grid_search_judges_networks_on_the_grid() -> None:
    grid, genome = grid_for(TEACHER, 4, SPREAD.astype(np.float32))
    space = grid_space(grid, genome, 1.0)
    generation = Search(space, 0, 6, EMPTY).ask()
    assert isinstance(space, Space)
    assert len(generation.networks) == len(generation.genomes) == 6
    for network, found in zip(generation.networks, generation.genomes):
        assert network == grid.network_of(found)
        assert all(layer.bits == 4 for layer in network.layers)  # type: ignore[union-attr]
