"""What is read of each update that has ended: how it came about, and what the engine did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.paging import Paginator, TokenPages, as_object
from tap_cloudapis.pulumi.client import snake_case
from tap_cloudapis.pulumi.stack_streams import READ_STACK
from tap_cloudapis.pulumi.stacks import STACK_KEY
from tap_cloudapis.pulumi.update_walk import UpdateMember
from tap_cloudapis.pulumi.whole_answers import WholeAnswer, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

_PULL_REQUEST = (
    "number",
    "title",
    "repoSlug",
    "createdAt",
    "closedAt",
    "wasMerged",
    "sourceRef",
    "targetRef",
    "mergeCommitSHA",
)


class UpdateTimelines(UpdateMember, WholeAnswer):
    """The pull request that an update came from, and what was looked at before it.

    It is read once, when the update has ended: what becomes of the pull request later is not in it.
    """

    name = "pulumi_update_timelines"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/updates/{version}/timeline"
    sure_field = "update"
    facts = Facts(
        row="an ended update of a commit, with its pull request if there is one",
        requests=(
            "one per ended update of a commit, and one per stack that has changed and per 100 of "
            "its updates"
        ),
        permission=f"{READ_STACK}, or the organization does not use Pulumi's GitHub App",
        unselected=Unselected.REQUESTS,
    )

    def concerns(self, update: Mapping[str, Any]) -> bool:
        """Nothing can be tied to an update without a commit."""
        return bool(update["has_commit"])

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Flatten the pull request; of updates and previews keep the ids."""
        request = as_object(row.get("collatedPullRequest"))
        return {
            **{f"pr_{snake_case(name)}": request.get(name) for name in _PULL_REQUEST},
            "collated_update_ids": _ids(row.get("collatedUpdateEvents")),
            "preview_ids": _ids(row.get("previews")),
        }


def _ids(updates: Any) -> list[Any]:
    return [as_object(update).get("updateID") for update in listed(updates)]


#: The events that are kept, by their fields; others are output, configuration, or progress.
_KEPT = frozenset(
    {
        "resourcePreEvent",
        "resOutputsEvent",
        "resOpFailedEvent",
        "diagnosticEvent",
        "policyEvent",
        "policyRemediationEvent",
        "policyAnalyzeSummaryEvent",
        "policyRemediateSummaryEvent",
        "policyAnalyzeStackSummaryEvent",
        "summaryEvent",
        "errorEvent",
        "cancelEvent",
    }
)


class UpdateEvents(UpdateMember, WholeAnswer):
    """What the engine did in each update: steps, failures, findings of policies.

    ``event_number`` counts all events, those that are not kept as well. Inputs and outputs never
    come; messages only where ``pulumi_messages`` is on, as they may quote secrets.
    """

    name = "pulumi_update_events"
    # This path answers for every kind of update.
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/update/{update_id}/events"
    primary_keys = (*STACK_KEY, "update_id", "event_number")
    sure_field = "events"
    # Names of properties, each with a word of the API.
    unscrubbed_fields = frozenset({"detailed_diff", "resource_changes"})
    facts = Facts(
        row="a step, a failure or a finding in an ended update",
        requests=(
            "one per ended update and page of its events, and one per stack that has changed and "
            "per 100 of its updates"
        ),
        permission=READ_STACK,
        unselected=Unselected.REQUESTS,
    )
    _WITHOUT: ClassVar[frozenset[str]] = frozenset({"rename", "resource-import"})

    def concerns(self, update: Mapping[str, Any]) -> bool:
        """Renames have no events, and where updates have no ids, nothing can be asked."""
        if not update["update_id"]:
            self.tap.report.note(self.name, "this server gives updates no ids: it tells no events")
            return False
        return update["kind"] not in self._WITHOUT

    def new_paginator(self, context: Context | None) -> Paginator:
        """Pages by token."""
        return TokenPages(limit=None, what=self.place(context))

    def rows_of(self, body: Any) -> list[Row]:
        """The events of a page."""
        return listed(body["events"])

    def token_of(self, body: Any) -> Any:
        """Null at the end."""
        return body.get("continuationToken") or None

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Number the events, and keep those that tell something."""
        number = 0
        for rows in super().lists(context):
            for number, row in enumerate(rows, number + 1):  # noqa: B020 - goes on
                row["event_number"] = number
            yield [row for row in rows if _is_kept(row)]

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """One row for all kinds of events, of named fields alone."""
        name = _kind(row)
        event = as_object(row.get(name))
        step = as_object(event.get("metadata"))
        states = [as_object(step.get(which)) for which in ("new", "old")]
        told = event.get("message", event.get("error"))
        return {
            "event_number": row["event_number"],
            "type": row.get("type") or name,
            "timestamp": row.get("timestamp"),
            "urn": step.get("urn") or event.get("resourceUrn") or event.get("urn") or None,
            "resource_type": step.get("type"),
            "op": step.get("op"),
            "provider": step.get("provider"),
            "resource_id": next(filter(None, (state.get("id") for state in states)), None),
            "planning": event.get("planning"),
            "diffs": step.get("diffs"),
            "replace_keys": step.get("keys"),
            "detailed_diff": _kinds_of_difference(step.get("detailedDiff")),
            "init_error_count": len(states[0].get("initErrors") or ()) if step else None,
            "severity": event.get("severity") or None,
            "enforcement_level": event.get("enforcementLevel"),
            "policy_pack": event.get("policyPackName"),
            "policy_pack_version_tag": event.get("policyPackVersionTag"),
            "policy_name": event.get("policyName"),
            "status": event.get("status"),
            "duration_seconds": event.get("durationSeconds"),
            "resource_changes": _counts(event.get("resourceChanges")),
            "result": event.get("result"),
            "passed": event.get("passed"),
            "failed": event.get("failed"),
            "message": told if self.config["pulumi_messages"] else None,
        }


def _kind(row: Row) -> str:
    """The field that has the event: the one that is not null."""
    found = (n for n, v in row.items() if n.endswith("Event") and v is not None)
    return next(found, "")


def _is_kept(row: Row) -> bool:
    name = _kind(row)
    return name in _KEPT and not as_object(row[name]).get("ephemeral")


def _counts(changes: Any) -> Any:
    """By operation how many resources; what is no number is none of the engine's."""
    if not isinstance(changes, dict):
        return None
    return {name: count if type(count) is int else None for name, count in changes.items()}


def _kinds_of_difference(diff: Any) -> Any:
    """By the path of a property how it differs, without values; null and {} are not the same."""
    if not isinstance(diff, dict):
        return None
    return {path: as_object(each).get("diffKind") for path, each in diff.items()}
