"""Every number that the page tells of stacks and who changes them, counted again from the rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from cloudapis_report import words
from cloudapis_report.weeks import of_week
from tests.report.counting import by, marks, plain, read, shows, stand, total

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tests.report.counting import Row, Time
    from tests.report.writing import Written

pytestmark = pytest.mark.slow

WAYS = {
    "ci": "CI",
    "deployments": "Pulumi Deployments",
    "laptop": "A person, outside CI",
    "dirty": "A person, with changes not committed",
}
CHANGES = ("created", "updated", "replaced", "deleted")


def test_changes(made: Written, time: Time) -> None:
    shown = made.page.articles["changes"]
    daily = made.models("pulumi_cloud__stack_daily")
    mondays = [time.week, *time.weeks(25)]
    recent = [row for row in daily if row["week"] >= mondays[-1]]
    weeks = by(recent, "week")
    stacks = made.models("pulumi_cloud__stacks")
    there = {week: _resources(daily, stacks, week) for week in mondays}
    assert there[mondays[0]] == total(stacks, "resource_count")
    assert shown.title == _title(recent, there[mondays[0]], there[mondays[-1]])
    shows(
        shown.tables["Changed resources by week"],
        [
            {
                "Week from": week,
                "Updates": total(weeks[week], "updates"),
                **{kind.capitalize(): total(weeks[week], kind) for kind in CHANGES},
                "Resources at its end": there[week],
            }
            for week in sorted(weeks, reverse=True)
        ],
    )
    projects = [
        rows
        for key, rows in sorted(
            by(recent, "org_name", "project_name").items(),
            key=lambda item: (-total(item[1], "changed"), item[0]),
        )
        if total(rows, "changed")
    ][:6]
    groups = [group for rows in projects for group in sorted(by(rows, "week").items())]
    shows(
        shown.tables["Changed resources by project and week"],
        [
            {
                "Project": rows[0]["project_name"],
                "Week from": week,
                **{kind.capitalize(): total(rows, kind) for kind in CHANGES},
            }
            for week, rows in groups
        ],
    )
    labels = [
        f"{of_week(week)}: {words.count(many, 'resource')} {kind}"
        for week, rows in [*weeks.items(), *groups]
        for kind in CHANGES
        if (many := total(rows, kind))
    ]
    labels += [
        f"{of_week(week)}: {words.count(many, 'resource')}"
        for week, many in there.items()
        if many is not None
    ]
    marks(shown, labels)


def _title(recent: Sequence[Row], now: int | None, then: int | None) -> str:
    since = f", {words.change((now or 0) / then)} since then" if then else ""
    return plain(
        f"{words.count(total(recent, 'created'), 'resource')} created and "
        f"{words.number(total(recent, 'deleted'))} deleted in 26 weeks; "
        f"{words.number(now or 0)} exist now{since}"
    )


def _resources(daily: Sequence[Row], stacks: Sequence[Row], week: date) -> int | None:
    """The newest count of each stack up to the end of a week; none before the first update.

    Before its own first update a stack has what it had then, and one without any what it has now.
    If its last update tells another count than the stack does, all of its counts are off by that.
    """
    if week < min(row["week"] for row in daily):
        return None
    counts = {row["stack_id"]: row["resource_count"] or 0 for row in stacks}
    destroyed = {row["stack_id"] for row in stacks if row["staleness"] == "destroyed"}
    for stack_id, rows in by(daily, "stack_id").items():
        sized = [row for row in rows if row["resource_count"] is not None]
        sized.sort(key=lambda row: row["day"])
        so_far = [row["resource_count"] for row in sized if row["week"] <= week]
        last_week, is_there = max(row["week"] for row in rows), stack_id in counts
        if not sized or (not is_there and week > last_week):
            continue  # it tells nothing, or is gone
        if stack_id in destroyed and week >= last_week:
            continue
        before = sized[0]["resources_before"]
        off = counts.get(stack_id, 0) - sized[-1]["resource_count"]
        off = off if is_there and stack_id not in destroyed else 0
        told = so_far[-1] if so_far else before
        counts[stack_id] = told + (off if so_far or before else 0)
    return sum(counts.values())


def test_drift(made: Written) -> None:
    shown = made.page.articles["changes"]
    drift = made.models("pulumi_cloud__drift")
    drifted = [row for row in drift if row["is_drifted"]]
    checked = sum(row["state"] in ("clean", "drifted") for row in drift)
    names = ("drifted_since", "org_name", "project_name", "stack_name")
    drifted.sort(key=lambda row: [row[name] for name in names])
    assert checked > 1
    told = f"{len(drifted)} of {checked} stacks that are checked for drift differ from their code"
    assert shown.also == [f"{told}; {_name(drifted[0])} has for longest"]
    shows(
        shown.tables["Stacks that differ from their code, those first that have for longest"],
        [
            {
                "Stack": _name(row),
                "Organization": row["org_name"],
                "Since": row["drifted_since"],
                "Resources that differ": row["drifted_resources"],
                "Checks, 30 days": row["checks_30d"],
                "Of these found drift": row["drifted_30d"],
            }
            for row in drifted[:20]
        ],
    )


def _name(stack: Row) -> str:
    return f"{stack['project_name']}/{stack['stack_name']}"


def test_forgotten(made: Written) -> None:
    shown = made.page.articles["forgotten"]
    stacks = [
        {**row, "resources": row["resource_count"] or 0}
        for row in made.models("pulumi_cloud__stacks")
        if row["staleness"] != "destroyed"
    ]
    stale = [row for row in stacks if row["staleness"] == "stale"]
    stale.sort(key=lambda row: (-row["resources"], -row["age_days"], row["stack_id"]))
    first = stale[0]
    assert shown.title == (
        f"1 stack, {_name(first)}, has not been updated for {math.floor(first['age_days'])} days "
        f"and holds {words.number(first['resources'])} resources"
        if len(stale) == 1
        else f"{words.count(len(stale), 'stack')} with "
        f"{words.number(total(stale, 'resources'))} resources have not been updated for 90 "
        f"days; the largest, {_name(first)}, holds "
        f"{words.number(first['resources'])} and is {first['age_days']:.0f} days old"
    )
    shows(
        shown.tables["The largest stacks that are stale"],
        [
            {
                "Stack": _name(row),
                "Organization": row["org_name"],
                "Resources": row["resource_count"],
                "Days since the last update": row["age_days"],
                "Last update": row["last_update"],
                "By": row["last_actor"],
                "Production": "yes" if row["is_production"] else "no",
            }
            for row in stale[:20]
        ],
    )
    # Each stack is in one of the cells, and in the right one.
    cells: dict[tuple[int, int], list[Row]] = {}
    for row in stacks:
        if row["age_days"] is not None:
            age = math.floor(4 * math.log10(max(row["age_days"], 0.1)))
            cells.setdefault((age, _size(row["resources"])), []).append(row)
    found = [
        {
            "Since the last update": f"{10 ** (age / 4):.3g} to {10 ** ((age + 1) / 4):.3g} days",
            "Resources": _sizes(size),
            "Stacks": len(rows),
            "Stale": sum(row["staleness"] == "stale" for row in rows),
        }
        for (age, size), rows in sorted(cells.items())
    ]
    shows(shown.tables["Stacks by age and size"], found)
    labels = [
        f"{words.count(row['Stacks'], 'stack')}: {row['Since the last update']}, {row['Resources']}"
        for row in found
    ]
    labels += [
        f"{_name(row)}: {words.count(row['resources'], 'resource')}, "
        f"{words.number(row['age_days'])} days old, last by {row['last_actor'] or 'nobody known'}"
        for row in stale[:20]
    ]
    marks(shown, labels)
    never = sum(row["staleness"] == "never updated" for row in stacks)
    was = "was" if never == 1 else "were"
    note = f"{words.count(never, 'stack')} {was} never updated."
    assert shown.definition.endswith(note if never else "(the variable stale_days).")


def _size(resources: int) -> int:
    return math.floor(4 * math.log10(resources + 1))


def _sizes(size: int) -> str:
    """The fewest and the most resources that a stack in a cell can have."""
    fits = [many for many in range(round(10 ** ((size + 1) / 4)) + 1) if _size(many) == size]
    return f"{fits[0]:,} to {fits[-1]:,} resources"


def test_actors(made: Written, time: Time) -> None:
    shown = made.page.articles["actors"]
    months = time.months(12)
    updates = [
        {**row, "way": _way(row), "actor": row["actor_login"] or "nobody known"}
        for row in made.models("pulumi_cloud__updates")
        if row["is_production"]
        and row["outcome"] == "success"
        and row["kind"] in ("update", "destroy")
        and row["started_month"] in months
    ]
    ways = by(updates, "way")
    past = _outside(updates)
    many = 1 + months.index(min(row["started_month"] for row in updates))
    dirty = len(ways["dirty"])
    assert many > 1
    assert shown.title == (
        f"{past:,} of {len(updates):,} production updates in {many} months came from a person "
        f"outside CI, {'all' if dirty == past else f'{dirty:,}'} with changes not committed"
    )
    by_month = by(updates, "started_month")
    shows(
        shown.tables["Production updates by month"],
        [
            {"Month from": month, **_ways(rows), "Outside CI": _outside(rows) / len(rows)}
            for month, rows in sorted(by_month.items(), reverse=True)
        ],
    )
    people = by(updates, "actor")
    actors = sorted(people, key=lambda it: (-_outside(people[it]), -len(people[it]), it))[:10]
    shows(
        shown.tables["Production updates by actor"],
        [
            {
                "Actor": name,
                "Updates": len(people[name]),
                **_ways(people[name]),
                "Stacks": len({row["stack_id"] for row in people[name]}),
                "Outside CI": _outside(people[name]) / len(people[name]),
            }
            for name in actors
        ],
    )
    theirs = {
        row["stack_id"]: _name(row)
        for row in people[actors[0]]
        if row["way"] in ("laptop", "dirty")
    }
    (where,) = theirs.values() if len(theirs) == 1 else (f"{len(theirs)} stacks",)
    assert shown.also == [
        read(f"{actors[0]} made {_outside(people[actors[0]])} of these {past}, on {where}")
    ]
    groups = [(f"{month:%B %Y}", rows) for month, rows in by_month.items()]
    groups += [(name, people[name]) for name in actors]
    marks(
        shown,
        [
            f"{name}: {words.count(many, 'update')} by {_word(way)}"
            for name, rows in groups
            for way, many in _ways(rows).items()
            if many
        ],
    )
    told = [(words.number(len(people[name])), _outside(people[name])) for name in actors]
    stand(shown, [f"{many}, {past} outside CI" for many, past in told if past], widths=1)
    stand(shown, [many for many, past in told if not past])


def _way(row: Row) -> str:
    if row["is_from_ci"]:
        return "ci"
    if row["actor_kind"] == "deployments":
        return "deployments"
    return "dirty" if row["is_dirty"] else "laptop"


def _ways(rows: Sequence[Row]) -> dict[str, int]:
    return {name: sum(row["way"] == way for row in rows) for way, name in WAYS.items()}


def _word(way: str) -> str:
    return way.replace("A person", "a person")


def _outside(rows: Sequence[Row]) -> int:
    return sum(row["way"] in ("laptop", "dirty") for row in rows)
