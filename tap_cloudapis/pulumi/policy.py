"""Policies: groups with what is in them, and packs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import RefusedError, ResponseError
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.paging import NO_ROW, as_object
from tap_cloudapis.core.parts import PartStream
from tap_cloudapis.core.posting import as_post
from tap_cloudapis.pulumi.client import PulumiStream, entries, or_none
from tap_cloudapis.pulumi.lists import OrganizationList

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Exchange
    from tap_cloudapis.core.paging import Row

_PERMISSION = "the permission to read policy groups (policy_groups:read)"
_REQUESTS = "none: the policy groups carry them"
#: What only a group's own address has.

_DETAILS = (
    "stacks",
    "accounts",
    "appliedPolicyPacks",
    "agentPoolId",
    "stackMatchRule",
    "accountMatchRule",
)


class PolicyGroups(OrganizationList):
    """The policy groups of an organization, each completed by what its own address has."""

    name = "pulumi_policy_groups"
    path = "/api/orgs/{org_name}/policygroups"
    primary_keys = ("org_name", "name")
    records_key = "policyGroups"
    dropped_fields = frozenset({"stacks", "accounts", "applied_policy_packs"})
    facts = Facts(
        row="a policy group",
        requests="per organization, one, and one per group",
        permission=_PERMISSION,
    )

    def requests_beyond(self, rows: int) -> int:
        """One per group."""
        return rows

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The groups with their details, which are asked for side by side."""
        for rows in super().lists(context):
            known = [row for row in rows if isinstance(row.get("name"), str) and row["name"]]
            if self.ABORT_AT_RECORD_COUNT is not None:
                known = known[:1]
            asked = [(row, self._ask(row["name"], context)) for row in known]
            gone = [row for row, exchange in asked if not self._complete(row, exchange, context)]
            yield [row for row in rows if not any(row is one for one in gone)]

    def _ask(self, name: str, context: Context | None) -> Exchange | None:
        """Ask for a group; ``None`` for one whose name cannot be put in a URL."""
        if name in {".", ".."}:
            return None
        return self.ask(context, below=f"/{self._url_encode(name)}")

    def _complete(self, row: Row, exchange: Exchange | None, context: Context | None) -> bool:
        """Add what a group's own address has; whether it is still there."""
        try:
            detail = as_object(exchange.body()) if exchange is not None else {}
        except RefusedError as exc:
            if exc.is_not_found:
                return False  # deleted meanwhile
            self._lacks(f"come without their details ({exc})", context)
            return True
        if exchange is None:
            self._lacks("have a name that cannot be put in a URL", context)
        elif detail.get("name") != row["name"]:
            raise self.misshapen(f"details of {row['name']:.60}")
        row.update({name: detail[name] for name in _DETAILS if name in detail})
        row.setdefault("mode", detail.get("mode"))
        return True

    def to_record(self, row: Row, context: Context) -> Row | None:
        """Rename the fields; Pulumi's own runners are no pool."""
        row["agentPoolId"] = or_none(row.get("agentPoolId"))
        return super().to_record(row, context)

    def _lacks(self, why: str, context: Context | None) -> None:
        """Note of a group what is not known, so that nobody takes it for empty."""
        self.note_of(context, f"some groups {why}")
        self._skip_parts(f"some groups {why}", self.place(context))

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """What is in a group is known by its name."""
        return {"org_name": context["org_name"], "policy_group_name": record["name"]}


class PolicyGroupPart(PartStream, PulumiStream):
    """What is in a policy group."""

    parent_stream_type = PolicyGroups
    scope = "organization {org_name}, policy group {policy_group_name}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "org_name": "org_name",
        "policy_group_name": "policy_group_name",
    }


class PolicyGroupStacks(PolicyGroupPart):
    """The stacks in each policy group."""

    name = "pulumi_policy_group_stacks"
    primary_keys = ("org_name", "policy_group_name", "project_name", "stack_name")
    facts = Facts(row="a stack in a policy group", requests=_REQUESTS, permission=_PERMISSION)

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The names of the stacks; some have no project."""
        return [
            stack if stack is NO_ROW else _names_of(stack) for stack in entries(row.get("stacks"))
        ]


def _names_of(stack: Row) -> Row:
    return {"project_name": stack.get("routingProject") or "", "stack_name": stack.get("name")}


class PolicyGroupAccounts(PolicyGroupPart):
    """The cloud accounts in each policy group."""

    name = "pulumi_policy_group_accounts"
    primary_keys = ("org_name", "policy_group_name", "account_name")
    facts = Facts(
        row="an Insights account in a policy group", requests=_REQUESTS, permission=_PERMISSION
    )

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The accounts, of which nothing but names is told."""
        return [{"account_name": name} for name in row.get("accounts") or []]


class PolicyGroupPacks(PolicyGroupPart):
    """The policy packs that each group enforces, in which version and how configured."""

    name = "pulumi_policy_group_packs"
    primary_keys = ("org_name", "policy_group_name", "name", "version")
    parts_field = "appliedPolicyPacks"
    facts = Facts(
        row="a policy pack that a group enforces", requests=_REQUESTS, permission=_PERMISSION
    )


class PolicyPacks(OrganizationList):
    """The policy packs of an organization, with what the registry tells of those of one name."""

    name = "pulumi_policy_packs"
    path = "/api/orgs/{org_name}/policypacks"
    primary_keys = ("org_name", "name")
    records_key = "policyPacks"
    facts = Facts(
        row="a policy pack",
        requests="two per organization",
        permission="the permission to read policy packs (policy_pack:read)",
    )

    def requests_beyond(self, rows: int) -> int:  # noqa: ARG002
        """What the registry tells."""
        return 1

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The packs, with their places in the registry."""
        if self.ABORT_AT_RECORD_COUNT is not None:
            yield from super().lists(context)
            return
        request = self.prepare(context, {})
        request.url = f"{self.url_base}/api/registry/policypacks"
        asked = self.send(as_post(request, {"orgLogin": (context or {})["org_name"]}))
        for rows in super().lists(context):
            told = self._told(asked, context)
            for row in rows:
                row.update(told.get(row.get("name"), {}))
            yield rows

    def _told(self, asked: Exchange, context: Context | None) -> dict[Any, Row]:
        """What the registry tells of packs, by names that only one of them has."""
        try:
            listed = entries(as_object(asked.body()).get("policyPacks"))
        except ResponseError as exc:
            if exc.response.status_code not in (404, 405):
                self.note_of(context, f"rows come without what the registry tells ({exc})")
            return {}
        counts = Counter(pack.get("name") for pack in listed)
        names = ("source", "publisher", "accessLevel")
        return {
            pack["name"]: {name: pack.get(name) for name in names}
            for pack in listed
            if isinstance(pack.get("name"), str) and counts[pack["name"]] == 1
        }
