"""Progress of a run: a live view on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO, Union

from rich.console import Console
from rich.live import Live
from rich.text import Text

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
from rlcompress.reporting.rows import number

_BAR_CELLS = 24
_QUIET_SECONDS = 10.0


@dataclass(frozen=True)
class View:
    """What the reader is shown: a fold over the events.

    Args:
        title: algorithm and task.
        began, phase_began: `time.monotonic()` of the run and of the phase; of its present part where it has several.
        told: `time.monotonic()` of the last share of a phase.
        phase, detail: what is being done.
        fraction: done share of the phase, 0..1, or None when not told.
        run_fraction: done share of the run, or None.
        step: finished steps.
        judged: candidates scored so far.
        best: highest mean score of a candidate so far, or None.
        smallest: the smallest accepted candidate so far, or None.
        finished: why the run ended, or empty.
    """

    title: str
    began: float
    phase_began: float
    told: float = 0.0
    phase: str = ""
    detail: str = ""
    fraction: float | None = None
    run_fraction: float | None = None
    step: int = 0
    judged: int = 0
    best: CandidateScored | None = None
    smallest: CandidateScored | None = None
    finished: str = ""


def advance(view: View, event: Event, now: float) -> View:
    """The view after an event at time `now`."""
    if isinstance(event, RunStarted):
        verb = "resuming " if event.resumed else ""
        return replace(view, title=f"{verb}{event.algorithm} on {event.task}", finished="")
    if isinstance(event, PhaseStarted):
        if event.phase == view.phase:
            return replace(view, detail=event.detail or view.detail)
        return replace(view, phase=event.phase, detail=event.detail, fraction=None, phase_began=now, told=now)
    if isinstance(event, Progress):
        share = min(1.0, max(0.0, event.fraction))
        if not event.phase:
            return replace(view, run_fraction=share)
        return _further(view, share, now) if event.phase == view.phase else view
    if isinstance(event, CandidateScored):
        best = event if view.best is None or event.mean > view.best.mean else view.best
        smaller = view.smallest is None or event.weights_bytes < view.smallest.weights_bytes
        smallest = event if event.accepted and smaller else view.smallest
        return replace(view, judged=view.judged + 1, best=best, smallest=smallest)
    if isinstance(event, StepFinished):
        return replace(view, step=event.step)
    if isinstance(event, RunFinished):
        return replace(view, finished=event.reason)
    return view


def _further(view: View, share: float, now: float) -> View:
    """The view at this share of its phase; a smaller one than before is of another part, begun at the last one told."""
    again = view.fraction is not None and share < view.fraction
    return replace(view, fraction=share, told=now, phase_began=view.told if again else view.phase_began)


def seconds_left(view: View, now: float) -> float | None:
    """Estimated seconds to the end of the run, or of the phase when only its share is told; None too early to tell."""
    share, began = (view.fraction, view.phase_began) if view.run_fraction is None else (view.run_fraction, view.began)
    if share is None or share < 0.02 or now <= began:
        return None
    return (now - began) * (1 - share) / share


def clock(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def status_lines(view: View, now: float) -> list[str]:
    """The live view: what is happening, how far, and the best so far."""
    share = view.fraction if view.run_fraction is None else view.run_fraction
    left = seconds_left(view, now)
    times = f"{clock(now - view.began)} elapsed"
    if left is not None:
        scope = " in this phase" if view.run_fraction is None else ""
        times += f", about {clock(left)} left{scope}"
    filled = 0 if share is None else round(_BAR_CELLS * share)
    bar = "" if share is None else f"[{'#' * filled}{'.' * (_BAR_CELLS - filled)}] {100 * share:3.0f} %  "
    lines = [f"{view.title or 'starting'}: {_what(view) or 'start'}", f"  {bar}{times}"]
    if view.judged:
        scores = f"best score {_score(view.best)}; smallest accepted: {_score(view.smallest)}"
        lines.append(f"  {view.judged:,} judged; {scores}")
    return lines


def event_line(event: Event) -> str | None:
    """What is kept on screen of an event, or None."""
    if isinstance(event, Note):
        return f"{'warning: ' if event.warning else ''}{event.text}"
    if isinstance(event, CandidateScored) and event.accepted:
        return f"accepted: {_score(event)}" + (f" ({event.reason})" if event.reason else "")
    if isinstance(event, RunFinished):
        return f"{event.reason} after {clock(event.seconds)}"
    return None


def progress(file: IO[str] | None = None) -> Callable[[Event], None]:
    """A subscriber that shows a run as it goes.

    Args:
        file: where to; standard error when None. A terminal gets a live view, everything else plain lines.
    """
    stream = sys.stderr if file is None else file
    terminal = stream.isatty() and not Console(file=stream).is_dumb_terminal
    return _LiveView(stream) if terminal else _PlainLines(stream)


class _LiveView:
    """Redraws itself four times a second while a run is on."""

    def __init__(self, stream: IO[str]) -> None:
        self._console = Console(file=stream)
        self._live: Live | None = None
        self._view = _start()

    def __call__(self, event: Event) -> None:
        if self._live is None:
            self._open()
        assert self._live is not None
        self._view = advance(self._view, event, time.monotonic())
        line = event_line(event)
        if line is not None:
            self._console.print(Text(line, style="yellow" if isinstance(event, Note) and event.warning else ""))
        if isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Stop drawing and give the cursor back; a later event opens the view again."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _open(self) -> None:
        if self._view.finished:
            self._view = _start()
        # Output of forked workers must not pass through the view's lock, hence no redirection.
        self._live = Live(
            console=self._console,
            get_renderable=lambda: Text("\n".join(status_lines(self._view, time.monotonic()))),
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()


class _PlainLines:
    """Prints what changes; quiet stretches get a line every ten seconds."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._view = _start()
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        before, self._view = self._view, advance(self._view, event, now)
        line = event_line(event)
        if line is None and isinstance(event, RunStarted):
            line = self._view.title
        if line is None and isinstance(event, PhaseStarted):
            changed = (before.phase, before.detail) != (self._view.phase, self._view.detail)
            line = _what(self._view) if changed else None
        if line is None and now - self._last >= _QUIET_SECONDS:
            line = "; ".join(part.strip() for part in status_lines(self._view, now))
        if line is not None:
            print(f"[{clock(now - self._view.began)}] {line}", file=self._stream, flush=True)
            self._last = now

    def close(self) -> None:
        """Nothing to give back."""


Subscriber = Union[_LiveView, _PlainLines]


def _start() -> View:
    now = time.monotonic()
    return View("", now, now)


def _what(view: View) -> str:
    return f"{view.phase}: {view.detail}" if view.detail else view.phase


def _score(event: CandidateScored | None) -> str:
    if event is None:
        return "none yet"
    interval = f"[{number(event.lower)}, {number(event.upper)}]"
    return f"{event.name}, {event.weights_bytes:,} bytes, {number(event.mean)} {interval}"
