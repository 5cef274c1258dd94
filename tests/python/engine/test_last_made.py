from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from rlcompress.engine.last_made import LastMade


def test_the_same_objects_get_what_was_made_and_equal_ones_do_not() -> None:
    made: LastMade[list[int]] = LastMade()
    first, second = [1], [1]
    kept = made.get((first, 0), lambda: [7])
    assert made.get((first, 0), lambda: [8]) is kept
    assert made.get((second, 0), lambda: [8]) == [8]
    assert made.get((first, 0), lambda: [9]) == [9]


def test_threads_do_not_share() -> None:
    made: LastMade[int] = LastMade()
    key = (object(),)
    assert made.get(key, lambda: 1) == 1
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(made.get, key, lambda: 2).result() == 2
    assert made.get(key, lambda: 3) == 1
