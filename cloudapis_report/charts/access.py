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
from cloudapis_report.words import count, number, share, short

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
#: What lies about: the words, and whose names are examples of it.
_LOOSE = {
    "never": "jobs that run and have never succeeded",
    "paused": "jobs that are paused and still have a schedule",
    "single": "production stacks that one person alone updates",
    "outside": "people who are active and no members",
}


def _examples(names: str, source: str, where: str) -> str:
    return (
        f"select {names} as name, count(*) over () as things from {{{source}}} "
        f"where {where} order by {names} limit {_EXAMPLES}"
    )


_QUERIES = {
    "total": """
        select sum(used) as used, sum(active) as active, sum(idle) as idle, sum(never) as never
        from {platform__seats}
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
    "outside": _examples("login", "platform__people", "not is_member and seat_state = 'active'"),
}


def _show(data: Data) -> Finding | Nothing:
    total, seats = data.one("total"), data.rows("seats")
    loose = [(words, data.rows(key)) for key, words in _LOOSE.items() if data.rows(key)]
    used = total.get("used") or 0
    if not used and not loose:
        return Nothing("No seat and no person is known")
    unused = (total["idle"] or 0) + (total["never"] or 0) if used else 0
    if used:
        title = (
            f"{number(unused)} of {count(used, 'seat')} in use are idle or were never used "
            f"({share(unused, used)})"
            if unused
            else f"No seat is idle, of {count(used, 'seat')} in use"
        )
    else:
        first = loose[0]
        title = f"{number(first[1][0]['things'])} {first[0]}"
    also = [_admins(row) for row in data.rows("admins") if row["admins"]]
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
        also += [
            f"{number(rows[0]['things'])} {words}" for words, rows in loose if words not in title
        ]
    worth = bool(used) and unused >= _MANY * used
    return Finding(title, parts, tables, "warn" if worth or loose else "good", also=also)


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


def _table_of_loose(loose: Sequence[tuple[str, Sequence[Row]]]) -> Table:
    rows = []
    for words, found in loose:
        examples = ", ".join(row["name"] or "no name" for row in found)
        rows.append([words[0].upper() + words[1:], found[0]["things"], examples])
    columns = [Column("What"), Column("How many", "number"), Column("For example")]
    return Table("What lies about", columns, rows)


ACCESS = Chart(
    key="access",
    section="People and access",
    question="Who has access, who uses the seat, and what lies about unused?",
    definition=(
        "A seat is active if its holder was in 90 days: by their last login in dbt Cloud, by an "
        "update or another act in Pulumi Cloud. Idle: not in 90 days, but before. Service tokens "
        "hold no seat. Bought is what the plan tells."
    ),
    queries=_QUERIES,
    show=_show,
    needs=("dbt_users", "dbt_user_licenses", "dbt_user_groups"),
)
