"""The people of an organization: the roster of its identity provider, and who has a seat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.paging import TokenPages, as_object
from tap_cloudapis.pulumi.client import PulumiStream, or_none, snake_keys
from tap_cloudapis.pulumi.organization import Organizations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import TapError
    from tap_cloudapis.core.paging import PendingPage, Row, Submit

#: A list of seats of so many rows may have been cut off, without a word.
MOST_SEATS = 50


@dataclass
class SeatPages(TokenPages):
    """The list of seats, which says nothing where it is cut off."""

    _pages: int = field(default=0, init=False)
    _rows: int = field(default=0, init=False)

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give the rows of each page, and count them."""
        for rows in super().walk(submit, first, ahead):
            self._pages += 1
            self._rows += len(rows)
            yield rows

    @property
    def is_whole(self) -> bool:
        """Whether everybody with a seat was listed."""
        return bool(self._rows) and (self._pages > 1 or self._rows < MOST_SEATS)


@dataclass
class Seats:
    """Who has a seat, by login, or by name for those that have none."""

    pages: SeatPages
    refusal: tuple[Read, TapError] | None = None
    _rows: dict[str, Row] = field(default_factory=dict)
    _by_name: dict[str, str] = field(default_factory=dict)
    _nameless: list[Row] = field(default_factory=list)

    def add(self, rows: list[Row]) -> None:
        """Note people of the list of seats."""
        for row in rows:
            login = identity(row)
            if not login:
                self._nameless.append(row)
                continue
            self._rows.setdefault(login, row)
            self._by_name.setdefault(_name(row), login)

    def mark(self, row: Row) -> Row:
        """Say in a row of the roster whether the person has a seat."""
        login = identity(row)
        if not as_object(row.get("user")).get("githubLogin"):
            login = self._by_name.get(_name(row), login)
        found = self._rows.pop(login, None) is not None
        has_seat = found or (False if self.pages.is_whole else None)
        return {**row, "onRoster": True, "hasSeat": has_seat}

    def left(self) -> list[Row]:
        """Those with a seat whom the roster has not, and those that cannot be told from others."""
        rows = (*self._rows.values(), *self._nameless)
        return [{**row, "onRoster": False, "hasSeat": True} for row in rows]


class Members(PulumiStream):
    """People in an organization: the roster of its identity provider, and those with a seat.

    Two lists are read, that of seats first: what it tells of a person becomes a column of the
    person's row on the roster.
    """

    name = "pulumi_organization_members"
    path = "/api/orgs/{org_name}/members"
    primary_keys = ("org_name", "user_login")
    parent_stream_type = Organizations
    records_key = "members"
    facts = Facts(
        row="a person in an organization",
        requests="per organization, one for seats, and one per page of members",
        permission="the permission to read members (org_member:read)",
    )

    _seats: Seats

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """Those who are barred, too; older servers do not know the word."""
        return {"includeSuspended": "true"}

    def reads(self, context: Context | None) -> Iterable[Read]:
        """The list of seats, and the roster, in pages of a size of the server's own."""
        seats = SeatPages(limit=None, what=f"{self.place(context)}, seats")
        yield Read(seats, {"type": "frontend"}, optional="has_seat is not known")
        yield Read(TokenPages(limit=None, what=self.place(context)), {"type": "backend"})

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Give the roster, then those with a seat who are not on it."""
        self._seats = Seats(SeatPages(limit=None, what=""))
        yield from super().lists(context)
        if self._seats.refusal is not None:
            super().not_given(context, *self._seats.refusal)
        yield self._seats.left()

    def not_given(self, context: Context | None, read: Read, exc: TapError) -> None:  # noqa: ARG002
        """Remember that the list of seats is refused: the roster may be so as well."""
        self._seats.refusal = (read, exc)

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Note the seats, and mark the rows of the roster by them."""
        if isinstance(read.paginator, SeatPages):
            self._seats.pages = read.paginator
            self._seats.add(rows)
            return []
        return [self._seats.mark(row) for row in rows]

    def to_record(self, row: Row, context: Context) -> Row | None:
        """Lay the user's fields beside the member's; leave out the organization as a user."""
        given = row.pop("user", None)
        user = given if isinstance(given, dict) else {}
        record = snake_keys(row)
        created = str(record.get("created") or "")
        synthetic = not created or created.startswith(("0001-", "1970-01-01T00:00:00"))
        if synthetic:
            record["created"] = None
        login = user.get("githubLogin") or user.get("email") or user.get("name")
        role_id = or_none(as_object(row.get("fgaRole")).get("id"))
        is_org = str(login).casefold() == str(context["org_name"]).casefold()
        if is_org and created and synthetic and not role_id:
            return None
        record.update({f"user_{name}": value for name, value in snake_keys(user).items()})
        record["user_login"] = or_none(login)
        record["fga_role_id"] = role_id
        record.pop("user_github_login", None)
        return record


def identity(row: Row) -> str:
    """What tells a member from others, whatever its case; empty for nothing."""
    user = as_object(row.get("user"))
    login = user.get("githubLogin") or user.get("email") or user.get("name")
    return repr(login).casefold() if login else ""


def _name(row: Row) -> str:
    return repr(as_object(row.get("user")).get("name")).casefold()
