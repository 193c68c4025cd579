"""What a project is set up with: repositories, profiles, credentials, attributes, variables."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.amounts import Bound
from tap_cloudapis.core.exchange import decode_text
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.paging import NO_ROW, as_object
from tap_cloudapis.core.scrubbing import ReadingScrubber, looks_secret
from tap_cloudapis.dbt.account import DELETED, Environments, Jobs, LiveProjectList, ProjectList
from tap_cloudapis.dbt.client import ENTERPRISE, DbtStream, Paging

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.paging import Row

_CREDENTIALS = "the permission to read credentials"
_VARIABLES = "the permission to read environment variables"
#: The user of a URL that is spoken by HTTP; the one of ssh://git@host tells nothing.
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
#: The name of a variable whose value dbt Cloud hides from everybody.
_HIDDEN = "DBT_ENV_SECRET"
_ABOUT_A_VARIABLE = ("id", "name", "scope")
#: A value that was hidden is none.
_MASK = re.compile(r"[*•]+")


class Repositories(ProjectList):
    """Git repositories of each project, deleted ones too."""

    name = "dbt_repositories"
    path = "/v3/accounts/{account_id}/projects/{project_id}/repositories/"
    params: ClassVar[Mapping[str, Any]] = {"state": "all"}
    dropped_fields = frozenset({"deploy_key", "git_provider", "gitlab"})
    facts = Facts(
        row="a Git repository of a project",
        requests="one per project",
        permission="the permission to read repositories",
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Cut the user out of addresses: with a password, it is one; alone, it may be a token."""
        for name in ("remote_url", "pull_request_url_template", "web_url"):
            url = row.get(name)
            if isinstance(url, str) and url.lower().startswith("http"):
                row[name] = _USER_INFO.sub("", url, count=1)
        return row


class Profiles(LiveProjectList):
    """Bundles of connection, credentials and attributes that environments run with."""

    name = "dbt_profiles"
    path = "/v3/accounts/{account_id}/projects/{project_id}/profiles/"
    paging = Paging.UNORDERED
    facts = Facts(
        row="a bundle of connection, credentials and extended attributes",
        requests="one per project",
        permission=f"{_CREDENTIALS}, or the deployment is too old to have profiles",
        unselected=Unselected.SECURITY,
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: By project, the sets of extended attributes that its profiles name.
        self.attributes: defaultdict[Any, list[Any]] = defaultdict(list)

    def to_record(self, row: Row, context: Context) -> Row:
        """Note the extended attributes, which nothing else lists."""
        self.attributes[context["project_id"]].append(row.get("extended_attributes_id"))
        return row


class Credentials(LiveProjectList):
    """Deployment credentials without anything secret."""

    name = "dbt_credentials"
    path = "/v3/accounts/{account_id}/projects/{project_id}/credentials/"
    paging = Paging.TOTAL
    dropped_fields = frozenset(
        {
            "credential_details",
            "unencrypted_credential_details",
            "values",
            "password",
            "private_key",
            "private_key_passphrase",
            "token",
            "_refresh_token",
            "username",
            "default_schema",
        }
    )
    facts = Facts(
        row="a set of deployment credentials, without anything secret",
        requests="one per project",
        permission=_CREDENTIALS,
        unselected=Unselected.SECURITY,
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Give user and schema one name, as kinds of warehouses name them differently."""
        for name, other in (("user", "username"), ("schema", "default_schema")):
            row[name] = row.get(other) if row.get(name) is None else row[name]
        return row


class ExtendedAttributes(DbtStream):
    """Extra settings of environments and profiles: their names, and by a setting their values.

    There is no list of them: the environments name them, and the profiles, if these are selected.
    """

    name = "dbt_extended_attributes"
    path = (
        "/v3/accounts/{account_id}/projects/{project_id}/extended-attributes/"
        "{extended_attributes_id}/"
    )
    parent_stream_type = Environments
    scope = "account {account_id}, project {project_id}, attributes {extended_attributes_id}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "account_id": "account_id",
        "project_id": "project_id",
    }
    paging = Paging.WHOLE
    lists_are = Bound.AT_LEAST
    facts = Facts(
        row="a set of extra settings of an environment or profile",
        requests="one per set that an environment names, or a profile, if these are selected",
        permission="the permission to read environments",
        unselected=Unselected.SECURITY,
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._met: set[tuple[Any, Any]] = set()
        self._scrubber = ReadingScrubber()
        #: By account, the first set that was named and is not there.
        self._gone: dict[Any, tuple[RefusedError, Context | None]] = {}

    def wants(self, context: Context) -> bool:
        """Whether there is a set, and it was not read for another environment."""
        set_id = context["extended_attributes_id"]
        return type(set_id) is int and (context["account_id"], set_id) not in self._met

    def rows_of(self, data: Any) -> list[Row]:
        """The one object."""
        return [data]

    def get_records(self, context: Context | None) -> Any:
        """Give the set, once."""
        if context is not None:
            self._met.add((context["account_id"], context["extended_attributes_id"]))
        return super().get_records(context)

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Tell the names of the settings; their values only where a setting asks for them."""
        attributes = _as_map(row.pop("extended_attributes", None))
        row["attribute_keys"] = None if attributes is None else list(attributes)
        if self.config.get("dbt_include_config_values"):
            row["extended_attributes"] = self._scrubber.scrub(attributes)
        return row

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """A set that was named and is not there is gone: there is no row, and nothing missing."""
        if exc.is_not_found:
            owner = self.owner_of(context)
            self.outcomes[owner].gone += 1
            self.report.unlisted = True
            self._gone.setdefault(owner, (exc, context))
        else:
            super().refused(exc, context, rows)

    def sync_ended(self) -> None:
        """Where not one set of an account is there, the token may not read them."""
        super().sync_ended()
        for owner, (exc, context) in self._gone.items():
            if not self.outcomes[owner].read:
                super().refused(exc, context, 0)
        self._gone.clear()

    def parent_done(self, context: Context | None) -> None:
        """Read the sets that only profiles name."""
        profiles = self.tap.streams.get(Profiles.name)
        project_id = (context or {}).get("project_id")
        if not isinstance(profiles, Profiles) or self.ABORT_AT_RECORD_COUNT is not None:
            return
        for set_id in profiles.attributes.get(project_id, ()):
            own = {
                "account_id": (context or {})["account_id"],
                "project_id": project_id,
                "extended_attributes_id": set_id,
            }
            if self.wants(own):
                self._sync_child(self, own)


def _as_map(value: Any) -> Row | None:
    """Settings that may have come as text; what cannot be read could not be searched either."""
    if isinstance(value, str):
        value = decode_text(value)
    return value if isinstance(value, dict) else None


class VariableStream(DbtStream):
    """Environment variables; their values only by a setting, and never secret ones."""

    paging = Paging.WHOLE

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._scrubber = ReadingScrubber()

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Tell whether there is a value, and whether it is secret."""
        name, value = row.get("name"), row.get("value")
        # Nothing else: what the service may add could be the value in other words.
        record = {column: row.get(column) for column in _ABOUT_A_VARIABLE if column in row}
        record["has_value"] = value is not None
        record["is_secret"] = isinstance(name, str) and name.upper().startswith(_HIDDEN)
        hidden = record["is_secret"] or looks_secret(str(name)) or _MASK.fullmatch(str(value))
        if self.config.get("dbt_include_config_values"):
            record["value"] = None if hidden else self._scrubber.scrub(value)
        return record


class EnvironmentVariables(VariableStream, LiveProjectList):
    """Variables of each project, a row for each scope in which one has a value.

    The scope is the key of a map: ``project``, or the name of an environment. An environment that
    is called "project" cannot be told from the default.
    """

    name = "dbt_environment_variables"
    path = "/v3/accounts/{account_id}/projects/{project_id}/environment-variables/environment/"
    primary_keys = ("account_id", "project_id", "name", "scope")
    facts = Facts(
        row="a variable in a scope: the project or an environment",
        requests="one per project",
        permission=_VARIABLES,
        unselected=Unselected.SECURITY,
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._found: int | None = None
        #: Projects of which the list was read, and named no variable at all.
        self.without: set[Any] = set()

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the list of a project; what the one before had says nothing of it."""
        self._found = None
        yield from super().lists(context)

    def rows_of(self, data: Any) -> list[Row]:
        """A row for each value in the map of variables."""
        variables = as_object(data).get("variables")
        if not isinstance(variables, dict):
            msg = "data has no map of variables"
            raise TypeError(msg)
        self._found = len(variables)
        return [
            {**value, "name": name, "scope": scope} if isinstance(value, dict) else NO_ROW
            for name, scopes in variables.items()
            for scope, value in (scopes.items() if isinstance(scopes, dict) else [("", scopes)])
            if not _is_empty(value)
        ]

    def context_done(self, context: Context | None) -> None:
        """Note a project without variables: none of its jobs has any either."""
        super().context_done(context)
        if self._found == 0:
            self.without.add((context or {})["project_id"])


def _is_empty(value: Any) -> bool:
    """Whether a scope has neither an id nor a value."""
    return value is None or (
        isinstance(value, dict) and value.get("id") is None and value.get("value") is None
    )


class JobEnvironmentVariables(VariableStream):
    """Values of variables that hold for one job alone."""

    name = "dbt_job_environment_variables"
    path = "/v3/accounts/{account_id}/projects/{project_id}/environment-variables/job/"
    primary_keys = ("account_id", "job_definition_id", "name")
    parent_stream_type = Jobs
    scope = "account {account_id}, job {job_definition_id}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "account_id": "account_id",
        "project_id": "project_id",
        "job_definition_id": "job_definition_id",
    }
    facts = Facts(
        row="a job's own value of a variable",
        requests=(
            "one per job that is not deleted; with dbt_environment_variables selected, none for "
            "jobs of projects without variables"
        ),
        permission=_VARIABLES,
        unselected=Unselected.REQUESTS,
    )

    def wants(self, context: Context) -> bool:
        """Whether the job is in use, and its project has variables as far as is known."""
        project = context["project_id"]
        if context["job_state"] == DELETED or not isinstance(project, int):
            return False
        variables = self.tap.streams.get(EnvironmentVariables.name)
        return not isinstance(variables, EnvironmentVariables) or project not in variables.without

    def base_params(self, context: Context | None) -> dict[str, Any]:
        """The job, which the path does not name."""
        return {"job_definition_id": (context or {})["job_definition_id"]}

    def rows_of(self, data: Any) -> list[Row]:
        """A row for each variable of which the job has a value of its own."""
        if not isinstance(data, dict):
            msg = "data is no map of variables"
            raise TypeError(msg)
        return [
            {**scopes["job"], "name": name}
            for name, scopes in data.items()
            if name != "project"
            and isinstance(scopes, dict)
            and isinstance(scopes.get("job"), dict)
            and scopes["job"].get("id") is not None
        ]


class LineageIntegrations(LiveProjectList):
    """Tools of business intelligence that models are followed into."""

    name = "dbt_lineage_integrations"
    path = "/v3/accounts/{account_id}/projects/{project_id}/integrations/lineage/"
    paging = Paging.TOTAL
    facts = Facts(
        row="a BI tool that is connected for lineage",
        requests="one per project",
        permission="the permission to read projects",
        plan=ENTERPRISE,
        unselected=Unselected.SECURITY,
    )
