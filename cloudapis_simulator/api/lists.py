"""Answers the routes of the declared lists."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import NotFoundError
from cloudapis_simulator.api.paging import by_number, by_offset, by_token
from cloudapis_simulator.table import Offsets, Pages, Tokens, Whole

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


def containing(rows: Sequence[Row], query: Query) -> list[Row]:
    """Apply dbt's `name__icontains`."""
    text = (query.text("name__icontains") or "").lower()
    return [row for row in rows if text in (row["name"] or "").lower()]


class ListApi:
    """Makes handlers of declarations."""

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour

    def handlers(self, table: Table) -> dict[str, Handler]:
        """Return the handlers of a table by path: of the list, of the detail."""
        of_dbt = table.stream.startswith("dbt_")
        answers = {table.path: self._dbt if of_dbt else self._pulumi, table.detail: self._detail}
        return {path: partial(answer, table) for path, answer in answers.items() if path}

    def _rows(self, table: Table, names: Mapping[str, str], query: Query) -> tuple[Item, list[Row]]:
        """Return what the list is under, and its rows, those of other texts left out."""
        above = table.under.find(self._world, names)
        if above is None:
            raise NotFoundError
        related = query.related()
        rows = [table.row(item, related) for item in table.items(above)]
        for name in table.texts:
            text = query.text(name)
            rows = [row for row in rows if text is None or row[name] == text]
        return above, rows

    def _dbt(self, table: Table, names: Mapping[str, str], query: Query, _: Headers) -> Row:
        above, rows = self._rows(table, names, query)
        style = table.paging
        if not isinstance(style, Offsets):
            return success(_only(rows)) if style == Whole(single=True) else whole(rows)
        if style.limit and "name" in table.fields:
            rows = containing(rows, query)
        page, extra = by_offset(rows, query, self._behaviour, style, above.account.id)
        return success(page, extra=extra)

    def _pulumi(self, table: Table, names: Mapping[str, str], query: Query, _: Headers) -> Any:
        _above, rows = self._rows(table, names, query)
        style = table.paging
        shown: Sequence[Row] = rows
        more: Row = {}
        if isinstance(style, Tokens):
            shown, more = by_token(rows, query, self._behaviour, style)
        elif isinstance(style, Pages):
            shown, more = by_number(rows, query, self._behaviour, style)
        elif style == Whole(single=True):
            return _only(rows)
        return {table.rows_in: shown, **more} if table.rows_in else shown

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
