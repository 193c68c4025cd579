"""Pulumi Cloud: deployments with their jobs, steps and updates, and checks for drift."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from cloudapis_simulator.chance import Dice, part, pick, uuid
from cloudapis_simulator.clock import SECOND, ZERO_TIME, with_nanoseconds, zoneless
from cloudapis_simulator.items import ORGANIZATIONS, STACKS, Item
from cloudapis_simulator.table import Pages, Table, Whole
from cloudapis_simulator.values import SECRET, Time, seconds
from cloudapis_simulator.world import words
from cloudapis_simulator.world.deployments import Deployment, deployments, is_drifted, of_stack
from cloudapis_simulator.world.things import Thing
from cloudapis_simulator.world.updates import person

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGES = Pages(whole=False)
_ENDED = ("failed", "succeeded", "skipped")


def _deployment(item: Item) -> Deployment:
    return cast("Deployment", item.thing)


def _named(item: Item) -> bool:
    """Whether the answer tells of which stack it is: older ones do not."""
    return part(item.bits, 9) % 17 != 0


def _told(item: Item) -> dict[str, Any]:
    """Return the fields that only some deployments have."""
    one = _deployment(item)
    fields: dict[str, Any] = {}
    if _named(item):
        fields |= {"projectName": one.stack.project, "stackName": one.stack.name}
    if part(item.bits, 10) % 3:
        fields["initiator"] = pick(("console", "github", "schedule"), item.bits, 10)
    if part(item.bits, 11) % 5 == 0:
        fields["agentPool"] = {"id": _pool(item), "name": "on premises ☁"}
    if part(item.bits, 12) % 7 == 0:
        fields["paused"] = True
    return fields


def _pool(item: Item) -> str:
    return uuid(Dice(item.world.seed, "pool").roll(item.organization.number))


def _only(name: str) -> Any:
    return lambda it: _told(it).get(name)


def _stack_id(item: Item) -> str | None:
    """Return the id of the stack, where the names tell it."""
    return _deployment(item).stack.id if _named(item) else None


def _jobs(above: Item) -> Iterator[Thing]:
    """Yield the jobs of a deployment: one, and now and then a second one that is skipped."""
    one = _deployment(above)
    for number in range(2 if part(above.bits, 13) % 8 == 0 else 1):
        yield Thing(number, number, one.created_at, None, above.bits)


def _job_status(job: Item) -> str:
    return "skipped" if job.number else _deployment(job.parent).status(job.now)


def _began(job: Item) -> int | None:
    """Return when a job began, if it has."""
    one = _deployment(job.parent)
    runs = job.number == 0 and one.running_at <= job.now
    return one.running_at if runs and one.outcome != "skipped" else None


def _changed(job: Item) -> int | None:
    """Return when a job changed last."""
    begun, ended = _began(job), _deployment(job.parent).ended_at
    return ended if begun is not None and ended is not None and ended <= job.now else begun


def _steps(above: Item) -> Iterator[Thing]:
    if above.number:
        return
    operation = _deployment(above.parent).operation
    for number in range(len(_step_names(operation))):
        yield Thing(number, number, above.created_at, None, above.bits)


def _step_names(operation: str) -> tuple[str, ...]:
    return ("Setup", "Get source", "Pre-run command 1", f"pulumi {operation}")


def _step(step: Item) -> tuple[str, int | None, int | None]:
    """Return status, beginning and last change of a step."""
    one, last = _deployment(step.parent.parent), step.number == len(_step_names("")) - 1
    begins = one.begins(step.number, 4)
    if _began(step.parent) is None or begins > step.now:
        return "not-started", None, None
    ends = one.ended_at if last else one.begins(step.number + 1, 4)
    if ends is None or ends > step.now:
        return "running", begins, begins
    return (one.outcome if last else "succeeded"), begins, ends


def _updates(above: Item) -> Iterator[Thing]:
    one = _deployment(above)
    if one.update is not None and one.update.started_at <= above.now:
        yield Thing(0, 0, one.created_at, None, above.bits)


def _update(item: Item) -> Any:
    return _deployment(item.parent).update


def _nanoseconds(at: Any) -> Time:
    return Time(at, (with_nanoseconds,), never=ZERO_TIME)


DEPLOYMENTS = Table(
    stream="pulumi_deployments",
    path="/api/orgs/{org}/deployments",
    under=ORGANIZATIONS,
    things=lambda above: deployments(above.world.seed, above.organization, above.now),
    paging=_PAGES,
    rows_in="deployments",
    key=("org_name", "id"),
    part="deployment",
    spread=_told,
    fields={
        "id": lambda it: it.uuid,
        "version": lambda it: _deployment(it).version,
        "status": lambda it: _deployment(it).status(it.now),
        "pulumiOperation": lambda it: _deployment(it).operation,
        "created": Time(lambda it: it.created_at, (zoneless,)),
        "modified": Time(lambda it: _deployment(it).modified_at(it.now), (zoneless,)),
        "requestedBy": lambda it: person(part(it.bits, 8) % 60),
    },
    more_truth={
        "project_name": _only("projectName"),
        "stack_name": _only("stackName"),
        "stack_id": _stack_id,
        "initiator": _only("initiator"),
        "paused": _only("paused"),
        "agent_pool": _only("agentPool"),
        "agent_pool_id": lambda it: (_told(it).get("agentPool") or {}).get("id"),
        "requested_by_login": lambda it: person(part(it.bits, 8) % 60)["githubLogin"],
    },
)

DEPLOYMENT_JOBS = Table(
    stream="pulumi_deployment_jobs",
    under=DEPLOYMENTS,
    carried="jobs",
    things=_jobs,
    key=("org_name", "deployment_id", "job_number"),
    fields={
        "status": _job_status,
        "started": _nanoseconds(_began),
        "lastUpdated": _nanoseconds(_changed),
    },
    more_truth={
        "job_number": lambda it: it.number + 1,
        "project_name": lambda it: _told(it.parent).get("projectName"),
        "stack_name": lambda it: _told(it.parent).get("stackName"),
        "stack_id": lambda it: _stack_id(it.parent),
        "duration_seconds": lambda it: _length(_job_status(it), _began(it), _changed(it)),
    },
)

DEPLOYMENT_STEPS = Table(
    stream="pulumi_deployment_steps",
    under=DEPLOYMENT_JOBS,
    carried="steps",
    things=_steps,
    key=("org_name", "deployment_id", "job_number", "step_number"),
    fields={
        "name": lambda it: _step_names(_deployment(it.parent.parent).operation)[it.number],
        "status": lambda it: _step(it)[0],
        "started": _nanoseconds(lambda it: _step(it)[1]),
        "lastUpdated": _nanoseconds(lambda it: _step(it)[2]),
    },
    more_truth={
        "job_number": lambda it: it.parent.number + 1,
        "step_number": lambda it: it.number + 1,
        "duration_seconds": lambda it: _length(*_step(it)),
    },
)

DEPLOYMENT_UPDATES = Table(
    stream="pulumi_deployment_updates",
    under=DEPLOYMENTS,
    carried="updates",
    things=_updates,
    key=("org_name", "deployment_id", "update_id"),
    fields={
        "id": lambda it: uuid(it.bits >> 1),
        "updateID": lambda it: _update(it).id,
        "version": lambda it: _update(it).version,
        "startTime": seconds(lambda it: _update(it).started_at),
        "endTime": seconds(
            lambda it: None if _update(it).is_open(it.now) else _update(it).ended_at
        ),
        "result": lambda it: _update(it).result(it.now),
        "kind": lambda it: _update(it).kind,
        "message": lambda it: pick(words.MESSAGES, _update(it).bits, 7),
        "environment": {"CI": "1", "Region.Name": "eu-west-1", "DEPLOY_ACCESS_TOKEN": SECRET},
    },
    more_truth={
        "project_name": lambda it: _told(it.parent).get("projectName"),
        "stack_name": lambda it: _told(it.parent).get("stackName"),
        "stack_id": lambda it: _stack_id(it.parent),
    },
)


def _length(status: str, begun: int | None, changed: int | None) -> float | None:
    if status not in _ENDED or begun is None or changed is None:
        return None
    return (changed - begun) / SECOND


def _counts(item: Item) -> dict[str, int]:
    """Return how many deployments of an organization have which status."""
    found = deployments(item.world.seed, item.organization, item.now)
    by_status = Counter(one.status(item.now) for one in found if one.created_at <= item.now)
    names = ("not-started", "accepted", "running", "failed", "succeeded", "skipped")
    told = {"notStarted" if name == "not-started" else name: by_status[name] for name in names}
    return {**told, "total": by_status.total()}


def _one(above: Item) -> Iterator[Thing]:
    """Yield what stands for the organization itself."""
    yield Thing(0, 0, 0, None, above.dice("organization").roll())


DEPLOYMENT_STATUS = Table(
    stream="pulumi_organization_deployment_status",
    path="/api/orgs/{org}/deployments/metadata",
    under=ORGANIZATIONS,
    things=_one,
    paging=Whole(single=True),
    key=("org_name",),
    fields={
        "paused": lambda it: it.organization.number % 2 == 1,
        "concurrency": 25,
        "deploymentCounts": _counts,
    },
)


def _runs(above: Item) -> Iterator[Thing]:
    """Yield the checks for drift of a stack that have begun, newest first."""
    for one in of_stack(above.world.seed, above.stack, above.now):
        if one.checks_drift and one.outcome != "skipped" and one.running_at <= above.now:
            yield one


def _run_id(item: Item) -> str:
    return uuid(item.bits >> 3)


def _run_status(item: Item) -> str:
    return _deployment(item).status(item.now)


def _result(item: Item, which: int) -> dict[str, Any] | None:
    """Return the update of a check, of the search (0) or of the repair (1), once it is over."""
    one = _deployment(item)
    if _run_status(item) == "running" or (which and one.operation != "remediate-drift"):
        return None
    changes = {"same": 4 + part(item.bits, 12) % 30}
    if _drifted(item):
        changes |= {"update": 1, "delete": part(item.bits, 13) % 3}
    return {
        "updateId": uuid(item.bits >> (5 + which)),
        "status": "succeeded" if _run_status(item) == "succeeded" else "failed",
        "modified": Time(lambda _: one.ended_at, (zoneless,)),
        "resourceChanges": changes,
    }


def _drifted(item: Item) -> bool:
    one = _deployment(item)
    found = is_drifted(one.stack) or part(item.bits, 14) % 7 == 0
    return found and _run_status(item) == "succeeded"


def _some(item: Item) -> dict[str, Any]:
    results = {"detectUpdate": _result(item, 0), "remediateUpdate": _result(item, 1)}
    return {name: result for name, result in results.items() if result is not None}


DRIFT_RUNS = Table(
    stream="pulumi_drift_runs",
    path="/api/stacks/{org}/{project}/{stack}/drift/runs",
    under=STACKS,
    things=_runs,
    paging=_PAGES,
    rows_in="driftRuns",
    key=("org_name", "project_name", "stack_name", "stack_id", "id"),
    spread=_some,
    fields={
        "id": _run_id,
        "driftDetected": _drifted,
        "created": Time(lambda it: _deployment(it).running_at, (zoneless,)),
        "status": _run_status,
        "deploymentId": lambda it: it.uuid,
        "deploymentVersion": lambda it: _deployment(it).version,
    },
    more_truth={
        "detect_update": lambda it: _result(it, 0),
        "detect_update_id": lambda it: (_result(it, 0) or {}).get("updateId"),
        "remediate_update": lambda it: _result(it, 1),
        "remediate_update_id": lambda it: (_result(it, 1) or {}).get("updateId"),
    },
)
