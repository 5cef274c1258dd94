"""Polish phase: search on the return itself, first over float32 weights, then with rounding to int4 (or int8) inside
the loop.

Deviates from PoPS (Livne & Cohen 2020), which neither quantises nor touches the return after distillation. Reported
apart from distillation, because a polished student is no copy of its teacher.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rlcompress.algorithms.pops.config import Settings
from rlcompress.algorithms.pops.judge import accepted, bar, screen, try_candidate
from rlcompress.algorithms.pops.state import Polishing, Shelved, State
from rlcompress.algorithms.pops.trimming import at_the_ceiling, least_salient
from rlcompress.artifact import weights_bytes
from rlcompress.engine.events import Emit, PhaseStarted, Progress
from rlcompress.network import Network
from rlcompress.problem import Problem
from rlcompress.quantise import Bits, grid_for, grid_of, quantise_grid
from rlcompress.shrink import drop_inputs
from rlcompress.training.distil import Student
from rlcompress.training.labels import Labels
from rlcompress.training.polish import Search, Space, float_space, grid_space

_BLOCK = 5
_CHECK_EVERY = 10
_SCREEN = 100
_STAGES: tuple[str, ...] = ("float", "int4", "int8", "trim")
_BITS: dict[str, Bits] = {"int4": 4, "int8": 8}
_TRIM_STEP = 0.6
_TRIM_SHARE = 3
_FLOAT_STEP = 0.3
_FLOAT_LEAST = 30
_GRID_STEP = {"int4": 0.7, "int8": 4.0}
_SEARCH_STEPS = 6_000


def polish_step(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """A block of generations of the search in progress, or the start of the next one."""
    if state.polishing is None:
        return _next_search(problem, settings, state, emit)
    search, generation = state.polishing, len(state.polishing.journal)
    if generation == 0 or generation % _CHECK_EVERY == 0:
        checked = _check(problem, settings, state, emit)
        if checked.polishing is not search:
            return checked
        state = checked
    space = space_of(search, state.base)
    strategy = Search(space, seed_of(problem, search), settings.population, search.journal)
    episodes = search_episodes(state)
    offset = _offset(state, search)
    rows = []
    for index in range(generation, generation + _BLOCK):
        networks = strategy.ask().networks
        scores = problem.task.score_many(networks, "search", offset + index * episodes, episodes)
        rows.append(np.array([score.mean for score in scores]))
        strategy.tell(rows[-1])
    emit(Progress((generation + _BLOCK) / settings.generations, "polish"))
    journal = np.concatenate([search.journal.reshape(-1, settings.population), np.stack(rows)])
    return replace(state, polishing=replace(search, journal=journal))


def space_of(search: Polishing, base: Labels) -> Space:
    """Where the search moves."""
    mean = base.observations.mean(0, dtype=np.float64)
    spread = base.observations.std(0, dtype=np.float64) + 1e-6
    if search.stage == "float":
        return float_space(search.start, mean, spread, _FLOAT_STEP)
    if search.stage == "trim":
        return grid_space(*grid_of(search.start), _TRIM_STEP)
    grid, genome = grid_for(search.start, _BITS[search.stage], spread.astype(np.float32))
    return grid_space(grid, genome, _GRID_STEP[search.stage])


def seed_of(problem: Problem, search: Polishing) -> int:
    """Seed of the search's random numbers."""
    name = f"{problem.seed} {search.student.name} {search.stage} {search.start.input_size}"
    return zlib.crc32(name.encode()) % 2**31


def search_episodes(state: State) -> int:
    """Episodes per network and generation: short ones are cheap, so they get more."""
    return int(np.clip(_SEARCH_STEPS / max(state.episode_length, 1.0), 12, 100))


def _offset(state: State, search: Polishing) -> int:
    stage = _STAGES.index(search.stage)
    return (len(state.polished) * len(_STAGES) + stage) * 20_000


def _next_search(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """Start on the shape with the fewest int4 bytes that is not searched yet and could still win."""
    best = accepted(state)
    limit = best[0].weights_bytes if best else 10**9
    waiting = [
        (size, entry)
        for size, entry in _shapes(problem, settings, state)
        if size < limit and _shape_name(entry.student) not in state.polished
    ]
    if not waiting or len(state.polished) >= settings.polish_shapes:
        return replace(state, phase="quantise")
    size, entry = waiting[0]
    emit(PhaseStarted("polish", f"{_shape_name(entry.student)}: {size} bytes as int4"))
    empty = np.zeros((0, settings.population))
    return replace(state, polishing=Polishing(entry.student, entry.network, "float", empty))


def _shapes(problem: Problem, settings: Settings, state: State) -> list[tuple[int, Shelved]]:
    """The best snapshot of each shape, with the bytes that it takes as int4, smallest first."""
    spread = (state.base.observations.std(0) + 1e-6).astype(np.float32)
    best: dict[str, Shelved] = {}
    for entry in state.shelf:
        name = _shape_name(entry.student)
        if entry.parameters <= settings.polish_parameters and (name not in best or entry.mean > best[name].mean):
            best[name] = entry
    sized = [(weights_bytes(quantise_grid(entry.network, 4, spread)), entry) for entry in best.values()]
    return sorted(sized, key=lambda item: (item[0], -item[1].mean))


def _shape_name(student: Student) -> str:
    return " ".join(student.name.split(" ")[: 2 if student.hidden else 1])


def _check(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """Look at the middle of the search: test it, move on to the next stage, give the shape up, or go on."""
    search = state.polishing
    assert search is not None
    centre = _centre(problem, settings, state)
    state, look = _look(problem, settings, state, centre)
    over = len(search.journal) >= _generations(settings, search)
    if search.stage == "float":
        return _after_float(problem, settings, state, centre, look, over)
    if look.good:
        before = accepted(state, uses_reward=True)
        state = try_candidate(problem, settings, state, emit, centre, _name(search, centre), "polished and quantised")
        state = at_the_ceiling(state, before[0]) if before and search.stage == "trim" else state
        if state.trials[-1].accepted:
            return _without_an_input(problem, settings, state, emit)
    if not over and not look.hopeless:
        return state
    return _stage(state, "int8", search.start, settings) if search.stage == "int4" else _give_up(state)


@dataclass(frozen=True)
class _Look:
    """What a glance at the screen split says of the middle of a search.

    Args:
        good: a standard error above the bar.
        possible: not two standard errors below it.
        hopeless: the generations left are too few at the present speed.
    """

    good: bool
    possible: bool
    hopeless: bool


def _look(problem: Problem, settings: Settings, state: State, network: Network) -> tuple[State, _Look]:
    moved, (values,) = screen(problem, settings, state, [network], _SCREEN)
    wanted = bar(state.teacher_values, settings.keep_return)
    mean, error = float(values.mean()), float(values.std()) / values.size**0.5
    assert state.polishing is not None
    hopeless = _hopeless(settings, state.polishing, mean + 3 * error, wanted)
    return moved, _Look(mean - error >= wanted, mean + 2 * error >= wanted, hopeless)


def _after_float(problem: Problem, settings: Settings, state: State, centre: Network, look: _Look, over: bool) -> State:
    """From float32 to int4 once the search has margin to lose, or at once where rounding alone costs nothing."""
    assert state.polishing is not None
    if look.good and len(state.polishing.journal) < min(_FLOAT_LEAST, settings.generations):
        spread = (state.base.observations.std(0) + 1e-6).astype(np.float32)
        moved, rounded = _look(problem, settings, state, quantise_grid(centre, 4, spread))
        return _stage(moved, "int4", centre, settings) if rounded.good else moved
    if look.good or (over and look.possible):
        return _stage(state, "int4", centre, settings)
    return _give_up(state) if over or look.hopeless else state


def _name(search: Polishing, network: Network) -> str:
    bits = getattr(network.layers[0], "bits", 32)
    fewer = f" {network.input_size} inputs" if search.stage == "trim" else ""
    return f"{_shape_name(search.student)}{fewer} int{bits}"


def _without_an_input(problem: Problem, settings: Settings, state: State, emit: Emit) -> State:
    """Go on from the network just accepted with the input dropped that is missed least, if that is smaller at all."""
    search, network = state.polishing, state.trials[-1].network
    assert search is not None
    if network.input_size < 2:
        return _give_up(state)
    mean = state.base.observations.mean(0)
    tries = [drop_inputs(network, [index], mean) for index in least_salient(network, state)]
    tries = [shorter for shorter in tries if weights_bytes(shorter) < weights_bytes(network)]
    if not tries:
        return _give_up(state)
    state, scores = screen(problem, settings, state, tries, _SCREEN)
    best = max(range(len(tries)), key=lambda index: float(scores[index].mean()))
    emit(PhaseStarted("polish", f"{_shape_name(search.student)}: without one of its {network.input_size} inputs"))
    journal = np.zeros((0, settings.population))
    return replace(state, polishing=replace(search, start=tries[best], stage="trim", journal=journal))


def _centre(problem: Problem, settings: Settings, state: State) -> Network:
    search = state.polishing
    assert search is not None
    space = space_of(search, state.base)
    if not len(search.journal):
        return space.network_of(space.origin)
    return Search(space, seed_of(problem, search), settings.population, search.journal).centre()


def _hopeless(settings: Settings, search: Polishing, reached: float, wanted: float) -> bool:
    """Whether twice the present speed would still miss the bar, from a hopeful view of what is reached."""
    done, most = len(search.journal), _generations(settings, search)
    if done < min(2 * _CHECK_EVERY, most // 2):
        return False
    better = np.sort(search.journal, axis=1)[:, search.journal.shape[1] // 2 :].mean(1)
    half = done // 2
    speed = max(float(better[half:].mean() - better[:half].mean()), 0.0) / half
    return reached + 2 * speed * (most - done) < wanted


def _generations(settings: Settings, search: Polishing) -> int:
    """Most generations of a search; the one that only has to make up for a dropped input gets a part of them."""
    return max(1, settings.generations // (_TRIM_SHARE if search.stage == "trim" else 1))


def _stage(state: State, stage: str, start: Network, settings: Settings) -> State:
    """Go on with another kind of weights, unless a candidate of its size could not win any more."""
    search = state.polishing
    assert search is not None
    best = accepted(state)
    following = Polishing(search.student, start, stage, np.zeros((0, settings.population)))
    size = weights_bytes(space_of(following, state.base).network_of(space_of(following, state.base).origin))
    if best and size >= best[0].weights_bytes:
        return _give_up(state)
    return replace(state, polishing=following)


def _give_up(state: State) -> State:
    """Close the search of this shape."""
    assert state.polishing is not None
    return replace(state, polishing=None, polished=(*state.polished, _shape_name(state.polishing.student)))


def scratch_network(template: Network) -> Network:
    """The same shape with all weights zero: where the search without a teacher starts."""
    layers = [replace(layer, weight=layer.weight * 0, bias=layer.bias * 0) for layer in template.dense_layers()]
    return template.with_layers(layers)


def scratch_generations(
    problem: Problem, settings: Settings, state: State, template: Network, count: int
) -> tuple[npt.NDArray[np.float64], Network]:
    """Go on with the search from zero weights; the journal and the middle of the search."""
    search = Polishing(Student((), variant=99), scratch_network(template), "float", state.scratch)
    space = space_of(search, state.base)
    journal = state.scratch.reshape(-1, settings.population)
    strategy = Search(space, seed_of(problem, search), settings.population, journal)
    episodes = search_episodes(state)
    rows: list[npt.NDArray[np.float64]] = []
    for index in range(len(journal), len(journal) + count):
        networks: Sequence[Network] = strategy.ask().networks
        scores = problem.task.score_many(networks, "search", 4_000_000 + index * episodes, episodes)
        rows.append(np.array([score.mean for score in scores]))
        strategy.tell(rows[-1])
    return np.concatenate([journal, np.stack(rows)]) if rows else journal, strategy.centre()
