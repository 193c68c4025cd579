"""dbt Cloud: what projects are set up with, from repositories to values of variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice
from cloudapis_simulator.clock import spaced, with_t
from cloudapis_simulator.table import TOTAL, Offsets, Table
from cloudapis_simulator.tables.dbt import (
    ENVIRONMENTS,
    PROJECTS,
    kind_of,
)
from cloudapis_simulator.values import SECRET, Secret, Untold, created, updated
from cloudapis_simulator.world import first_ids
from cloudapis_simulator.world.things import ACTIVE, Thing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudapis_simulator.items import Item

_REMOTES = (
    ("github", "github_app", "git://github.com/acme/{name}.git"),
    ("gitlab", "deploy_token", "https://oauth2:{secret}@gitlab.com/acme/{name}.git"),
    ("manual_config", "git_token", "https://{secret}@git.example.com/acme/{name}.git"),
    ("managed", "deploy_key", "git@github.com:fishtown-analytics-managed/{name}.git"),
)


def _remote(repository: Item, place: int) -> str:
    return _REMOTES[repository.parent.number % len(_REMOTES)][place]


def _repository_name(repository: Item) -> str:
    return repository.named(f"dbt-größe-{repository.parent.number}")


REPOSITORIES = Table(
    stream="dbt_repositories",
    path="/api/v3/accounts/{account}/projects/{project}/repositories/",
    under=PROJECTS,
    many=1,
    first_id=first_ids.REPOSITORIES,
    deleted=lambda number: number % 5 == 3,  # noqa: PLR2004
    late=lambda number: number % 5 == 3,  # noqa: PLR2004
    renamed=lambda number: number == 1,
    paging=Offsets(filters=("pk", "project_id__in")),
    texts=("remote_url",),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "project_id": lambda it: it.parent.id,
        "full_name": lambda it: f"acme/{_repository_name(it)}",
        "name": _repository_name,
        "remote_backend": lambda it: _remote(it, 0),
        "git_clone_strategy": lambda it: _remote(it, 1),
        # What a token is cut out of is told by its reader.
        "remote_url": Untold(
            lambda it: _remote(it, 2).format(name="dbt", secret=SECRET.answer(it))
        ),
        "pull_request_url_template": Untold(
            lambda it: f"https://u:{SECRET.answer(it)}@git.example.com/{{{{source}}}}"
        ),
        "web_url": lambda it: f"https://git.example.com/acme/{it.parent.number}",
        "deploy_key_id": lambda it: it.account.offset + 1_400 + it.parent.number,
        "repository_credentials_id": None,
        "github_installation_id": lambda it: 19_000_000 if _remote(it, 0) == "github" else None,
        "github_webhook_id": None,
        "github_repo": lambda it: "acme/dbt" if _remote(it, 0) == "github" else None,
        "git_provider_id": None,
        "private_link_endpoint_id": None,
        "is_private_link_enabled": False,
        "state": lambda it: it.state,
        "created_at": created(with_t, spaced),
        "updated_at": updated(with_t, spaced),
        "git_provider": Untold(None),
        "gitlab": Untold(
            lambda it: (
                {
                    "id": it.id + 70_000,
                    "account_id": it.account.id,
                    "repository_id": it.id,
                    "gitlab_project_id": 7,
                    "state": 1,
                    "project_access_token_id": 99,
                    "expires_at": with_t(it.created_at),
                    "project_access_token": SECRET,
                }
                if _remote(it, 0) == "gitlab"
                else None
            )
        ),
        "deploy_key": Untold(None),
    },
)


def _environments(project: Item) -> Iterator[Item]:
    """Yield the environments of a project in which something can be deployed."""
    return (item for item in ENVIRONMENTS.items(project) if kind_of(item))


def _one_each(first_id: int) -> Callable[[Item], list[Thing]]:
    """Have each of these environments one thing, of its number."""
    return lambda project: [
        Thing(
            project.account.offset + first_id + it.number, it.number, it.created_at, None, it.bits
        )
        for it in _environments(project)
    ]


def _environment(item: Item) -> Item:
    """Return the environment that has such a thing."""
    return next(it for it in _environments(item.parent) if it.number == item.number)


_SHAPES: tuple[dict[str, Any], ...] = (
    {
        "type": "snowflake",
        "auth_type": "keypair",
        "user": "LOADER",
        "role": "TRANSFORMER",
        "database": "ANALYTICS",
        "warehouse": "WH",
        "schema": "prod",
        "password": SECRET,
        "private_key": Secret("-----BEGIN PRIVATE KEY-----{}"),
        "private_key_passphrase": SECRET,
        "_refresh_token": SECRET,
    },
    {"type": "bigquery", "schema": "analytics_größe", "_refresh_token": SECRET},
    {"type": "postgres", "username": "dbt", "default_schema": "public", "password": SECRET},
    {
        "type": "redshift",
        "auth_type": "password",
        "username": "dbt",
        "default_schema": "prod",
        "password": SECRET,
    },
    {
        "type": "adapter",
        "adapter_id": 77,
        "unencrypted_credential_details": {"host": "h", "token": SECRET},
        "credential_details": {"fields": {"token": {"value": SECRET}, "schema": {"value": "s"}}},
        "values": {"token": SECRET},
    },
)
_ADAPTERS = ("snowflake_v0", "bigquery_v1", "postgres_v0", "redshift_v0", "databricks_v0")


def _shape(item: Item) -> dict[str, Any]:
    return _SHAPES[item.number % len(_SHAPES)]


def _of_shape(*names: str) -> Any:
    """Return a column of the truth: the first of the names that the shape has."""
    return lambda it: next((_shape(it)[name] for name in names if name in _shape(it)), None)


CREDENTIALS = Table(
    stream="dbt_credentials",
    path="/api/v3/accounts/{account}/projects/{project}/credentials/",
    under=PROJECTS,
    live=True,
    things=_one_each(first_ids.CREDENTIALS),
    paging=TOTAL,
    spread=_shape,
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "project_id": lambda it: it.parent.id,
        "state": ACTIVE,
        "threads": lambda it: 4 + it.number % 5,
        "target_name": "default",
        "adapter_version": lambda it: _ADAPTERS[it.number % len(_SHAPES)],
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
    more_truth={
        "type": _of_shape("type"),
        "auth_type": _of_shape("auth_type"),
        "user": _of_shape("user", "username"),
        "schema": _of_shape("schema", "default_schema"),
        "database": _of_shape("database"),
        "warehouse": _of_shape("warehouse"),
        "role": _of_shape("role"),
        "adapter_id": _of_shape("adapter_id"),
    },
)


def _attributes(project: Item) -> Iterator[Thing]:
    """Yield the extended attributes of a project: several environments may share them."""
    if project.number % 2 == 0:
        dice = Dice(project.world.seed, "attributes", project.account.number)
        first = project.account.offset + first_ids.ATTRIBUTES
        made = next((it.created_at for it in _environments(project)), None)
        if made is not None:
            number = project.number
            yield Thing(first + number, number, made, None, dice.roll(number))


EXTENDED_ATTRIBUTES = Table(
    stream="dbt_extended_attributes",
    # No list of them exists; those of projects with an odd number are gone.
    detail="/api/v3/accounts/{account}/projects/{project}/extended-attributes/{attributes}/",
    under=PROJECTS,
    live=True,
    part="attributes",
    things=_attributes,
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "project_id": lambda it: it.parent.id,
        "state": ACTIVE,
        "extended_attributes": Untold(
            {
                "account": "ab12345.eu-west-1",
                "password": SECRET,
                "nested": {"private_key": SECRET, "keepalives_idle": 0},
                "größe": [1, "zwei"],
            }
        ),
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
    more_truth={"attribute_keys": lambda _: ["account", "password", "nested", "größe"]},
)


def _binding(profile: Item) -> dict[str, Any]:
    """Return what is told of the environment that a profile is for."""
    environment = _environment(profile)
    names = ("id", "name", "type", "deployment_type")
    return {name: ENVIRONMENTS.value_of(name, environment) for name in names}


PROFILES = Table(
    stream="dbt_profiles",
    path="/api/v3/accounts/{account}/projects/{project}/profiles/",
    under=PROJECTS,
    live=True,
    things=_one_each(first_ids.PROFILES),
    paging=Offsets(state=False, orders=(), filters=("connection_id",)),
    texts=("key",),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "project_id": lambda it: it.parent.id,
        "key": lambda it: f"profile-größe-{it.number}",
        "connection_id": lambda it: (
            it.account.offset + first_ids.CONNECTIONS + it.parent.number % 3
        ),
        "credentials_id": lambda it: it.account.offset + first_ids.CREDENTIALS + it.number,
        "extended_attributes_id": lambda it: ENVIRONMENTS.value_of(
            "extended_attributes_id", _environment(it)
        ),
        "primary_bindings": lambda it: [_binding(it)],
        "catalog_bindings": [],
    },
)

LINEAGE_INTEGRATIONS = Table(
    stream="dbt_lineage_integrations",
    path="/api/v3/accounts/{account}/projects/{project}/integrations/lineage/",
    under=PROJECTS,
    live=True,
    many=lambda project: project.number % 3,
    first_id=60_000,
    deleted=lambda number: number % 2 == 1,
    late=lambda number: number % 2 == 1,
    renamed=lambda number: number % 4 == 0,
    paging=TOTAL,
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "project_id": lambda it: it.parent.id,
        "name": lambda it: it.named(f"Tableau {it.number}"),
        "config": {
            "host": "https://tableau.example.com",
            "site_id": "größe",
            "token_name": "dbt",
            "token": SECRET,
        },
        "created_at": created(with_t),
        "updated_at": updated(with_t),
    },
)
