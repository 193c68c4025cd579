"""The search index: every resource that stacks manage, or that Insights has found."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from singer_sdk.exceptions import RetriableAPIError

from tap_cloudapis.core.errors import IncompleteListError, TapError
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.output import encode
from tap_cloudapis.core.paging import MAX_RESTARTS, as_object, later_page
from tap_cloudapis.pulumi.client import entries, snake_keys
from tap_cloudapis.pulumi.lists import OrganizationList

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Page, PageLimit, Paginator, PendingPage, Row, Submit

#: No query gives more rows than these; the cursor that does is for a few plans alone.
MOST_ROWS = 10_000
#: By what a query is cut that would give more: first by the one, then each part by the next.
MANAGED, DISCOVERED = ("project", "stack", "type"), ("account", "type")
#: What tells a resource from all others.
IDENTITY = ("account", "project", "stack", "urn", "id")


class TooManyRowsError(TapError):
    """A query has more rows than it gives.

    Args:
        total: How many it has; so many as it gives may stand for any number.
    """

    def __init__(self, total: int) -> None:
        super().__init__(f"a query has {total:,} resources")
        self.total = total


def resource_key(row: Row) -> str:
    """A text that stays the same for a resource, and is the same for no other one."""
    identity = encode([row.get(name) or "" for name in IDENTITY])
    return hashlib.sha256(identity).hexdigest()[:32]


@dataclass
class SearchPages:
    """Pages by number, in an order that mostly holds; each row is given once.

    Rows can move while pages are read: a pass that has met fewer than there are is repeated, and so
    is one during which their number has changed.

    Attributes:
        limit: The page size.
        what: The list in the words of an error message.
    """

    limit: PageLimit
    what: str
    _seen: set[str] = field(default_factory=set, init=False, repr=False)

    def first_params(self) -> dict[str, Any]:
        """Page 1."""
        return {"page": 1}

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give the rows.

        Raises:
            TooManyRowsError: When the query has more rows than it gives.
            IncompleteListError: When rows are missing after some passes.
        """
        for _ in range(MAX_RESTARTS):
            page = first.result()
            total, size = page.total, len(page.rows)
            last = -(-(total or 0) // max(size, 1))
            # The last page may reach beyond what a query gives, though its rows do not.
            if (total or 0) >= MOST_ROWS or last * size > MOST_ROWS:
                raise TooManyRowsError(total or 0)
            met = set(map(resource_key, page.rows))
            yield self._fresh(page.rows)
            if not page.rows and not total:
                return
            if total is None:
                # Nobody tells how many there are: the end is where a page has nothing.
                yield from self._until_empty(submit)
                return
            is_still = True
            for later in self._later(submit, range(2, last + 1), size, ahead):
                is_still = is_still and later.total == total
                met.update(map(resource_key, later.rows))
                yield self._fresh(later.rows)
            if is_still and len(met) >= total:
                return
            first = submit(self.first_params())
        msg = f"{self.what}: the search gives fewer resources than it announces; sync again later"
        raise IncompleteListError(msg)

    def _later(self, submit: Submit, numbers: range, size: int, ahead: int) -> Iterator[Page]:
        """Read pages behind the first, some of them ahead; none behind an empty one."""
        coming = iter(numbers if size else ())
        pending: deque[PendingPage] = deque()
        try:
            while True:
                for number in islice(coming, ahead - len(pending)):
                    asked = {"page": number, self.limit.param: size}
                    pending.append(submit(asked, resizable=False))
                if not pending:
                    return
                yield later_page(pending.popleft(), self.what)
        finally:
            for page in pending:
                page.cancel()

    def _until_empty(self, submit: Submit) -> Iterator[list[Row]]:
        for number in range(2, MOST_ROWS):
            rows = later_page(submit({"page": number}, resizable=False), self.what).rows
            fresh = self._fresh(rows)
            yield fresh
            if not fresh:
                return

    def _fresh(self, rows: list[Row]) -> list[Row]:
        """Leave out the rows that were given before; what is no object is the stream's."""
        fresh = []
        for row in rows:
            key = resource_key(row)
            if not row or key not in self._seen:
                fresh.append(row)
                self._seen.add(key)
        return fresh


class Resources(OrganizationList):
    """Every resource that stacks manage, or that Insights has found in cloud accounts.

    A query gives 10,000 rows at most. Where there are more, the index is asked how many there are
    in which project and in which account, and each is read alone; one that is too large itself is
    cut again.
    """

    name = "pulumi_resources"
    path = "/api/orgs/{org_name}/search/resourcesv2"
    primary_keys = ("org_name", "resource_key")
    records_key = "resources"
    page_size = ("size", 500)
    params = {"sort": "urn", "asc": "true"}  # noqa: RUF012 - as the base class declares it
    # Never asked for; and what of a row a query has met.
    dropped_fields = frozenset({"properties", "matches"})
    facts = Facts(
        row="a resource in the search index, managed by a stack or discovered",
        requests="one per 500 resources; beyond 10,000, some more for each project and account",
        permission="the permission to search resources (resources:search)",
        plan="Essentials and above",
        switch="resourceSearchEnabled",
        unselected=Unselected.VOLUME,
    )

    def validate_response(self, response: requests.Response) -> None:
        """A 422 says that the index cannot be reached, which may pass."""
        if response.status_code == 422:  # noqa: PLR2004
            where = f"{self.connection.host} answered 422 ({self.error_text(response)})"
            raise RetriableAPIError(where, response)
        super().validate_response(response)

    def new_paginator(self, context: Context | None) -> Paginator:
        """Pages by number."""
        assert self.limit is not None  # noqa: S101 - declared above
        return SearchPages(self.limit, self.place(context))

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Give each resource once, by as many queries as it takes."""
        seen: set[int] = set()
        try:
            yield from self._once(super().lists(context), seen)
        except TooManyRowsError as exc:
            seen.clear()
            for fields in (MANAGED, DISCOVERED):
                yield from self._once(self._split(context, "", fields), seen)
            # So many may stand for any number: what lies in no project and no account is not seen.
            self.report.unlisted |= exc.total == MOST_ROWS
            self._check(context, "", exc.total, len(seen))

    @staticmethod
    def _once(batches: Iterator[list[Row]], seen: set[int]) -> Iterator[list[Row]]:
        for rows in batches:
            # Numbers take half the memory of their texts, and there may be millions.
            keys = [int(resource_key(row), 16) for row in rows]
            yield [row for row, key in zip(rows, keys, strict=True) if key not in seen]
            seen.update(keys)

    def _split(
        self, context: Context | None, query: str, fields: Sequence[str]
    ) -> Iterator[list[Row]]:
        """Read a query in parts, one for each value of a field."""
        for value in self._values(context, query, fields[0]):
            part = f'{query} {fields[0]}:"{value}"'.strip()
            yield from self._part(context, part, fields[1:])

    def _part(
        self, context: Context | None, query: str, fields: Sequence[str]
    ) -> Iterator[list[Row]]:
        """Read a query, in parts where it has too many rows.

        Raises:
            TapError: When it cannot be cut any further.
        """
        found: set[str] = set()
        read = Read(self.new_paginator(context), {"query": query})
        try:
            for _, rows in self._reading(context, [read]):
                yield self._objects(rows, context)
        except TooManyRowsError as exc:
            if not fields:
                msg = f"{exc}, of which the search gives {MOST_ROWS:,} at most: {query}"
                raise TapError(msg) from None
            for rows in self._split(context, query, fields):
                found.update(map(resource_key, rows))
                yield rows
            self._check(context, query, exc.total, len(found))

    def _check(self, context: Context | None, query: str, total: int, found: int) -> None:
        """Fail where the parts of a query have fewer rows than all of it."""
        if found < total != MOST_ROWS:
            where = f"{self.place(context)}{query and f', {query}'}"
            msg = f"{where}: {found:,} of {total:,} resources were found; sync again later"
            raise IncompleteListError(msg)

    def _values(self, context: Context | None, query: str, field_name: str) -> list[str]:
        """The values of a field among the rows of a query.

        Raises:
            TapError: When the index does not tell all of them.
        """
        params = {"field": field_name, **({"query": query} if query else {})}
        org = self._url_encode((context or {})["org_name"])
        url = f"{self.url_base}/api/orgs/{org}/search/column-set?{urlencode(params)}"
        body = as_object(self.ask_at(url).body())
        counts = as_object(body.get(field_name))
        if counts.get("others"):
            what = f"values of {field_name}" + (f" in {query}" if query else "")
            msg = f"{self.place(context)}: the search does not tell all {what}"
            raise TapError(msg)
        names = [entry.get("name") for entry in entries(counts.get("results"))]
        return [name for name in names if isinstance(name, str) and name]

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Rename the fields, some of which come under two names."""
        both = {name: row.pop(f"{name}.urn", None) for name in ("parent", "provider")}
        key = resource_key(row)
        record = snake_keys(row)
        for name, urn in both.items():
            record[f"{name}_urn"] = record.get(f"{name}_urn") or urn
        record["resource_key"] = key
        return record
