"""dbt Cloud: environment variables of projects, and what jobs make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part
from cloudapis_simulator.items import JOBS, Item
from cloudapis_simulator.table import Table, Whole
from cloudapis_simulator.tables.dbt import ENVIRONMENTS, PROJECTS
from cloudapis_simulator.values import SECRET, Untold
from cloudapis_simulator.world.things import ACTIVE, Thing

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = (
    "DBT_TARGET_SCHEMA",
    "DBT_ENV_SECRET_GIT_TOKEN",
    "DBT_SNOWFLAKE_PASSWORD",
    "DBT_ENV_CUSTOM_ENV_TEAM",
    "DBT_GRÖSSE",
)


def _has_variables(project: Item) -> bool:
    return project.number % 4 != 3  # noqa: PLR2004


def _scopes(project: Item) -> list[str]:
    """Return `project` and the names of the environments, which are the keys of a map."""
    environments = (it for it in ENVIRONMENTS.items(project) if it.state == ACTIVE)
    return ["project", *(ENVIRONMENTS.value_of("name", it) for it in environments)]


def _variables(project: Item) -> Iterator[Thing]:
    dice = Dice(project.world.seed, "variables", project.account.number)
    if not _has_variables(project):
        return
    for name in range(len(_NAMES)):
        for scope in range(len(_scopes(project))):
            number = (project.number * 10 + name) * 10 + scope
            bits = dice.roll(number)
            if scope == 0 or part(bits, 4) % 3 == 0:
                first = project.account.offset + 300_000
                yield Thing(first + number, number, project.created_at, None, bits)


def _variable_name(variable: Item) -> str:
    return _NAMES[variable.number // 10 % 10]


def _is_secret(variable: Item) -> bool:
    return _variable_name(variable).startswith("DBT_ENV_SECRET")


def _variable_value(variable: Item) -> Any:
    name = _variable_name(variable)
    if name in ("DBT_ENV_SECRET_GIT_TOKEN", "DBT_SNOWFLAKE_PASSWORD"):
        # The first kind comes masked; not from a careless release.
        return "**********" if variable.number % 2 and _is_secret(variable) else SECRET
    return f"wert “{variable.number}”"


def _by_name(project: Item, rows: list[dict[str, Any]]) -> dict[str, Any]:
    variables: dict[str, dict[str, Any]] = {}
    for row in rows:
        scopes = variables.setdefault(row["name"], {})
        scopes[row["scope"]] = {"id": row["id"], "value": row["value"]}
    return {"environments": _scopes(project), "variables": variables}


ENVIRONMENT_VARIABLES = Table(
    stream="dbt_environment_variables",
    path="/api/v3/accounts/{account}/projects/{project}/environment-variables/environment/",
    under=PROJECTS,
    live=True,
    things=_variables,
    paging=Whole(shape=_by_name),
    key=("account_id", "project_id", "name", "scope"),
    fields={
        "name": _variable_name,
        "scope": lambda it: _scopes(it.parent)[it.number % 10],
        "id": lambda it: it.id,
        "value": Untold(_variable_value),
    },
    more_truth={"has_value": lambda _: True, "is_secret": _is_secret},
)


def _overrides(job: Item) -> Iterator[Thing]:
    if not _has_variables(job.parent):
        return
    dice = Dice(job.world.seed, "overrides", job.account.number)
    for name in range(len(_NAMES)):
        number = job.number * 100 + name * 10
        bits = dice.roll(number)
        if part(bits, 4) % 3 == 0:
            yield Thing(job.account.offset + 900_000 + number, number, job.created_at, None, bits)


def _by_variable(job: Item, rows: list[dict[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {
        row["name"]: {
            "project": None,
            "environment": None,
            "job": {"id": row["id"], "value": row["value"]},
        }
        for row in rows
    }
    for variable in ENVIRONMENT_VARIABLES.items(job.parent):
        row = ENVIRONMENT_VARIABLES.row(variable)
        if row["scope"] == "project":
            entry = data.setdefault(row["name"], {"environment": None, "job": None})
            entry["project"] = {"id": row["id"], "value": row["value"]}
    return data


JOB_ENVIRONMENT_VARIABLES = Table(
    stream="dbt_job_environment_variables",
    path="/api/v3/accounts/{account}/projects/{project}/environment-variables/job/",
    under=JOBS,
    asks_for=("job_definition_id", "job"),
    things=_overrides,
    paging=Whole(shape=_by_variable),
    key=("account_id", "job_definition_id", "name"),
    fields={
        "name": _variable_name,
        "id": lambda it: it.id,
        "value": Untold(_variable_value),
    },
    more_truth={"has_value": lambda _: True, "is_secret": _is_secret},
)
