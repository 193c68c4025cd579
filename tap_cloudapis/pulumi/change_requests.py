"""Changes that need an approval, each followed until it is made or given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.newest import NewestStream
from tap_cloudapis.core.paging import Paginator, TokenPages, as_object
from tap_cloudapis.pulumi.client import snake_keys
from tap_cloudapis.pulumi.lists import OrganizationList

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import Row

#: Behind these nothing more happens; of any other status something may.
ENDED = frozenset(
    {"applied", "canceled", "cancelled", "closed", "completed", "discarded", "merged", "rejected"}
)


class ChangeRequests(NewestStream, OrganizationList):
    """Change requests of each organization, incremental: new ones, and open ones to their end.

    The list tells of no order, so that all of it is read each time; only new and open ones are
    emitted, as the state of their approvals costs a request for each.
    """

    name = "pulumi_change_requests"
    path = "/api/change-requests/{org_name}"
    primary_keys = ("org_name", "id")
    replication_key = "created_at"
    records_key = "changeRequests"
    page_size = ("count", 500)
    time_field = "createdAt"
    mark_key = "org_name"
    facts = Facts(
        row="a change that needs an approval",
        requests="per organization, one per 500 change requests, and one for each new or open one",
        permission="the permission to read environments and what changes them (environment:read)",
        plan="Pro and above",
        switch="approvalsEnabled",
    )

    def requests_beyond(self, rows: int) -> int:
        """One for each, the first time."""
        return rows

    def new_paginator(self, context: Context | None) -> Paginator:  # type: ignore[override]
        """Pages by token."""
        return TokenPages(limit=self.limit, what=self.place(context))

    def is_open(self, row: Row) -> bool:
        """Whether it was neither made nor given up."""
        return str(row.get("status")).lower() not in ENDED

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:
        """Complete what is new or open by the state of its approvals."""
        wanted = super().sift(read, rows, context)
        most = None if self.ABORT_AT_RECORD_COUNT is None else 0
        asked = [(row, self._url_of(row.get("id"), context)) for row in wanted[:most]]
        pending = [(row, self.ask_at(url)) for row, url in asked]
        for row, exchange in pending:
            try:
                detail = as_object(exchange.body())
            except RefusedError as exc:
                if not exc.is_not_found:
                    self.note_of(context, f"rows come without their approvals ({exc})")
                continue
            row["gateEvaluation"] = detail.get("gateEvaluation")
        return wanted

    def _url_of(self, key: Any, context: Context | None) -> str:
        return f"{self.get_url(context)}/{self._url_encode(key)}"

    def follow(self, left: Mapping[str, list[str | None]], context: Context) -> Iterator[list[Row]]:
        """Ask for what was open, and is not listed any more, at its own address."""
        for key in left:
            try:
                row = as_object(self.ask_at(self._url_of(key, context)).body())
            except RefusedError as exc:
                if exc.is_not_found:
                    what = f"change request {key} was open, and is gone: it stays as it was"
                    self.note_of(context, what)
                else:
                    self.keep_open(key)
                continue
            if row.get("id") != key:
                raise self.misshapen(f"details of {key:.60}")
            yield [row]

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Lay out what it is about, and whether it is approved."""
        record = snake_keys(row)
        entity = as_object(row.get("entity"))
        record["entity_type"] = entity.get("entityType")
        record["project_name"], record["env_name"] = entity.get("project"), entity.get("name")
        record["created_by_login"] = as_object(row.get("createdBy")).get("githubLogin")
        record["gates_satisfied"] = as_object(row.get("gateEvaluation")).get("satisfied")
        return record
