"""Pulumi Cloud: what lies below stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import part, uuid
from cloudapis_simulator.clock import DAY, END_OF_HISTORY, HOUR, SECOND, rfc3339, zoneless, zulu
from cloudapis_simulator.items import STACKS
from cloudapis_simulator.table import WHOLE, Table, Whole
from cloudapis_simulator.values import SECRET, Secret, Time, Untold
from cloudapis_simulator.world.deployments import is_drifted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudapis_simulator.items import Item
    from cloudapis_simulator.world.things import Thing

Row = dict[str, Any]

_S = "/api/stacks/{org}/{project}/{stack}"
_KEY = ("org_name", "project_name", "stack_name", "stack_id")
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_IS_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a mark, as all the world knows it


def _of_stack(**columns: Any) -> dict[str, Any]:
    """Return columns of the truth, those of the stack before them."""
    return {**{name: name for name in _KEY}, **columns}


def _detail(it: Item) -> Row:
    return it.organization.stack_detail_row(it.stack, it.now)


def _operation(name: str) -> Any:
    return lambda it: _detail(it).get("currentOperation", {}).get(name)


def _started(it: Item) -> str | None:
    at = _detail(it).get("currentOperation", {}).get("started")
    return at and rfc3339(at * SECOND)


STACK_DETAILS = Table(
    stream="pulumi_stack_details",
    under=STACKS,
    many=1,
    key=_KEY,
    fields={},  # its answer is made by hand
    truth=_of_stack(
        version=lambda it: _detail(it)["version"],
        tags=lambda it: _detail(it)["tags"],
        active_update=lambda it: _detail(it)["activeUpdate"] or None,
        current_operation_kind=_operation("kind"),
        current_operation_author=_operation("author"),
        current_operation_started=_started,
        config_environment=lambda it: _detail(it).get("config", {}).get("environment"),
    ),
)


def _tags(above: Item) -> list[tuple[str, str]]:
    return list(above.organization.tags(above.stack, above.now).items())


STACK_TAGS = Table(
    stream="pulumi_stack_tags",
    under=STACKS,
    many=lambda above: len(_tags(above)),
    key=(*_KEY, "tag_name"),
    fields={},  # they come with the details, as an object
    truth=_of_stack(
        tag_name=lambda it: _tags(it.parent)[it.number][0],
        value=lambda it: _tags(it.parent)[it.number][1],
    ),
)


def _settled(it: Item) -> int:
    """Return the number of the newest update that has ended, 0 for none."""
    stack, now = it.stack, it.now
    every = reversed(stack.numbers(now))
    return next((number for number in every if not stack.update(number).is_open(now)), 0)


def _version(it: Item) -> int:
    number = _settled(it)
    return it.stack.update(number).version if number else 0


_RESOURCES = (
    ("main", "pulumi:pulumi:Stack"),
    ("aws:s3/bucket:Bucket::logs/ä", "aws:s3/bucket:Bucket"),
    ("aws:rds:Db::db$1", "aws:rds:Db"),
    ("aws:s3/bucket:Bucket::logs/ä", "aws:s3/bucket:Bucket"),  # replaced, and to be deleted
)


def _urn(it: Item, number: int) -> str:
    born_as = it.stack.born_as
    return f"urn:pulumi:{born_as.stack}::{born_as.project}::{_RESOURCES[number][0]}"


_MARKED = {_SIGNATURE: _IS_SECRET, "plaintext": Secret('"{}"'), "ciphertext": SECRET}


def _in_text(it: Item) -> str:
    password = Secret().answer(it)
    return f'{{"user":"app","password":{{"{_SIGNATURE}":"{_IS_SECRET}","plaintext":"{password}"}}}}'


def _resources(above: Item, rows: list[Row]) -> Row:
    inside = [{"resource": row} for row in rows]
    return {"region": "us-west-2", "resources": inside, "version": _version(above)}


STACK_RESOURCES = Table(
    stream="pulumi_stack_resources",
    path=f"{_S}/resources/latest",
    under=STACKS,
    many=lambda above: 2 + _settled(above) % 3 if _settled(above) else 0,
    paging=Whole(shape=_resources),
    key=(*_KEY, "urn", "resource_id"),
    fields={
        "urn": lambda it: _urn(it, it.number),
        "id": lambda it: f"id-{it.number}" if it.number else "",
        "type": lambda it: _RESOURCES[it.number][1],
        "custom": lambda it: it.number > 0,
        "delete": lambda it: it.number > 2,  # noqa: PLR2004
        "parent": lambda it: _urn(it, 0) if it.number else "",
        "dependencies": lambda it: [_urn(it, 1)] if it.number == 2 else [],  # noqa: PLR2004
        "provider": "urn:pulumi:dev::website::pulumi:providers:aws::default::p-1",
        "created": Time(lambda it: it.stack.born_at - it.number * HOUR - 123, (zulu,)),
        "initErrors": Untold([SECRET]),
        "additionalSecretOutputs": ["seed"],
        "inputs": Untold({"bucket": "logs", "token": _MARKED, "policy": _in_text}),
        "outputs": Untold({"arn": "arn:x", "seed": SECRET, "parts": [_MARKED, {"deep": _MARKED}]}),
    },
    truth=_of_stack(
        urn="urn",
        resource_id="id",
        type="type",
        version=_version,
        region=lambda _: "us-west-2",
        delete="delete",
        custom="custom",
        parent=lambda it: _urn(it, 0) if it.number else None,
        dependencies="dependencies",
        created=lambda it: rfc3339(it.stack.born_at - it.number * HOUR - 123),
        init_error_count=lambda _: 1,
        inputs=lambda _: None,
    ),
)

STACK_REFERENCES = Table(
    stream="pulumi_stack_references",
    path=f"{_S}/upstreamreferences",
    under=STACKS,
    many=lambda above: above.stack.number % 3,
    paging=WHOLE,
    rows_in="referencedStacks",
    key=(*_KEY, "ref_org_name", "ref_project_name", "ref_stack_name"),
    fields={
        "organization": lambda it: it.organization.login,
        "routingProject": lambda it: "network" if it.number else "",
        "name": lambda it: f"shared.{it.number}",
        "version": _settled,
    },
    truth=_of_stack(
        ref_org_name="organization",
        ref_project_name="routingProject",
        ref_stack_name="name",
        version="version",
    ),
)


def _edited(it: Item) -> bool:
    """Whether somebody has changed the settings by hand, after the end of history."""
    return it.now >= END_OF_HISTORY + (2 + it.stack.number % 5) * DAY


def _some(of: int) -> Any:
    """Have every `of`-th stack one row, and the others none."""

    def things(above: Item) -> Iterable[Thing]:
        return DEPLOYMENT_STATUS._made(above) if above.stack.number % of == 0 else ()  # noqa: SLF001

    return things


DEPLOYMENT_SETTINGS = Table(
    stream="pulumi_stack_deployment_settings",
    path=f"{_S}/deployments/settings",
    under=STACKS,
    things=_some(2),
    paging=Whole(single=True),
    key=_KEY,
    fields={
        "version": lambda it: 8 if _edited(it) else 7,
        "source": "console",
        "agentPoolID": lambda it: "" if it.stack.number % 4 else "pool-1",
        "gitHub": {
            "repository": "acme/infra",
            "paths": ["infra/**"],
            "deployCommits": True,
            "previewPullRequests": _edited,
            "installationId": SECRET,
        },
        "cacheOptions": {"enable": True},
        "executorContext": {
            "executorImage": {
                "reference": "registry.example/runner:3",
                "credentials": {"username": SECRET, "password": {"secret": SECRET}},
            }
        },
        "sourceContext": {
            "git": {
                "repoURL": Secret("https://me:{}@git.example/acme/infra.git?x=1"),
                "branch": "refs/heads/main",
                "repoDir": "infra",
                "gitAuth": {"accessToken": {"secret": SECRET}},
            }
        },
        "operationContext": {
            "operation": "update",
            "options": {"skipInstallDependencies": True, "shell": "bash"},
            "role": {"id": "role-1", "name": "Deployer"},
            "preRunCommands": [Secret("export KEY={}"), "make"],
            "oidc": {"aws": {"roleArn": SECRET, "sessionName": "deploy"}},
            "environmentVariables": {"DB_PASSWORD": SECRET, "Zone": {"secret": SECRET}},
        },
    },
    truth=_of_stack(
        version="version",
        source="source",
        agent_pool_id=lambda it: None if it.stack.number % 4 else "pool-1",
        git_hub=lambda it: {
            "repository": "acme/infra",
            "paths": ["infra/**"],
            "deployCommits": True,
            "previewPullRequests": _edited(it),
        },
        cache_enabled=lambda _: True,
        git_repo_url=lambda _: "https://git.example/acme/infra.git",
        git_branch=lambda _: "refs/heads/main",
        git_repo_dir=lambda _: "infra",
        executor_image=lambda _: "registry.example/runner:3",
        operation=lambda _: "update",
        options=lambda _: {"skipInstallDependencies": True, "shell": "bash"},
        role_id=lambda _: "role-1",
        oidc_clouds=lambda _: ["aws"],
        variable_names=lambda _: ["DB_PASSWORD", "Zone"],
        pre_run_command_count=lambda _: 2,
    ),
)


def _schedules(above: Item) -> int:
    """Return how many schedules a stack has: one more comes after the end of history."""
    number = above.stack.number
    later = END_OF_HISTORY + (3 + number % 4) * DAY
    return number % 3 + (number % 4 == 1 and above.now >= later)


def _is_paused(it: Item) -> bool:
    return it.stack.number % 7 == 2 and _edited(it)  # noqa: PLR2004


def _drift(it: Item) -> Row | None:
    """Return what is known of drift, which comes and is mended."""
    if it.stack.number % 5 == 4:  # noqa: PLR2004
        return None
    day = it.now // DAY
    return {
        "driftDetected": is_drifted(it.stack) or (day // 3 + it.stack.number) % 4 == 0,
        "latestDriftRun": uuid(it.bits + day),
        "runInProgress": False,
    }


def _of_drift(name: str) -> Any:
    return lambda it: (_drift(it) or {}).get(name)


def _metadata(above: Item, rows: list[Row]) -> Row:
    """Leave out what is not known."""
    del above
    return {name: value for name, value in rows[0].items() if value is not None}


DEPLOYMENT_STATUS = Table(
    stream="pulumi_stack_deployment_status",
    path=f"{_S}/deployments/metadata",
    under=STACKS,
    many=1,
    paging=Whole(shape=_metadata),
    key=_KEY,
    fields={
        "paused": _is_paused,
        "stackPaused": _is_paused,
        "organizationPaused": False,
        "hasSchedules": lambda it: _schedules(it.parent) > 0,
        "drift": _drift,
    },
    truth=_of_stack(
        paused="paused",
        stack_paused="stackPaused",
        organization_paused="organizationPaused",
        has_schedules="hasSchedules",
        drift_detected=_of_drift("driftDetected"),
        latest_drift_run_id=_of_drift("latestDriftRun"),
        drift_run_in_progress=_of_drift("runInProgress"),
    ),
)

_TYPES = ("drift", "ttl", "deployment")
_OPERATIONS = ("detect-drift", "destroy", "update")


def _next(it: Item) -> int:
    """Return when it starts next: at the full hour, or on a day far ahead."""
    if it.number == 1:
        return END_OF_HISTORY + 400 * DAY
    return it.now - it.now % HOUR + HOUR


def _last(it: Item) -> int | None:
    """Return when it started last, if it ever did."""
    return None if it.number == 1 else it.now - it.now % HOUR


SCHEDULES = Table(
    stream="pulumi_stack_schedules",
    path=f"{_S}/deployments/schedules",
    under=STACKS,
    many=_schedules,
    paging=WHOLE,
    rows_in="schedules",
    key=(*_KEY, "id"),
    fields={
        "id": lambda it: it.uuid,
        "orgID": "org-1",
        "kind": "deployment",
        "scheduleCron": lambda it: "" if it.number == 1 else "0 * * * *",
        "scheduleOnce": lambda it: zoneless(_next(it)) if it.number == 1 else "",
        "nextExecution": lambda it: zoneless(_next(it)),
        "lastExecuted": lambda it: "" if _last(it) is None else zoneless(_last(it) or 0),
        "paused": lambda it: part(it.bits, 3) % 4 == 0,
        "created": lambda it: zoneless(it.created_at),
        "modified": lambda it: zoneless(it.created_at),
        "definition": {
            "programID": lambda it: it.stack.id,
            "request": {
                "inheritSettings": True,
                "operation": lambda it: _OPERATIONS[it.number],
                "operationContext": {
                    "options": lambda it: {"deleteAfterDestroy": it.number == 1},
                    "environmentVariables": {"SEED": SECRET, "A": {"secret": SECRET}},
                },
            },
        },
    },
    truth=_of_stack(
        id="id",
        kind="kind",
        schedule_type=lambda it: _TYPES[it.number],
        schedule_once=lambda it: rfc3339(_next(it)) if it.number == 1 else None,
        next_execution=lambda it: rfc3339(_next(it)),
        last_executed=lambda it: None if _last(it) is None else rfc3339(_last(it) or 0),
        created=lambda it: rfc3339(it.created_at // 1000 * 1000),
        paused="paused",
        program_id=lambda it: it.stack.id,
        operation=lambda it: _OPERATIONS[it.number],
        inherit_settings=lambda _: True,
        options=lambda it: {"deleteAfterDestroy": it.number == 1},
    ),
)
