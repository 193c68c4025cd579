"""Lists that an organization has as a whole, or each of its teams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.paging import Paginator, TokenPages
from tap_cloudapis.pulumi.client import PulumiStream
from tap_cloudapis.pulumi.organization import Organizations, Teams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import Stream

    from tap_cloudapis.core.errors import RefusedError


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


class PerishableList(OrganizationList):
    """A list of something that an organization has, which may be gone when it is asked for.

    A list that is not there is such a one; where that is so of all of them, the token may not read
    them.
    """

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._gone: dict[Any, tuple[RefusedError, Context | None]] = {}

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """Note what is not there any more; what there was of it may still be in a target."""
        if exc.is_not_found and not rows:
            owner = self.owner_of(context)
            self.outcomes[owner].gone += 1
            self.report.unlisted = True
            self._gone.setdefault(owner, (exc, context))
        else:
            super().refused(exc, context, rows)

    def sync_ended(self) -> None:
        """Say so where not one list of an organization is there."""
        super().sync_ended()
        for owner, (exc, context) in self._gone.items():
            if not self.outcomes[owner].read:
                super().refused(exc, context, 0)


class TeamList(PerishableList):
    """A list that each team has."""

    parent_stream_type = Teams
    scope = "organization {org_name}, team {team_name}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "org_name": "org_name",
        "team_name": "team_name",
    }
