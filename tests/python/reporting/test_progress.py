from __future__ import annotations

import io
import re
import threading

import pytest

from rlcompress.engine.events import (
    CandidateScored,
    Event,
    Note,
    PhaseStarted,
    Progress,
    RunFinished,
    RunStarted,
    StepFinished,
)
from rlcompress.reporting.progress import View, advance, clock, progress, seconds_left, status_lines

SMALL = CandidateScored("8-4 int4", 36, 18, 255.0, 250.0, 260.0, True, "good")
LARGE = CandidateScored("8-8-4", 108, 432, 260.0, 255.0, 265.0, True)
BAD = CandidateScored("8-1-4", 17, 68, -5.0, -9.0, 1.0, False, "below the bar")
EVENTS: tuple[Event, ...] = (
    RunStarted("pops", "LunarLander-v3", False),
    PhaseStarted("distil", "round 1 of 5"),
    Progress(0.5, "distil"),
    PhaseStarted("distil", "round 2 of 5"),
    PhaseStarted("distil", "round 2 of 5"),
    LARGE,
    SMALL,
    BAD,
    StepFinished(3, 1.0),
    Note("look out", warning=True),
    PhaseStarted("polish"),
    PhaseStarted("distil", "again"),
    RunFinished("done", 61.0),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fold(*events: Event) -> View:
    view = View("", 0.0, 0.0)
    for second, event in enumerate(events):
        view = advance(view, event, float(second))
    return view


def test_view_keeps_the_best_and_the_smallest_accepted() -> None:
    view = fold(*EVENTS)
    assert (view.best, view.smallest, view.judged, view.step, view.finished) == (LARGE, SMALL, 3, 3, "done")


def test_a_repeated_phase_keeps_its_share_and_a_new_one_starts_afresh() -> None:
    assert fold(*EVENTS[:5]).fraction == 0.5
    assert fold(*EVENTS[:5]).detail == "round 2 of 5"
    assert fold(*EVENTS[:12]).fraction is None
    assert fold(EVENTS[1], Progress(0.7, "other")).fraction is None
    assert fold(EVENTS[1], Progress(7.0, "distil")).fraction == 1.0


@pytest.mark.parametrize(("share", "left"), [(0.25, 30.0), (0.5, 10.0), (1.0, 0.0), (0.001, None)])
def test_time_left(share: float, left: float | None) -> None:
    assert seconds_left(View("", 0.0, 10.0, "distil", fraction=share), 20.0) == (
        None if left is None else pytest.approx(left)
    )


def test_a_phase_that_begins_again_is_timed_anew() -> None:
    view = View("", 0.0, 0.0)
    for now, event in (
        (100.0, PhaseStarted("polish", "linear")),
        (150.0, Progress(0.5, "polish")),
        (200.0, Progress(1.0, "polish")),
        (210.0, Progress(0.25, "polish")),
        (220.0, Progress(0.5, "polish")),
    ):
        view = advance(view, event, now)
    assert seconds_left(view, 220.0) == pytest.approx(20.0)


def test_the_share_of_the_run_goes_before_that_of_the_phase() -> None:
    view = fold(PhaseStarted("distil"), Progress(0.9, "distil"), Progress(0.5))
    assert seconds_left(view, 10.0) == pytest.approx(10.0)
    assert "50 %" in status_lines(view, 10.0)[1]
    assert "about 0:10 left" in status_lines(view, 10.0)[1]


def test_status_before_the_first_event() -> None:
    assert status_lines(View("", 0.0, 0.0), 3661.0) == ["starting: start", "  1:01:01 elapsed"]
    assert clock(59.9) == "0:59"


def test_plain_lines_when_piped() -> None:
    file = io.StringIO()
    show = progress(file)
    for event in EVENTS:
        show(event)
    lines = [re.sub(r"^\[\d+:\d\d\] ", "", line) for line in file.getvalue().splitlines()]
    assert lines == [
        "pops on LunarLander-v3",
        "distil: round 1 of 5",
        "distil: round 2 of 5",
        "accepted: 8-8-4, 432 bytes, 260.0 [255.0, 265.0]",
        "accepted: 8-4 int4, 18 bytes, 255.0 [250.0, 260.0] (good)",
        "warning: look out",
        "polish",
        "distil: again",
        "done after 1:01",
    ]
    assert "\x1b" not in file.getvalue()


def test_terminal_gets_a_live_view_that_gives_the_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    file = Terminal()
    show = progress(file)
    before = threading.active_count()
    for _ in range(2):  # a second run on the same subscriber opens the view again
        for event in EVENTS:
            show(event)
    text = file.getvalue()
    assert "warning: look out" in text
    assert "smallest accepted: 8-4 int4, 18 bytes" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 2
    for thread in threading.enumerate()[before:]:
        thread.join(timeout=5)
    assert threading.active_count() == before


def test_default_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    progress()(Note("hello [not a tag]"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("hello [not a tag]\n")
