from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from balancing import linear, redundant
from rlcompress.contract import Argmax, Contract, Normalisation, clip_to
from rlcompress.errors import InvalidValueError
from rlcompress.layers import Dense
from rlcompress.network import Network
from rlcompress.problem import SPLITS, Batch, Task, UniformActor

gymnasium = pytest.importorskip("gymnasium")

from rlcompress.tasks.policy import SEED_BASE, PolicyTask  # noqa: E402

CARTPOLE = PolicyTask("CartPole-v1")
PENDULUM = PolicyTask("Pendulum-v1")
WOBBLY = linear().with_layers([Dense(np.array([[0, 0, -1, 0.0], [0, 0, 1, 0.0]]), np.zeros(2))])
"""Falls after a while, sooner or later by seed."""


def same(one: list[Batch], other: list[Batch]) -> bool:
    return all(
        np.array_equal(a.observations, b.observations) and np.array_equal(a.scores, b.scores)
        for a, b in zip(one, other, strict=True)
    )


def test_is_a_task() -> None:
    assert isinstance(CARTPOLE, Task)


def test_a_good_policy_balances_and_a_bad_one_does_not() -> None:
    assert CARTPOLE.score(redundant(), "screen", 0, 5).values.tolist() == [500] * 5
    assert CARTPOLE.score(linear(-1), "screen", 0, 5).mean < 20


def test_scores_are_the_same_every_time_and_for_any_number_of_jobs() -> None:
    networks = [WOBBLY, linear(-1), WOBBLY]
    alone = CARTPOLE.score_many(networks, "screen", 3, 7)
    assert alone[0].values.std() > 0, "this policy should tell seeds apart"
    for task in (CARTPOLE, replace(CARTPOLE, jobs=2)):
        again = task.score_many(networks, "screen", 3, 7)
        assert all(np.array_equal(a.values, b.values) for a, b in zip(alone, again, strict=True))


def test_visits_are_the_same_every_time_and_for_any_number_of_jobs() -> None:
    actors = [WOBBLY, UniformActor(), linear(-1)]
    alone = CARTPOLE.visit_many(actors, 5, 300, seed=1, explore=0.2)
    assert same(alone, CARTPOLE.visit_many(actors, 5, 300, seed=1, explore=0.2))
    assert same(alone, replace(CARTPOLE, jobs=2).visit_many(actors, 5, 300, seed=1, explore=0.2))
    assert not same(alone[:1], CARTPOLE.visit_many(actors[:1], 5, 300, seed=2, explore=0.2))
    assert same(CARTPOLE.visit_many(actors[:1], 5, 300, seed=1), CARTPOLE.visit_many(actors[:1], 5, 300, seed=2))


def test_visits_give_whole_episodes() -> None:
    batch = CARTPOLE.visit(linear(-1), 0, 200, seed=0)
    assert batch.observations.dtype == np.float32
    assert batch.observations.shape == (int(batch.scores.sum()), 4)  # CartPole earns 1 per step
    assert len(batch.observations) >= 200


def test_seeds_are_paired() -> None:
    both = CARTPOLE.score_many([WOBBLY, WOBBLY], "accept", 0, 6)
    assert np.array_equal(both[0].values, both[1].values)
    assert np.array_equal(CARTPOLE.score(WOBBLY, "accept", 0, 6).values, both[0].values)


def test_units_are_numbered() -> None:
    values = CARTPOLE.score(WOBBLY, "screen", 0, 6).values
    assert np.array_equal(CARTPOLE.score(WOBBLY, "screen", 2, 3).values, values[2:5])


def test_splits_are_disjoint() -> None:
    assert set(SPLITS) < set(SEED_BASE)
    values = {split: tuple(CARTPOLE.score(WOBBLY, split, 0, 6).values) for split in SPLITS}
    assert len(set(values.values())) == len(SPLITS)
    bases = sorted(SEED_BASE.values())
    assert min(after - before for before, after in itertools.pairwise(bases)) >= 900_000


def test_description_builds_the_task_again() -> None:
    task = PolicyTask("Pendulum-v1", {"g": 9.0}, step_environment=False)
    description = json.loads(json.dumps(task.describe()))
    again = PolicyTask.from_description(description, jobs=2)
    assert again == replace(task, jobs=2)
    assert again.describe() == task.describe()
    assert not task.searchable
    assert CARTPOLE.searchable


def test_arguments_reach_the_environment() -> None:
    light, heavy = (PolicyTask("Pendulum-v1", {"g": g}) for g in (1.0, 10.0))
    policy = Network((Dense(np.zeros((1, 3)), np.zeros(1)),), Contract((3,), clip_to([-2.0], [2.0])))
    assert light.score(policy, "screen", 0, 3).mean != heavy.score(policy, "screen", 0, 3).mean


def test_contract_is_that_of_the_environment() -> None:
    assert CARTPOLE.contract.head == Argmax()
    assert CARTPOLE.contract.observation_shape == (4,)
    assert PENDULUM.contract.head == clip_to([-2.0], [2.0])
    assert CARTPOLE.output_size == 2


def test_networks_that_fit_pass() -> None:
    CARTPOLE.check(linear())
    normalised = Contract((4,), Argmax(), normalisation=Normalisation(np.zeros(4), np.ones(4)))
    CARTPOLE.check(replace(linear(), contract=normalised))


@pytest.mark.parametrize(
    ("inputs", "outputs", "head", "said"),
    [
        (3, 2, Argmax(), "4 values"),
        (4, 3, Argmax(), "2 outputs"),
        (4, 2, None, "discrete"),
    ],
)
def test_networks_that_do_not_fit_are_refused(inputs: int, outputs: int, head: Argmax | None, said: str) -> None:
    contract = Contract((inputs,)) if head is None else Contract((inputs,), head)
    with pytest.raises(InvalidValueError, match=said):
        CARTPOLE.check(Network((Dense(np.zeros((outputs, inputs)), np.zeros(outputs)),), contract))


def test_a_discrete_policy_is_refused_where_actions_are_continuous() -> None:
    with pytest.raises(InvalidValueError, match="continuous"):
        PENDULUM.check(Network((Dense(np.zeros((1, 3)), np.zeros(1)),), Contract((3,), Argmax())))


@pytest.mark.parametrize("env_id", ["NoSuchEnvironment-v0", "no such name"])
def test_unknown_environments_are_named(env_id: str) -> None:
    with pytest.raises(InvalidValueError, match=env_id):
        PolicyTask(env_id)


def test_spaces_that_are_not_supported_are_named() -> None:
    with pytest.raises(InvalidValueError, match="Box observations"):
        PolicyTask("FrozenLake-v1")


def test_a_policy_that_reads_some_of_the_observation_fits_and_acts_the_same() -> None:
    network = Network((Dense(linear().layers[0].weight[:, 2:], [0, 0]),), Contract((4,), Argmax(), selected=(2, 3)))
    CARTPOLE.check(network)
    assert np.array_equal(
        CARTPOLE.score(network, "screen", 0, 3).values, CARTPOLE.score(linear(), "screen", 0, 3).values
    )
    with pytest.raises(InvalidValueError, match="takes 5"):
        CARTPOLE.check(Network(network.layers, Contract((5,), Argmax(), selected=(2, 3))))


def test_no_networks_have_no_scores() -> None:
    assert CARTPOLE.score_many([], "screen", 0, 5) == []


def test_observation_stats_complete_a_teacher_that_has_none() -> None:
    stats = Normalisation(np.array([0.5, 0, 0, 0]), np.ones(4))
    task = PolicyTask("CartPole-v1", observation_stats=stats)
    prepared = task.prepare(linear())
    assert prepared.contract.normalisation == stats
    assert CARTPOLE.prepare(linear()) == linear()
    with pytest.raises(InvalidValueError, match="carries statistics already"):
        task.prepare(prepared)
