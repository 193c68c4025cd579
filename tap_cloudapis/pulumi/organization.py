"""Organizations and their teams."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import (
    ClosedError,
    RefusedError,
    TapError,
)
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.owners import OwnerStream
from tap_cloudapis.core.paging import Paginator, Row, TokenPages, as_object
from tap_cloudapis.pulumi.client import PulumiStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Exchange


class Organizations(OwnerStream, PulumiStream):
    """The organizations of ``pulumi_organizations``, or those the token's user belongs to."""

    name = "pulumi_organizations"
    path = "/api/user"
    primary_keys = ("org_name",)
    context_columns: ClassVar[Mapping[str, str]] = {}
    records_key = "organizations"
    facts = Facts(
        row="an organization",
        requests="one, and two per organization",
        permission=(
            "the permission to read details of the organization, of which its row tells the name "
            "alone then; its lists are read"
        ),
    )

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """One row per organization: its metadata and its public face, two requests each.

        Names are taken without regard to case, as the service does; its own spelling counts. What
        cannot be read of one organization leaves out its row, or a part of it; its lists are read
        all the same.
        """
        configured = self._configured()
        pending = [
            (name, self._ask_organization(name, "/metadata"), self._ask_organization(name))
            for name in configured or self._reached
        ]
        answers = [self._answers(name, *exchanges) for name, *exchanges in pending]
        self.check_token([answer for _, some in answers for answer in some])
        seen: set[str] = set()
        for name, some in answers:
            row = self._organization(name, some, named=bool(configured))
            if row is None or str(row["org_name"]).casefold() in seen:
                continue
            seen.add(row["org_name"].casefold())
            outcome = self.outcomes[row["org_name"]]
            failures = [a for a in some if isinstance(a, TapError)]
            outcome.read += not failures
            is_refused = all(isinstance(failure, RefusedError) for failure in failures)
            context = self.child_context(row, {})
            if is_refused and not (failures and self.was_read(context)):
                yield [row]
                continue
            outcome.failed += not is_refused
            # The row would take away what was loaded of the part that is missing.
            if self.ABORT_AT_RECORD_COUNT is None:
                self._sync_children(context)
            else:
                self.without_row.append(context)

    def _configured(self) -> list[str]:
        """The organizations in the settings, each once."""
        names: dict[str, str] = {}
        for name in self.config.get("pulumi_organizations") or []:
            if name.strip():
                names.setdefault(name.strip().casefold(), name.strip())
        return list(names.values())

    @cached_property
    def _reached(self) -> list[str]:
        """The logins of the organizations that the token reaches."""
        body = self.ask(None).body()
        user = {} if body is None else body
        listed = as_object(user).get("organizations") or []
        if not isinstance(user, dict) or not isinstance(listed, list):
            raise self.misshapen()
        names = [as_object(org).get("githubLogin") for org in listed]
        for name in [] if self._configured() else names:
            if not isinstance(name, str) or not name:
                self.tap.report.leave_out(self.name, "one that is listed without a githubLogin")
        names.append(as_object(user.get("tokenInfo")).get("organization"))
        found = list(dict.fromkeys(name for name in names if name and isinstance(name, str)))
        if not found:
            msg = (
                f"the token belongs to no organization on {self.connection.host}; "
                "name one in pulumi_organizations"
            )
            raise TapError(msg)
        return found

    def _ask_organization(self, name: str, page: str = "") -> Exchange:
        return self.ask_at(f"{self.url_base}/api/orgs/{self._url_encode(name)}{page}")

    def _answers(self, name: str, *exchanges: Exchange) -> tuple[str, list[Row | TapError]]:
        """What the pages of an organization answer, and its name as the service spells it.

        A server to whom another spelling is another name is asked again.
        """
        found = [self._page(exchange) for exchange in exchanges]
        if all(isinstance(answer, RefusedError) for answer in found):
            spelling = self._spelling(name)
            if spelling != name:
                again = (
                    self._ask_organization(spelling, "/metadata"),
                    self._ask_organization(spelling),
                )
                return spelling, [self._page(exchange) for exchange in again]
        return name, found

    def _organization(self, name: str, answers: list[Row | TapError], *, named: bool) -> Row | None:
        """The row of an organization, by what its two pages answered; ``None`` for none."""
        closed = next((a for a in answers if isinstance(a, ClosedError)), None)
        if closed is not None:
            self.close_owner(name, closed)
            return None
        refusals = [answer for answer in answers if isinstance(answer, RefusedError)]
        if len(refusals) == len(answers) and named and not self._is_known(name):
            self.tap.report.fail(
                self.name,
                f"{refusals[0]}; it is named in pulumi_organizations: check the name and the token",
                f"organization {name}",
            )
            return None
        row: Row = {}
        for answer in answers:
            if not isinstance(answer, TapError):
                row.update(answer)
        # Where all of it is refused, the name still leads to the lists of the organization.
        login = row.pop("githubLogin", None)
        row["org_name"] = login if login and isinstance(login, str) else self._spelling(name)
        context = self.child_context(row, {})
        self.switches[row["org_name"]] = as_object(row.get("features"))
        if refusals:
            super().refused(refusals[0], context, 0)
        for answer in answers:
            if isinstance(answer, TapError) and not isinstance(answer, RefusedError):
                self.failed(answer, context)
        return row

    def _spelling(self, name: str) -> str:
        """The service's spelling of an organization, where its own data does not tell it."""
        return self._known.get(name.casefold(), name)

    def _is_known(self, name: str) -> bool:
        """Whether the token's user belongs to an organization, whatever its pages say."""
        return name.casefold() in self._known

    @cached_property
    def _known(self) -> dict[str, str]:
        """The organizations that the token reaches, by their names without regard to case."""
        with suppress(TapError):
            return {name.casefold(): name for name in self._reached}
        return {}

    def _page(self, exchange: Exchange) -> Row | TapError:
        answer = self.answer(exchange)
        if answer is None:
            return {}  # older servers say so where they know nothing
        return answer if isinstance(answer, (dict, TapError)) else self.misshapen()

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:  # noqa: ARG002
        """Without the list of organizations there is nothing to read: never a mere skip."""
        self.tap.report.fail(self.name, f"{exc}; name them in pulumi_organizations")

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Lists of an organization need its login."""
        return {"org_name": record["org_name"]}


class Teams(PulumiStream):
    """The teams of an organization; the list comes whole."""

    name = "pulumi_organization_teams"
    path = "/api/orgs/{org_name}/teams"
    primary_keys = ("org_name", "name")
    parent_stream_type = Organizations
    records_key = "teams"
    facts = Facts(
        row="a team",
        requests="one per organization",
        permission="the permission to list teams (team:list)",
        plan="Pro and above",
        switch="teamsEnabled",
    )

    def new_paginator(self, context: Context | None) -> Paginator:
        """The list comes whole; a token that the API may send with it, it was seen to ignore."""
        what = self.place(context)
        return TokenPages(limit=None, what=what, ignored=True)

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """What a team has needs its name."""
        return {"org_name": context["org_name"], "team_name": record["name"]}
