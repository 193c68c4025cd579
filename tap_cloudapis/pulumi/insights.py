"""Cloud accounts that Pulumi Insights looks into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import or_none, snake_keys
from tap_cloudapis.pulumi.lists import OrganizationList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

_SCAN = (
    "id",
    "status",
    "started_at",
    "finished_at",
    "last_updated_at",
    "resource_count",
    "user_id",
)


class InsightsAccounts(OrganizationList):
    """Cloud accounts under Insights, and those below them, which are named ``parent/child``.

    Some servers list those below an account for it alone: they are asked for account by account
    where the list has none.
    """

    name = "pulumi_insights_accounts"
    path = "/api/preview/insights/{org_name}/accounts"
    primary_keys = ("org_name", "name")
    records_key = "accounts"
    token_key = "nextToken"  # noqa: S105 - the name of a field
    page_size = ("count", 1000)
    finds_more = True
    dropped_fields = frozenset({"scan"})
    facts = Facts(
        row="a cloud account under Insights",
        requests="one per 1,000 accounts, and one per account where the list has none below others",
        permission="the permission to list Insights accounts (insights_account:list)",
        plan="Essentials and above",
    )

    _lists_below = True

    def requests_beyond(self, rows: int) -> int:
        """One per account, where the list has none below others."""
        return 0 if self._lists_below else rows

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Give the list, and then what lies below its accounts, where it has nothing of that."""
        names: list[str] = []
        for rows in super().lists(context):
            names += [name for row in rows if isinstance(name := row.get("name"), str) and name]
            self._lists_below = any("/" in name for name in names)
            yield rows
        if self.ABORT_AT_RECORD_COUNT is not None or self._lists_below:
            return
        reads = [
            Read(
                self.new_paginator(context),
                {"parent": name},
                purpose=name,
                optional=f"without those below {name}",
            )
            for name in names
        ]
        for read, rows in self._reading(context, reads):
            below = f"{read.purpose}/"
            # A server that does not know the parameter gives the list again.
            yield [r for r in self._objects(rows, context) if str(r.get("name")).startswith(below)]

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Lay the fields of the latest scan beside those of the account."""
        scan = snake_keys(as_object(row.pop("scanStatus", None)))
        record = snake_keys(row)
        for name in _SCAN:
            record[f"scan_{name}"] = or_none(scan.get(name))
        record["owned_by_login"] = or_none(as_object(record.get("owned_by")).get("githubLogin"))
        record["agent_pool_id"] = or_none(record.get("agent_pool_id"))
        return record
