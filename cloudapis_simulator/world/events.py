"""What the engine did in an update of a Pulumi stack, and how the update came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import part, sha
from cloudapis_simulator.clock import DAY, HOUR, SECOND
from cloudapis_simulator.world import words

if TYPE_CHECKING:
    from cloudapis_simulator.world.stacks import Stack, Update

Row = dict[str, Any]

_SECRET = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "plaintext": f'"{words.SECRET_MARKER}"',
}
_PACK = {
    "policyPackName": "aws-guard",
    "policyPackVersion": "4",
    "policyPackVersionTag": "0.4.2",
}


def pull_request(update: Update) -> Row | None:
    """Return the pull request that an update came from; `None` where it came from none."""
    bits = update.bits
    if part(bits, 6) % 3 == 0:
        return None
    opened = update.started_at - DAY - part(bits, 7) * SECOND
    row = {
        "number": 1 + part(bits, 5) % 900,
        "title": "Größere Datenbank",
        "repoSlug": "acme/infra",
        "createdAt": opened // SECOND,
        "wasMerged": part(bits, 4) % 4 != 0,
        "sourceRef": "feature/ä",
        "targetRef": "main",
    }
    if row["wasMerged"]:
        row |= {"closedAt": (opened + HOUR) // SECOND, "mergeCommitSHA": sha(bits)}
    return row


def _state(urn: str, number: int, *, there: bool) -> Row:
    return {
        "id": f"i-{number}" if there else "",
        "type": "aws:s3/bucket:Bucket",
        "urn": urn,
        "parent": "",
        "provider": "urn:pulumi:dev::website::pulumi:providers:aws::default::p-1",
        "inputs": {"bucket": {"name": "logs"}, "token": _SECRET},
        "outputs": {"seed": _SECRET},
        "initErrors": [words.SECRET_MARKER] * (number % 2),
    }


def _step(stack: Stack, number: int) -> Row:
    born_as = stack.born_as
    urn = f"urn:pulumi:{born_as.stack}::{born_as.project}::aws:s3/bucket:Bucket::logs-{number}"
    op = ("create", "same", "update")[number % 3]
    return {
        "op": op,
        "urn": urn,
        "type": "aws:s3/bucket:Bucket",
        "provider": "urn:pulumi:dev::website::pulumi:providers:aws::default::p-1",
        "new": _state(urn, number, there=True),
        "old": _state(urn, number, there=op != "create"),
        "diffs": ["password"] if op == "update" else [],
        "keys": [],
        "detailedDiff": {"password": {"diffKind": "update", "inputDiff": True}}
        if op == "update"
        else {},
    }


def events(stack: Stack, update: Update) -> list[Row]:
    """Return the events of an update that has ended, in order; renames have none."""
    if update.kind == "rename":
        return []
    bits = update.bits
    secret = words.SECRET_MARKER
    found: list[Row] = [
        {"preludeEvent": {"config": {"website:dbPassword": secret}}},
        {"stdoutEvent": {"message": f"Updating {secret}", "color": "raw"}},
    ]
    for number in range(1 + part(bits, 2) % 3):
        step = _step(stack, number)
        found += [
            {"resourcePreEvent": {"metadata": step, "planning": False}},
            {
                "progressEvent": {
                    "id": "aws",
                    "type": "plugin-install",
                    "message": "",
                    "received": 1,
                }
            },
            {"resOutputsEvent": {"metadata": step}},
        ]
        found[-2]["progressEvent"] |= {"received": 1, "total": 1, "done": True}
    severity = ("info", "warning")[part(bits, 3) % 2]
    text = {"message": "the bucket is öffentlich", "color": "raw", "severity": severity}
    found += [
        {"diagnosticEvent": {**text, "urn": "", "streamID": 0}},
        {"diagnosticEvent": {**text, "message": secret, "ephemeral": True}},
        {
            "policyEvent": {
                **_PACK,
                "policyName": "no-public-buckets",
                "enforcementLevel": "advisory",
                "message": "public",
                "color": "raw",
                "resourceUrn": _step(stack, 0)["urn"],
            }
        },
        {
            "policyRemediationEvent": {
                **_PACK,
                "policyName": "add-tags",
                "color": "raw",
                "before": {"secret": {"value": secret}},
                "after": {"secret": {"value": secret}},
            }
        },
        {"policyAnalyzeStackSummaryEvent": {**_PACK, "passed": ["a"], "failed": ["b"]}},
    ]
    if update.failed:
        found.append({"resOpFailedEvent": {"metadata": _step(stack, 2), "status": 1, "steps": 3}})
        found.append({"errorEvent": {"error": "it failed"}})
    length = ((update.ended_at or update.started_at) - update.started_at) // SECOND
    result = "failed" if update.failed else "succeeded"
    summary = {"durationSeconds": length, "maybeCorrupt": False, "isPreview": False}
    changes = {"same": part(bits, 10) % 50, "create-replacement": 1}
    found.append(
        {
            "summaryEvent": {
                **summary,
                "result": result,
                "resourceChanges": changes,
                "PolicyPacks": {"aws-guard": "0.4.2"},
            }
        }
    )
    at = update.started_at // SECOND
    return [
        {**event, "timestamp": at + place, "type": next(iter(event))}
        for place, event in enumerate(found)
    ]
