"""People of an account, and what they may do: seats, groups, grants, invitations."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.details import DetailedStream
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.paging import NO_ROW, as_object
from tap_cloudapis.core.parts import PartStream
from tap_cloudapis.dbt.account import AccountList
from tap_cloudapis.dbt.client import ENTERPRISE, DbtStream, Paging, entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

_MEMBERS = "the permission to read members"


class Licenses(AccountList):
    """Seats of each licence type, as they stand at the moment of reading.

    The document calls the answer a list; it is a map by type.
    """

    name = "dbt_licenses"
    path = "/v2/accounts/{account_id}/licenses/"
    primary_keys = ("account_id", "license_type")
    paging = Paging.WHOLE
    facts = Facts(
        row="the seats of one licence type, as they stand",
        requests="one per account",
        permission="the permission to read licences",
    )

    def rows_of(self, data: Any) -> list[Row]:
        """A row for each type."""
        if isinstance(data, list):
            return [row for each in entries(data) for row in self._rows_in(each)]
        if not isinstance(data, dict):
            msg = "data is neither a map nor a list"
            raise TypeError(msg)
        return self._rows_in(data)

    @staticmethod
    def _rows_in(each: Row) -> list[Row]:
        if "license_type" in each or each is NO_ROW:
            return [each]
        return [
            {**seats, "license_type": kind} if isinstance(seats, dict) else NO_ROW
            for kind, seats in each.items()
            if seats is not None
        ]


class Groups(AccountList):
    """User groups, deleted ones too."""

    name = "dbt_groups"
    path = "/v3/accounts/{account_id}/groups/"
    params: ClassVar[Mapping[str, Any]] = {
        "state": "all",
        "include_related": "group_permissions",
    }
    dropped_fields = frozenset({"group_permissions"})
    facts = Facts(
        row="a user group",
        requests="per account, one per 100 groups",
        permission=_MEMBERS,
    )

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """Grants of a group need its id."""
        return {"account_id": context["account_id"], "group_id": record["id"]}


class GroupPermissions(PartStream, DbtStream):
    """What groups may do, and in which projects."""

    name = "dbt_group_permissions"
    parent_stream_type = Groups
    scope = "account {account_id}, group {group_id}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "account_id": "account_id",
        "group_id": "group_id",
    }
    facts = Facts(
        row="a set of rights granted to a group",
        requests="none: the groups carry them",
        permission="the permission to read permissions of groups",
        plan=ENTERPRISE,
    )

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The grants in a group; where they have no id, one that stays the same."""
        return [
            grant if grant is NO_ROW or grant.get("id") is not None else _with_id(grant, row)
            for grant in entries(row.get("group_permissions"))
        ]


def _with_id(grant: Row, group: Row) -> Row:
    """A grant with an id made of what tells it from others, in 63 bits."""
    names = ("permission_set", "project_id", "state")
    what = repr([group.get("id"), *(grant.get(name) for name in names)])
    digest = hashlib.blake2b(what.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return {**grant, "id": int.from_bytes(digest, "big") >> 1}


class Users(DetailedStream, AccountList):
    """People of each account; one person may be in several."""

    name = "dbt_users"
    path = "/v3/accounts/{account_id}/users/"
    paging = Paging.TOTAL
    details_setting = "dbt_user_details"
    detail_fields = frozenset({"fullname", "scim_managed", "updated_at"})
    # What spans all accounts of a person, or holds links to other services.
    dropped_fields = frozenset(
        {
            "permissions",
            "licenses",
            "auth_provider_infos",
            "show_existing_user_email_verification",
        }
    )
    facts = Facts(
        row="a person in an account",
        requests="per account, one per page of people, and with dbt_user_details one per person",
        permission=_MEMBERS,
        unselected=Unselected.PERSONAL,
    )

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """What a person has needs the person's id."""
        return {"account_id": context["account_id"], "user_id": record["id"]}


class UserParts(PartStream, DbtStream):
    """What a person has in this account; what there is of other accounts is never a row."""

    parent_stream_type = Users
    scope = "account {account_id}, user {user_id}"
    #: Whether several permissions of a person may tell of the same row.
    repeated: ClassVar[bool] = False
    context_columns: ClassVar[Mapping[str, str]] = {
        "account_id": "account_id",
        "user_id": "user_id",
    }

    def parts(self, row: Row, context: Context) -> list[Row]:
        """The rows in what the person has in this account."""
        account_id = context["account_id"]
        own = [
            entry
            for entry in entries(row.get("permissions"))
            if entry is NO_ROW or is_of(entry, account_id)
        ]
        found = [
            part
            for entry in own
            for part in ([NO_ROW] if entry is NO_ROW else self.parts_of(entry, account_id))
        ]
        if self.repeated:
            found = self._each_once(found)
        return found or self.without_permissions(row, account_id)

    def _each_once(self, parts: list[Row]) -> list[Row]:
        """Of rows with the same key the first one."""
        names = [name for name in self.primary_keys if name not in self.context_columns]
        found: dict[Any, Row] = {}
        for part in parts:
            key = repr([part.get(name) for name in names])
            found.setdefault(id(part) if part is NO_ROW else key, part)
        return [*found.values()]

    @abstractmethod
    def parts_of(self, permission: Row, account_id: int) -> Iterator[Row]:
        """The rows in one of the person's permissions, which is of this account."""

    def without_permissions(self, row: Row, account_id: int) -> list[Row]:  # noqa: ARG002
        """The rows of a person of whom no permission tells any."""
        return []


def is_of(entry: Row, account_id: int) -> bool:
    """Whether an object says that it is of an account."""
    return str(entry.get("account_id")) == str(account_id)


class UserLicenses(UserParts):
    """Seats that people hold in each account."""

    name = "dbt_user_licenses"
    primary_keys = ("account_id", "user_id", "id")
    dropped_fields = frozenset({"groups", "permission_statements"})
    facts = Facts(
        row="a seat that a person holds in an account",
        requests="none: the users carry them",
        permission=_MEMBERS,
        unselected=Unselected.PERSONAL,
    )

    def parts_of(self, permission: Row, account_id: int) -> Iterator[Row]:  # noqa: ARG002
        """A permission is a seat."""
        yield permission

    def without_permissions(self, row: Row, account_id: int) -> list[Row]:
        """The person's licence in this account, which has no number of its own."""
        licence = as_object(row.get("licenses")).get(str(account_id))
        if isinstance(licence, str):
            return [{"id": 0, "license_type": licence}]
        if not isinstance(licence, dict) or not licence:
            return []
        return [{**licence, "id": licence.get("id") or 0}]


class UserGroups(UserParts):
    """Which groups people belong to."""

    name = "dbt_user_groups"
    primary_keys = ("account_id", "user_id", "group_id")
    repeated = True
    facts = Facts(
        row="a membership in a group",
        requests="none: the users carry them",
        permission=_MEMBERS,
        unselected=Unselected.PERSONAL,
    )

    def parts_of(self, permission: Row, account_id: int) -> Iterator[Row]:
        """Of a group what names it; the rest is in dbt_groups."""
        for group in entries(permission.get("groups")):
            if group is NO_ROW:
                yield group
            elif "account_id" not in group or is_of(group, account_id):
                state, name = group.get("state"), group.get("name")
                yield {"group_id": group.get("id"), "name": name, "state": state}


class UserPermissions(UserParts):
    """What people may do, whichever way they came by it."""

    name = "dbt_user_permissions"
    primary_keys = ("account_id", "user_id", "permission", "target")
    repeated = True
    facts = Facts(
        row="a right that a person has, and where",
        requests="none: the users carry them, in some releases",
        permission=_MEMBERS,
        unselected=Unselected.PERSONAL,
    )

    def parts_of(self, permission: Row, account_id: int) -> Iterator[Row]:  # noqa: ARG002
        """A row for each statement."""
        for statement in entries(permission.get("permission_statements")):
            if statement is NO_ROW:
                yield statement
                continue
            target = statement.get("target_resource")
            is_everywhere = target is None or statement.get("all_resources") is True
            yield {**statement, "target": "all" if is_everywhere else str(target)}


class LicenseMaps(AccountList):
    """Rules that hand out seats by groups of the identity provider."""

    name = "dbt_license_maps"
    path = "/v3/accounts/{account_id}/license-maps/"
    params: ClassVar[Mapping[str, Any]] = {"state": "all"}
    facts = Facts(
        row="a rule that gives groups of an identity provider a licence type",
        requests="per account, one per 100 rules",
        permission="the permission to read licences and SSO settings",
        plan=ENTERPRISE,
        unselected=Unselected.SECURITY,
    )


class Invites(AccountList):
    """Invitations of people to an account."""

    name = "dbt_invites"
    path = "/v2/accounts/{account_id}/invites/"
    paging = Paging.TOTAL
    dropped_fields = frozenset({"account", "groups", "accept_invite_url"})
    facts = Facts(
        row="an invitation",
        requests="per account, one per page of invitations",
        permission="the permission to read invitations",
        unselected=Unselected.PERSONAL,
    )
