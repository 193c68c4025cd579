"""What teams have: people, and grants on stacks, environments and accounts, by one request each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.carriers import CarrierStream
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.paging import Page
from tap_cloudapis.core.parts import PartStream
from tap_cloudapis.pulumi.client import PulumiStream, entries, snake_keys
from tap_cloudapis.pulumi.lists import TeamList
from tap_cloudapis.pulumi.organization import Teams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

_PERMISSION = "the permission to read teams (team:read)"
_PLAN = "Pro and above"
_SWITCH = Teams.facts.switch
_REQUESTS = "one per team for all that teams have"

#: What the numbers of permissions mean.
STACK_PERMISSIONS = {0: "none", 101: "read", 102: "write", 103: "admin", 104: "creator"}
ACCOUNT_PERMISSIONS = {0: "none", 1: "read", 2: "write", 3: "admin"}

_GO_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)(?:\.\d+)?s)?", re.ASCII)


class TeamDetails(CarrierStream, TeamList):
    """Each team at its own address, where its people and its grants are."""

    name = "pulumi_team_details"
    title = "what each team has"
    path = "/api/orgs/{org_name}/teams/{team_name}"
    primary_keys = ("org_name", "team_name")
    facts = Facts(
        row="a team", requests=_REQUESTS, permission=_PERMISSION, plan=_PLAN, switch=_SWITCH
    )

    def read_page(self, body: Any) -> Page:
        """The one object."""
        if not isinstance(body, dict):
            msg = "no object"
            raise TypeError(msg)
        return Page(rows=[body])

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """The team's own names."""
        return dict(context)


class TeamParts(PartStream, PulumiStream):
    """Something that the detail of a team carries."""

    parent_stream_type = TeamDetails
    scope = TeamList.scope
    context_columns = TeamList.context_columns
    #: What the numbers of the column ``permission`` mean; empty where it is text.
    labels: ClassVar[Mapping[int, str]] = {}

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The objects in the field."""
        return entries(row.get(self.parts_field))

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Rename the fields, and say what the number of a permission means."""
        record = snake_keys(row)
        if self.labels:
            permission: Any = record.get("permission")
            is_number = type(permission) is int
            record["permission_label"] = self.labels.get(permission) if is_number else None
        return record


class TeamMembers(TeamParts):
    """People in teams; none of a team whose identity provider could not be asked."""

    name = "pulumi_team_members"
    primary_keys = ("org_name", "team_name", "user_login")
    parts_field = "members"
    facts = Facts(
        row="a person in a team",
        requests=_REQUESTS,
        permission=_PERMISSION,
        plan=_PLAN,
        switch=_SWITCH,
    )

    def parts(self, row: Row, context: Context) -> list[Row]:
        """The people, where it is known who they are."""
        trouble = row.get("listMembersError")
        if trouble:
            self.report.unlisted = True
            self.note_of(context, "nobody knows who is in it: its members could not be listed")
            return []
        return super().parts(row, context)

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Name the fields of the person as in the list of members."""
        role = row.pop("role", None)
        record: Row = {f"user_{name}": value for name, value in snake_keys(row).items()}
        record["user_login"] = record.pop("user_github_login", None)
        return {**record, "role": role}


class TeamStackPermissions(TeamParts):
    """Grants of teams on stacks."""

    name = "pulumi_team_stack_permissions"
    primary_keys = ("org_name", "team_name", "project_name", "stack_name")
    parts_field = "stacks"
    labels = STACK_PERMISSIONS
    facts = Facts(
        row="a team's grant on a stack",
        requests=_REQUESTS,
        permission=_PERMISSION,
        plan=_PLAN,
        switch=_SWITCH,
    )


class TeamEnvironmentPermissions(TeamParts):
    """Grants of teams on environments of Pulumi ESC."""

    name = "pulumi_team_environment_permissions"
    primary_keys = ("org_name", "team_name", "project_name", "env_name")
    parts_field = "environments"
    facts = Facts(
        row="a team's grant on an ESC environment",
        requests=_REQUESTS,
        permission=_PERMISSION,
        plan=_PLAN,
        switch=_SWITCH,
    )

    def to_record(self, row: Row, context: Context) -> Row:
        """Count the longest session in seconds; environments of old are in a project by default."""
        longest = row.pop("maxOpenDuration", None)
        record = super().to_record(row, context)
        record["project_name"] = record.get("project_name") or "default"
        record["max_open_duration_seconds"] = seconds_of(longest)
        return record


class TeamAccountPermissions(TeamParts):
    """Grants of teams on cloud accounts under Insights."""

    name = "pulumi_team_account_permissions"
    primary_keys = ("org_name", "team_name", "account_name")
    parts_field = "accounts"
    labels = ACCOUNT_PERMISSIONS
    facts = Facts(
        row="a team's grant on an Insights account",
        requests=_REQUESTS,
        permission=_PERMISSION,
        plan=_PLAN,
        switch=_SWITCH,
    )


def seconds_of(duration: Any) -> int | None:
    """Read a duration such as ``1h30m0s``; ``None`` for anything else."""
    match = _GO_DURATION.fullmatch(duration) if isinstance(duration, str) and duration else None
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
