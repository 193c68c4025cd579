"""What the models in ``transform/`` take of each stream, and what they call it."""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """A column of a staging view.

    Attributes:
        name: What the models call it.
        column: The column of the stream.
        path: Where in a column of JSON it lies; empty for the column itself.
        kind: Its type, where the catalog does not tell: of what lies in JSON.
        description: What it is, where the catalog does not tell.
    """

    name: str
    column: str
    path: tuple[str, ...] = ()
    kind: str = ""
    description: str = ""


def _same(names: str) -> tuple[Field, ...]:
    """Columns that keep their names."""
    return tuple(Field(name, name) for name in names.split())


def _renamed(**columns: str) -> tuple[Field, ...]:
    """Columns by the names that they get."""
    return tuple(Field(name, column) for name, column in columns.items())


def _within(
    name: str, column: str, *path: str, kind: str = "text", description: str = ""
) -> tuple[Field, ...]:
    """A value out of a column of JSON."""
    return (Field(name, column, path, kind, description),)


_STACK = "org_name project_name stack_name stack_id"
_OF_RUN = "account_id run_id step dbt_host project_id environment_id"
#: What is written to tell which row of a key was loaded last; of other loaders it is empty.
_LOAD = (Field("load_id", "_dlt_load_id", (), "text", "Load of dlt that has brought the row."),)

#: Operations of the engine, as they are counted.
_OPERATIONS = {
    "created": ("create", "How many resources the update has made."),
    "updated": ("update", "How many resources the update has changed in place."),
    "deleted": ("delete", "How many resources the update has removed."),
    "unchanged": ("same", "How many resources the update has found as they were to be."),
    "replaced_whole": ("replace", "How many resources were replaced, where that is one number."),
    "replaced_made": ("create-replacement", "How many resources were made to replace others."),
    "replaced_gone": ("delete-replaced", "How many resources were removed after others had come."),
    "imported": ("import", "How many resources the update has taken over."),
    "import_replaced": ("import-replacement", "How many resources were taken over to replace."),
}


def _changes(column: str, *path: str) -> tuple[Field, ...]:
    return tuple(
        Field(name, column, (*path, operation), "integer", description)
        for name, (operation, description) in _OPERATIONS.items()
    )


#: The columns of each view, by the stream that they are taken from.
STAGING: dict[str, tuple[Field, ...]] = {
    "dbt_accounts": (
        *_renamed(account_id="id", account_name="name"),
        *_same("dbt_host plan state run_slots developer_seats read_only_seats it_seats"),
    ),
    "dbt_projects": (
        *_same("account_id"),
        *_renamed(project_id="id", project_name="name"),
        *_same("dbt_host state"),
    ),
    "dbt_environments": (
        *_same("account_id"),
        *_renamed(environment_id="id", environment_name="name", environment_type="type"),
        *_same("dbt_host project_id deployment_type connection_id state"),
    ),
    "dbt_jobs": (
        *_same("account_id"),
        *_renamed(job_id="id", job_name="name"),
        *_same("dbt_host project_id environment_id job_type state deactivated run_failure_count"),
        *_renamed(schedule_in_words="cron_humanized"),
        *_same("created_at next_run"),
        *_within("has_schedule", "triggers", "schedule", kind="boolean"),
        *_within("cron", "schedule", "cron"),
    ),
    "dbt_runs": (
        *_same("account_id"),
        *_renamed(run_id="id"),
        *_same("dbt_host project_id environment_id"),
        *_renamed(job_id="job_definition_id"),
        *_same("retrying_run_id status status_message dbt_version git_branch git_sha"),
        *_same("run_duration_seconds run_url created_at updated_at should_start_at dequeued_at"),
        *_same("started_at finished_at"),
        *_within("trigger_cause", "trigger", "cause"),
        *_within("trigger_kind", "trigger", "cause_category"),
        *_within("triggered_by_id", "audit", "trigger", "actor", "id"),
    ),
    "dbt_run_results": (
        *_same(_OF_RUN),
        *_renamed(node_id="unique_id"),
        *_same("resource_type command_verb is_full_refresh status execution_time failures"),
        *_same("execute_started_at execute_completed_at run_finished_at rows_affected"),
        *_same("bytes_processed message"),
    ),
    "dbt_source_freshness": (
        *_same(_OF_RUN),
        *_renamed(node_id="unique_id"),
        *_same("status max_loaded_at snapshotted_at generated_at run_finished_at age_seconds"),
        *_same("warn_after_count warn_after_period error_after_count error_after_period"),
    ),
    "dbt_users": (
        *_same("account_id"),
        *_renamed(user_id="id"),
        *_same("dbt_host email first_name last_name fullname is_active last_login"),
        *_same("apitoken_last_used created_at"),
    ),
    "dbt_user_licenses": _same("account_id user_id id license_type state"),
    "dbt_licenses": _same("account_id license_type dbt_host total in_use limited"),
    "dbt_groups": (
        *_same("account_id"),
        *_renamed(group_id="id", group_name="name"),
        *_same("state"),
    ),
    "dbt_user_groups": (
        *_same("account_id user_id group_id"),
        *_renamed(group_name="name"),
        *_same("state"),
    ),
    "dbt_group_permissions": _same("account_id id group_id permission_set all_projects state"),
    "pulumi_organizations": (
        *_same("org_name"),
        *_renamed(organization_name="name"),
        *_same("product member_count max_members stack_count max_stacks"),
    ),
    "pulumi_organization_members": (
        *_same("org_name user_login user_name role virtual_admin suspended on_roster has_seat"),
        *_same("created"),
        *_within("role_name", "fga_role", "name"),
    ),
    "pulumi_team_members": _same("org_name team_name user_login role"),
    "pulumi_stacks": _same(f"{_STACK} resource_count console_url last_update"),
    "pulumi_stack_updates": (
        *_same(f"{_STACK} version update_id"),
        *_renamed(actor_login="requested_by_login", actor_token="requested_by_token"),  # noqa: S106
        *_same("kind result message resource_count start_time end_time"),
        *_within("actor_name", "requested_by", "name"),
        *_changes("resource_changes"),
        *_within("commit_sha", "environment", "git.head", description="Commit that was deployed."),
        *_within(
            "is_dirty",
            "environment",
            "git.dirty",
            kind="boolean",
            description="Whether the code had changes that no commit has.",
        ),
        *_within("branch", "environment", "git.headName", description="Branch of the code."),
        *_within("vcs_kind", "environment", "vcs.kind", description="Where the repository is."),
        *_within(
            "vcs_owner", "environment", "vcs.owner", description="Whose the repository is there."
        ),
        *_within("vcs_repo", "environment", "vcs.repo", description="Name of the repository."),
        *_within(
            "ci_system",
            "environment",
            "ci.system",
            description="System of continuous integration that the update ran in.",
        ),
        *_within(
            "github_sha", "github_commit_info", "sha", description="Commit, as GitHub knows it."
        ),
        *_LOAD,
    ),
    "pulumi_update_timelines": _same(
        f"{_STACK} version update_id pr_number pr_created_at pr_was_merged pr_merge_commit_sha"
    ),
    "pulumi_deployments": _same("org_name id status created"),
    "pulumi_deployment_updates": _same("org_name deployment_id update_id"),
    "pulumi_drift_runs": (
        *_same(f"{_STACK} id drift_detected status"),
        *_renamed(checked_at="created"),
        *_changes("detect_update", "resourceChanges"),
        *_within("remediation_status", "remediate_update", "status"),
        *_within("remediation_modified", "remediate_update", "modified", kind="time"),
    ),
    "pulumi_usage_daily": (
        *_same("org_name metric"),
        *_renamed(day="date"),
        *_same("unit resources resource_hours"),
    ),
}
