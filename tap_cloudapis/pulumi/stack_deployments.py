"""How Pulumi Deployments runs each stack: settings, status, schedules."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import snake_case
from tap_cloudapis.pulumi.stack_streams import StackStream
from tap_cloudapis.pulumi.stacks import STACK_KEY
from tap_cloudapis.pulumi.whole_answers import WholeAnswer, picked, plain_url

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

#: What is kept of the link to a repository.
_LINK = (
    "provider",
    "repository",
    "paths",
    "tagFilters",
    "deployCommits",
    "deployPullRequest",
    "deployTags",
    "previewPullRequests",
    "pullRequestTemplate",
    "reviewStackLabels",
)
#: What is kept of the switches of an operation.
_OPTIONS = (
    "deleteAfterDestroy",
    "remediateIfDriftDetected",
    "shell",
    "skipInstallDependencies",
    "skipIntermediateDeployments",
)
_DRIFT = ("detect-drift", "remediate-drift")


class StackDeploymentSettings(StackStream, WholeAnswer):
    """How Pulumi Deployments runs a stack.

    The answer holds secrets, some of them as plain text, so what is kept is listed, and nothing
    else is: names of variables without values, clouds without credentials.
    """

    name = "pulumi_stack_deployment_settings"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/deployments/settings"
    in_slots = True
    may_be_unset = True
    facts = Facts(
        row="the deployment settings of a stack that has any",
        requests="one per stack that has changed or has its turn",
        permission="the permission to read deployment settings (stack_deployment_settings:read)",
        switch="deployEnabled",
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Pick what is harmless."""
        git, template = _at(row, "sourceContext", "git"), _at(row, "sourceContext", "template")
        operation = _at(row, "operationContext")
        role = _at(operation, "role")
        url = git.get("repoUrl") or git.get("repoURL")
        image = _at(row, "executorContext", "executorImage")
        template_url = template.get("sourceUrl") or template.get("templateURL")
        oidc, variables = operation.get("oidc"), operation.get("environmentVariables")
        return {
            **{snake_case(name): row.get(name) for name in ("version", "source", "tag")},
            "agent_pool_id": row.get("agentPoolID") or None,
            "git_hub": picked(row.get("gitHub"), _LINK),
            "vcs": picked(row.get("vcs"), _LINK),
            "cache_enabled": as_object(row.get("cacheOptions")).get("enable"),
            "git_repo_url": plain_url(url),
            **{f"git_{snake_case(n)}": git.get(n) for n in ("branch", "repoDir", "commit", "tag")},
            "template_source_url": plain_url(template_url),
            "executor_image": image.get("reference") or None,
            "operation": operation.get("operation") or None,
            "options": picked(operation.get("options"), _OPTIONS),
            "role_id": role.get("id") or None,
            "role_name": role.get("name") or None,
            "oidc_clouds": [name for name in ("aws", "azure", "gcp") if as_object(oidc).get(name)],
            "variable_names": sorted(as_object(variables)),
            "pre_run_command_count": len(operation.get("preRunCommands") or ()),
        }


def _at(row: Row, *names: str) -> Row:
    """An object deep in another; an empty one where there is none."""
    for name in names:
        row = as_object(row.get(name))
    return row


class StackDeploymentStatus(StackStream, WholeAnswer):
    """Whether deployments of a stack are paused, whether it has schedules, and has drifted."""

    name = "pulumi_stack_deployment_status"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/deployments/metadata"
    in_slots = True
    sure_field = "paused"
    facts = Facts(
        row="a stack, as Pulumi Deployments sees it",
        requests="one per stack that has changed or has its turn",
        permission="the permission to read deployments of the stack (stack_deployment:read)",
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: Stacks that were read in this sync and have no schedule.
        self.without_schedules: set[str] = set()

    def to_record(self, row: Row, context: Context) -> Row:
        """Flatten what is told of drift; note who has no schedules."""
        if row.get("hasSchedules") is False:
            self.without_schedules.add(context["stack_id"])
        drift = as_object(row.get("drift"))
        names = ("paused", "stackPaused", "organizationPaused", "hasSchedules")
        return {
            **{snake_case(name): row.get(name) for name in names},
            "drift_detected": drift.get("driftDetected"),
            "latest_drift_run_id": drift.get("latestDriftRun") or None,
            "drift_run_in_progress": drift.get("runInProgress"),
        }


class StackSchedules(StackStream):
    """The schedules of stacks: deployments, checks for drift, the end of a stack.

    Where ``pulumi_stack_deployment_status`` is read as well, stacks that have none are not asked.
    """

    name = "pulumi_stack_schedules"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/deployments/schedules"
    primary_keys = (*STACK_KEY, "id")
    in_slots = True
    records_key = "schedules"
    facts = Facts(
        row="a schedule of a stack",
        requests="one per stack that has changed or has its turn, and may have schedules",
        permission="the permission to read schedules of the stack (stack_schedule:read)",
        plan="Pro and above",
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: Stacks of which is not known yet whether they have any.
        self._unsure: list[Context] = []

    @cached_property
    def _status(self) -> StackDeploymentStatus | None:
        """The stream that tells who has schedules, if it is read."""
        return self.beside(StackDeploymentStatus)

    def wants(self, context: Context) -> bool:
        """Whether the stack has changed or has its turn, and may have schedules."""
        status = self._status
        if status is not None and context["stack_id"] in status.without_schedules:
            return False
        return super().wants(context)

    def prefetch(self, context: Context) -> None:
        """Ask for nothing before it is known who has schedules, where that is asked as well."""
        if self._status is not None and self._status.is_coming(context):
            self._unsure.append(context)
        else:
            super().prefetch(context)

    def ask_on(self) -> None:
        """Ask for the schedules of stacks that are said to have any."""
        status = self._status
        if status is None:
            return
        self._unsure = [context for context in self._unsure if status.is_coming(context)]
        for context in [*self._unsure]:
            if (told := status.peek(context)) is not None:
                self._unsure.remove(context)
                if not any(row.get("hasSchedules") is False for row in told):
                    super().prefetch(context)

    def forget_prefetched(self) -> None:
        """Give up what was asked for, and what was not yet."""
        super().forget_prefetched()
        self._unsure.clear()

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Pick what is harmless: what is started can have variables of its own."""
        definition = as_object(row.get("definition"))
        request = {**definition, **as_object(definition.get("request"))}
        inside = as_object(request.get("operationContext"))
        operation = request.get("operation") or inside.get("operation")
        options = picked(
            request.get("options") or inside.get("options"), (*_OPTIONS, "autoRemediate")
        )
        return {
            **{snake_case(name): row.get(name) for name in _SCHEDULE},
            "schedule_type": _schedule_type(row, operation, options or {}),
            "program_id": definition.get("programID"),
            "operation": operation,
            "inherit_settings": request.get("inheritSettings"),
            "options": options,
        }


_SCHEDULE = (
    "id",
    "orgID",
    "kind",
    "scheduleCron",
    "scheduleOnce",
    "nextExecution",
    "lastExecuted",
    "paused",
    "created",
    "modified",
)


def _schedule_type(row: Row, operation: Any, options: Row) -> str:
    """What a schedule is for: drift, ttl or deployment."""
    if operation in _DRIFT:
        return "drift"
    is_end = operation == "destroy" and (
        options.get("deleteAfterDestroy") or row.get("scheduleOnce")
    )
    return "ttl" if is_end else "deployment"
