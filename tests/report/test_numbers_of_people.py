"""Every number that the page tells of seats, people, tests and sources, counted again."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cloudapis_report import words
from cloudapis_report.naming import labelled
from tests.report.counting import SERVICES, by, marks, plain, read, shows, stand, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.report.counting import Row, Time
    from tests.report.writing import Written

pytestmark = pytest.mark.slow

STATES = {"active": "active", "idle": "idle for 90 days", "never": "never active"}
STATUSES = {"pass": "in time", "warn": "late: warned", "error": "too late: failed"}


def test_access(made: Written) -> None:
    shown = made.page.articles["access"]
    seats, people = made.models("platform__seats"), made.models("platform__people")
    unused = total(seats, "idle") + total(seats, "never")
    known = unused + total(seats, "active")
    unknown = _unknown(seats)
    seen = "whose use is known" if unknown else "in use"
    assert shown.title == plain(
        f"{unused} of {known} seats {seen} are idle or were never used "
        f"({words.share(unused, known)})"
    )
    loose = _loose(made)
    assert shown.also == [
        *unknown,
        *_admins(people),
        *(words.count(len(names), _one(what), what) for what, names in loose.items()),
    ]
    if loose:
        shows(
            shown.tables["What lies about"],
            [
                {
                    "What": what[0].upper() + what[1:],
                    "How many": len(names),
                    "For example": ", ".join(names[:3]),
                }
                for what, names in loose.items()
            ],
        )
    assert ("What lies about" in shown.tables) == bool(loose)
    nobodys = [row for row in people if row["has_seat"] and row["seat_state"] in ("idle", "never")]
    shows(
        shown.tables["Seats that nobody uses: never active first, admins first"],
        [
            {
                "Who": row["login"] or row["name"],
                "Service": SERVICES[row["service"]],
                "Account or organization": row["owner_name"],
                "Role": row["role"],
                "Seat": row["seat"],
                "Admin": "yes" if row["is_admin"] else "no",
                "State": "never active" if row["seat_state"] == "never" else "idle",
                "Last active": row["last_active_at"],
            }
            for row in sorted(nobodys, key=_least_active)[:40]
        ],
    )
    kinds = [row for row in seats if (row["used"] or 0) > 0 or (row["bought"] or 0) > 0]
    kinds = sorted(kinds, key=_most_unused)[:12]
    shows(
        shown.tables["Seats by kind"],
        [
            {
                "Service": SERVICES[row["service"]],
                "Account or organization": row["owner_name"],
                "Seat": row["seat"],
                "Bought": row["bought"],
                "In use": row["used"],
                "Active": row["active"],
                "Idle": row["idle"],
                "Never active": row["never"],
            }
            for row in kinds
        ],
    )
    labels = [
        f"{_kind(row)}: {words.count(row[state], 'seat')} {word}"
        for row in kinds
        for state, word in STATES.items()
        if row[state]
    ]
    labels += [
        f"{_kind(row)}: {words.count(free, 'seat')} bought and not given to anybody"
        for row in kinds
        if (free := (row["bought"] or 0) - row["used"]) > 0
    ]
    marks(shown, labels)
    told = [
        f"{row['used']:,}" + (f" of {row['bought']:,}" if row["bought"] else "") for row in kinds
    ]
    stand(shown, told, widths=1)
    stand(shown, [f"{each} in use" for each in told], widths=1)


def _admins(people: Sequence[Row]) -> list[str]:
    told = []
    members = by((row for row in people if row["is_member"]), "service")
    for service, rows in sorted(members.items()):
        admins = [row for row in rows if row["is_admin"]]
        idle = sum(row["seat_state"] in ("idle", "never") for row in admins)
        of_them = f", {idle} of them idle" if idle else ""
        told += [f"{len(admins)} of {len(rows)} in {SERVICES[service]} are admins{of_them}"] * bool(
            admins
        )
    return told


def _unknown(seats: Sequence[Row]) -> list[str]:
    """What is said of seats that are in use, and nobody is known who has them."""
    told = []
    for service, rows in sorted(by(seats, "service").items()):
        held = [sum(row[state] or 0 for state in STATES) for row in rows]
        unknown = sum(max(row["used"] - known, 0) for row, known in zip(rows, held, strict=True))
        if unknown:
            assert sum(held)
            told.append(f"Of {unknown} seats in {SERVICES[service]} it is not known who used them")
    return told


def _one(what: str) -> str:
    thing, rest = re.split(r"(?= (?:that|who) )", what, maxsplit=1)
    for several, one in (("are", "is"), ("have", "has"), ("were", "was"), ("hold", "holds")):
        rest = re.sub(rf"\b{several}\b", one, rest)
    rest = rest.replace("that run ", "that runs ")
    return ("person" if thing == "people" else thing[:-1]) + rest


def _loose(made: Written) -> dict[str, list[str]]:
    """What lies about: whatever there is any of, by name."""
    jobs = [row for row in made.models("dbt_cloud__jobs") if row["is_deleted"] is False]
    found = {
        "jobs that run and have never succeeded": [
            row["job_name"]
            for row in jobs
            if row["last_outcome"] is not None and row["last_success_at"] is None
        ],
        "jobs that are paused and still have a schedule": [
            row["job_name"] for row in jobs if row["health"] == "paused" and row["has_schedule"]
        ],
        "production stacks that one person alone updates": [
            f"{row['project_name']}/{row['stack_name']}"
            for row in made.models("pulumi_cloud__stacks")
            if row["is_production"] and row["staleness"] != "destroyed" and row["actors_365d"] == 1
        ],
        "people who were active in 90 days and hold a seat, but may no longer sign in": {
            row["login"]
            for row in made.models("platform__people")
            if not row["is_member"] and row["seat_state"] == "active"
        },
    }
    return {what: sorted(names) for what, names in found.items() if names}


def _least_active(person: Row) -> tuple[object, ...]:
    last = person["last_active_at"]
    return (
        *(person["seat_state"] != "never", not person["is_admin"]),
        *(last is None, last and last.timestamp()),
        *(person["service"], person["login"], person["person_id"]),
        *(person["account_id"] or 0, person["org_name"] or ""),
    )


def _most_unused(seat: Row) -> tuple[object, ...]:
    unused = (seat["idle"] or 0) + (seat["never"] or 0)
    return -unused, -seat["used"], seat["service"], seat["owner_name"], seat["seat"]


def _kind(seat: Row) -> str:
    return read(f"{seat['seat']}, {seat['owner_name']}")


def test_flaky_tests(made: Written, time: Time) -> None:
    shown = made.page.articles["flaky-tests"]
    rows = [
        row for row in made.models("dbt_cloud__test_flakiness") if row["month"] in time.months(6)
    ]
    by_test = by(rows, "account_id", "node_id")
    flipped = sorted(
        (group for group in by_test.values() if total(group, "flips")),
        key=lambda group: (
            *(-total(group, "flips"), -max(row["month"] for row in group).toordinal()),
            *(max(row["node_name"] for row in group), group[0]["node_id"], group[0]["account_id"]),
        ),
    )[:20]
    told = [row for group in flipped for row in sorted(group, key=lambda row: row["month"])]
    assert shown.title == _flaky_title(rows, told, time)
    shows(
        shown.tables["Tests that flipped, by month"],
        [
            {
                "Test": row["node_name"],
                "Project": row["project_name"],
                "Account": row["account_name"],
                "Month from": row["month"],
                "Flips": row["flips"],
                "Of these sure": row["sure_flips"],
                "Executions": row["executions"],
                "Failed": row["failed"],
                "Flips per execution": row["flake_rate"],
                "Flaky": "yes" if row["is_flaky"] else "no",
                "Last flip": row["last_flip_at"],
            }
            for row in told
        ],
    )
    dots = [row for row in told if row["flips"]]
    marks(
        shown,
        [
            f"{words.short(row['node_name'], 80)}, {row['month']:%B %Y}: "
            f"{words.count(row['flips'], 'flip')} in "
            f"{words.count(row['executions'], 'execution')}, {row['failed']:,} failed"
            for row in dots
        ],
    )
    stand(shown, [str(row["flips"]) for row in dots])
    unsure = any(row["sure_flips"] < row["flips"] for row in told)
    assert ("A flip is sure if no model at all was built in between" in shown.text) == unsure


def _flaky_title(rows: Sequence[Row], told: Sequence[Row], time: Time) -> str:
    newest, before = sorted({row["month"] for row in rows}, reverse=True)[:2]
    assert newest == time.months(1)[0]
    this = [row for row in rows if row["month"] == newest]
    flaky = sum(row["is_flaky"] for row in this)
    if flaky:
        worst = max(
            (row for row in told if row["is_flaky"] and row["month"] == newest),
            key=lambda row: row["flips"],
        )
        return (
            f"{flaky} of {len(this)} tests {'is' if flaky == 1 else 'are'} flaky this month; "
            f"{worst['node_name']} turned over {worst['flips']} times"
        )
    then = sum(row["is_flaky"] for row in rows if row["month"] == before)
    were = f"; in {before:%B} {then} {'was' if then == 1 else 'were'}" if then else ""
    return f"No test is flaky this month, of {len(this)} tests{were}"


def test_freshness(made: Written, time: Time) -> None:
    shown = made.page.articles["freshness"]
    rows = [
        row
        for row in made.models("dbt_cloud__source_freshness")
        if row["day"] > time.today - timedelta(days=30)
    ]
    sources = sorted(by(rows, "account_id", "environment_id", "node_id").values(), key=_latest)
    late = [group for group in sources if _late(group)]
    now = [group for group in sources if _late_now(group)]
    shown_sources = labelled(
        [{**group[0], "source": _source(group)} for group in sources[:25]],
        lambda row: row["source"],
        *("project_name", "environment_name", "account_name"),
    )
    title = f"{len(late)} of {len(sources)} {'was' if len(late) == 1 else 'were'} late in 30 days"
    if now:
        all_failed = all(_late_now(group) == "too late" for group in now)
        named = ":" if len(now) == 1 else "; the oldest:"
        title = (
            f"{words.count(len(now), 'source')} {'is' if len(now) == 1 else 'are'} "
            f"{'too late' if all_failed else 'late'} now{named} "
            f"{shown_sources[0]['label']}, {words.hours(_newest(now[0])['age_hours'] * 3600)} old "
            f"when last checked; {title}"
        )
    else:
        title = f"No source is late now; {title}"
    assert shown.title == plain(title)
    often = [_late(group) / total(group, "checks") for group in sources[:25]]
    worst = often.index(max(often))
    unsure = [unknown for group in sources if (unknown := _not_made(group))]
    made_not = [f"{words.count(sum(unsure), 'check')} of {words.count(len(unsure), 'source')}"]
    made_not = [f"{each} could not be made" for each in made_not if unsure]
    most = (
        f"{shown_sources[worst]['label']} was late most often: {_late(sources[worst])} of its "
        f"{words.count(total(sources[worst], 'checks'), 'check')} warned or failed"
    )
    assert shown.also == [
        plain(
            f"{words.share(total(rows, 'passed'), total(rows, 'checks'))} of checks in 30 days "
            "passed"
        ),
        most,
        *made_not,
    ]
    shows(
        shown.tables["Sources in 30 days: first those late now, then those late most often"],
        [
            {
                "Source": _source(group),
                "Project": group[0]["project_name"],
                "Environment": group[0]["environment_name"],
                "Account": group[0]["account_name"],
                "Now": "not known"
                if _newest(group)["age_hours"] is None
                else _late_now(group) or "in time",
                "Hours old when last checked": _newest(group)["age_hours"],
                "Checks": total(group, "checks"),
                "Passed": total(group, "passed"),
                "Warned": total(group, "warned"),
                "Failed": total(group, "failed"),
                "Not made": _not_made(group),
                "In time": total(group, "passed") / total(group, "checks"),
                "Oldest data, hours": max(
                    (row["age_hours"] for row in group if row["age_hours"] is not None),
                    default=None,
                ),
                "Hours outside": _outside(group),
            }
            for group in sources[:25]
        ],
    )
    marks(
        shown,
        [
            f"{row['day'].day} {row['day']:%b}: "
            f"{STATUSES.get(row['status'], 'could not be checked')}, "
            f"{row['passed']:,} of {words.count(row['checks'], 'check')} passed"
            for group in sources[:25]
            for row in group
        ],
    )
    shares = [words.share(total(it, "passed"), total(it, "checks")) for it in sources[:25]]
    stand(shown, shares)
    more = len(sources) - 25
    note = f" {words.count(more, 'other source')} {'is' if more == 1 else 'are'} not shown."
    assert shown.definition.endswith(f"and is not late.{note if more > 0 else ''}")


def _newest(group: Sequence[Row]) -> Row:
    return max(group, key=lambda row: row["day"])


def _late(group: Sequence[Row]) -> int:
    return int(total(group, "warned") + total(group, "failed"))


def _not_made(group: Sequence[Row]) -> int:
    return int(total(group, "checks") - total(group, "passed") - _late(group))


def _late_now(group: Sequence[Row]) -> str:
    """How late the newest check found a source; nothing if it did not."""
    newest = _newest(group)
    if newest["age_hours"] is None:
        return ""
    for limit, word in (("error_after_hours", "too late"), ("warn_after_hours", "late")):
        if newest[limit] is not None and newest["age_hours"] >= newest[limit]:
            return word
    return ""


def _outside(group: Sequence[Row]) -> float | None:
    known = [row["hours_outside"] for row in group if row["hours_outside"] is not None]
    return sum(known) if known else None


def _latest(group: Sequence[Row]) -> tuple[object, ...]:
    first = group[0]
    checks = total(group, "checks")
    return (
        -_newest(group)["age_hours"] if _late_now(group) else 1,
        *(-_late(group) / checks, total(group, "passed") / checks, -checks),
        *(first[name] for name in ("source_name", "table_name", "account_id")),
        *(first[name] for name in ("environment_id", "node_id")),
    )


def _source(group: Sequence[Row]) -> str:
    return read(f"{group[0]['source_name']}.{group[0]['table_name']}")
