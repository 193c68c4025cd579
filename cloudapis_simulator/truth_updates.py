"""What is true of what hangs on single updates of Pulumi stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.clock import SECOND, rfc3339
from cloudapis_simulator.world.events import events as events_of
from cloudapis_simulator.world.events import pull_request
from cloudapis_simulator.world.previews import every_preview
from cloudapis_simulator.world.previews import previews as previews_behind
from cloudapis_simulator.world.updates import update_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.world import World
    from cloudapis_simulator.world.stacks import Stack, Update

Row = dict[str, Any]


def _stacks(world: World) -> Iterator[tuple[Row, Stack]]:
    for organization in world.organizations:
        for stack in organization.stacks.listed(world.clock.now):
            names = {
                "org_name": organization.login,
                "project_name": stack.project,
                "stack_name": stack.name,
                "stack_id": stack.id,
            }
            yield names, stack


def _seconds(at: int) -> str:
    return rfc3339(at // SECOND * SECOND)


def previews(world: World) -> Iterator[Row]:
    """Yield the previews of all stacks."""
    now = world.clock.now
    for names, stack in _stacks(world):
        for _, run in every_preview(stack, now):
            ended = None if run.is_open(now) else run.ended_at
            yield {
                **names,
                "update_id": run.id,
                "version": run.version,
                "kind": run.kind,
                "result": run.result(now),
                "start_time": _seconds(run.started_at),
                "end_time": None if ended is None else _seconds(ended),
            }


def _ended(world: World) -> Iterator[tuple[Row, Stack, int, Update]]:
    now = world.clock.now
    for names, stack in _stacks(world):
        for number in stack.numbers(now):
            update = stack.update(number)
            if not update.is_open(now):
                yield names, stack, number, update


def timelines(world: World) -> Iterator[Row]:
    """Yield the timelines of all updates that have ended and are of a commit."""
    for names, stack, number, update in _ended(world):
        if "git.head" not in update_row(stack, update, 0, world.clock.now)["info"]["environment"]:
            continue
        request = pull_request(update) or {}
        times = {name: request.get(name) for name in ("createdAt", "closedAt")}
        created, closed = (None if at is None else _seconds(at * SECOND) for at in times.values())
        runs = [preview.run for preview in previews_behind(stack, number, world.clock.now)]
        yield {
            **names,
            "version": update.version,
            "update_id": update.id,
            "pr_number": request.get("number"),
            "pr_title": request.get("title"),
            "pr_created_at": created,
            "pr_closed_at": closed,
            "pr_was_merged": request.get("wasMerged"),
            "pr_merge_commit_sha": request.get("mergeCommitSHA"),
            "collated_update_ids": [update.id],
            "preview_ids": [run.id for run in runs],
        }


_UNTOLD = ("preludeEvent", "stdoutEvent", "progressEvent")


def events(world: World) -> Iterator[Row]:
    """Yield the events of all updates that have ended, but for output and configuration."""
    for names, stack, _, update in _ended(world):
        for number, event in enumerate(events_of(stack, update), 1):
            kind = event["type"]
            inside = event[kind]
            if kind in _UNTOLD or inside.get("ephemeral"):
                continue
            step = inside.get("metadata", {})
            yield {
                **names,
                "update_id": update.id,
                "event_number": number,
                "version": update.version,
                "type": kind,
                "timestamp": _seconds(event["timestamp"] * SECOND),
                "urn": step.get("urn") or inside.get("resourceUrn"),
                "op": step.get("op"),
                "detailed_diff": dict.fromkeys(step["detailedDiff"], "update") if step else None,
                "policy_name": inside.get("policyName"),
                "duration_seconds": inside.get("durationSeconds"),
                "resource_changes": inside.get("resourceChanges"),
                "result": inside.get("result"),
                "failed": inside.get("failed"),
                "message": None,
            }
