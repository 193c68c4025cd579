"""Who has access and who uses it: seats, admins, and what lies about unused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_report.chart import (
    NARROW,
    Chart,
    Column,
    Data,
    Figure,
    Finding,
    Legend,
    Nothing,
    Table,
)
from cloudapis_report.drawing import colours, names, rows_axis, values
from cloudapis_report.words import count, number, share, short, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec

_SEATS, _PEOPLE, _EXAMPLES = 12, 40, 3
#: From such a share on, seats that nobody uses are worth a look.
_MANY = 0.1
_STATES = {"active": "main", "idle": "warn", "never": "bad"}
_WORDS = {"active": "active", "idle": "idle for 90 days", "never": "never active"}
_SIGNS = {"active": "✓", "idle": "▲", "never": "✕"}
_SERVICES = {"dbt_cloud": "dbt Cloud", "pulumi_cloud": "Pulumi Cloud"}
#: What tells who uses the seats of a service.
_STREAMS = {
    "dbt_cloud": "dbt_users, dbt_user_licenses and dbt_user_groups",
    "pulumi_cloud": "pulumi_organization_members",
}
#: What lies about: the words for one of it, and for several.
_LOOSE = {
    "never": ("job that runs and has never succeeded", "jobs that run and have never succeeded"),
    "paused": (
        "job that is paused and still has a schedule",
        "jobs that are paused and still have a schedule",
    ),
    "single": (
        "production stack that one person alone updates",
        "production stacks that one person alone updates",
    ),
    "outside": (
        "person who was active in 90 days and holds a seat, but may no longer sign in",
        "people who were active in 90 days and hold a seat, but may no longer sign in",
    ),
}


def _examples(names: str, source: str, where: str, group: str = "") -> str:
    return (
        f"select {names} as name, count(*) over () as things from {{{source}}} "
        f"where {where} {group} order by {names} limit {_EXAMPLES}"
    )


_QUERIES = {
    # Services count seats of which they do not tell who has them, or which nobody asked for.
    "services": """
        with seats as (
            select service, coalesce(used, 0) as used, coalesce(idle + never, 0) as unused,
                coalesce(active + idle + never, 0) as known
            from {platform__seats}
        )
        select service, sum(known) as known, sum(unused) as unused,
            sum(greatest(used - known, 0)) as unknown
        from seats group by service order by service
    """,
    "seats": f"""
        select service, owner_name, seat, bought, coalesce(used, 0) as used, active, idle, never
        from {{platform__seats}} where used > 0 or bought > 0
        order by coalesce(idle + never, 0) desc, used desc, service, owner_name, seat limit {_SEATS}
    """,
    "people": f"""
        select service, owner_name, login, name, role, seat, seat_state, is_admin, teams,
            extract(epoch from last_active_at) as last_active
        from {{platform__people}} where has_seat and seat_state in ('idle', 'never')
        order by case seat_state when 'never' then 0 else 1 end, is_admin desc, last_active_at,
            service, login, person_id, account_id, org_name
        limit {_PEOPLE}
    """,
    "admins": """
        select service, count(*) as people, count(*) filter (where is_admin) as admins,
            count(*) filter (where is_admin and seat_state in ('idle', 'never')) as idle
        from {platform__people} where is_member group by service order by service
    """,
    "never": _examples(
        "job_name",
        "dbt_cloud__jobs",
        "is_deleted is not true and last_outcome is not null and last_success_at is null",
    ),
    "paused": _examples(
        "job_name",
        "dbt_cloud__jobs",
        "is_deleted is not true and health = 'paused' and has_schedule",
    ),
    "single": _examples(
        "project_name || '/' || stack_name",
        "pulumi_cloud__stacks",
        "is_production and staleness <> 'destroyed' and actors_365d = 1",
    ),
    # One login may be in several accounts.
    "outside": _examples(
        "login",
        "platform__people",
        "not is_member and seat_state = 'active'",
        "group by login",
    ),
}


def _show(data: Data) -> Finding | Nothing:
    services, seats = data.rows("services"), data.rows("seats")
    loose = [(words, data.rows(key)) for key, words in _LOOSE.items() if data.rows(key)]
    known, unused, unknown = (
        sum(row[field] for row in services) for field in ("known", "unused", "unknown")
    )
    if not known and not unknown and not loose:
        return Nothing("No seat and no person is known")
    told = [_told(*each) for each in loose]
    title = _title(known, unused, unknown) if known or unknown else told[0]
    also = [_unknown(row) for row in services if row["unknown"]]
    also += [_admins(row) for row in data.rows("admins") if row["admins"]]
    parts, tables = [], []
    if seats:
        parts.append(
            Figure(
                lambda width: _spec(seats, width),
                f"Seats by kind and use: {title}",
                legend=[
                    *(Legend(c, _SIGNS[state], _WORDS[state]) for state, c in _STATES.items()),
                    *(
                        [Legend("h1", "", "bought, not given to anybody")]
                        if any(row["bought"] for row in seats)
                        else []
                    ),
                ],
            )
        )
        tables.append(_table_of_seats(seats))
    if data.rows("people"):
        tables.append(_table_of_people(data.rows("people")))
    if loose:
        tables.append(_table_of_loose(loose))
        also += [each for each in told if each != title]
    worth = bool(known) and unused >= _MANY * known
    return Finding(title, parts, tables, "warn" if worth or loose else "good", also=also)


def _title(known: int, unused: int, unknown: int) -> str:
    if not known:
        return f"It is not known who uses the {count(unknown, 'seat')} in use"
    seats = f"{count(known, 'seat')} {'whose use is known' if unknown else 'in use'}"
    if not unused:
        return f"No seat is idle, of {seats}"
    are, were = verb(unused, "is", "are"), verb(unused, "was", "were")
    return f"{number(unused)} of {seats} {are} idle or {were} never used ({share(unused, known)})"


def _unknown(row: Row) -> str:
    service = _SERVICES.get(row["service"], row["service"])
    them = "them" if row["unknown"] > 1 else "it"
    told = f"Of {count(row['unknown'], 'seat')} in {service} it is not known who used {them}"
    # Where some are known, the service itself tells of no more.
    return told if row["known"] else f"{told}: select {_STREAMS[row['service']]}"


def _told(words: tuple[str, str], found: Sequence[Row]) -> str:
    return count(found[0]["things"], *words)


def _admins(row: Row) -> str:
    idle = f", {number(row['idle'])} of them idle" if row["idle"] else ""
    service = _SERVICES.get(row["service"], row["service"])
    return f"{number(row['admins'])} of {number(row['people'])} in {service} are admins{idle}"


def _name(row: Row) -> str:
    return f"{row['seat'] or 'seat'}, {row['owner_name'] or _SERVICES.get(row['service'], '')}"


def _spec(seats: Sequence[Row], width: int) -> Spec:
    left, right = (132, 64) if width == NARROW else (236, 130)
    bars, ends = [], []
    for place, row in enumerate(seats):
        free = max((row["bought"] or 0) - row["used"], 0)
        for order, state in enumerate(_STATES):
            if row[state]:
                bars.append(
                    {
                        "place": place,
                        "seats": row[state],
                        "state": state,
                        "order": order,
                        "d": f"{_name(row)}: {count(row[state], 'seat')} {_WORDS[state]}",
                    }
                )
        if free:
            told = f"{_name(row)}: {count(free, 'seat')} bought and not given to anybody"
            bars.append({"place": place, "seats": free, "state": "free", "order": 9, "d": told})
        of = f" of {number(row['bought'])}" if row["bought"] else ""
        ends.append(
            {
                "place": place,
                "name": short(f"{_SERVICES.get(row['service'], '')}: {_name(row)}", 60)
                if width != NARROW
                else _name(row),
                # Of a kind of seat nobody may be known who has one.
                "end": sum(row[state] or 0 for state in _STATES) + free,
                "told": f"{number(row['used'])}{of}" + ("" if width == NARROW else " in use"),
            }
        )
    x = {"type": "quantitative", "axis": None}
    return {
        "width": width - left - right,
        "height": {"step": 28},
        "encoding": {"y": rows_axis()},
        "layer": [
            {
                "data": values(bars),
                "mark": {"type": "bar"},
                "encoding": {
                    "x": {**x, "field": "seats"},
                    "fill": {"field": "state", "scale": colours({**_STATES, "free": "h1"})},
                    "order": {"field": "order"},
                    "description": {"field": "d"},
                },
            },
            {"data": values(ends), **names(left)},
            {
                "data": values(ends),
                "mark": {"type": "text", "align": "left", "dx": 6},
                "encoding": {"x": {**x, "field": "end"}, "text": {"field": "told"}},
            },
        ],
    }


def _table_of_seats(seats: Sequence[Row]) -> Table:
    columns = [Column("Service"), Column("Account or organization"), Column("Seat")]
    columns += [
        Column(name, "number") for name in ("Bought", "In use", "Active", "Idle", "Never active")
    ]
    fields = ("owner_name", "seat", "bought", "used", "active", "idle", "never")
    rows = [
        [_SERVICES.get(row["service"], row["service"]), *(row[field] for field in fields)]
        for row in seats
    ]
    return Table("Seats by kind", [*columns], rows)


def _table_of_people(people: Sequence[Row]) -> Table:
    columns = [
        Column("Who"),
        Column("Service"),
        Column("Account or organization"),
        Column("Role"),
        Column("Seat"),
        Column("Admin"),
        Column("State"),
        Column("Last active", "time"),
    ]
    rows = [
        [
            row["login"] or row["name"],
            _SERVICES.get(row["service"], row["service"]),
            row["owner_name"],
            row["role"],
            row["seat"],
            "yes" if row["is_admin"] else "no",
            "never active" if row["seat_state"] == "never" else "idle",
            row["last_active"],
        ]
        for row in people
    ]
    return Table("Seats that nobody uses: never active first, admins first", columns, rows)


def _table_of_loose(loose: Sequence[tuple[tuple[str, str], Sequence[Row]]]) -> Table:
    rows = []
    for (_, words), found in loose:
        examples = ", ".join(row["name"] or "no name" for row in found)
        rows.append([words[0].upper() + words[1:], found[0]["things"], examples])
    columns = [Column("What"), Column("How many", "number"), Column("For example")]
    return Table("What lies about", columns, rows)


ACCESS = Chart(
    key="access",
    section="People and access",
    question="Who has access, who uses the seat, and what lies about unused?",
    definition=(
        "A seat is active if its holder was in 90 days. In dbt Cloud that is the last sign-in, the "
        "last use of the API key, and runs started, where the column audit of dbt_runs is "
        "selected; in Pulumi Cloud, updates started: who only looks at it counts as idle. Idle: "
        "not in 90 days, but before. Service tokens hold no seat. Bought is what the plan tells."
    ),
    queries=_QUERIES,
    show=_show,
    needs=("dbt_users", "dbt_user_licenses", "dbt_user_groups"),
)
