"""The walk over ended runs, with members of its own: none lost, none asked for twice."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.dbt import DBT_CLOUD
from tap_cloudapis.dbt.run_member import MOST_FAILURES, RunMember
from tap_cloudapis.dbt.walk import EndedRuns
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import Outcome, Record, cut_after, settings, sync
from tests.core.test_odd_servers import FAKE
from tests.dbt.scripted import Dbt, cancel, run, waiting
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.simulator_process import Simulator

HOUR = 3600
ENDED = (10, 20, 30)
#: Runs of this id modulo do not leave what the second member reads, at first.
LATE = 5


class Details(RunMember):
    """A member that reads the detail of each ended run: a row per run."""

    name = "dbt_walk_details"
    primary_keys: Sequence[str] = ("account_id", "run_id")
    parent_stream_type = EndedRuns
    schema: ClassVar[Any] = {
        "properties": {
            "account_id": {"type": "integer"},
            "run_id": {"type": "integer"},
            "run_finished_at": {"type": ["string", "null"], "format": "date-time"},
            "status": {"type": ["integer", "null"]},
        },
        "additionalProperties": False,
    }
    facts = Facts(row="an ended run", requests="one per run", unselected=Unselected.REQUESTS)

    def rows(self, reading: Any, context: Any, late: list[int]) -> Iterator[list[Record]]:
        del context, late
        yield [{"status": reading.head(self)["data"]["status"]}]


class Steps(Details):
    """A member that asks for one row per step; some leave theirs only later."""

    name = "dbt_walk_steps"
    primary_keys = ("account_id", "run_id", "step")
    schema: ClassVar[Any] = {
        "properties": {**Details.schema["properties"], "step": {"type": "integer"}},
        "additionalProperties": False,
    }
    steps = (1, 2)
    late: ClassVar[set[tuple[int, int]]] = set()

    def rows(self, reading: Any, context: Any, late: list[int]) -> Iterator[list[Record]]:
        status = reading.head(self)["data"]["status"]
        for step in self.outstanding(context) or self.steps:
            if (context["run_id"], step) in self.late:
                late.append(step)
            else:
                yield [{"status": status, "step": step}]


class WalkTap(TapCloudAPIs):
    """The tap, with two streams that hang on runs."""

    services = (
        dataclasses.replace(
            DBT_CLOUD,
            streams=(*DBT_CLOUD.streams, Details, Steps),
            narrowing={},
        ),
    )


class Warehouse:
    """What syncs of some members in turn leave behind."""

    def __init__(self, simulator: Simulator, **more: Any) -> None:
        self._settings = settings(simulator, "dbt", **more)
        self.rows: dict[str, dict[tuple[int, ...], Record]] = {}
        self.state: Record | None = None

    def sync(
        self,
        *members: str,
        prepare: Callable[[TapCloudAPIs], None] | None = None,
        code: int = 0,
        **changes: Any,
    ) -> Outcome:
        def select(tap: TapCloudAPIs) -> None:
            for stream in tap.streams.values():
                stream.selected = stream.name in (members or (Details.name,))
            if prepare is not None:
                prepare(tap)

        config = {**self._settings, **changes}
        outcome = sync(config, state=self.state, prepare=select, tap_class=WalkTap)
        assert outcome.code == code, outcome.log
        self.state = outcome.state
        for stream in (Details.name, Steps.name):
            for record in outcome.records(stream):
                key = tuple(record[name] for name in ("run_id", "step") if name in record)
                self.rows.setdefault(stream, {})[key] = record
        return outcome

    def runs(self, stream: str = Details.name) -> dict[int, Any]:
        return {key[0]: row["status"] for key, row in self.rows.get(stream, {}).items()}

    def marks(self, stream: str = Details.name) -> list[Mapping[str, Any]]:
        assert self.state is not None
        partitions = self.state["bookmarks"][stream]["partitions"]
        return [mark for partition in partitions for mark in partition["walks"].values()]


@pytest.fixture(autouse=True)
def _long_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have members read all there is: the simulator's time is not the tap's."""
    monkeypatch.setattr(RunMember, "history", timedelta(days=9000))
    monkeypatch.setattr(Steps, "late", set())


def ended(simulator: Simulator) -> dict[int, int]:
    """The status of the runs that have begun and ended, by id."""
    runs = sync(settings(simulator, "dbt"), select=["dbt_runs"]).records("dbt_runs")
    simulator.clear_requests()
    return {r["id"]: r["status"] for r in runs if r["status"] in ENDED and r["started_at"]}


def details_asked(simulator: Simulator) -> list[int]:
    """The runs whose details were asked for."""
    paths = [r["path"] for r in simulator.requests() if r["template"].endswith("runs/{run}/")]
    return [int(path.split("/")[-2]) for path in paths]


def lists_asked(simulator: Simulator) -> list[tuple[str, Record]]:
    """The paths and queries of the lists of runs."""
    asked = simulator.requests()
    return [(r["path"], r["query"]) for r in asked if r["template"].endswith("/runs/")]


def test_every_run_is_read_once_it_has_ended(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    for hours in (0, 1, 5, 12, 30, 0):
        moving.advance(hours * HOUR)
        moving.clear_requests()
        warehouse.sync()
        asked = details_asked(moving)
        assert len(asked) == len(set(asked))
        assert warehouse.runs() == ended(moving)
    assert not asked
    assert any(mark["waiting"] for mark in warehouse.marks()), "no run was open"


def test_a_quiet_sync_asks_for_two_lists_an_account(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    moving.clear_requests()
    warehouse.sync()
    lists = lists_asked(moving)
    assert len(lists) <= 2 * 2
    assert all({"pk__in", "id__gt"} & query.keys() for _, query in lists)


def test_members_share_the_lists_and_keep_marks_of_their_own(moving: Simulator) -> None:
    warehouse = Warehouse(moving, start_date="2020-01-01")
    warehouse.sync(Details.name)
    first = details_asked(moving)
    moving.advance(6 * HOUR)
    moving.clear_requests()
    warehouse.sync(Details.name, Steps.name)
    lists, asked = lists_asked(moving), details_asked(moving)
    queries = {(path, *sorted(query.items())) for path, query in lists}
    assert len(queries) == len(lists), "none was read twice"
    assert warehouse.runs(Details.name) == warehouse.runs(Steps.name) == ended(moving)
    again = [run for run in asked if run in first]
    assert len(again) == len(set(first)), "the one that came later caught up, the other did not"
    assert warehouse.marks(Details.name) == warehouse.marks(Steps.name)


def test_what_comes_late_is_asked_for_again_and_only_that(moving: Simulator) -> None:
    truth = ended(moving)
    late = sorted(truth)[::LATE]
    Steps.late.update((run, 2) for run in late)
    warehouse = Warehouse(moving)
    warehouse.sync(Steps.name)
    assert len(warehouse.rows[Steps.name]) == 2 * len(truth) - len(late)
    waiting = [mark["waiting"] for mark in warehouse.marks(Steps.name)]
    assert {run: steps for runs in waiting for run, steps in runs.items() if steps} == {
        str(run): [2] for run in late
    }
    Steps.late.clear()
    moving.clear_requests()
    outcome = warehouse.sync(Steps.name)
    assert [(r["run_id"], r["step"]) for r in outcome.records(Steps.name)] == [
        (run, 2) for run in sorted(details_asked(moving))
    ]
    assert set(details_asked(moving)) == set(late)
    assert len(warehouse.rows[Steps.name]) == 2 * len(truth)


def test_a_run_that_fails_is_looked_at_again_and_holds_nothing_up(moving: Simulator) -> None:
    victim = sorted(ended(moving))[20]
    moving.faults([{"path": f"/runs/{victim}/", "status": 418, "times": 1}])
    warehouse = Warehouse(moving)
    outcome = warehouse.sync(code=1)
    assert outcome.logged("ERROR", Details.name, str(victim))
    assert warehouse.runs().keys() == ended(moving).keys() - {victim}
    assert [run for mark in warehouse.marks() for run in mark["waiting"] if run == str(victim)]
    moving.clear_requests()
    warehouse.sync()
    assert details_asked(moving) == [victim]
    assert warehouse.runs() == ended(moving)


@pytest.mark.usefixtures("impatient")
def test_runs_behind_a_member_that_was_given_up_are_not_settled(
    moving: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_cloudapis.core.connection.MAX_TRIES", 2)
    moving.faults([{"path": r"/runs/\d+/$", "status": 500, "times": 5000}])
    warehouse = Warehouse(moving)
    outcome = warehouse.sync(code=1)
    moving.clear_faults()
    assert outcome.logged("ERROR", Details.name, "its other lists are not read")
    assert sum(len(mark["waiting"]) for mark in warehouse.marks()) <= MOST_FAILURES + 1
    warehouse.sync()
    assert warehouse.runs() == ended(moving)


def test_a_run_that_is_refused_is_asked_for_again_and_one_that_is_gone_is_not(
    moving: Simulator,
) -> None:
    victims = [run for place, run in enumerate(sorted(ended(moving))) if place in (3, 4, 7, 9)]
    moving.faults([{"path": f"/runs/{run}/", "status": 404, "times": 1} for run in victims])
    warehouse = Warehouse(moving)
    outcome = warehouse.sync()
    assert len(outcome.logged("WARNING", Details.name, "answered 404")) == 1, "one for all of them"
    assert warehouse.runs().keys() == ended(moving).keys() - set(victims)
    for mark in warehouse.marks():
        mark["waiting"]["17"] = []
    moving.clear_requests()
    warehouse.sync()
    asked = details_asked(moving)
    assert sorted(run for run in asked if run != 17) == victims
    assert asked.count(17) == len(warehouse.marks()), "only its own address tells that it is gone"
    assert warehouse.runs() == ended(moving)
    assert not [mark for mark in warehouse.marks() if "17" in mark["waiting"]]


@pytest.mark.parametrize(("status", "code"), [(404, 0), (403, 1)])
def test_a_run_that_is_gone_is_no_right_that_is_lost(
    status: int, code: int, moving: Simulator
) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync()
    moving.advance(4 * HOUR)
    newest = max(ended(moving))
    moving.faults([{"path": f"/runs/{newest}/", "status": status, "times": 9}])
    outcome = warehouse.sync(code=code)
    assert bool(outcome.logged("ERROR", Details.name, "read before")) is bool(code)


def test_a_member_that_joins_late_takes_nothing_from_the_others(
    moving: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own history begins behind the runs that the others have still to read."""
    warehouse = Warehouse(moving)
    warehouse.sync(Details.name)
    moving.advance(60 * HOUR)
    created = sorted(row["created_at"] for row in moving.rows("dbt_runs"))
    monkeypatch.setattr(EndedRuns, "before", lambda *_: created[-3])
    warehouse.sync(Details.name, Steps.name)
    assert warehouse.runs(Details.name) == ended(moving)
    moving.advance(40 * HOUR)
    warehouse.sync(Details.name, Steps.name)
    assert warehouse.runs(Details.name) == ended(moving)
    assert 0 < len(warehouse.runs(Steps.name)) < len(ended(moving))


def test_a_member_that_is_refused_stops_asking_and_leaves_the_others_alone(
    moving: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Steps, "head", "timing/")
    warehouse = Warehouse(moving)
    outcome = warehouse.sync(Details.name, Steps.name)
    assert warehouse.runs(Details.name) == ended(moving)
    assert not warehouse.runs(Steps.name)
    assert len(outcome.logged("WARNING", f"{Steps.name}: skipped")) == 2, "one for each account"
    assert all(len(mark["waiting"]) < 30 for mark in warehouse.marks(Steps.name))
    monkeypatch.undo()
    monkeypatch.setattr(RunMember, "history", timedelta(days=9000))
    warehouse.sync(Details.name, Steps.name)
    assert warehouse.runs(Steps.name) == ended(moving), "no mark had moved"


@pytest.mark.parametrize("cap", [3, 20])
def test_whatever_the_pages_are(cap: int, moving: Simulator) -> None:
    moving.settings(page_cap=cap)
    warehouse = Warehouse(moving)
    warehouse.sync()
    moving.advance(4 * HOUR)
    warehouse.sync()
    assert warehouse.runs() == ended(moving)


@pytest.mark.parametrize("after", [1, 7, 60])
def test_a_sync_that_is_cut_goes_on(after: int, moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    warehouse.sync(prepare=cut_after(after, Details.name), code=143)
    assert len(warehouse.runs()) == after
    moving.clear_requests()
    warehouse.sync()
    assert warehouse.runs() == ended(moving)
    assert len(details_asked(moving)) <= len(ended(moving)) - after + 1, "but for the last one"


def test_filters_and_a_start_date_narrow_the_walk(moving: Simulator) -> None:
    rows = {row["id"]: row for row in moving.rows("dbt_runs")}
    start = sorted(row["created_at"] for row in rows.values())[len(rows) // 2]
    late = [row["job_definition_id"] for row in rows.values() if row["created_at"] >= start]
    jobs = sorted(set(late))[:3]
    warehouse = Warehouse(moving, dbt_job_ids=jobs, start_date=start)
    warehouse.sync()
    expected = {
        run
        for run in ended(moving)
        if rows[run]["job_definition_id"] in jobs and rows[run]["created_at"] >= start
    }
    assert warehouse.runs().keys() == expected
    assert expected
    warehouse.sync(start_date=min(row["created_at"] for row in rows.values()))
    assert (
        {r for r in ended(moving) if rows[r]["job_definition_id"] in jobs}
        >= warehouse.runs().keys()
        > expected
    )


def test_the_walk_itself_is_seen_by_nobody(moving: Simulator) -> None:
    tap = WalkTap(config={})
    names = {entry["tap_stream_id"] for entry in tap.catalog_dict["streams"]}
    assert {Details.name, Steps.name} <= names
    assert EndedRuns.name not in names
    assert not tap.streams[Details.name].selected, "it costs a request for each run"
    outcome = Warehouse(moving).sync()
    assert set(outcome.schemas) == {Details.name}


class TestMissingOnce:
    """A list that lags lacks a run that waits; only its own address tells that it is gone."""

    def sync(self, dbt: Dbt, state: Record | None) -> tuple[Outcome, dict[str, Any]]:
        def select(tap: TapCloudAPIs) -> None:
            for stream in tap.streams.values():
                stream.selected = stream.name == Details.name

        with ScriptedServer(dbt) as server:
            config = {"dbt_token": FAKE, "dbt_url": server.url}
            outcome = sync(config, state=state, prepare=select, tap_class=WalkTap)
        (part,) = outcome.state["bookmarks"][Details.name]["partitions"]
        return outcome, part["walks"][""]["waiting"]

    @pytest.mark.parametrize("lists", [True, False], ids=["lists of ids", "none"])
    def test_a_run_goes_on_waiting(self, lists: bool) -> None:
        dbt = Dbt([run(1000), waiting(1001), run(1002)])
        for row in dbt.runs:
            row["started_at"] = row["created_at"]
        dbt.heeds -= set() if lists else {"pk__in"}
        first, left = self.sync(dbt, None)
        assert left == {"1001": []}
        dbt.hidden = {1001}
        second, left = self.sync(dbt, first.state)
        assert left == {"1001": []}
        cancel(dbt.runs[1])
        third, left = self.sync(dbt, second.state)
        assert [row["run_id"] for row in third.records(Details.name)] == [1001]
        assert left == {}

    def test_one_that_is_gone_does_not(self) -> None:
        dbt = Dbt([run(1000), waiting(1001)])
        first, left = self.sync(dbt, None)
        assert left == {"1001": []}
        del dbt.runs[1]
        _, left = self.sync(dbt, first.state)
        assert left == {}

    def test_a_refusal_keeps_it(self) -> None:
        dbt = Dbt([run(1000), waiting(1001)])
        first, left = self.sync(dbt, None)
        dbt.hidden = {1001}
        dbt.answers["/api/v2/accounts/1/runs/1001/"] = Reply({"status": {}}, status=403)
        second, left = self.sync(dbt, first.state)
        assert left == {"1001": []}
        assert second.logged("ERROR", "account 1, run 1001: ", "answered 403")
