"""Lists that an organization has as a whole, or each of its teams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.breaking import BreakingStream
from tap_cloudapis.core.paging import Paginator, TokenPages
from tap_cloudapis.pulumi.client import PulumiStream
from tap_cloudapis.pulumi.organization import Organizations, Teams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import Stream


class OrganizationList(PulumiStream):
    """A list that an organization has.

    It comes page by page where the stream names a page size, else whole. A token that comes with a
    whole list is followed all the same: rows that come again end the list, and none is lost where
    a server has begun to page it.

    Attributes:
        params: Query parameters of every page.
    """

    primary_keys: Sequence[str] = ("org_name", "id")
    parent_stream_type: type[Stream] | None = Organizations
    params: ClassVar[Mapping[str, Any]] = {}

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """What the stream declares."""
        return dict(self.params)

    def new_paginator(self, context: Context | None) -> Paginator:
        """Pages by token."""
        what = self.place(context)
        return TokenPages(limit=self.limit, what=what, ignored=self.limit is None)


class PerishableList(BreakingStream, OrganizationList):
    """A list of something that an organization has, which may be gone when it is asked for.

    A list that is not there is such a one; where that is so of all of them, the token may not read
    them.
    """

    may_vanish = True


class TeamList(PerishableList):
    """A list that each team has."""

    parent_stream_type = Teams
    scope = "organization {org_name}, team {team_name}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "org_name": "org_name",
        "team_name": "team_name",
    }
