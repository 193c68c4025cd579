"""What policies have found: issues, compliance, and how much of an organization is covered."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.newest import NewestStream
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import snake_keys
from tap_cloudapis.pulumi.grid import GridList, GridPages
from tap_cloudapis.pulumi.lists import OrganizationList

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Exchange
    from tap_cloudapis.core.paging import PageLimit, Row

_PERMISSION = "the permission to read results of policies (policy_results:read)"


class PolicyIssues(NewestStream, GridList):
    """Violations of policies, open and closed, incremental by their last change.

    Open ones and closed ones have lists of their own. Each is read from the last change on, a day
    more than is needed, as long as it comes in that order; else to its end.
    """

    name = "pulumi_policy_issues"
    path = "/api/orgs/{org_name}/policyresults/issues"
    replication_key = "last_modified"
    records_key = "policyIssues"
    total_key = "rowCount"
    in_address = frozenset({"closed"})
    order: ClassVar[Sequence[Row]] = ({"colId": "lastModified", "sort": "desc"},)
    time_field = "lastModified"
    lag = timedelta(days=1)
    mark_key = "org_name"
    facts = Facts(
        row="a violation of a policy, open or closed",
        requests="per organization, two, and one per further 500 that have changed",
        permission=_PERMISSION,
        switch="policyIssueManagementEnabled",
    )

    limit: PageLimit
    tells_total = True
    lists_at_rest = 2

    def when(self, row: Row) -> str:
        """When an issue has changed; where that is not told, when it was seen first."""
        return super().when(row) or super().when({self.time_field: row.get("observedAt")})

    def new_paginator(self, context: Context | None) -> GridPages:
        """The latest changes first."""
        return GridPages(
            limit=self.limit,
            what=self.place(context),
            when=self.when,
            key=self.key_of,
            since=self.since(context),
        )

    def reads(self, context: Context | None) -> Iterator[Read]:
        """The open ones, then the closed ones: what is closed meanwhile comes last as closed."""
        for closed in ("false", "true"):
            yield Read(self.new_paginator(context), {"closed": closed}, purpose=closed == "true")

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:
        """Note of which list they are."""
        return super().sift(read, [{**row, "isClosed": read.purpose} for row in rows], context)

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Leave out what policies say, which may quote secrets, unless it is asked for."""
        record = snake_keys(row)
        if not self.config.get("pulumi_messages"):
            record.pop("message", None)
        record["assigned_to_login"] = as_object(row.get("assignedTo")).get("githubLogin")
        return record


class PolicyCompliance(GridList):
    """How well each policy is kept within each group, as it stands."""

    name = "pulumi_policy_compliance"
    path = "/api/orgs/{org_name}/policyresults/policies"
    primary_keys = ("org_name", "policy_group_name", "policy_pack", "policy_name")
    records_key = "policies"
    total_key = "totalCount"
    facts = Facts(
        row="a policy within a policy group, as it stands",
        requests="one per 500 policies",
        permission=_PERMISSION,
    )

    limit: PageLimit
    tells_total = True

    def new_paginator(self, context: Context | None) -> GridPages:
        """All of it, in whatever order."""
        return GridPages(
            limit=self.limit, what=self.place(context), when=lambda _: "", key=_place_of
        )


def _place_of(row: Row) -> Any:
    """What tells a policy within a group from others."""
    return tuple(str(row.get(name)) for name in ("policyGroupName", "policyPack", "policyName"))


class PolicySummary(OrganizationList):
    """How many policies and resources there are, and how many are in order, on a day.

    The API tells the present alone, so each sync has the row of its own day: the last one of a
    day stays.
    """

    name = "pulumi_policy_summary"
    path = "/api/orgs/{org_name}/policyresults/metadata"
    primary_keys = ("org_name", "date")
    adds_up = True
    facts = Facts(
        row="the state of policies on the day of a sync",
        requests="two per organization",
        permission=_PERMISSION,
    )

    def requests_beyond(self, rows: int) -> int:  # noqa: ARG002
        """The second answer that makes up the row."""
        return 1

    def prefetch(self, context: Context) -> None:
        """Nothing is asked for ahead."""

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """One row of two answers; either may be refused."""
        groups = f"{self.get_url(context).rpartition('/policyresults/')[0]}/policygroups/metadata"
        asked = [self.ask(context)]
        if self.ABORT_AT_RECORD_COUNT is None:
            asked.append(self.ask_at(groups))
        row: Row = {}
        refusals: list[RefusedError] = []
        for exchange in asked:
            try:
                row.update(self._told(exchange))
            except RefusedError as exc:
                refusals.append(exc)
        if len(refusals) == len(asked):
            raise refusals[0]
        for refusal in refusals:
            self.note_of(context, f"a part of the figures is missing ({refusal})")
        if row:
            yield [{**row, "date": f"{self.connection.now():%Y-%m-%d}"}]

    def _told(self, exchange: Exchange) -> Row:
        page = self.read_object(exchange.body())
        return page.rows[0] if page.rows else {}
