"""Numbers, moments and ids of a world that nobody stores: found both ways, in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudapis_simulator.chance import Dice
from cloudapis_simulator.clock import BEGINNING, DAY, END_OF_HISTORY, HOUR, MINUTE, Clock
from cloudapis_simulator.settings import Sizes
from cloudapis_simulator.truth import tell
from cloudapis_simulator.world import World
from cloudapis_simulator.world.timeline import Timeline

SEEDS = st.integers(0, 5)
TIMES = st.integers(BEGINNING, END_OF_HISTORY + 300 * DAY)


@given(
    moments=st.builds(
        Timeline,
        dice=st.builds(Dice, SEEDS, st.just("test")),
        count=st.integers(0, 5000),
        pace=st.sampled_from([40 * MINUTE, 5 * DAY]),
        closing=st.sampled_from([(), (5 * MINUTE,), (MINUTE, HOUR, 2 * HOUR)]),
        phase=st.sampled_from([None, 0.001, 0.5, 0.95]),
    ),
    now=TIMES,
)
def test_moments_are_ordered_and_counted(moments: Timeline, now: int) -> None:
    known = moments.until(now)
    near = range(max(known - 3, 1), known + 5)
    times = [moments.at(number) for number in near]
    assert times == sorted(times)
    assert sum(at <= now for at in times) == sum(number <= known for number in near)
    assert moments.until(END_OF_HISTORY) == moments.count


@settings(max_examples=60)
@given(seed=SEEDS, count=st.integers(0, 100_000), now=TIMES, pick=st.floats(0, 1))
def test_runs_are_found_by_number_id_and_time(seed: int, count: int, now: int, pick: float) -> None:
    world = World(seed, Sizes(dbt_accounts=2, dbt_runs=count, pulumi_orgs=0), Clock(now))
    for runs in world.runs.values():
        assert runs.count(END_OF_HISTORY) == count
        known = runs.count(now)
        number = 1 + int(known * pick)
        plan = runs.plan(number)
        assert plan.number == runs.number_of(plan.id) == number
        assert runs.first_above(plan.id) == number + 1
        assert runs.first_above(plan.id - 1) == number
        assert runs.created_at(number) == plan.created_at <= runs.created_at(number + 1)
        assert (plan.created_at <= now) == (number <= known)
        assert runs.first_created_from(plan.created_at) <= number
        times = [plan.created_at, plan.dequeued_at, plan.started_at, plan.ended_at, plan.settled_at]
        happened = [at for at in times if at is not None]
        assert happened == sorted(happened)
        assert plan.ended_at - plan.created_at < 36 * HOUR


@settings(max_examples=15, deadline=None)
@given(
    seed=SEEDS,
    sizes=st.builds(Sizes, *[st.integers(0, 4)] * 6, days=st.sampled_from([0, 40])),
    # From the end of history on a day has as many runs as a busy account.
    now=st.integers(BEGINNING, END_OF_HISTORY + 2 * DAY),
    wait=st.integers(0, 3 * DAY),
)
def test_worlds_of_any_size_keep_their_keys(seed: int, sizes: Sizes, now: int, wait: int) -> None:
    world = World(seed, sizes, Clock(now))
    tell(world)
    world.clock.move_to(now + wait)
    told = tell(world)
    # The way to a time does not matter.
    assert told == tell(World(seed, sizes, Clock(now + wait)))
    for stream, entry in told["streams"].items():
        keys = [tuple(row[key] for key in entry["key"]) for row in entry["rows"]]
        assert len(set(keys)) == len(keys), stream
