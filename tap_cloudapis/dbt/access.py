"""What opens an account and its warehouses: tokens, addresses, tunnels, sign-in, SCIM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.paging import NO_ROW
from tap_cloudapis.core.parts import PartStream
from tap_cloudapis.dbt.account import CONNECTING, AccountList
from tap_cloudapis.dbt.client import ENTERPRISE, DbtStream, Paging, entries, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

_TOKENS = "the permission to read service tokens"
_CONNECTIONS = "the permission to read connections (Account Viewer does not have it)"
_SSO = "the permission to read SSO settings"


class ServiceTokens(AccountList):
    """Service tokens without their values; revoked ones stay (``state`` 2)."""

    name = "dbt_service_tokens"
    path = "/v3/accounts/{account_id}/service-tokens/"
    paging = Paging.TOTAL
    dropped_fields = frozenset(
        {
            "token",
            "token_string",
            "permission_grants",
            "service_token_permissions",
            "semantic_layer_credentials",
        }
    )
    facts = Facts(
        row="a service token, never its value",
        requests="per account, one per page of tokens",
        permission=_TOKENS,
        unselected=Unselected.SECURITY,
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Keep the ids of the credentials."""
        row["semantic_layer_credential_ids"] = ids_of(row.get("semantic_layer_credentials"))
        return row

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """Grants of a token need its id."""
        return {"account_id": context["account_id"], "service_token_id": record["id"]}


class ServiceTokenGrants(PartStream, DbtStream):
    """What service tokens may do, and in which projects."""

    name = "dbt_service_token_grants"
    parent_stream_type = ServiceTokens
    primary_keys = ("account_id", "service_token_id", "permission_set", "scope")
    scope = "account {account_id}, service token {service_token_id}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "account_id": "account_id",
        "service_token_id": "service_token_id",
    }
    # Of older releases, where a grant is an object of its own.
    dropped_fields = frozenset({"id"})
    facts = Facts(
        row="a set of rights granted to a service token",
        requests="none: the service tokens carry them",
        permission=_TOKENS,
        unselected=Unselected.SECURITY,
    )

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The grants in a token; what several say of one set and project is united."""
        listed = row.get("permission_grants")
        listed = row.get("service_token_permissions") if listed is None else listed
        found: dict[Any, Row] = {}
        odd = []
        for grant in entries(listed):
            if grant is NO_ROW:
                odd.append(grant)
                continue
            project = grant.get("project_id")
            scope = "all" if project is None else str(project)
            key = repr(grant.get("permission_set")), scope
            first = found.setdefault(key, {**grant, "scope": scope})
            name = "writable_environment_categories"
            first[name] = _united(first.get(name), grant.get(name))
        return [*odd, *found.values()]


def _united(first: Any, other: Any) -> Any:
    """Two arrays as one that has each value once."""
    if not isinstance(first, list) or not isinstance(other, list):
        return other if first is None else first
    return first + [each for each in other if each not in first]


class IpRestrictions(AccountList):
    """Rules about the addresses that an account may be used from."""

    name = "dbt_ip_restrictions"
    path = "/v3/accounts/{account_id}/ip-restrictions/"
    paging = Paging.TOTAL
    facts = Facts(
        row="a rule that lets addresses in or keeps them out",
        requests="one per account",
        permission="the permission to read IP restrictions",
        plan=ENTERPRISE,
        unselected=Unselected.SECURITY,
    )


class PrivateEndpoints(AccountList):
    """Private links into the networks of an account."""

    name = "dbt_private_endpoints"
    path = "/v3/accounts/{account_id}/private-endpoints/"
    grant = CONNECTING
    paging = Paging.UNORDERED
    facts = Facts(
        row="a private link endpoint",
        requests="per account, one per 100 endpoints",
        permission=_CONNECTIONS,
        plan=ENTERPRISE,
        unselected=Unselected.SECURITY,
    )

    #: Where deployments from before April 2026 have the list.
    _OLD_PATH = "/v3/accounts/{account_id}/private-link-endpoints/"

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the list; one that is not there may be where it was before."""
        begun = False
        try:
            for rows in super().lists(context):
                begun = True
                yield rows
        except RefusedError as exc:
            # Where the first account had to ask elsewhere, the next ones were asked already.
            if begun or not exc.is_not_found:
                raise
            self.path, path = self._OLD_PATH, self.path
            try:
                yield from super().lists(context)
            except RefusedError:
                self.path = path
                raise exc from None


class SshTunnels(AccountList):
    """SSH tunnels through which warehouses are reached."""

    name = "dbt_ssh_tunnels"
    path = "/v2/accounts/{account_id}/encryptions/"
    grant = CONNECTING
    params: ClassVar[Mapping[str, Any]] = {"state": "all"}
    dropped_fields = frozenset({"private_key"})
    facts = Facts(
        row="an SSH tunnel of a connection",
        requests="per account, one per 100 tunnels",
        permission=_CONNECTIONS,
        unselected=Unselected.SECURITY,
    )


class OAuthConfigurations(AccountList):
    """OAuth clients with which developers sign in to warehouses."""

    name = "dbt_oauth_configurations"
    path = "/v3/accounts/{account_id}/oauth-configurations/"
    grant = CONNECTING
    params: ClassVar[Mapping[str, Any]] = {"state": "all"}
    dropped_fields = frozenset({"client_secret"})
    facts = Facts(
        row="an OAuth client for signing in to a warehouse",
        requests="per account, one per 100 configurations",
        permission=_CONNECTIONS,
        plan=ENTERPRISE,
        unselected=Unselected.SECURITY,
    )


class ScimConfig(AccountList):
    """Whether an identity provider manages the people of an account."""

    name = "dbt_scim_config"
    path = "/v3/accounts/{account_id}/scim-config/"
    primary_keys = ("account_id",)
    paging = Paging.WHOLE
    facts = Facts(
        row="the SCIM switches of an account",
        requests="one per account",
        permission=_SSO,
        plan=ENTERPRISE,
        unselected=Unselected.SECURITY,
    )

    def rows_of(self, data: Any) -> list[Row]:
        """The one object."""
        return [data]


class ScimTokens(AccountList):
    """Tokens of identity providers, without their values."""

    name = "dbt_scim_tokens"
    path = "/v3/accounts/{account_id}/scim-config/tokens/"
    paging = Paging.TOTAL
    dropped_fields = frozenset({"token", "token_string"})
    facts = Facts(
        row="a SCIM token, never its value",
        requests="one per account",
        permission=_SSO,
        plan=ENTERPRISE,
        unselected=Unselected.SECURITY,
    )


class SemanticLayerCredentials(AccountList):
    """Credentials of the Semantic Layer, without their values."""

    name = "dbt_semantic_layer_credentials"
    path = "/v3/accounts/{account_id}/semantic-layer-credentials/"
    paging = Paging.TOTAL
    # It declares an order and no limit.
    params: ClassVar[Mapping[str, Any]] = {"state": "all", "order_by": "id"}
    dropped_fields = frozenset({"values", "service_tokens"})
    facts = Facts(
        row="a set of credentials of the Semantic Layer, never its values",
        requests="per account, one per page of credentials",
        permission="the permission to read Semantic Layer settings",
        unselected=Unselected.SECURITY,
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Keep the ids of the tokens."""
        row["service_token_ids"] = ids_of(row.get("service_tokens"))
        return row
