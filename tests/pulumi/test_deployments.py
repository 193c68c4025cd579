"""Deployments: newest first down to what is known, open ones to their end; and checks for drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import assert_true, settings, sync
from tests.pulumi.newest import NOT_THERE, REFUSED, SECRET, Org

if TYPE_CHECKING:
    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

DEPLOYMENTS, DRIFT = "pulumi_deployments", "pulumi_drift_runs"
PARTS = ("pulumi_deployment_jobs", "pulumi_deployment_steps", "pulumi_deployment_updates")
LIST, OF_STACK = "orgs/acme/deployments", "stacks/acme/web/prod/deployments"
CHECKS = "stacks/acme/web/prod/drift/runs"
BEGIN = datetime.now(UTC).replace(hour=0, minute=0, second=0) - timedelta(days=60)


def at(minutes: int) -> str:
    return f"{BEGIN + timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S}.000"


def deployment(number: int, status: str = "succeeded", **more: Any) -> Record:
    """A deployment that was made ten minutes after the one before."""
    row = {
        "id": f"d{number}",
        "created": at(10 * number),
        "modified": at(10 * number + 1),
        "status": status,
        "version": number,
        "projectName": "web",
        "stackName": "prod",
        "pulumiOperation": "update",
        "jobs": [],
        "updates": [],
        **more,
    }
    return {name: value for name, value in row.items() if value is not None}


def history(newest: int, **still_open: str) -> list[Record]:
    """Deployments from a number down, some of them open."""
    return [deployment(n, still_open.get(f"d{n}", "succeeded")) for n in range(newest, 0, -1)]


def org(rows: list[Record], **more: Any) -> Org:
    return Org({LIST: ("deployments", rows), OF_STACK: ("deployments", rows)}, **more)


def replaced(rows: list[Record], number: int, **changes: Any) -> None:
    place = [row["id"] for row in rows].index(f"d{number}")
    rows[place] = {**rows[place], **changes}


class TestNewestFirst:
    @pytest.mark.parametrize("totals", [True, False])
    @pytest.mark.parametrize("cap", [100, 37, 1])
    def test_all_at_first_then_what_is_new(self, cap: int, *, totals: bool) -> None:
        rows = history(130 if cap > 1 else 5)
        acme = org(rows, cap=cap, totals=totals)
        acme.sync(DEPLOYMENTS)
        assert sorted(acme.column(DEPLOYMENTS, "id")) == sorted(row["id"] for row in rows)
        acme.sync(DEPLOYMENTS)
        # The newest one may share its time with another, which was not there yet.
        assert acme.column(DEPLOYMENTS, "id") == [rows[0]["id"]]
        rows[:0] = [deployment(202), deployment(201)]
        acme.sync(DEPLOYMENTS)
        assert acme.column(DEPLOYMENTS, "id")[:2] == ["d202", "d201"]
        assert len(acme.column(DEPLOYMENTS, "id")) == 3
        if cap == 100:
            assert acme.pages(LIST) == ["1"]

    def test_one_that_shows_moments_late_is_read(self) -> None:
        rows = history(3)
        late = {**deployment(99), "created": at(27)}
        acme = org(rows)
        acme.sync(DEPLOYMENTS)
        rows.insert(1, late)
        acme.sync(DEPLOYMENTS)
        assert acme.column(DEPLOYMENTS, "id") == ["d3", "d99"]

    def test_new_ones_that_push_others_to_later_pages_lose_none(self) -> None:
        rows = history(60)
        acme = org(rows, cap=20)

        def moving(query: dict[str, str]) -> Any:
            if query.get("page") == "2":
                rows.insert(0, deployment(61))
                acme.answers[LIST] = ("deployments", rows)
            return ("deployments", rows)

        acme.answers[LIST] = moving
        acme.sync(DEPLOYMENTS)
        assert {row["id"] for row in rows} == set(acme.column(DEPLOYMENTS, "id"))

    def test_those_that_go_pull_none_past_the_reader(self) -> None:
        rows = history(60)
        acme = org(rows, cap=20)

        def moving(query: dict[str, str]) -> Any:
            if query.get("page") == "2":
                del rows[:5]
                acme.answers[LIST] = ("deployments", rows)
            return ("deployments", rows)

        acme.answers[LIST] = moving
        acme.sync(DEPLOYMENTS)
        assert {row["id"] for row in rows} <= set(acme.column(DEPLOYMENTS, "id"))

    def test_another_order_is_read_to_its_end_and_said(self) -> None:
        rows = history(60)[::-1]
        acme = org(rows, cap=20)
        acme.sync(DEPLOYMENTS)
        rows.append(deployment(61))
        acme.sync(DEPLOYMENTS)
        assert "d61" in acme.column(DEPLOYMENTS, "id")
        assert acme.outcome.says("do not come newest first")

    def test_a_server_that_knows_no_pages_ends(self) -> None:
        rows = history(5)
        acme = org([], totals=False)
        acme.answers[LIST] = {"deployments": rows}
        acme.sync(DEPLOYMENTS)
        assert len(acme.column(DEPLOYMENTS, "id")) == 5
        acme.answers[LIST] = {"deployments": rows, "total": 9, "itemsPerPage": 5}
        acme.state = None
        acme.sync(DEPLOYMENTS, code=1)
        assert acme.outcome.says("fewer rows than it announces")

    def test_a_total_that_is_too_small_loses_none(self) -> None:
        rows = history(50)
        acme = org(rows, cap=20)

        def wrong(query: dict[str, str]) -> Any:
            page = int(query["page"])
            shown = rows[(page - 1) * 20 : page * 20]
            return {"deployments": shown, "total": len(shown), "itemsPerPage": 20}

        acme.answers[LIST] = wrong
        acme.sync(DEPLOYMENTS)
        assert len(acme.column(DEPLOYMENTS, "id")) == 50

    def test_a_clock_that_is_ahead_hides_nothing(self) -> None:
        rows = [{**deployment(9), "created": "2199-01-01 00:00:00"}, *history(3)]
        acme = org(rows)
        acme.sync(DEPLOYMENTS)
        rows.insert(1, deployment(4))
        acme.sync(DEPLOYMENTS)
        assert "d4" in acme.column(DEPLOYMENTS, "id")

    def test_the_start_date_leaves_out_what_had_ended_before(self) -> None:
        rows = history(40, d3="running")
        acme = org(rows, cap=10)
        acme.sync(DEPLOYMENTS, start_date=f"{BEGIN + timedelta(hours=5):%Y-%m-%dT%H:%M:%SZ}")
        assert acme.column(DEPLOYMENTS, "id") == [f"d{n}" for n in range(40, 29, -1)]
        acme.sync(DEPLOYMENTS)
        assert len(acme.column(DEPLOYMENTS, "id")) == 40, "the start has moved back"

    def test_a_sync_that_fails_moves_no_mark(self) -> None:
        rows = history(60)
        acme = org(rows, cap=20)
        good = acme.answers[LIST]
        acme.answers[LIST] = lambda q: {"deployments": 7} if q["page"] == "3" else good
        acme.sync(DEPLOYMENTS, code=1)
        acme.answers[LIST] = good
        acme.sync(DEPLOYMENTS)
        assert len(acme.rows[DEPLOYMENTS]) == 60


class TestOpen:
    def test_one_far_down_is_found_in_the_list_of_its_stack(self) -> None:
        rows = history(150, d7="running")
        acme = org(rows)
        acme.answers[OF_STACK] = lambda _: ("deployments", [r for r in rows if r["version"] < 10])
        acme.sync(DEPLOYMENTS)
        acme.sync(DEPLOYMENTS)
        assert acme.column(DEPLOYMENTS, "id") == ["d150", "d7"]
        assert sorted(acme.paths()) == [LIST, OF_STACK, "user/stacks"]
        replaced(rows, 7, status="failed")
        acme.sync(DEPLOYMENTS)
        assert acme.rows[DEPLOYMENTS]["acme", "d7"]["status"] == "failed"
        acme.sync(DEPLOYMENTS)
        assert acme.paths() == [LIST, "user/stacks"]

    def test_one_without_names_is_looked_for_down_the_list(self) -> None:
        rows = history(150)
        replaced(rows, 7, status="running")
        for name in ("projectName", "stackName"):
            del next(row for row in rows if row["id"] == "d7")[name]
        acme = org(rows)
        acme.sync(DEPLOYMENTS)
        record = acme.rows[DEPLOYMENTS]["acme", "d7"]
        assert (record.get("project_name"), record["stack_id"]) == (None, None)
        replaced(rows, 7, status="succeeded")
        acme.sync(DEPLOYMENTS)
        assert acme.rows[DEPLOYMENTS]["acme", "d7"]["status"] == "succeeded"
        assert acme.pages(LIST) == ["1", "1", "2"]
        acme.sync(DEPLOYMENTS)
        assert acme.pages(LIST) == ["1"]

    def test_one_whose_stack_was_renamed_is_found_too(self) -> None:
        rows = history(150, d7="running")
        acme = org(rows)
        acme.sync(DEPLOYMENTS)
        acme.answers[OF_STACK] = NOT_THERE
        replaced(rows, 7, status="succeeded", stackName="main")
        acme.sync(DEPLOYMENTS)
        record = acme.rows[DEPLOYMENTS]["acme", "d7"]
        assert (record["status"], record["stack_name"]) == ("succeeded", "main")

    def test_one_that_is_gone_is_said_and_forgotten(self) -> None:
        rows = history(150, d7="running")
        acme = org(rows)
        acme.sync(DEPLOYMENTS)
        acme.answers[OF_STACK] = NOT_THERE
        rows[:] = [row for row in rows if row["id"] != "d7"]
        acme.sync(DEPLOYMENTS)
        assert acme.outcome.says("deployment d7 was open, and is gone")
        acme.sync(DEPLOYMENTS)
        assert acme.pages(LIST) == ["1"]

    @pytest.mark.parametrize("there", [True, False])
    def test_only_its_own_address_tells_that_it_is_gone(self, *, there: bool) -> None:
        rows = history(150, d7="running")
        acme = org(rows)
        acme.sync(DEPLOYMENTS)
        acme.answers[OF_STACK] = ("deployments", rows[:3])
        acme.answers[f"{OF_STACK}/d7"] = deployment(7, "running") if there else NOT_THERE
        acme.sync(DEPLOYMENTS)
        assert acme.outcome.says("deployment d7 was open, and is gone") is not there
        replaced(rows, 7, status="succeeded")
        acme.answers[OF_STACK] = ("deployments", rows)
        acme.sync(DEPLOYMENTS)
        assert (acme.rows[DEPLOYMENTS]["acme", "d7"]["status"] == "succeeded") is there

    def test_a_refusal_forgets_nothing(self) -> None:
        rows = history(150, d7="running")
        acme = org(rows)
        acme.sync(DEPLOYMENTS)
        good, acme.answers[OF_STACK] = acme.answers[OF_STACK], REFUSED
        acme.sync(DEPLOYMENTS)
        assert acme.outcome.says("cannot be looked at now")
        acme.answers[OF_STACK] = good
        replaced(rows, 7, status="skipped")
        acme.sync(DEPLOYMENTS)
        assert acme.rows[DEPLOYMENTS]["acme", "d7"]["status"] == "skipped"


class TestParts:
    def test_jobs_steps_and_updates(self) -> None:
        step = {"name": "Setup", "status": "succeeded", "started": "2026-03-01T00:00:01.5Z"}
        step["lastUpdated"] = "2026-03-01T00:00:03.750000001Z"
        waits = {"name": "Get source", "status": "not-started", "started": "0001-01-01T00:00:00Z"}
        jobs = [{"status": "running", "steps": [step, waits]}, {"status": "skipped", "steps": None}]
        update: Record = {"id": "n1", "updateID": None, "endTime": 0, "startTime": 1_772_323_200}
        update["environment"] = {"CI": "1", "API_TOKEN": SECRET}
        acme = org([deployment(1, "running", jobs=jobs, updates=[update])])
        acme.sync(DEPLOYMENTS, *PARTS)
        key = ("acme", "d1")
        assert set(acme.rows[PARTS[0]]) == {(*key, 1), (*key, 2)}
        steps = acme.rows[PARTS[1]]
        assert steps[*key, 1, 1]["duration_seconds"] == 2.25
        assert (steps[*key, 1, 2]["started"], steps[*key, 1, 2]["duration_seconds"]) == (None, None)
        made = acme.rows[PARTS[2]][*key, ""]
        assert (made["end_time"], made["environment"]) == (None, {"CI": "1"})
        assert made["stack_id"] == "acme/web/prod"

    def test_a_part_that_is_selected_later_gets_all_there_is(self) -> None:
        rows = history(150)
        replaced(rows, 2, jobs=[{"status": "succeeded", "steps": []}])
        acme = org(rows)
        acme.sync(DEPLOYMENTS)
        acme.sync(DEPLOYMENTS, PARTS[0])
        assert list(acme.rows[PARTS[0]]) == [("acme", "d2", 1)]
        acme.sync(DEPLOYMENTS, PARTS[0])
        assert acme.pages(LIST) == ["1"]
        acme.sync(PARTS[0])
        acme.sync(DEPLOYMENTS, PARTS[0])
        assert len(acme.column(DEPLOYMENTS, "id")) == 150


def check(number: int, status: str = "succeeded", **more: Any) -> Record:
    return {"id": f"r{number}", "created": at(10 * number + 2), "status": status, **more}


class TestDrift:
    def acme(self, rows: list[Record], checks: list[Record]) -> Org:
        acme = org(rows)
        acme.answers[CHECKS] = ("driftRuns", checks)
        stack = {"orgName": "acme", "projectName": "web", "stackName": "prod", "id": "s1"}
        acme.answers["user/stacks"] = {"stacks": [stack]}
        return acme

    def test_only_deployments_that_check_lead_to_the_checks(self) -> None:
        rows, checks = [deployment(1)], [check(1)]
        acme = self.acme(rows, checks)
        acme.sync(DEPLOYMENTS, DRIFT)
        assert CHECKS not in acme.paths()
        rows[:0] = [deployment(n, pulumiOperation="detect-drift") for n in (3, 2)]
        acme.sync(DEPLOYMENTS, DRIFT)
        assert acme.pages(CHECKS) == ["1"]
        assert set(acme.rows[DRIFT]) == {("acme", "web", "prod", "s1", "r1")}
        rows.insert(0, deployment(9))
        acme.sync(DEPLOYMENTS)
        acme.sync(DEPLOYMENTS, DRIFT)
        rows.insert(0, deployment(10))
        acme.sync(DEPLOYMENTS, DRIFT)
        assert CHECKS not in acme.paths()

    def test_an_open_check_is_read_to_its_end_under_the_names_it_had(self) -> None:
        rows = [deployment(2, pulumiOperation="remediate-drift")]
        checks = [check(2, "running", detectUpdate={"updateId": "u1"})]
        acme = self.acme(rows, checks)
        acme.sync(DEPLOYMENTS, DRIFT)
        rows.insert(0, deployment(9))
        acme.sync(DEPLOYMENTS, DRIFT)
        acme.sync(DEPLOYMENTS, DRIFT)
        checks[0] = check(2, remediateUpdate={"updateId": "u2"})
        acme.sync(DEPLOYMENTS, DRIFT)
        (record,) = acme.rows[DRIFT].values()
        assert (record["status"], record["remediate_update_id"]) == ("succeeded", "u2")
        acme.sync(DEPLOYMENTS, DRIFT)
        assert CHECKS not in acme.paths()

    def test_a_stack_that_is_gone_is_forgotten(self) -> None:
        acme = self.acme([deployment(2, pulumiOperation="detect-drift")], [check(2, "running")])
        acme.sync(DEPLOYMENTS, DRIFT)
        acme.answers[CHECKS] = NOT_THERE
        acme.answers[LIST] = ("deployments", [])
        acme.sync(DEPLOYMENTS, DRIFT)
        assert CHECKS in acme.paths()
        acme.sync(DEPLOYMENTS, DRIFT)
        assert CHECKS not in acme.paths()

    def test_only_checks_beyond_the_known_ones_are_read(self) -> None:
        rows = [deployment(n, pulumiOperation="detect-drift") for n in range(250, 0, -1)]
        checks = [check(n) for n in range(250, 0, -1)]
        acme = self.acme(rows, checks)
        acme.sync(DRIFT)
        assert len(acme.rows[DRIFT]) == 250
        rows.insert(0, deployment(251, pulumiOperation="detect-drift"))
        checks.insert(0, check(251))
        acme.sync(DRIFT)
        assert (acme.pages(CHECKS), acme.column(DRIFT, "id")) == (["1"], ["r251", "r250"])


@pytest.mark.parametrize("marks", [{"acme": ["yesterday"]}, {"acme": ["", 7]}, {"acme": []}])
def test_a_spoiled_mark_is_read_anew(marks: Any) -> None:
    acme = org(history(3))
    acme.sync(DEPLOYMENTS)
    assert acme.state is not None
    acme.state["bookmarks"][DEPLOYMENTS]["marks"] = marks
    acme.sync(DEPLOYMENTS)
    assert len(acme.column(DEPLOYMENTS, "id")) == 3


def test_twenty_syncs_of_a_world_that_lives(moving: Simulator) -> None:
    names = [DEPLOYMENTS, *PARTS, DRIFT]
    rows: dict[str, dict[Any, Record]] = {name: {} for name in names}
    state = None
    for _ in range(20):
        outcome = sync(settings(moving, "pulumi"), select=names, state=state)
        assert outcome.code == 0, outcome.log
        state = outcome.state
        for name in names:
            rows[name].update(outcome.latest(name))
        # Deployments of stacks that are deleted stay in a warehouse, under the names they had.
        assert_true(rows.__getitem__, moving, names, keys_only_grow=True)
        moving.advance(13 * 3600)
