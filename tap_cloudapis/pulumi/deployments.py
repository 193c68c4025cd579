"""Runs of Pulumi Deployments, with their jobs, steps and updates; and the queue they stand in."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from tap_cloudapis.core.children import context_key
from tap_cloudapis.core.errors import RefusedError, ResponseError
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.newest import LAG, NewestStream, earlier
from tap_cloudapis.core.newest_pages import NewestPages
from tap_cloudapis.core.paging import NO_ROW, Page, as_object
from tap_cloudapis.core.parts import PartStream
from tap_cloudapis.core.urls import query_text
from tap_cloudapis.pulumi.client import PulumiStream, seconds_between, snake_keys
from tap_cloudapis.pulumi.organization import Organizations
from tap_cloudapis.pulumi.stacks import stacks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import PageLimit, Params, Row

OPEN = ("not-started", "accepted", "running")
ENDED = ("failed", "succeeded", "skipped")
_PERMISSION = "the permission to read deployments (deployments:read)"
_SWITCH = "deployEnabled"


class Deployments(NewestStream, PulumiStream):
    """The deployments of an organization's stacks that the token can read, newest first.

    One that was open and that the newest pages do not bring is looked for in the list of its
    stack, which has the same rows. Where that does not know the stack, or the stack's name was
    not told, the organization's list is read on down to it.
    """

    name = "pulumi_deployments"
    path = "/api/orgs/{org_name}/deployments"
    primary_keys = ("org_name", "id")
    replication_key = "created"
    parent_stream_type = Organizations
    records_key = "deployments"
    page_size = ("pageSize", 100)
    time_field = "created"
    mark_key = "org_name"
    facts = Facts(
        row="a run of Pulumi Deployments",
        requests="one per 100 new deployments, and one per open one that is not among them",
        permission=_PERMISSION,
        switch=_SWITCH,
    )

    limit: PageLimit

    def is_open(self, row: Row) -> bool:
        """Whether it waits or runs."""
        return row.get("status") in OPEN

    def whereabouts(self, row: Row) -> list[str | None]:
        """The stack, where it is told."""
        return [row.get("projectName"), row.get("stackName")]

    def follow(self, left: Mapping[str, list[str | None]], context: Context) -> Iterator[list[Row]]:
        """Look for them in the lists of their stacks, then further down in the organization's."""
        deeper: dict[str, list[str | None]] = {}
        for stack, wanted in _by_stack(left).items():
            if not all(stack):
                deeper.update(wanted)
                continue
            url = self._url_of(context, *stack)
            try:
                for rows in self._pages(url, wanted, f"{self.place(context)}, stack {stack[1]}"):
                    yield [row for row in rows if self._key(row) in wanted]
            except RefusedError as exc:
                if exc.is_not_found:
                    deeper.update(wanted)
                else:
                    self._keep(wanted, context, str(exc))
                continue
            for key in wanted.keys() - self._met:
                self._doubt(key, f"{url}/{self._url_encode(key)}", context)
        if deeper:
            for rows in self._pages(self.get_url(context), deeper, self.place(context)):
                yield [row for row in rows if self._key(row) in deeper]
            for key in deeper.keys() - self._met:
                self._tell_gone(key, context)

    def is_given(self, context: Context) -> bool:
        """Whether an organization's list can be read, by the answer to its first request."""
        self.prefetch(context)
        reading = self._prefetched.get(context_key(context))
        return reading is None or not reading.is_refused()

    def _url_of(self, context: Context, *stack: str | None) -> str:
        names = "/".join(map(self._url_encode, (context["org_name"], *stack)))
        return f"{self.url_base}/api/stacks/{names}/deployments"

    def _pages(
        self, url: str, wanted: Mapping[str, list[str | None]], what: str
    ) -> Iterator[list[Row]]:
        """Read a list of deployments at any address, down to the oldest that is wanted."""
        oldest = min(str(at[0]) for at in wanted.values())
        pages = NewestPages(
            limit=self.limit,
            what=what,
            when=self.when,
            key=self.key_of,
            since=earlier(oldest, LAG) if oldest else "",
        )

        def ask(params: Params) -> Any:
            return self.ask_at(f"{url}?{urlencode(query_text(params))}")

        # A page that is not needed is a request too many, and there is little to look for.
        for _, rows in self._reading(None, [Read(pages)], ask, ahead=1):
            yield self._objects(rows, None)
            if self._met.issuperset(wanted):
                return

    def _doubt(self, key: str, url: str, context: Context) -> None:
        """Ask for a deployment that the list of its stack lacks: only its address tells."""
        try:
            self.ask_at(url).body()
        except ResponseError as exc:
            if exc.response.status_code in (404, 410):
                self._tell_gone(key, context)
                return
        self.keep_open(key)

    def _keep(self, wanted: Mapping[str, list[str | None]], context: Context, reason: str) -> None:
        for key in wanted:
            self.keep_open(key)
        self.note_of(context, f"deployments that were open cannot be looked at now ({reason})")

    def _tell_gone(self, key: str, context: Context) -> None:
        self.note_of(context, f"deployment {key} was open, and is gone: it stays as it was")

    def to_record(self, row: Row, context: Context) -> Row | None:
        """Add what is known of the stack, and who and what has run it."""
        record = snake_keys(row)
        record["stack_id"] = self._stack_id(record, context)
        record["requested_by_login"] = as_object(row.get("requestedBy")).get("githubLogin")
        record["agent_pool_id"] = as_object(row.get("agentPool")).get("id")
        return record

    def _stack_id(self, record: Row, context: Context) -> str | None:
        """The id of the stack, if its names are told; see :meth:`Stacks.id_of`."""
        project, stack = record.get("project_name"), record.get("stack_name")
        if not project or not stack:
            return None
        return stacks_of(self).id_of(context["org_name"], project, stack)

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """What identifies a deployment and its stack, and what it does."""
        names = ("project_name", "stack_name", "stack_id", "pulumi_operation", "created")
        told = {name: record.get(name) for name in names}
        return {"org_name": context["org_name"], "deployment_id": record["id"], **told}


def _by_stack(
    left: Mapping[str, list[str | None]],
) -> dict[tuple[str | None, str | None], dict[str, list[str | None]]]:
    """What was open, by project and stack."""
    found: defaultdict[Any, dict[str, list[str | None]]] = defaultdict(dict)
    for key, (time, *stack) in left.items():
        project, name = (*stack, None, None)[:2]
        found[project, name][key] = [time]
    return found


class DeploymentPart(PartStream, PulumiStream):
    """What a deployment consists of."""

    parent_stream_type = Deployments
    scope = "organization {org_name}, deployment {deployment_id}"
    context_columns: ClassVar[Mapping[str, str]] = {
        name: name
        for name in ("org_name", "deployment_id", "project_name", "stack_name", "stack_id")
    }


class DeploymentJobs(DeploymentPart):
    """The jobs of each deployment, by their places in it."""

    name = "pulumi_deployment_jobs"
    primary_keys = ("org_name", "deployment_id", "job_number")
    dropped_fields = frozenset({"steps"})
    facts = Facts(
        row="a job of a deployment",
        requests="none: the deployments carry them",
        permission=_PERMISSION,
        switch=_SWITCH,
    )

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The jobs with their places, from 1."""
        return [_placed(job, job_number=n) for n, job in enumerate(row.get("jobs") or [], 1)]

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add how long it took, once it has ended."""
        return _timed(row)


class DeploymentSteps(DeploymentPart):
    """The steps of each job, by their places in it."""

    name = "pulumi_deployment_steps"
    primary_keys = ("org_name", "deployment_id", "job_number", "step_number")
    context_columns: ClassVar[Mapping[str, str]] = {
        "org_name": "org_name",
        "deployment_id": "deployment_id",
    }
    facts = Facts(
        row="a step of a job of a deployment",
        requests="none: the deployments carry them",
        permission=_PERMISSION,
        switch=_SWITCH,
    )

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The steps of all jobs."""
        return [
            _placed(step, job_number=n, step_number=m)
            for n, job in enumerate(row.get("jobs") or [], 1)
            for m, step in enumerate(as_object(job).get("steps") or [], 1)
        ]

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add how long it took, once it has ended."""
        return _timed(row)


class DeploymentUpdates(DeploymentPart):
    """The updates that deployments have made."""

    name = "pulumi_deployment_updates"
    primary_keys = ("org_name", "deployment_id", "update_id")
    parts_field = "updates"
    facts = Facts(
        row="an update that a deployment has made",
        requests="none: the deployments carry them",
        permission=_PERMISSION,
        switch=_SWITCH,
    )

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """The update, known by the id that updates and previews have."""
        record = snake_keys(row)
        record["update_id"] = record.get("update_id") or ""
        return record


def _placed(part: Any, **places: int) -> Row:
    return {**part, **places} if isinstance(part, dict) else NO_ROW


def _timed(row: Row) -> Row:
    """A job or a step with its duration."""
    record = snake_keys(row)
    has_ended = record.get("status") in ENDED
    times = (record.get("started"), record.get("last_updated"))
    record["duration_seconds"] = seconds_between(*times) if has_ended else None
    return record


class DeploymentStatus(PulumiStream):
    """The queue of deployments of each organization, as it stands at the moment of reading."""

    name = "pulumi_organization_deployment_status"
    path = "/api/orgs/{org_name}/deployments/metadata"
    primary_keys = ("org_name",)
    parent_stream_type = Organizations
    facts = Facts(
        row="the queue of deployments of an organization, as it stands",
        requests="one per organization",
        permission=_PERMISSION,
    )

    def read_page(self, body: Any) -> Page:
        """The answer is the row."""
        return self.read_object(body)
