"""Answers the routes of the declared lists."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.api.paging import (
    by_falling,
    by_grid,
    by_number,
    by_offset,
    by_state,
    by_token,
)
from cloudapis_simulator.clock import SECOND
from cloudapis_simulator.table import Falling, Grid, Offsets, Pages, Tokens, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.items import Item
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.table import Table
    from cloudapis_simulator.world import World

    Handler = Callable[[Mapping[str, str], Query, Headers], Any]

Row = dict[str, Any]

_MOST_KEPT = 32  # lists


class _Asked(NamedTuple):
    """What a request for a list is for.

    Attributes:
        related: Fields of related things.
        chosen: Values of the parameters that choose among the rows.
        states: States of the rows; None for all.
        times: When they were made; None for whenever.
    """

    related: frozenset[str]
    chosen: tuple[tuple[str, str], ...]
    states: frozenset[int] | None
    times: tuple[int, int] | None


def success(data: Any, **more: object) -> Row:
    """Return dbt's envelope of a success."""
    status = {
        "code": 200,
        "is_success": True,
        "user_message": "Success!",
        "developer_message": "",
    }
    return {"status": status, "data": data, **more}


def whole(rows: Sequence[Row]) -> Row:
    """Return dbt's answer that is not paged."""
    pagination = {"count": len(rows), "total_count": len(rows)}
    return success(rows, extra={"filters": {}, "order_by": None, "pagination": pagination})


def terse(rows: Sequence[Row], extra: Row) -> Row:
    """Return the envelope of webhooks, which says less."""
    filters = {name: extra["filters"][name] for name in ("limit", "offset")}
    more = {"filters": filters, "pagination": extra["pagination"]}
    return {"data": rows, "status": {"code": 200}, "extra": more}


def containing(rows: Sequence[Row], query: Query) -> list[Row]:
    """Apply dbt's `name__icontains`."""
    text = (query.text("name__icontains") or "").lower()
    return [row for row in rows if text in (row["name"] or "").lower()]


class ListApi:
    """Makes handlers of declarations."""

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour
        self._version = -1
        self._kept: dict[object, list[Row]] = {}

    def handlers(self, table: Table) -> dict[str, Handler]:
        """Return the handlers of a table by path: of the list, of the detail."""
        of_dbt = table.stream.startswith("dbt_")
        answers = {table.path: self._dbt if of_dbt else self._pulumi, table.detail: self._detail}
        return {path: partial(answer, table) for path, answer in answers.items() if path}

    def _above(self, table: Table, names: Mapping[str, str], query: Query) -> Item:
        """Return what the list is under, by the path and the parameter that is asked for."""
        if table.asks_for is not None:
            parameter, part = table.asks_for
            named = query.integer(parameter)
            if named is None:
                raise BadRequestError(f"{parameter} is required.")
            names = {**names, part: str(named)}
        above = table.above(self._world, names)
        if above is None:
            raise NotFoundError
        return above

    def _rows(self, table: Table, above: Item, query: Query) -> list[Row]:
        """Return the rows of the list, those of other states and texts left out."""
        rows = self._made(table, above, self._asked(table, query))
        for name in table.texts:
            text = query.text(name)
            if text is not None:
                rows = [row for row in rows if row[name] == text]
        return rows

    def _asked(self, table: Table, query: Query) -> _Asked:
        """Return what the request is for."""
        style = table.paging
        chosen = tuple(
            (name, query.text(name) or one.default) for name, one in table.choices.items()
        )
        for name, value in chosen:
            if value not in table.choices[name].values:
                raise BadRequestError(f"Invalid '{name}' value.")
        states, times = None, None
        if isinstance(style, Offsets) and style.state:
            states = frozenset(by_state(query)[1])
        if isinstance(style, Offsets) and style.days:
            first, end = query.day(style.days.first), query.day(style.days.end)
            now = self._world.clock.now
            begin = first if first is not None else (end or now) - style.days.recent
            times = (begin, now + 1 if end is None else end)
        if isinstance(style, Tokens) and style.bounds:
            low, high = (query.integer(name) for name in style.bounds)
            end = self._world.clock.now + 1 if high is None else (high + 1) * SECOND
            times = ((low or 0) * SECOND, end)
        return _Asked(frozenset(query.related()), chosen, states, times)

    def _made(self, table: Table, above: Item, asked: _Asked) -> list[Row]:
        """Return the rows of a list; they are kept for the pages that follow."""
        if self._version != self._world.clock.version:
            self._version = self._world.clock.version
            self._kept.clear()
        key = (table.stream, above.subject, asked)
        rows = self._kept.pop(key, None)
        if rows is None:
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]  # the one that nobody has asked for longest
            states, times = asked.states, asked.times
            rows = [
                table.row(item, asked.related)
                for item in table.items(above)
                if (states is None or item.state in states)
                and all(table.choices[name].values[value](item) for name, value in asked.chosen)
                and (times is None or times[0] <= item.created_at < times[1])
            ]
        self._kept[key] = rows
        return rows

    def _dbt(self, table: Table, names: Mapping[str, str], query: Query, _: Headers) -> Row:
        above = self._above(table, names, query)
        rows = self._rows(table, above, query)
        style = table.paging
        if isinstance(style, Whole) and (style.single or style.shape):
            return success(style.shape(above, rows) if style.shape else _only(rows))
        if not isinstance(style, Offsets):
            return whole(rows)
        if style.limit and "name" in table.fields:
            rows = containing(rows, query)
        page, extra = by_offset(rows, query, self._behaviour, style, above.account.id)
        return terse(page, extra) if style.terse else success(page, extra=extra)

    def _pulumi(self, table: Table, names: Mapping[str, str], query: Query, _: Headers) -> Any:
        above = self._above(table, names, query)
        rows = self._rows(table, above, query)
        style = table.paging
        shown: Sequence[Row] = rows
        more: Row = {}
        if isinstance(style, Tokens):
            shown, more = by_token(rows, query, self._behaviour, style)
            if style.shape:
                return {table.rows_in: style.shape(shown), **more}
        elif isinstance(style, Falling):
            shown = by_falling(rows, query, self._behaviour, style)
        elif isinstance(style, Pages):
            shown, more = by_number(rows, query, self._behaviour, style)
        elif isinstance(style, Grid):
            shown, more = by_grid(rows, query.body, self._behaviour, style)
        elif isinstance(style, Whole) and (style.single or style.shape):
            return style.shape(above, rows) if style.shape else _only(rows)
        return {table.rows_in: shown, **more, **table.beside(above)} if table.rows_in else shown

    def _detail(self, table: Table, names: Mapping[str, str], query: Query, _: Headers) -> Row:
        item = table.find(self._world, names)
        if item is None:
            raise NotFoundError
        row = table.detail_row(item, query.related())
        return success(row) if table.stream.startswith("dbt_") else row


def _only(rows: Sequence[Row]) -> Row:
    if not rows:
        raise NotFoundError
    return rows[0]
