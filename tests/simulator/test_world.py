"""The world: one truth for API, door and command; the same in every process; it lives."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.client import Client
from tests.simulator_process import END_OF_HISTORY, SECRET_MARKER, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]
SMALL: dict[str, Any] = {"dbt_runs": 150, "dbt_jobs": 9, "pulumi_stacks": 20, "pulumi_updates": 4}
DAY = 86_400.0
SIZED = ("dbt_accounts", "dbt_runs", "pulumi_organizations", "pulumi_stacks")


def utc(text: str | None) -> str | None:
    """Bring dbt's forms of a time to the one of the truth."""
    if text is None:
        return None
    day, _, rest = text.replace(" ", "T").partition("T")
    time, _, fraction = rest.removesuffix("+00:00").removesuffix("Z").partition(".")
    return f"{day}T{time}.{fraction[:6].ljust(6, '0')}Z"


def of_seconds(seconds: int | None) -> str | None:
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def only(*columns: str) -> Callable[[Row], Row]:
    return lambda row: {column: row[column] for column in columns}


def of_truth(runs: list[Row]) -> list[Row]:
    """Return runs in the columns of the truth."""
    return [
        {
            **only("id", "account_id", "job_definition_id", "status")(row),
            **{key: utc(row[key]) for key in ("created_at", "finished_at", "updated_at")},
        }
        for row in runs
    ]


def read(client: Client) -> dict[str, list[Row]]:
    """Read every stream through the API, in the columns of the truth."""
    jobs = client.account_rows("v2/accounts/{a}/jobs/", state="all")
    jobs += client.account_rows("v2/accounts/{a}/jobs/", state="all", is_system="true")
    projects = client.account_rows("v3/accounts/{a}/projects/", state="all")
    environments = [
        row
        for project in projects
        for row in client.dbt_rows(
            f"v3/accounts/{project['account_id']}/projects/{project['id']}/environments/",
            state="all",
        )
    ]
    runs = client.account_rows("v2/accounts/{a}/runs/")
    stacks = client.pulumi_rows("user/stacks", "stacks")
    state = ("id", "account_id", "name", "state")
    stack_of = {"project_name": "projectName", "stack_name": "stackName", "org_name": "orgName"}
    return {
        "dbt_accounts": [only("id", "name")(row) for row in client.accounts()],
        "dbt_projects": [only(*state)(row) for row in projects],
        "dbt_connections": [
            only("id", "account_id", "name")(row)
            for row in client.account_rows("v3/accounts/{a}/connections/")
        ],
        "dbt_environments": [only(*state, "project_id")(row) for row in environments],
        "dbt_jobs": [only(*state, "project_id")(row) for row in jobs],
        "dbt_runs": of_truth(runs),
        "pulumi_organizations": [{"org_name": name} for name in client.organizations()],
        "pulumi_stacks": [
            {
                **{column: row[key] for column, key in stack_of.items()},
                "stack_id": row["id"],
                "last_update": of_seconds(row.get("lastUpdate")),
            }
            for row in stacks
        ],
        "pulumi_stack_updates": [
            {
                **{column: stack[key] for column, key in stack_of.items()},
                "stack_id": stack["id"],
                "version": row["version"],
                "update_id": row["updateID"],
                "result": row["info"]["result"],
                "start_time": of_seconds(row["info"]["startTime"]),
                "end_time": of_seconds(row["info"]["endTime"]),
            }
            for stack in stacks
            for row in client.updates(stack)
        ],
        "pulumi_organization_members": [
            {
                "org_name": name,
                "user_login": row["user"]["githubLogin"],
                "user_name": row["user"]["name"],
            }
            for name in client.organizations()
            for row in people(client, name)
            if row["user"]["githubLogin"] != name
        ],
        "pulumi_organization_teams": [
            {"org_name": name, "name": row["name"]}
            for name in client.organizations()
            for row in client.pulumi(f"orgs/{name}/teams").json()["teams"]
        ],
    }


def people(client: Client, org: str) -> list[Row]:
    """Return each person of the roster and of the seats, once."""
    path = f"orgs/{org}/members"
    kinds = ("backend", "frontend")
    rows = [row for kind in kinds for row in client.pulumi_rows(path, "members", type=kind)]
    return [*{row["user"]["githubLogin"]: row for row in rows}.values()]


def in_order(rows: list[Row]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.parametrize("now", ["2026-03-01T07:00:00Z", END_OF_HISTORY, "2026-07-31T12:34:56Z"])
def test_api_tells_the_truth(now: str) -> None:
    with Simulator(now=now, **SMALL) as simulator:
        client = Client(simulator)
        found = read(client)
        truth = simulator.truths(*found)
        counts = simulator.truths(*found, counts=True)
    for stream, rows in found.items():
        told = [{column: row[column] for column in rows[0]} for row in truth[stream]["rows"]]
        assert in_order(rows) == in_order(told), stream
        assert counts[stream] == {"key": truth[stream]["key"], "count": len(rows)}
        keys = [tuple(row[key] for key in truth[stream]["key"]) for row in rows]
        assert len(set(keys)) == len(keys), stream


def test_keys_hold_in_a_warehouse_of_all_accounts_and_lives(still: Client) -> None:
    streams = still.simulator.truth(counts=True)["streams"]
    keys = {stream: entry["key"] for stream, entry in streams.items()}
    of_accounts = [name for name in keys if name.startswith("dbt_") and name != "dbt_accounts"]
    assert keys.pop("dbt_accounts") == ["id"]
    assert all(keys[name][0] == "account_id" for name in of_accounts)
    assert {len(keys[name]) for name in of_accounts} == {1, 2, 3, 4}
    stack = ["org_name", "project_name", "stack_name"]
    assert keys["pulumi_stacks"] == stack
    assert keys["pulumi_stack_updates"] == [*stack, "stack_id", "version"]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "cloudapis_simulator", *arguments]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_tells_the_same_truth_as_the_door() -> None:
    with Simulator(now=END_OF_HISTORY, seed=7, **SMALL) as simulator:
        simulator.advance(DAY)
        truth = simulator.truth()
    sizes = [word for name, size in SMALL.items() for word in (f"--{name}", str(size))]
    sizes = [word.replace("_", "-") for word in sizes]
    told = command("truth", "--seed", "7", "--now", truth["now"], *sizes)
    assert json.loads(told.stdout) == truth
    one = command("truth", "--seed", "8", "--now", truth["now"], "--stream", "dbt_runs", *sizes)
    assert list(json.loads(one.stdout)["streams"]) == ["dbt_runs"]
    assert json.loads(one.stdout)["streams"]["dbt_runs"] != truth["streams"]["dbt_runs"]


def test_two_processes_agree_byte_for_byte() -> None:
    paths = [
        "v3/accounts/",
        "v2/accounts/1042/runs/?order_by=-id&include_related=trigger,job",
        "v2/accounts/1042/jobs/?state=all",
    ]
    later = "2026-07-20T00:00:00Z"
    with (
        Simulator(now=END_OF_HISTORY, **SMALL) as one,
        Simulator(now=later, cache_mb=0, **SMALL) as other,
    ):
        Client(one).dbt(paths[1])  # what is cached here must not survive the move
        assert one.move_to(later) == other.move_to(later)
        answers = [
            [Client(simulator).dbt(path).content for path in paths]
            + [Client(simulator).pulumi("user/stacks").content]
            + [Client(simulator).pulumi("stacks/Acme-Cloud/website/dev/updates").content]
            for simulator in (one, other)
        ]
    assert answers[0] == answers[1]


def test_sizes_are_exact_at_the_end_of_history() -> None:
    with Simulator(now=END_OF_HISTORY, **SMALL) as simulator:
        told = simulator.truths(*SIZED, counts=True)
        counts = {k: v["count"] for k, v in told.items()}
        updates = simulator.rows("pulumi_stack_updates")
    assert (counts["dbt_accounts"], counts["dbt_runs"]) == (2, 2 * 150)
    assert (counts["pulumi_organizations"], counts["pulumi_stacks"]) == (2, 2 * 20)
    per_stack: dict[str, int] = {}
    for row in updates:
        per_stack[row["stack_id"]] = per_stack.get(row["stack_id"], 0) + 1
    assert set(per_stack.values()) == {4}
    assert len(per_stack) < 40  # some were never updated


def test_nothing_happens_while_the_clock_stands_still(still: Client) -> None:
    account = still.accounts()[0]["id"]
    path = f"v2/accounts/{account}/runs/?status__in=[1,2,3]"
    assert still.dbt(path).content == still.dbt(path).content


@pytest.mark.parametrize("now", [END_OF_HISTORY, "2026-10-21T08:00:00Z"])
def test_there_is_always_something_open(now: str) -> None:
    with Simulator(now=now, dbt_accounts=1) as simulator:
        for _ in range(4):
            runs = simulator.rows("dbt_runs")
            statuses = {row["status"] for row in runs}
            assert {1, 3} <= statuses
            results = {row["result"] for row in simulator.rows("pulumi_stack_updates")}
            assert {"in-progress", "succeeded", "failed"} <= results
            simulator.advance(7 * 3600 + 11)


def test_open_runs_end_and_their_flags_settle() -> None:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1) as simulator:
        client = Client(simulator)
        before = {row["id"]: row for row in client.account_rows("v2/accounts/{a}/runs/")}
        late: dict[int, Row] = {}
        for _ in range(12):
            simulator.advance(3600)
            for row in client.account_rows("v2/accounts/{a}/runs/", id__gt=max(before)):
                if row["finished_at"] and not row["notifications_sent"]:
                    late[row["id"]] = row
        simulator.advance(2 * DAY)
        after = {row["id"]: row for row in client.account_rows("v2/accounts/{a}/runs/")}
    was_open = [run_id for run_id, row in before.items() if row["in_progress"]]
    assert len(was_open) >= 2
    assert all(after[run_id]["is_complete"] for run_id in was_open)
    assert late
    for run_id, row in late.items():
        assert after[run_id]["finished_at"] == row["finished_at"]
        assert after[run_id]["notifications_sent"]
        assert after[run_id]["updated_at"] > row["updated_at"]
    # What had ended and settled does not change but for the words relative to now.
    for run_id, row in before.items():
        if row["finished_at"] and row["notifications_sent"]:
            same = {k: v for k, v in row.items() if not k.endswith("_at_humanized")}
            assert same == {k: after[run_id][k] for k in same}


def test_runs_are_awkward(still: Client) -> None:
    runs = still.account_rows("v2/accounts/{a}/runs/")
    cancelled = [row for row in runs if row["status"] == 30 and row["started_at"] is None]
    assert {row["finished_at"] is None for row in cancelled} == {True, False}
    assert all(row["is_complete"] for row in cancelled)
    assert "24:00:36" in {row["run_duration"] for row in runs}
    assert any(row["retrying_run_id"] for row in runs)
    by_id = {row["id"]: row for row in runs}
    for row in runs:
        if row["retrying_run_id"]:
            assert by_id[row["retrying_run_id"]]["is_error"]
            assert by_id[row["retrying_run_id"]]["job_id"] == row["job_id"]
    for column in ("created_at", "finished_at"):
        times = [row[column] for row in runs if row[column]]
        assert len(set(times)) < len(times) - 5, f"no ties in {column}"
        assert any("." not in time for time in times), f"all of {column} have a fraction"
    assert max(row["id"] for row in runs) > 10**13
    assert min(row["id"] for row in runs) < 10**8


def test_stacks_are_born_die_and_come_back() -> None:
    with Simulator(now="2026-08-02T00:00:00Z") as simulator:
        key = ("org_name", "project_name", "stack_name")

        def stacks() -> dict[tuple[str, ...], str]:
            rows = simulator.rows("pulumi_stacks")
            return {tuple(row[part] for part in key): row["stack_id"] for row in rows}

        seen, born, died, back = stacks(), set(), set(), set()
        lost: dict[tuple[str, ...], str] = {}
        for _ in range(8):
            simulator.advance(DAY)
            now = stacks()
            born |= now.keys() - seen.keys() - lost.keys()
            died |= seen.keys() - now.keys()
            for gone in seen.keys() - now.keys():
                assert Client(simulator).pulumi("stacks/" + "/".join(gone)).status_code == 404
            lost |= {name: seen[name] for name in seen.keys() - now.keys()}
            back |= {name for name in now.keys() & lost.keys() if now[name] != lost[name]}
            seen = now
        assert born
        assert died
        assert back
        versions = [
            row["version"]
            for row in simulator.rows("pulumi_stack_updates")
            if tuple(row[part] for part in key) in back
        ]
        assert min(versions) == 1


@pytest.mark.parametrize("now", ["2026-05-15T00:00:00Z", "2026-11-26T15:00:00Z", "2027-11-26"])
def test_a_window_keeps_its_size_and_loses_the_oldest(now: str) -> None:
    sizes = {"days": 200, "dbt_runs": 1900, "dbt_detail_days": 60, "dbt_accounts": 1}
    names = ("dbt_runs", "dbt_run_steps", "dbt_run_results", "pulumi_stacks")
    with Simulator(now=now, **sizes) as simulator:
        client = Client(simulator)
        counts = {k: v["count"] for k, v in simulator.truths(*names, counts=True).items()}
        assert 1895 <= counts["dbt_runs"] <= 1905
        assert 2300 < counts["dbt_run_steps"] < 3400
        assert 6500 < counts["dbt_run_results"] < 11_500
        assert 70 <= counts["pulumi_stacks"] <= 110
        before = client.account_rows("v2/accounts/{a}/runs/")
        known, rows = of_truth(before)[0], simulator.rows("dbt_runs")
        told = [{name: row[name] for name in known} for row in rows]
        assert in_order(told) == in_order(of_truth(before))
        age = parse(simulator.now) - parse(before[0]["created_at"])
        assert 199 <= age.days <= 200
        first = parse(simulator.rows("dbt_run_steps")[0]["run_finished_at"])
        assert 59 <= (parse(simulator.now) - first).days <= 60
        simulator.advance(10 * DAY)
        after = client.account_rows("v2/accounts/{a}/runs/")
        assert before[0]["id"] < after[0]["id"] < before[-1]["id"] < after[-1]["id"]
        for run, code in ((before[0], 404), (after[0], 200)):
            assert client.dbt(f"v2/accounts/1042/runs/{run['id']}/").status_code == code
        assert simulator.truth("dbt_runs", counts=True)["count"] == len(after)
        stacks = client.pulumi_rows("user/stacks", "stacks")[:6]
        assert max(len(list(client.updates(stack))) for stack in stacks) <= 12
        open_for = {
            (parse(simulator.now) - parse(row["start_time"])).days
            for row in simulator.rows("pulumi_stack_updates")
            if row["end_time"] is None
        }
        assert max(open_for) > 3, "one hangs"


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(" ", "T"))


def test_secrets_are_planted_and_names_are_awkward(still: Client) -> None:
    connections = json.dumps(still.account_rows("v3/accounts/{a}/connections/"))
    updates = [
        still.pulumi(f"stacks/Acme-Cloud/website/{name}/updates").text for name in ("dev", "prod")
    ]
    stack = still.pulumi("stacks/Acme-Cloud/website/dev").text
    for text in (connections, stack, *updates):
        assert SECRET_MARKER in text
    everything = "".join(updates) + still.dbt("v2/accounts/1042/runs/?include_related=job").text
    for awkward in ("\u2028", "🚀", "תיקון", '\\"', "\\n", "website:ALL_CAPS", "git.headName"):
        assert awkward in everything, awkward
    assert "127.0.0.1" not in everything
