"""Every number told of incidents, stacks, people, tests and sources, counted again."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cloudapis_report import words
from tests.report.counting import SERVICES, Time, by, close, plain, quantile, said, total

if TYPE_CHECKING:
    from tests.report.conftest import Written
    from tests.report.counting import Row
    from tests.report.reading import Article

pytestmark = pytest.mark.slow

WAYS = {
    "CI": "ci",
    "Pulumi Deployments": "deployments",
    "A person, outside CI": "laptop",
    "A person, with changes not committed": "dirty",
}
CHANGES = ("created", "updated", "replaced", "deleted")


@pytest.fixture(params=["usual", "elsewhere"])
def made(request: pytest.FixtureRequest) -> Written:
    found: Written = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def time(made: Written) -> Time:
    return Time(made)


def article(made: Written, key: str) -> Article:
    return made.page.articles[key]


def test_recovery(made: Written, time: Time) -> None:
    shown = article(made, "recovery")
    incidents = [
        row
        for row in made.models("platform__incidents")
        if row["is_open"] or time.within(row["recovered_at"], 90)
    ]
    recovered = [row["recovery_seconds"] for row in incidents if not row["is_open"]]
    still = len(incidents) - len(recovered)
    told = f"{still} {'is' if still == 1 else 'are'} still open" if still else "all have recovered"
    assert shown.title == plain(
        f"{len(incidents)} incidents in 90 days; half of them recovered within "
        f"{words.duration(quantile(recovered, 0.5))}; {told}"
    )
    classes = [(900, "15 min"), (3_600, "1 h"), (14_400, "4 h"), (43_200, "12 h"), (86_400, "1 d")]
    classes += [(259_200, "3 d"), (604_800, "7 d")]
    for low, (high, name) in zip([0, *(end for end, _ in classes)], classes, strict=False):
        many = sum(low <= seconds < high for seconds in recovered)
        before = next((word for end, word in classes if end == low), "0")
        label = f"{words.count(many, 'incident')} recovered within {before} to {name}"
        assert shown.labels.count(label) == (2 if many else shown.labels.count(label))
    ways = by((row for row in incidents if not row["is_open"]), "recovered_by")
    for way, rows in ways.items():
        word = {"same commit later": "a later run of the same commit", "new commit": "a new commit"}
        assert f"{word[way]} ({len(rows)})" in shown.also[0]
    (table,) = shown.tables.values()
    seconds = sorted(
        ((not row["is_open"], -(row["recovery_seconds"] or row["open_seconds"])))
        for row in incidents
    )[:40]
    assert close(table.numbers("Took"), [-each for _, each in seconds])
    bars = [label for label in shown.labels if "failed attempt" in label]
    scopes = by(incidents, "service", "scope_id")
    assert len(bars) <= 2 * 200
    assert len(bars) >= 2 * min(15, len(scopes))


def test_delivery(made: Written, time: Time) -> None:
    shown = article(made, "delivery")
    weeks = time.weeks(13)
    weekly = [row for row in made.models("platform__dora_weekly") if row["week"] in weeks]
    deployed = total(weekly, "deployments")
    per_week = total(weekly, "succeeded") / 13
    recovered = [
        row["recovery_seconds"]
        for row in made.models("platform__incidents")
        if row["recovered_week"] in weeks
    ]
    production = [
        row
        for row in made.models("platform__deployments")
        if row["environment"] == "PRODUCTION" and row["finished_week"] in weeks
    ]
    leads = [row["lead_seconds"] for row in production if (row["lead_seconds"] or 0) > 0]
    days = {row["finished_date"] for row in production if row["result"] == "SUCCESS"}
    failed = said(words.share, total(weekly, "failed"), deployed)
    recovery = said(words.duration, quantile(recovered, 0.5))
    assert shown.title == (
        f"{per_week:,.1f} successful deployments a week; {failed} of all failed; half of the "
        f"incidents recovered within {recovery}"
    )
    assert shown.tiles == {
        "Deployments a week": (
            f"{per_week:,.1f}",
            f"on {len(days) / 13:.1f} days of the week; {total(weekly, 'succeeded')} in 13 weeks",
        ),
        "Failed deployments": (
            failed,
            (
                f"{total(weekly, 'failed')} of {deployed}; "
                f"{said(words.share, total(weekly, 'rework'), deployed)} were rework"
            ),
        ),
        "Recovery, median": (recovery, f"of {len(recovered)} incidents in production"),
        "Lead time, median": (
            said(words.duration, quantile(leads, 0.5)),
            f"of {len(leads)} deployments with a pull request",
        ),
    }
    table = shown.tables["Production deployments by week and service"]
    groups = by(weekly, "week", "service")
    rows = [groups[key] for key in sorted(groups, reverse=True)]
    assert table.column("Service") == [SERVICES[group[0]["service"]] for group in rows]
    for heading, field in (
        ("Deployments", "deployments"),
        ("Succeeded", "succeeded"),
        ("Failed", "failed"),
        ("Rework", "rework"),
    ):
        assert close(table.numbers(heading), [total(group, field) for group in rows])


def test_changes(made: Written, time: Time) -> None:
    shown = article(made, "changes")
    daily = made.models("pulumi_cloud__stack_daily")
    since = time.week - timedelta(weeks=25)
    weeks = by((row for row in daily if row["week"] >= since), "week")
    recent = [row for rows in weeks.values() for row in rows]
    there = _resources(daily, time.week)
    assert shown.title == (
        f"{words.count(total(recent, 'created'), 'resource')} created and "
        f"{words.number(total(recent, 'deleted'))} deleted in 26 weeks; "
        f"{words.number(there)} exist now"
    )
    table = shown.tables["Changed resources by week"]
    order = sorted(weeks, reverse=True)
    for kind in CHANGES:
        assert close(table.numbers(kind.capitalize()), [total(weeks[week], kind) for week in order])
    assert close(table.numbers("Updates"), [total(weeks[week], "updates") for week in order])
    assert close(table.numbers("Resources at its end"), [_resources(daily, week) for week in order])
    drift = made.models("pulumi_cloud__drift")
    drifted = sum(row["is_drifted"] for row in drift)
    checked = sum(row["state"] in ("clean", "drifted") for row in drift)
    differing = sorted(
        (row for row in drift if row["is_drifted"]),
        key=lambda row: (
            *(row["drifted_since"], row["org_name"]),
            *(row["project_name"], row["stack_name"]),
        ),
    )
    longest = f"{differing[0]['project_name']}/{differing[0]['stack_name']}"
    told = f"{drifted} of {checked} stacks that are checked for drift differ from their code"
    assert shown.also == [f"{told}; {longest} has for longest"]
    table = shown.tables["Stacks that differ from their code, those first that have for longest"]
    assert table.column("Stack") == [
        f"{row['project_name']}/{row['stack_name']}" for row in differing[:20]
    ]
    for heading, field in (
        ("Resources that differ", "drifted_resources"),
        ("Checks, 30 days", "checks_30d"),
        ("Of these found drift", "drifted_30d"),
    ):
        assert table.numbers(heading) == [row[field] for row in differing[:20]]
    table = shown.tables["Changed resources by project and week"]
    projects = by(recent, "project_name", "week")
    keys = zip(table.column("Project"), table.numbers("Week from"), strict=True)
    assert dict(zip(keys, table.numbers("Deleted"), strict=True)) == {
        (name, float(week.toordinal())): total(rows, "deleted")
        for (name, week), rows in projects.items()
    }


def _resources(daily: list[Row], week: object) -> int:
    """The newest count of each stack up to the end of a week."""
    counts = {}
    for row in sorted(daily, key=lambda row: row["day"]):
        if row["week"] <= week:
            counts[row["stack_id"]] = row["resource_count"]
    return sum(counts.values())


def test_forgotten(made: Written) -> None:
    shown = article(made, "forgotten")
    stacks = [row for row in made.models("pulumi_cloud__stacks") if row["staleness"] != "destroyed"]
    stale = [row for row in stacks if row["staleness"] == "stale"]
    stale.sort(key=lambda row: (-row["resource_count"], -row["age_days"]))
    first = stale[0]
    has = "has" if len(stale) == 1 else "have"
    assert shown.title == (
        f"{words.count(len(stale), 'stack')} with "
        f"{words.number(total(stale, 'resource_count'))} resources {has} not been updated for 90 "
        f"days; the largest, {first['project_name']}/{first['stack_name']}, holds "
        f"{first['resource_count']} and is {first['age_days']:.0f} days old"
    )
    table = shown.tables["The largest stacks that are stale"]
    assert table.column("Stack") == [
        f"{row['project_name']}/{row['stack_name']}" for row in stale[:20]
    ]
    assert close(table.numbers("Resources"), [row["resource_count"] for row in stale[:20]])
    # Each stack is in one of the cells, and in the right one.
    table = shown.tables["Stacks by age and size"]
    cells: dict[tuple[int, int], list[Row]] = {}
    for row in stacks:
        if row["age_days"] is not None:
            age = math.floor(4 * math.log10(max(row["age_days"], 0.1)))
            size = math.floor(4 * math.log10(row["resource_count"] + 1))
            cells.setdefault((age, size), []).append(row)
    assert close(table.numbers("Stacks"), [len(cells[key]) for key in sorted(cells)])
    for key, told in zip(sorted(cells), table.column("Resources"), strict=True):
        low, high = (int(each.replace(",", "")) for each in told.split()[0:3:2])
        assert all(low <= row["resource_count"] <= high for row in cells[key])


def test_actors(made: Written, time: Time) -> None:
    shown = article(made, "actors")
    months = time.months(12)
    updates = [
        {**row, "way": _way(row)}
        for row in made.models("pulumi_cloud__updates")
        if row["is_production"]
        and row["outcome"] == "success"
        and row["kind"] in ("update", "destroy")
        and row["started_month"] in months
    ]
    ways = by(updates, "way")
    past = len(ways["laptop"]) + len(ways["dirty"])
    assert shown.title == plain(
        f"{words.share(past, len(updates))} of {len(updates)} production updates in 12 months "
        f"came from a person outside CI, {words.share(len(ways['dirty']), len(updates))} with "
        "changes not committed"
    )
    by_month = by(updates, "started_month")
    table = shown.tables["Production updates by month"]
    order = sorted(by_month, reverse=True)
    for heading, way in WAYS.items():
        expected = [sum(row["way"] == way for row in by_month[month]) for month in order]
        assert close(table.numbers(heading), expected)
    people = by(updates, "actor_login")
    outside = {
        name: sum(row["way"] in ("laptop", "dirty") for row in rows)
        for name, rows in people.items()
    }
    table = shown.tables["Production updates by actor"]
    actors = sorted(people, key=lambda name: (-outside[name], -len(people[name]), name))[:10]
    assert table.column("Actor") == actors
    assert close(table.numbers("Updates"), [len(people[name]) for name in actors])
    stacks = [len({row["stack_id"] for row in people[name]}) for name in actors]
    assert close(table.numbers("Stacks"), stacks)
    assert shown.also == [f"{actors[0]} made {outside[actors[0]]} of these {past}"]


def _way(row: Row) -> str:
    if row["is_from_ci"]:
        return "ci"
    if row["actor_kind"] == "deployments":
        return "deployments"
    return "dirty" if row["is_dirty"] else "laptop"


def test_access(made: Written) -> None:
    shown = article(made, "access")
    seats, people = made.models("platform__seats"), made.models("platform__people")
    used = total(seats, "used")
    unused = total(seats, "idle") + total(seats, "never")
    assert shown.title == plain(
        f"{unused} of {used} seats in use are idle or were never used ({words.share(unused, used)})"
    )
    for service, rows in by(people, "service").items():
        admins = [row for row in rows if row["is_admin"]]
        idle = sum(row["seat_state"] in ("idle", "never") for row in admins)
        assert (
            f"{len(admins)} of {len(rows)} in {SERVICES[service]} are admins, {idle} of them idle"
        ) in shown.also
    jobs = [row for row in made.models("dbt_cloud__jobs") if not row["is_deleted"]]
    stacks = made.models("pulumi_cloud__stacks")
    loose = {
        "Jobs that run and have never succeeded": sum(
            row["last_outcome"] is not None and row["last_success_at"] is None for row in jobs
        ),
        "Jobs that are paused and still have a schedule": sum(
            row["health"] == "paused" and row["has_schedule"] for row in jobs
        ),
        "Production stacks that one person alone updates": sum(
            row["is_production"] and row["staleness"] != "destroyed" and row["actors_365d"] == 1
            for row in stacks
        ),
    }
    table = shown.tables["What lies about"]
    told = dict(zip(table.column("What"), table.numbers("How many"), strict=True))
    assert told == {what: many for what, many in loose.items() if many}
    table = shown.tables["Seats that nobody uses: never active first, admins first"]
    nobodys = [row for row in people if row["seat_state"] in ("idle", "never")]
    assert sorted(table.column("Who")) == sorted(row["login"] for row in nobodys)
    table = shown.tables["Seats by kind"]
    for heading, field in (("In use", "used"), ("Active", "active"), ("Never active", "never")):
        expected = [None if row[field] is None else float(row[field]) for row in seats]
        assert Counter(table.numbers(heading)) == Counter(expected)


def test_flaky_tests(made: Written, time: Time) -> None:
    shown = article(made, "flaky-tests")
    rows = [
        row for row in made.models("dbt_cloud__test_flakiness") if row["month"] in time.months(6)
    ]
    newest = max(row["month"] for row in rows)
    this = [row for row in rows if row["month"] == newest]
    flaky = [row for row in this if row["is_flaky"]]
    most = max(row["flips"] for row in flaky)
    assert newest == time.months(1)[0]
    assert shown.title.startswith(f"{len(flaky)} of {len(this)} tests are flaky this month; ")
    assert shown.title.endswith(f" turned over {most} times")
    assert any(row["node_name"] in shown.title for row in flaky if row["flips"] == most)
    table = shown.tables["Tests that flipped, by month"]
    by_test = by(rows, "node_name")
    flips = {name: total(group, "flips") for name, group in by_test.items()}
    names = {name for name, many in flips.items() if many}
    assert set(table.column("Test")) == names
    assert len(names) <= 20
    expected: dict[tuple[str, float | None], Row] = {
        (row["node_name"], float(row["month"].toordinal())): row for row in rows
    }
    for at, key in enumerate(zip(table.column("Test"), table.numbers("Month from"), strict=True)):
        row = expected[key]
        assert table.numbers("Flips")[at] == row["flips"]
        assert table.numbers("Of these sure")[at] == row["sure_flips"]
        assert table.numbers("Executions")[at] == row["executions"]
    assert len(table.rows) == sum(row["node_name"] in names for row in rows)


def test_freshness(made: Written, time: Time) -> None:
    shown = article(made, "freshness")
    rows = [
        row
        for row in made.models("dbt_cloud__source_freshness")
        if row["day"] > time.today - timedelta(days=30)
    ]
    sources = by(rows, "node_id", "environment_id")
    late = [group for group in sources.values() if total(group, "passed") < total(group, "checks")]
    assert shown.title == plain(
        f"{len(late)} of {len(sources)} sources were late in 30 days; "
        f"{words.share(total(rows, 'passed'), total(rows, 'checks'))} of checks passed"
    )
    worst = min(total(group, "passed") / total(group, "checks") for group in sources.values())
    assert shown.also[0].endswith(
        f" was late most: {said(words.percent, worst)} of its checks passed"
    )
    (table,) = shown.tables.values()
    by_name = {
        f"{group[0]['source_name']}.{group[0]['table_name']}": group for group in sources.values()
    }
    shown_groups = [by_name[name] for name in table.column("Source")]
    assert len(shown_groups) == min(25, len(sources))
    for heading, field in (("Checks", "checks"), ("Passed", "passed"), ("Failed", "failed")):
        assert close(table.numbers(heading), [total(group, field) for group in shown_groups])
    shares = [total(group, "passed") / total(group, "checks") for group in shown_groups]
    assert close(table.numbers("In time"), shares)
    assert shares == sorted(shares)
    for status, word in (("warn", "late: warned"), ("error", "too late: failed")):
        days = sum(row["status"] == status for group in shown_groups for row in group)
        assert sum(f": {word}, " in label for label in shown.labels) == 2 * days
