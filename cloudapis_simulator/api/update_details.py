"""What hangs on single updates of the Pulumi Cloud REST API: previews, timelines, events."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.api.paging import by_number, by_token
from cloudapis_simulator.table import Pages, Tokens
from cloudapis_simulator.world.events import events, pull_request
from cloudapis_simulator.world.previews import previews
from cloudapis_simulator.world.updates import update_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World
    from cloudapis_simulator.world.stacks import Stack

Row = dict[str, Any]

_EVENTS_PER_PAGE = 7


class UpdateDetailApi:
    """Answers the routes below single updates from the world."""

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour

    def previews(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET S/updates/{version}/previews`: of the newest for `latest`; oldest first if asked.

        Page 0 is everything, and then no size may be asked for.
        """
        del headers
        stack, number = self._update(names)
        if not query.integer("page") and query.integer("pageSize"):
            raise BadRequestError("pageSize must not be set without page.")
        now = self._world.clock.now
        runs = [preview.run for preview in previews(stack, number, now)]
        if query.text("asc") != "true":
            runs.reverse()
        shown, more = by_number(runs, query, self._behaviour, Pages())
        every = stack.numbers(now)
        latest = stack.update(every[-1]).version if every else 0
        return {"updates": [update_row(stack, run, latest, now) for run in shown], **more}

    def timeline(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET S/updates/{version}/timeline`."""
        del query, headers
        stack, number = self._update(names)
        if not number:
            raise NotFoundError
        now = self._world.clock.now
        update = stack.update(number)
        latest = stack.update(stack.numbers(now)[-1]).version
        runs = [preview.run for preview in previews(stack, number, now)]
        row = update_row(stack, update, latest, now)
        request = pull_request(update)
        return {
            "update": row,
            "collatedUpdateEvents": [row],
            "previews": [update_row(stack, run, latest, now) for run in runs],
            **({"collatedPullRequest": request} if request else {}),
        }

    def events(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET S/update/{id}/events`: pages by token, which is null at the end."""
        del headers
        stack, now = self._stack(names), self._world.clock.now
        every = map(stack.update, stack.numbers(now))
        update = next((update for update in every if update.id == names["update"]), None)
        if update is None:
            raise NotFoundError
        rows = events(stack, update)
        shown, more = by_token(rows, query, self._behaviour, Tokens(_EVENTS_PER_PAGE))
        return {"events": shown, "continuationToken": None, **more}

    def _update(self, names: Mapping[str, str]) -> tuple[Stack, int]:
        """Return the stack and the number of the update that a path names, 0 for none yet."""
        stack, now = self._stack(names), self._world.clock.now
        numbers = stack.numbers(now)
        if names["version"] == "latest":
            return stack, numbers[-1] if numbers else 0
        if not re.fullmatch(r"[0-9]{1,18}", names["version"]):
            raise BadRequestError("Invalid 'version' value.")
        version = int(names["version"])
        place = bisect_left(numbers, version, key=lambda number: stack.update(number).version)
        if place == len(numbers) or stack.update(numbers[place]).version != version:
            raise NotFoundError
        return stack, numbers[place]

    def _stack(self, names: Mapping[str, str]) -> Stack:
        now = self._world.clock.now
        for organization in self._world.organizations:
            if organization.login == names["org"]:
                stack = organization.stacks.find(names["project"], names["stack"], now)
                if stack is not None:
                    return stack
        raise NotFoundError
