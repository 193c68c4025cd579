"""A small world whose figures can be worked out by hand, at noon of the first of November 2026.

Berlin has put its clocks back a week before: on 25 October, 03:00 was 02:00 again.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any

from tests.models.tables import at

NOW = "2026-11-01T12:00:00Z"

Row = dict[str, Any]
SUCCESS, ERROR, CANCELLED, RUNNING = 10, 20, 30, 3


def run(  # noqa: PLR0913 - what a run is like
    job: int,
    began: str | None,
    seconds: float | None = None,
    status: int = SUCCESS,
    *,
    kind: str = "api",
    created: str | None = None,
    finished: str | None = None,
    account: int = 1,
    **more: Any,
) -> Row:
    """A run as dbt Cloud has it; one that began waited for 20 seconds, and got ready for 10."""
    environment = {7: 20, 8: 20}.get(job, 10)
    row: Row = {"account_id": account, "id": next(NUMBERS), "job_definition_id": job}
    row |= {"environment_id": environment, "project_id": 100, "status": status, "git_sha": None}
    started = at(began) if began else None
    row["created_at"] = at(created) if created else (started or at("1 0:00")) - SHORTLY
    row["dequeued_at"] = started - timedelta(seconds=10) if started else None
    row["started_at"] = started
    ended = started + timedelta(seconds=seconds) if started and seconds is not None else None
    row["finished_at"] = at(finished) if finished else ended
    row["updated_at"] = row["finished_at"] or row["created_at"]
    row["should_start_at"] = row["created_at"]
    row["trigger"] = {"cause": f"by {kind}", "cause_category": kind}
    return {**row, **more}


SHORTLY = timedelta(seconds=30)
NUMBERS = count(1)


def _runs() -> list[Row]:
    rate = [
        run(1, "9-30 12:00", 100),  # before the window
        run(1, "20 12:00", 100),
        run(1, "21 12:00", 400),
        run(1, "22 12:00", 200),
        run(1, "23 12:00", 5, ERROR),
        run(1, None, status=CANCELLED, created="23 13:00", finished="23 13:10"),
        run(1, "24 12:00", 200),
        run(1, "31 23:00", None, RUNNING),
    ]
    many = [run(2, f"{day} 3:00", day * 10 - 0.0) for day in range(5, 25)]
    first = run(3, "20 10:00", 60, ERROR, kind="scheduled")
    second = run(3, "20 10:30", 60, ERROR, kind="rerun", retrying_run_id=first["id"])
    third = run(3, "20 11:00", 60, kind="rerun", retrying_run_id=second["id"])
    queue = [
        run(4, None, status=CANCELLED, created="20 10:00", finished="20 10:05", kind="scheduled"),
        run(4, "20 10:10", 60, created="20 10:04", kind="scheduled"),
        run(4, None, status=CANCELLED, created="20 11:00", finished="20 11:02", kind="scheduled"),
        run(4, "20 12:00", 60, kind="scheduled"),
        run(4, None, status=CANCELLED, created="20 13:00", kind="scheduled"),  # never gets an end
    ]
    streaks = [
        run(5, "20 8:00", 60),
        run(5, "30 8:00", 60, ERROR, status_message="quota exceeded"),
        run(5, "31 8:00", 60, ERROR, status_message="still exceeded"),
        run(5, "31 9:00", 60, kind="ci"),  # mends nothing: it is a pull request's
        run(6, "20 8:00", 60),
        *(run(6, f"{day} 8:00", 60, ERROR) for day in (28, 29, 30)),
    ]
    commits = [
        run(7, "12 8:00", 60, git_sha="a"),
        run(7, "13 8:00", 60, git_sha="a"),  # the nightly run of an old commit
        run(7, "14 8:00", 60, ERROR, git_sha="b"),
        run(7, "14 9:00", 60, kind="ci", git_sha="z"),
        run(7, None, status=CANCELLED, created="14 9:30", finished="14 9:31", git_sha="c"),
        run(7, "14 10:00", 60, git_sha="b"),
        run(7, "15 7:00", 60, git_sha="c"),
        run(7, "17 7:00", 60, git_sha="a"),  # back to an earlier one
    ]
    night = [run(8, "11 22:20", 600, git_sha="a")]  # ends on Sunday in UTC, on Monday in Berlin
    slots = [
        run(9, "20 10:00", 3600, account=2, created="20 10:00"),
        run(9, "20 10:30", 3600, account=2, created="20 10:30"),
        run(9, "20 11:00", 600, account=2, created="20 10:40", dequeued_at=at("20 11:00")),
        run(9, "20 10:00", 7200, account=2, created="20 9:00", kind="ci"),  # takes no slot
        run(9, "25 0:00", 7200, account=2, created="25 0:00"),  # through the hour that is twice
        run(9, "3-29 0:30", 3600, account=2, created="3-29 0:30"),  # and the one that is not
    ]
    return [*rate, *many, first, second, third, *queue, *streaks, *commits, *night, *slots]


def update(stack: str, began: str, result: str = "succeeded", **more: Any) -> Row:
    """An update of a stack, which took a minute; versions count in the order of the calls."""
    start = at(began)
    VERSIONS[stack] += 1
    version = VERSIONS[stack]
    return {
        "org_name": "acme",
        "project_name": "shop",
        "stack_name": stack,
        "stack_id": f"id-{stack}",
        "version": version,
        "update_id": f"{stack}-{version}",
        "requested_by_login": "ana",
        "kind": "update",
        "result": result,
        "resource_count": 3,
        "start_time": start,
        "end_time": start + timedelta(minutes=1),
        "resource_changes": {"create": 1},
        "environment": {"git.head": f"c{version}", "git.dirty": "false"},
        **more,
    }


#: What is known of `dev` begins with its fifth update.
VERSIONS: Counter[str] = Counter({"dev": 4})


def _updates() -> list[Row]:
    ci = {"ci.system": "GitHub Actions"}
    return [
        update("prod", "12 8:00", resource_changes={"create": 3, "same": 0}),
        update("prod", "12 9:00", "failed", message="no quota", resource_changes={"update": 0}),
        update("prod", "12 19:00", resource_changes={"update": 1}, environment={"git.head": "m"}),
        update("prod", "13 8:00", resource_changes={"same": 3}, environment={"git.dirty": "true"}),
        update(
            "prod",
            "14 8:00",
            resource_count=4,
            resource_changes={"replace": 1, "create-replacement": 1, "delete-replaced": 1},
            environment=ci,
        ),
        update("prod-eu", "14 9:00", "failed"),
        update(
            "old",
            "6-20 9:00",
            resource_count=900,
            resource_changes={"create-replacement": 2, "delete-replaced": 2},
        ),
        update("gone", "20 9:00", kind="destroy", resource_count=0, resource_changes={"delete": 3}),
        update("dev", "20 9:00", requested_by_login="bo"),
        *(update("dev", f"{day} 9:00") for day in (21, 22, 23, 24)),
    ]


def _stacks(updates: list[Row]) -> list[Row]:
    newest = {row["stack_id"]: row for row in updates}
    names = ("org_name", "project_name", "stack_name", "stack_id", "resource_count")
    stacks = [
        {**{name: row[name] for name in names}, "last_update": row["start_time"]}
        for row in newest.values()
    ]
    empty = {"org_name": "acme", "project_name": "shop", "stack_name": "new", "stack_id": "id-new"}
    return [*stacks, {**empty, "resource_count": None, "last_update": None}]


def _drift_runs() -> list[Row]:
    def check(stack: str, began: str, **more: Any) -> Row:
        return {
            "org_name": "acme",
            "project_name": "shop",
            "stack_name": stack,
            "stack_id": f"id-{stack}",
            "id": f"{stack} {began}",
            "created": at(began),
            "status": "succeeded",
            "drift_detected": True,
            "detect_update": {"resourceChanges": {"update": 2, "same": 9}},
            "remediate_update": None,
            **more,
        }

    return [
        check("prod", "26 8:00", drift_detected=False),
        check("prod", "27 8:00"),
        check("prod", "28 8:00"),
        check("prod", "29 8:00", status="failed", drift_detected=False),
        check("dev", "30 8:00", remediate_update={"status": "succeeded"}),
        check("old", "20 8:00"),
    ]


def _results(runs: list[Row]) -> list[Row]:
    by_job = {row["job_definition_id"]: row for row in runs}
    run_id, environment = by_job[7]["id"], 20
    numbers = count(1)

    def node(node_id: str, ended: str, status: str, seconds: float = 1.0, **more: Any) -> Row:
        return {
            "account_id": 1,
            "run_id": run_id,
            "step": next(numbers),
            "unique_id": node_id,
            "project_id": 100,
            "environment_id": environment,
            "status": status,
            "resource_type": node_id.partition(".")[0],
            "execution_time": seconds,
            "is_full_refresh": False,
            "execute_completed_at": at(ended),
            **more,
        }

    orders, test = "model.shop.orders", "test.shop.unique_orders.abc"
    return [
        *(node(orders, f"{day} 9:00", "success", 10.0) for day in (2, 9, 16)),
        node(orders, "23 9:00", "success", 16.0),
        node(orders, "23 10:00", "success", 900.0, is_full_refresh=True),
        node(orders, "23 11:00", "skipped", 0.0),
        node(orders, "23 12:00", "error", 1.0),
        *(node("model.shop.rare", f"{day} 9:00", "success", 10.0) for day in (9, 16)),
        node("model.shop.rare", "23 9:00", "success", 16.0),
        node(test, "23 8:00", "fail"),
        node(test, "23 8:30", "pass"),
        node(test, "23 8:40", "error"),
        node(test, "23 9:30", "pass"),  # after a model was built
        node(test, "23 10:00", "warn"),
        node(test, "23 10:30", "pass"),
        node(test, "24 8:00", "fail"),
        node(test, "25 8:00", "pass"),  # on another day
    ]


def _freshness() -> list[Row]:
    def check(looked: str, loaded: str | None, status: str, table: str = "orders") -> Row:
        return {
            "account_id": 1,
            "run_id": 1,
            "step": at(looked).day,
            "project_id": 100,
            "environment_id": 10,
            "unique_id": f"source.shop.raw.{table}",
            "status": status,
            "warn_after_count": 6,
            "warn_after_period": "hour",
            "error_after_count": 1,
            "error_after_period": "day",
            "snapshotted_at": at(looked),
            "max_loaded_at": at(loaded) if loaded else None,
        }

    return [
        check("20 8:00", "20 7:00", "pass"),
        check("21 8:00", "20 20:00", "warn"),  # 12 hours old: 6 too many
        check("22 8:00", "20 20:00", "error"),  # too old since the check before
        check("23 8:00", None, "runtime error"),
        check("24 8:00", "22 8:00", "error", "late"),  # for how long, no check before tells
    ]


@cache  # with other numbers of runs, what refers to them would refer to nothing
def tables() -> dict[str, list[Row]]:
    """The rows of each stream."""
    runs, updates = _runs(), _updates()
    jobs = [
        {"account_id": account, "id": job, "name": f"job {job}", "project_id": 100, "state": 1}
        for account, job in [*((1, number) for number in range(1, 9)), (2, 9)]
    ]
    return {
        "dbt_accounts": [
            {"id": 1, "name": "one", "run_slots": 5},
            {"id": 2, "name": "two", "run_slots": 2},
        ],
        "dbt_environments": [
            {"account_id": 1, "id": 10, "name": "Prod", "deployment_type": "production"},
            {"account_id": 1, "id": 20, "name": "Live", "deployment_type": "production"},
            {"account_id": 2, "id": 10, "name": "Else", "deployment_type": "staging"},
        ],
        "dbt_jobs": jobs,
        "dbt_runs": runs,
        "dbt_run_results": _results(runs),
        "dbt_source_freshness": _freshness(),
        "pulumi_stacks": _stacks(updates),
        "pulumi_stack_updates": updates,
        "pulumi_update_timelines": [
            {
                "org_name": "acme",
                "project_name": "shop",
                "stack_name": "prod",
                "stack_id": "id-prod",
                "version": 3,
                "update_id": "prod-3",
                "pr_number": 7,
                "pr_created_at": at("12 9:01"),
                "pr_merge_commit_sha": "m",
            }
        ],
        "pulumi_drift_runs": _drift_runs(),
    }
