"""dbt Cloud: projects and environments."""

from __future__ import annotations

from cloudapis_simulator.chance import pick
from cloudapis_simulator.clock import spaced, with_t
from cloudapis_simulator.items import ACCOUNTS, Item
from cloudapis_simulator.table import Offsets, Table
from cloudapis_simulator.values import Untold, created, updated
from cloudapis_simulator.world import first_ids, words

_VERSIONS = ("latest", "compatible", "1.9.4", "versionless")


def kind_of(environment: Item) -> int:
    """Return 0 (development), 1 (production) or 2 (staging)."""
    return environment.number % 3


PROJECTS = Table(
    stream="dbt_projects",
    path="/api/v3/accounts/{account}/projects/",
    under=ACCOUNTS,
    part="project",
    things=lambda above: above.account.projects,
    paging=Offsets(filters=("pk", "pk__in", "pk__gt")),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "name": lambda it: f"{pick(words.PROJECTS, it.bits, 3)} {it.number}",
        "description": lambda it: "" if it.number % 2 else 'Löwe, "quoted"\nsecond line',
        "connection_id": lambda it: it.account.offset + first_ids.CONNECTIONS + it.number % 3,
        "repository_id": lambda it: it.account.offset + first_ids.REPOSITORIES + it.number,
        "semantic_layer_config_id": None,
        "state": lambda it: it.state,
        "dbt_project_subdirectory": lambda it: None if it.number % 2 else "warehouse",
        "docs_job_id": None,
        "freshness_job_id": None,
        "type": 0,
        "created_at": created(spaced),
        "updated_at": updated(spaced),
        "skipped_setup": False,
        "default_version": None,
        "fusion_readiness": None,
        "connection": Untold(None),
        "environments": Untold(None),
        "repository": Untold(None),
        "group_permissions": Untold(None),
        "docs_job": Untold(None),
        "freshness_job": Untold(None),
    },
)

ENVIRONMENTS = Table(
    stream="dbt_environments",
    path="/api/v3/accounts/{account}/projects/{project}/environments/",
    under=PROJECTS,
    part="environment",
    things=lambda project: [
        environment
        for owner, environment in project.account.environments
        if owner is project.subject
    ],
    paging=Offsets(filters=("pk", "pk__in", "id__gt", "project_id__in")),
    texts=("type", "deployment_type", "dbt_version", "name"),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "project_id": lambda it: it.parent.id,
        "connection_id": lambda it: (
            it.account.offset + first_ids.CONNECTIONS + it.parent.number % 3
        ),
        "repository_id": lambda it: it.account.offset + first_ids.REPOSITORIES + it.parent.number,
        "credentials_id": lambda it: (
            it.account.offset + first_ids.CREDENTIALS + it.number if kind_of(it) else None
        ),
        "created_by_id": None,
        # Shared by the environments of a project; of every second project they are gone.
        "extended_attributes_id": lambda it: (
            it.account.offset + first_ids.ATTRIBUTES + it.parent.number
            if kind_of(it) and it.parent.number % 4 != 3  # noqa: PLR2004
            else None
        ),
        "primary_profile_id": lambda it: (
            it.account.offset + first_ids.PROFILES + it.number if kind_of(it) else None
        ),
        "name": lambda it: words.ENVIRONMENTS[kind_of(it)],
        "dbt_version": lambda it: pick(_VERSIONS, it.bits, 4),
        "raw_dbt_version": lambda it: pick(_VERSIONS, it.bits, 4),
        "type": lambda it: "deployment" if kind_of(it) else "development",
        "deployment_type": lambda it: (None, "production", "staging")[kind_of(it)],
        "use_custom_branch": lambda it: words.ENVIRONMENTS[kind_of(it)] == "Staging",
        "custom_branch": lambda it: (None, None, "stäging")[kind_of(it)],
        "supports_docs": lambda it: bool(kind_of(it)),
        "is_deferrable": None,
        "enable_model_query_history": False,
        "enable_dbt_state": False,
        "state": lambda it: it.state,
        # Seen in both forms, years apart.
        "created_at": created(with_t, spaced),
        "updated_at": updated(with_t, spaced),
        "dbt_project_subdirectory": None,
        "custom_environment_variables": Untold(None),
        "fusion_readiness": None,
        "project": Untold(None),
        "credentials": Untold(None),
        "jobs": Untold(None),
    },
)
