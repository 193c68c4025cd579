"""Pulumi Cloud: what policies have found, and change requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part, pick, share, uuid
from cloudapis_simulator.clock import BEGINNING, DAY, HOUR, rfc3339, zulu
from cloudapis_simulator.items import ORGANIZATIONS, Item
from cloudapis_simulator.table import Choice, Grid, Table, Tokens, Whole
from cloudapis_simulator.tables.pulumi_policy import GROUPS, PACKS
from cloudapis_simulator.values import Secret, Time, created
from cloudapis_simulator.world.things import Thing
from cloudapis_simulator.world.timeline import Timeline
from cloudapis_simulator.world.updates import person

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLICIES = ("s3-no-public-read", "require-tags", "Größe begrenzen")
_KEPT = 40


def _series(above: Item, kind: str, pace: int) -> Iterator[Thing]:
    """Yield things that come at a pace, the newest of them."""
    dice = Dice(above.world.seed, kind, above.organization.login)
    times = Timeline(dice, 0, pace, begin=BEGINNING, end=BEGINNING)
    last = times.until(above.now)
    for number in range(max(last - _KEPT, 0) + 1, last + 1):
        yield Thing(number, number, times.at(number), None, dice.roll(number))


def _ends(item: Item) -> int | None:
    """Return when something ends: after hours or weeks, or never."""
    if part(item.bits, 4) % 4 == 0:
        return None
    return item.created_at + HOUR + int(share(item.bits, 5) ** 3 * 40 * DAY)


def _has_ended(item: Item) -> bool:
    ends = _ends(item)
    return ends is not None and ends <= item.now


def _status(item: Item, ended: str, still_open: str) -> str:
    return ended if _has_ended(item) else still_open


def _last_change(item: Item) -> int:
    ends = _ends(item)
    return ends if ends is not None and ends <= item.now else item.created_at


def _assignee(item: Item) -> dict[str, Any] | None:
    return person(part(item.bits, 6) % 60) if part(item.bits, 6) % 3 == 0 else None


def _some(item: Item) -> dict[str, Any]:
    assigned = _assignee(item)
    return {} if assigned is None else {"assignedTo": assigned}


POLICY_ISSUES = Table(
    stream="pulumi_policy_issues",
    path="/api/orgs/{org}/policyresults/issues",
    under=ORGANIZATIONS,
    things=lambda above: _series(above, "issues", 6 * DAY),
    paging=Grid("rowCount", orders=("lastModified", "observedAt")),
    choices={
        "closed": Choice(
            {"false": lambda it: not _has_ended(it), "true": _has_ended}, default="false"
        )
    },
    beside=lambda _: {"groupData": None},
    rows_in="policyIssues",
    key=("org_name", "id"),
    spread=_some,
    fields={
        "id": lambda it: it.uuid,
        "entityType": lambda it: ("stack", "insights-account")[it.number % 2],
        "entityProject": lambda it: ("website", "aws prod")[it.number % 2],
        "entityId": lambda it: ("dev", "aws prod/eu-west-1")[it.number % 2],
        "kind": lambda it: ("preventative", "audit")[it.number % 2],
        "level": lambda it: pick(("advisory", "mandatory"), it.bits, 7),
        "severity": lambda it: pick(("", "low", "high"), it.bits, 8),
        "priority": lambda it: pick(("p0", "p3", "p4"), it.bits, 9),
        "status": lambda it: (
            "fixed" if _has_ended(it) else pick(("open", "in_progress"), it.bits, 10)
        ),
        "policyPack": lambda it: pick(PACKS, it.bits, 11),
        "policyPackTag": "0.3.1",
        "policyName": lambda it: pick(_POLICIES, it.bits, 12),
        "policyGroupName": lambda it: pick(GROUPS, it.bits, 13),
        "policyGroupType": lambda it: ("preventative", "audit")[it.number % 2],
        "resourceURN": lambda it: f"urn:pulumi:dev::website::aws:s3/bucket:Bucket::b{it.number}",
        "resourceName": lambda it: f"b{it.number}",
        "resourceType": "aws:s3/bucket:Bucket",
        "resourceProvider": "aws",
        "stackVersion": lambda it: 1 + it.number,
        "observedAt": created(zulu),
        "lastModified": Time(_last_change, (zulu,)),
        "message": Secret("Bucket allows anyone to read {}."),
    },
    more_truth={
        "is_closed": _has_ended,
        "assigned_to": _assignee,
        "assigned_to_login": lambda it: (_assignee(it) or {}).get("githubLogin"),
    },
)


def _judged(above: Item) -> Iterator[Thing]:
    """Yield each policy of each pack in each group."""
    dice = above.dice("compliance")
    for group in range(len(GROUPS)):
        for pack in range(group, group + 2):
            for policy in range(len(_POLICIES)):
                number = (group * len(PACKS) + pack) * len(_POLICIES) + policy
                yield Thing(number, number, BEGINNING, None, dice.roll(number))


def _governed(item: Item) -> int:
    return 10 + part(item.bits, 3) % 90 + (item.now - BEGINNING) // DAY


def _failing(item: Item) -> int:
    return part(item.bits, 4) % 10


POLICY_COMPLIANCE = Table(
    stream="pulumi_policy_compliance",
    path="/api/orgs/{org}/policyresults/policies",
    under=ORGANIZATIONS,
    things=_judged,
    paging=Grid("totalCount"),
    rows_in="policies",
    key=("org_name", "policy_group_name", "policy_pack", "policy_name"),
    fields={
        "policyGroupName": lambda it: GROUPS[it.number // len(_POLICIES) // len(PACKS)],
        "policyPack": lambda it: PACKS[it.number // len(_POLICIES) % len(PACKS)],
        "policyName": lambda it: _POLICIES[it.number % len(_POLICIES)],
        "policyGroupType": lambda it: ("preventative", "audit")[it.number % 2],
        "severity": lambda it: pick(("", "low", "critical"), it.bits, 5),
        "failingResources": _failing,
        "governedResources": _governed,
        "percentCompliant": lambda it: 100 - 100 * _failing(it) // _governed(it),
    },
)


def coverage(organization: Item) -> dict[str, int]:
    """Return how much of an organization is in policy groups."""
    stacks = organization.organization.stacks.listed(organization.now)
    audited = [one for one in stacks if one.number % 2 == 0]

    def resources(of: list[Any]) -> int:
        return sum(one.resource_count(organization.now) for one in of)

    return {
        "AuditStackResources": resources(audited),
        "AuditStacks": len(audited),
        "PreventativeStackResources": resources(stacks),
        "PreventativeStacks": len(stacks),
        "ProtectedAccountResources": 90,
        "ProtectedAccounts": 2,
        "ProtectedStackResources": resources(stacks),
        "ProtectedStacks": len(stacks),
        "TotalAccountResources": 200,
        "TotalAccounts": 3,
        "TotalStackResources": resources(stacks),
        "TotalStacks": len(stacks),
    }


def _column(name: str) -> Any:
    return lambda it: coverage(it.parent)[name]


def _one(above: Item) -> Iterator[Thing]:
    yield Thing(0, 0, BEGINNING, None, above.dice("summary").roll())


POLICY_SUMMARY = Table(
    stream="pulumi_policy_summary",
    path="/api/orgs/{org}/policyresults/metadata",
    under=ORGANIZATIONS,
    things=_one,
    paging=Whole(single=True),
    key=("org_name", "date"),
    fields={
        "policyTotalCount": lambda _: len(GROUPS) * 2 * len(_POLICIES),
        "policyWithIssuesCount": 4,
        "resourcesTotalCount": lambda it: coverage(it.parent)["ProtectedStackResources"],
        "resourcesWithIssuesCount": lambda it: part(it.bits, 3) % 9,
    },
    more_truth={
        "date": lambda it: rfc3339(it.now)[:10],
        "audit_stacks": _column("AuditStacks"),
        "audit_stack_resources": _column("AuditStackResources"),
        "preventative_stacks": _column("PreventativeStacks"),
        "protected_accounts": _column("ProtectedAccounts"),
        "protected_stack_resources": _column("ProtectedStackResources"),
        "total_accounts": _column("TotalAccounts"),
        "total_stacks": _column("TotalStacks"),
    },
)


def _gates(item: Item) -> dict[str, Any]:
    """Return which rules apply to a change request, and what they lack."""
    done = _has_ended(item)
    gate = {
        "id": uuid(item.bits >> 4),
        "name": "Zwei Augen",
        "satisfied": done,
        "ruleDetails": {
            "ruleType": "approval_required",
            "approvalsRequired": 1,
            "approvers": [person(part(item.bits, 9) % 60)] if done else [],
        },
    }
    return {"satisfied": done, "applicableGates": [gate]}


def _requester(item: Item) -> dict[str, Any]:
    return person(part(item.bits, 8) % 60)


CHANGE_REQUESTS = Table(
    stream="pulumi_change_requests",
    path="/api/change-requests/{org}",
    under=ORGANIZATIONS,
    things=lambda above: _series(above, "change requests", 7 * DAY),
    paging=Tokens(20, most=500, parameter="count"),
    rows_in="changeRequests",
    key=("org_name", "id"),
    part="change_request",
    detail="/api/change-requests/{org}/{change_request}",
    fields={
        "id": lambda it: it.uuid,
        "orgID": lambda it: uuid(Dice(it.world.seed, "org id").roll(it.organization.number)),
        "action": lambda it: ("update", "open")[it.number % 2],
        "status": lambda it: (
            pick(("applied", "closed"), it.bits, 7) if _has_ended(it) else "submitted"
        ),
        "description": "Rotate the “database” credentials\n\nsoon",
        "createdAt": created(zulu),
        "createdBy": _requester,
        "latestRevisionNumber": lambda it: 1 + part(it.bits, 10) % 5,
        "entity": {"entityType": "environment", "project": "website", "name": "prod/eu"},
    },
    detail_fields={"gateEvaluation": _gates},
    more_truth={
        "gate_evaluation": _gates,
        "gates_satisfied": lambda it: _gates(it)["satisfied"],
        "entity_type": lambda _: "environment",
        "project_name": lambda _: "website",
        "env_name": lambda _: "prod/eu",
        "created_by_login": lambda it: _requester(it)["githubLogin"],
    },
)
