"""ESC environments: what there is of them, never what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.ledger import LedgerParent
from tap_cloudapis.core.paging import Paginator, TokenPages, as_object, later_page
from tap_cloudapis.pulumi.client import snake_keys
from tap_cloudapis.pulumi.organization import Organizations
from tap_cloudapis.pulumi.stack_streams import TurnStream
from tap_cloudapis.pulumi.whole_answers import WholeAnswer, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import PageLimit, Params, PendingPage, Row, Submit

ENVIRONMENT_KEY = ("org_name", "project_name", "env_name")
#: The project of an environment for which older servers tell none.
DEFAULT_PROJECT = "default"
_PLAN = "Essentials and above"


class Environments(LedgerParent, WholeAnswer):
    """The environments of an organization, and the ledger that all streams below them read."""

    name = "pulumi_environments"
    path = "/api/esc/environments/{org_name}"
    primary_keys = ENVIRONMENT_KEY
    parent_stream_type = Organizations
    page_size = ("maxResults", 500)
    # The counts of referrers are zero, whatever there is.
    dropped_fields = frozenset({"referrer_metadata"})
    # Its keys are users' own, and all who see the environment see its tags.
    unscrubbed_fields = frozenset({"tags"})
    facts = Facts(
        row="an environment, without what is in it",
        requests="one per 500 environments",
        permission="the permission to list environments (environment:list)",
        switch="environmentsEnabled",
    )

    def new_paginator(self, context: Context | None) -> Paginator:
        """Pages by token."""
        return TokenPages(limit=self.limit, what=self.place(context))

    def rows_of(self, body: Any) -> list[Row]:
        """The environments of a page."""
        if body.get("environments") is None:
            self.report.unlisted = True
        return listed(body.get("environments"))

    def token_of(self, body: Any) -> Any:
        """The token of the next page."""
        return body.get("nextToken") or None

    def to_record(self, row: Row, context: Context) -> Row | None:
        """Rename the fields; leave out what a server adds of other organizations."""
        given = row.pop("organization", None)
        if (
            isinstance(given, str)
            and given.strip()
            and given.casefold() != context["org_name"].casefold()
        ):
            return None
        record = snake_keys(row)
        record["project_name"] = record.pop("project", None) or DEFAULT_PROJECT
        record["env_name"] = record.pop("name", None)
        record["owned_by_login"] = as_object(record.get("owned_by")).get("githubLogin") or None
        return record

    def entry(self, record: Row) -> tuple[str, str, Any]:
        """An environment is known by its id, where it has one."""
        return env_id_of(record), _place(record), record.get("modified")

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """What identifies an environment, and whether it has tags, where that is known."""
        tags = record.get("tags")
        identity = {name: record[name] for name in ENVIRONMENT_KEY}
        has_tags = bool(tags) if isinstance(tags, dict) else None
        return {**identity, "env_id": env_id_of(record), "has_tags": has_tags}


def _place(record: Mapping[str, Any]) -> str:
    return "/".join(str(record[name]) for name in ENVIRONMENT_KEY)


def env_id_of(record: Mapping[str, Any]) -> str:
    """What stays the same of an environment; its names, where an older server gives no id."""
    return str(record.get("id") or _place(record))


class EnvironmentStream(TurnStream, WholeAnswer):
    """A list that each environment has, asked for when it has changed, and in turn."""

    parent_stream_type = Environments
    ledger_key = "env_id"
    in_slots = True
    scope = "environment {org_name}/{project_name}/{env_name}"
    context_columns: ClassVar[Mapping[str, str]] = {name: name for name in ENVIRONMENT_KEY}

    def wants(self, context: Context) -> bool:
        """Whether the environment has changed or has its turn, and can be asked for at all."""
        if not super().wants(context):
            return False
        if {context["project_name"], context["env_name"]} & {".", ".."}:
            self.skip("has a name that cannot be put in a URL", self.place(context))
            return False
        return True


class EnvironmentTags(EnvironmentStream):
    """The tags of environments that have any."""

    name = "pulumi_environment_tags"
    path = "/api/esc/environments/{org_name}/{project_name}/{env_name}/tags"
    primary_keys = (*ENVIRONMENT_KEY, "name")
    page_size = ("count", 500)
    facts = Facts(
        row="a tag of an environment",
        requests="one per environment with tags that has changed or has its turn",
        permission="the permission to list tags of environments (environment_tags:list)",
        plan=_PLAN,
    )

    def wants(self, context: Context) -> bool:
        """Whether the environment has changed or has its turn, and is not known to have none."""
        return context["has_tags"] is not False and super().wants(context)

    def new_paginator(self, context: Context | None) -> Paginator:
        """Pages by the number of tags before them."""
        return TokenPages(limit=self.limit, what=self.place(context), param="after")

    def rows_of(self, body: Any) -> list[Row]:
        """The tags, which come by name."""
        tags = body.get("tags")
        if not isinstance(tags or {}, dict):
            msg = "tags is no object"
            raise TypeError(msg)
        return [{"name": name, **as_object(tag)} for name, tag in (tags or {}).items()]

    def token_of(self, body: Any) -> Any:
        """How many tags there were; "0" is the end."""
        token = body.get("nextToken")
        return None if str(token or "0") == "0" else str(token)

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Rename the fields."""
        return snake_keys(row)


@dataclass
class FallingPages:
    """Pages of rows that are numbered down to 1, each asked for by what it must lie before.

    Attributes:
        limit: The page size.
        what: The list in the words of an error message.
    """

    limit: PageLimit
    what: str

    def first_params(self) -> Params:
        """The newest ones."""
        return {}

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:  # noqa: ARG002
        """Give the rows down to number 1, or to an empty page.

        Raises:
            TapError: When a page does not lie before the one above it.
        """
        page, lowest = first.result(), None
        while page.rows:
            numbers = [row.get("number") for row in page.rows]
            known = [number for number in numbers if type(number) is int]
            if lowest is not None and (not known or max(known) >= lowest):
                msg = f"{self.what}: the API gives rows again that it gave before"
                raise TapError(msg)
            yield page.rows
            if not known or min(known) <= 1:
                return
            lowest = min(known)
            page = later_page(submit({"before": lowest}), self.what)


class EnvironmentRevisions(EnvironmentStream):
    """The revisions of each environment, without their text.

    All of them are read each time: that an old one is retracted, or has another tag, shows
    nowhere else.
    """

    name = "pulumi_environment_revisions"
    path = "/api/esc/environments/{org_name}/{project_name}/{env_name}/versions"
    primary_keys = (*ENVIRONMENT_KEY, "number")
    page_size = ("count", 500)
    # Its description is people's text.
    dropped_fields = frozenset({"source_change_request"})
    facts = Facts(
        row="a revision of an environment, without its text",
        requests="one per environment that has changed or has its turn, and per 500 revisions",
        permission="the permission to read versions of environments (environment_version:read)",
        plan=_PLAN,
    )

    limit: PageLimit

    def new_paginator(self, context: Context | None) -> FallingPages:
        """Newest first."""
        return FallingPages(limit=self.limit, what=self.place(context))

    def rows_of(self, body: Any) -> list[Row]:
        """The bare list."""
        return listed(body)

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Rename the fields; keep the id of the change request."""
        record = snake_keys(row)
        request = as_object(record.get("source_change_request"))
        record["source_change_request_id"] = request.get("id") or None
        retracted = as_object(record.get("retracted"))
        record["retracted_at"] = retracted.get("at")
        return record


#: What can use an environment: the field, and the fields of its project, name and version.
_REFERRERS = {
    "stack": ("project", "stack", "version"),
    "environment": ("project", "name", "revision"),
    "insightsAccount": ("", "accountName", ""),
}


class EnvironmentReferrers(EnvironmentStream):
    """What uses each environment: stacks, other environments, Insights accounts."""

    name = "pulumi_environment_referrers"
    path = "/api/esc/environments/{org_name}/{project_name}/{env_name}/referrers"
    primary_keys = (
        *ENVIRONMENT_KEY,
        "revision",
        "referrer_type",
        "referrer_project",
        "referrer_name",
    )
    page_size = ("count", 500)
    facts = Facts(
        row="a stack, environment or account that uses an environment",
        requests="one per environment that has changed or has its turn, and per 500 referrers",
        permission="the permission to read environments (environment:read)",
    )

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """Of all revisions; of a stack only the newest update."""
        return {"allRevisions": "true", "latestStackVersionOnly": "true"}

    def new_paginator(self, context: Context | None) -> Paginator:
        """Pages by token."""
        return TokenPages(limit=self.limit, what=self.place(context))

    def rows_of(self, body: Any) -> list[Row]:
        """The referrers, which come by the revision that they use."""
        found = body.get("referrers")
        if not isinstance(found or {}, dict):
            msg = "referrers is no object"
            raise TypeError(msg)
        return [
            {"revision": revision, **as_object(each)}
            for revision, some in (found or {}).items()
            for each in listed(some)
        ]

    def token_of(self, body: Any) -> Any:
        """The token of the next page."""
        return body.get("continuationToken") or None

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """All referrers; of an environment that uses this one in several revisions the newest."""
        newest: dict[Any, Row] = {}
        for rows in super().lists(context):
            for row in rows:
                found = _referrer(row)
                key = tuple(map(repr, (row["revision"], *list(found.values())[:3])))
                version = found["referrer_version"]
                known = newest.get(key, {}).get("referrer_version")
                if known is None or (type(version) is int and version > known):
                    newest[key] = {"revision": row["revision"], **found}
        yield list(newest.values())


def _referrer(row: Row) -> Row:
    """What uses an environment, in the same words whatever it is."""
    for kind, (project, name, version) in _REFERRERS.items():
        if inside := as_object(row.get(kind)):
            return {
                "referrer_type": "insights_account" if kind == "insightsAccount" else kind,
                "referrer_project": inside.get(project) or "",
                "referrer_name": inside.get(name),
                "referrer_version": inside.get(version) if version else None,
            }
    return {
        "referrer_type": next((name for name in row if name != "revision"), None),
        "referrer_project": "",
        "referrer_name": None,
        "referrer_version": None,
    }
