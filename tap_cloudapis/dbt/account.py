"""Accounts and what they own: projects, environments, connections, jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.details import DetailedStream
from tap_cloudapis.core.errors import ClosedError, RefusedError, TapError
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.owners import OwnerStream
from tap_cloudapis.core.scrubbing import ReadingScrubber
from tap_cloudapis.dbt.client import DbtStream, Paging, has_id, host_alone, is_one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

#: The permission sets that read connections and write nothing.
CONNECTING = "Stakeholder or Analyst"
#: The value of ``state`` for what was deleted.
DELETED = 2


class Accounts(OwnerStream, DbtStream):
    """The accounts a token can see; with ``dbt_account_ids`` those, and each must be there."""

    name = "dbt_accounts"
    path = "/v3/accounts/"
    primary_keys = ("id",)
    scope = ""
    context_columns: ClassVar[Mapping[str, str]] = {}
    paging = Paging.TOTAL
    dropped_fields = frozenset({"docs_job", "freshness_job"})
    facts = Facts(
        row="an account",
        requests="one, and one for each account that only the settings name",
    )

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The accounts of the list, then those that only their own address shows."""
        wanted = self.filters.accounts
        found = 0
        missing = set(wanted)
        try:
            for rows in super().lists(context):
                accounts = [row for row in rows if not wanted or is_one_of(row, wanted)]
                missing -= {row["id"] for row in accounts if has_id(row)}
                found += len(accounts)
                yield accounts
        except (RefusedError, ClosedError):
            if not wanted:
                raise
        yield from self._named(sorted(missing))
        if not found and not wanted:
            msg = f"{self.connection.host} shows this token no account; check dbt_url"
            raise TapError(msg)

    def _named(self, ids: list[int]) -> Iterator[list[Row]]:
        """Accounts by their own addresses; one that cannot be read is a failure, as it is named."""
        address = f"{self.url_base}/v2/accounts"
        exchanges = [self.ask_at(f"{address}/{account_id}/") for account_id in ids]
        answers = [self.answer(exchange) for exchange in exchanges]
        self.check_token(answers)
        for account_id, answer in zip(ids, answers, strict=True):
            account = self.read_detail(answer)
            if account:
                yield [account]
                continue
            exc = answer if isinstance(answer, TapError) else self.misshapen()
            what = exc.narrow if isinstance(exc, ClosedError) else str(exc)
            if isinstance(exc, RefusedError):
                what += "; tokens belong to one account: check the id, the token and dbt_url"
            self.tap.report.fail(self.name, what, f"account {account_id} of dbt_account_ids")

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:  # noqa: ARG002
        """Without the list of accounts there is nothing to read: never a mere skip."""
        text = f"{exc}; check dbt_url, or name the account in dbt_account_ids"
        self.tap.report.fail(self.name, text)

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Lists of an account need its id."""
        return {"account_id": record["id"]}


class AccountList(DbtStream):
    """A list that each account has."""

    parent_stream_type = Accounts


class Projects(AccountList):
    """Projects, deleted ones too (``state`` 2)."""

    name = "dbt_projects"
    path = "/v3/accounts/{account_id}/projects/"
    keyset = "pk__gt"
    params: ClassVar[Mapping[str, Any]] = {"state": "all"}
    dropped_fields = frozenset(
        {
            "connection",
            "repository",
            "environments",
            "group_permissions",
            "docs_job",
            "freshness_job",
        }
    )
    facts = Facts(
        row="a project",
        requests="per account, one per 100 projects",
        permission="the permission to read projects",
    )

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """Lists of a project need its id; its state explains a refusal."""
        return {
            "account_id": context["account_id"],
            "project_id": record["id"],
            "project_state": record.get("state"),
        }


class ProjectList(DbtStream):
    """A list that each project has."""

    parent_stream_type = Projects
    scope = "account {account_id}, project {project_id}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "account_id": "account_id",
        "project_id": "project_id",
    }

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """A deleted project may answer that it is not there: nothing is missing then."""
        is_gone = exc.is_not_found and not rows
        if is_gone and context and context["project_state"] == DELETED:
            self.report.unlisted = True  # what there was of it may still be in a target
        else:
            super().refused(exc, context, rows)


class LiveProjectList(ProjectList):
    """A list of which nothing is asked for a deleted project."""

    def wants(self, context: Context) -> bool:
        """Whether the project is in use."""
        return bool(context["project_state"] != DELETED)


class Environments(ProjectList):
    """Environments of each project, deleted ones too."""

    name = "dbt_environments"
    path = "/v3/accounts/{account_id}/projects/{project_id}/environments/"
    keyset = "id__gt"
    params: ClassVar[Mapping[str, Any]] = {"state": "all"}
    # What is embedded only when asked for, or may hold values of environment variables.
    dropped_fields = frozenset(
        {
            "project",
            "credentials",
            "connection",
            "repository",
            "jobs",
            "custom_environment_variables",
        }
    )
    facts = Facts(
        row="an environment",
        requests="one per project",
        permission="the permission to read environments",
    )

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """What lies below an environment so far is its extended attributes, each set once."""
        return {
            "account_id": context["account_id"],
            "project_id": context["project_id"],
            "extended_attributes_id": record.get("extended_attributes_id"),
        }


class Connections(DetailedStream, AccountList):
    """Connections of an account to warehouses; their configuration only by a setting.

    The list declares no order, so rows are told apart by their ids alone.
    """

    name = "dbt_connections"
    path = "/v3/accounts/{account_id}/connections/"
    grant = CONNECTING
    paging = Paging.UNORDERED
    details_setting = "dbt_connection_details"
    detail_fields = frozenset({"config", "oauth_redirect_uri", "is_configured_for_native_oauth"})
    facts = Facts(
        row="a connection to a warehouse",
        requests=(
            "per account, one per 100 connections, and with dbt_connection_details one per "
            "connection"
        ),
        permission="the permission to read connections (Account Viewer does not have it)",
    )

    #: Fields of a configuration that tell who signs in, beside those that look secret.
    _IDENTIFYING = frozenset(
        {"oauth_client_id", "private_key_id", "client_email", "client_x509_cert_url"}
    )

    #: People write keys of their warehouses into texts of a configuration as well.
    _SCRUBBER = ReadingScrubber()

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Leave out the configuration, which a list has as null, or what of it identifies."""
        if not self.with_details:
            row.pop("config", None)
        elif isinstance(row.get("config"), dict):
            config = {k: v for k, v in row["config"].items() if k not in self._IDENTIFYING}
            row["config"] = self._SCRUBBER.scrub(config)
        return row


class Jobs(AccountList):
    """Jobs, deleted ones and system jobs too, so that every run finds its job."""

    name = "dbt_jobs"
    path = "/v2/accounts/{account_id}/jobs/"
    params: ClassVar[Mapping[str, Any]] = {"state": "all"}
    dropped_fields = frozenset(
        {
            "account",
            "project",
            "environment",
            "fusion_readiness",
            "next_run_humanized",
            "custom_environment_variables",
            "most_recent_run",
            "most_recent_completed_run",
        }
    )
    facts = Facts(
        row="a job",
        requests=(
            "per account, one per 100 jobs, deleted ones among them, and one per 100 system jobs"
        ),
        permission="the permission to read jobs",
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Cut the address of a webhook, whose path often is the secret."""
        if row.get("lifecycle_webhooks_url"):
            row["lifecycle_webhooks_url"] = host_alone(row["lifecycle_webhooks_url"])
        return row

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """What lies below a job needs its ids; a deleted one has nothing that still counts."""
        return {
            "account_id": context["account_id"],
            "project_id": record.get("project_id"),
            "job_definition_id": record["id"],
            "job_state": record.get("state"),
        }

    def reads(self, context: Context | None) -> Iterable[Read]:
        """Two lists: the API leaves system jobs out unless they are asked for."""
        seen: set[int] = set()
        return (
            Read(self.new_paginator(context), purpose=seen),
            Read(
                self.new_paginator(context),
                {"is_system": "true"},
                purpose=seen,
                optional="this deployment does not list system jobs",
            ),
        )

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Give a job once, should it be in both lists."""
        seen: set[int] = read.purpose
        before = frozenset(seen)
        seen.update(row["id"] for row in rows if has_id(row))
        return [row for row in rows if not has_id(row) or row["id"] not in before]
