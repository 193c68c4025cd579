"""Which rows of a list an answer gets, and what it says of them, in each style of paging."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError
from cloudapis_simulator.api.query import Query, page_size
from cloudapis_simulator.world.things import ACTIVE, DELETED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.table import Falling, Grid, Offsets, Pages, Tokens

Row = dict[str, Any]

_STATES = {
    "active": {ACTIVE},
    "1": {ACTIVE},
    "deleted": {DELETED},
    "2": {DELETED},
    "all": {ACTIVE, DELETED},
}
_CAP = 100
_COLUMNS = {"pk": "id"}


def window(
    query: Query, behaviour: Behaviour, *, limited: bool = True, size: int = _CAP
) -> tuple[int, int]:
    """Return limit and offset of a request to dbt.

    Args:
        query: The request's parameters.
        behaviour: How the service answers a request for more than it gives.
        limited: Whether the request has a say in the limit.
        size: The limit where it says nothing.
    """
    asked = query.integer("limit") if limited else None
    limit = page_size(asked, size, _CAP, behaviour, "limit")
    offset = query.integer("offset") or 0
    if offset < 0:
        raise BadRequestError("Invalid 'offset' value.")
    return limit, offset


def by_state(query: Query) -> tuple[str, set[int]]:
    """Return the filter by state as it was asked for, and the states that it lets through."""
    state = query.text("state") or "active"
    if state not in _STATES:
        raise BadRequestError("Invalid 'state' value.")
    return state, _STATES[state]


def by_offset(
    rows: Sequence[Row], query: Query, behaviour: Behaviour, style: Offsets, account_id: int
) -> tuple[list[Row], Row]:
    """Apply the declared filters, order and page to rows of the right state.

    Other filters are ignored.

    Returns:
        The page, and the `extra` of the answer.
    """
    kept, told = list(rows), Row(account_id=account_id)
    if style.state:
        told["state"], _ = by_state(query)
    if style.days:
        asked = (style.days.first, style.days.end)
        told |= {name: query.text(name) for name in asked if query.text(name)}
    for name in style.filters:
        text = query.text(name)
        if text is not None:
            told[name] = text
            column, test = _test(name, query)
            kept = [row for row in kept if test(row[column])]
    order = None
    if style.orders:
        order = query.text("order_by") or "id"
        column = order.lstrip("-")
        if column not in style.orders or (rows and column not in rows[0]):
            raise BadRequestError(f"Invalid order_by: {order}")
        kept.sort(key=lambda row: _rank(row, column), reverse=order[0] == "-")
    limit, offset = window(query, behaviour, limited=style.limit, size=style.size)
    page = kept[offset : offset + limit]
    return page, {
        "filters": {"limit": limit, "offset": offset, **told},
        "order_by": order,
        "pagination": {"count": len(page), "total_count": len(kept)},
    }


def _rank(row: Row, column: str) -> tuple[bool, Any, Any]:
    """Return the row's place by a column: nulls are last ascending, as in PostgreSQL."""
    return row[column] is None, row[column], row["id"]


def _test(name: str, query: Query) -> tuple[str, Callable[[Any], bool]]:
    """Return (column, test of its value) for a filter in Django's notation."""
    column, _, operator = name.partition("__")
    if operator == "in":
        wanted = query.integers(name) or []
        return _COLUMNS.get(column, column), lambda value: value in wanted
    bound = query.integer(name) or 0
    if operator == "gt":
        return _COLUMNS.get(column, column), lambda value: value > bound
    return _COLUMNS.get(column, column), lambda value: value == bound


def by_token(
    rows: Sequence[Row], query: Query, behaviour: Behaviour, style: Tokens
) -> tuple[Sequence[Row], Row]:
    """Return the page after the request's token, and the token of the next if there is one."""
    asked = query.integer(style.parameter) if style.most else None
    size = page_size(asked, style.size, style.most or style.size, behaviour, style.parameter)
    token = query.text(style.takes)
    start = 0
    if token is not None:
        (place,) = (token,) if style.end else read_token(token, 1)
        if not place.isdecimal():
            raise BadRequestError("Invalid 'continuationToken' value.")
        start = int(place)
    end = start + size
    if style.end:
        return rows[start:end], {style.answered_as: str(end) if end < len(rows) else style.end}
    more = {style.answered_as: write_token((str(end),))} if end < len(rows) else {}
    return rows[start:end], more


def by_falling(
    rows: Sequence[Row], query: Query, behaviour: Behaviour, style: Falling
) -> list[Row]:
    """Return the newest rows before the number of the request."""
    size = page_size(query.integer("count"), style.size, style.most, behaviour, "count")
    before = query.integer("before")
    known = [row for row in rows if before is None or row[style.by] < before]
    return sorted(known, key=lambda row: -row[style.by])[:size]


def by_number(
    rows: Sequence[Any], query: Query, behaviour: Behaviour, style: Pages
) -> tuple[Sequence[Any], Row]:
    """Return the page of the request's number, and what the answer says of it."""
    page, asked = query.integer("page") or 0, query.integer("pageSize") or None
    if not style.whole:
        page = 1 if query.integer("page") is None else page
        asked = query.integer("pageSize")
    if page < (0 if style.whole else 1):
        raise BadRequestError("Invalid 'page' value.")
    size = len(rows)
    if page:
        size = page_size(asked, style.size, style.most, behaviour, "pageSize")
    shown = rows[(page - 1) * size : page * size] if page else rows
    return shown, {"itemsPerPage": size, "total": len(rows)}


def by_grid(
    rows: Sequence[Row], asked: Row, behaviour: Behaviour, style: Grid
) -> tuple[Sequence[Row], Row]:
    """Return the rows between those that the body names, and the number of all rows."""
    kept = list(rows)
    for order in reversed(asked.get("sortModel") or []):
        column = order.get("colId")
        if column not in style.orders or order.get("sort") not in ("asc", "desc"):
            raise BadRequestError(f"cannot sort by {column}")
        kept.sort(key=lambda row: row[column], reverse=order["sort"] == "desc")
    start, end = asked.get("startRow", 0), asked.get("endRow")
    if not isinstance(start, int) or not isinstance(end, int | None) or start < 0:
        raise BadRequestError("Invalid rows.")
    wanted = None if end is None else end - start
    size = page_size(wanted, style.most, style.most, behaviour, "endRow")
    return kept[start : start + size], {style.total: len(kept)}


def write_token(place: tuple[str, ...]) -> str:
    """Return a continuation token for a place in a list."""
    # Opaque, and with characters that must be quoted in a query.
    return base64.b64encode(json.dumps(["~~?", *place]).encode()).decode()


def read_token(token: str, length: int) -> tuple[str, ...]:
    """Return the place in a list, of so many parts, that a continuation token is for.

    Raises:
        BadRequestError: It is no such token.
    """
    try:
        place = json.loads(base64.b64decode(token, validate=True))
        if place[0] == "~~?" and len(place) == length + 1:
            return tuple(str(item) for item in place[1:])
    except (ValueError, LookupError, TypeError):
        pass
    raise BadRequestError("Invalid 'continuationToken' value.")
