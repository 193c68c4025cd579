"""The Pulumi Cloud REST API: organizations, their people, stacks, updates, and failures."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.api.paging import by_number, by_token, read_token, write_token
from cloudapis_simulator.api.query import Query, page_size
from cloudapis_simulator.table import Pages, Tokens
from cloudapis_simulator.world.pulumi import user_row
from cloudapis_simulator.world.updates import update_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World
    from cloudapis_simulator.world.pulumi import Organization
    from cloudapis_simulator.world.stacks import Stack

Row = dict[str, Any]

_STACKS_PER_PAGE = 500
_STACKS_UNPAGINATED = 300
_PAGINATED_SINCE = 8
_MEMBERS_PER_PAGE = 50


def failure(status: int, message: str) -> Row:
    """Return the body of a failure."""
    return {"code": status, "message": message}


def accepted_version(accept: str) -> int:
    """Return N of `Accept: application/vnd.pulumi+N`, 0 when it is not there."""
    match = re.search(r"application/vnd\.pulumi\+(\d+)", accept)
    return int(match.group(1)) if match else 0


class PulumiApi:
    """Answers the Pulumi routes from the world."""

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour

    def capabilities(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/capabilities`."""
        del names, query, headers
        versions = {"minVersion": 1, "maxVersion": 9, "defaultVersion": 8}
        return {
            "capabilities": [
                {"capability": "batch-encrypt"},
                {"capability": "api-version", "version": 1, "configuration": versions},
            ]
        }

    def user(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/user`."""
        del names, query, headers
        return user_row(self._world.organizations)

    def stacks(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/user/stacks`, paginated for `Accept: application/vnd.pulumi+8`."""
        del names
        found = [
            (organization, stack)
            for organization in self._listed_organizations(query.text("organization"))
            for stack in organization.stacks.listed(self._world.clock.now)
        ]
        project = query.text("project")
        if project is not None:
            found = [(owner, stack) for owner, stack in found if stack.project == project]
        found = _tagged(found, query, self._world.clock.now)
        if accepted_version(headers.get("accept", "")) < _PAGINATED_SINCE:
            return {"stacks": self._stack_rows(found[:_STACKS_UNPAGINATED])}
        size = page_size(
            query.integer("maxResults"),
            _STACKS_PER_PAGE,
            _STACKS_PER_PAGE,
            self._behaviour,
            "maxResults",
        )
        token = query.text("continuationToken")
        if token is not None:
            after = read_token(token, len(("organization", "project", "stack")))
            found = found[bisect_right(found, after, key=lambda pair: _key(*pair)) :]
        answer: Row = {"stacks": self._stack_rows(found[:size])}
        if len(found) > size:
            answer["continuationToken"] = write_token(_key(*found[size - 1]))
        return answer

    def organization(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/orgs/{org}`."""
        del query, headers
        return self._organization(names).row()

    def metadata(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/orgs/{org}/metadata`."""
        del query, headers
        return self._organization(names).metadata_row(self._world.clock.now)

    def members(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/orgs/{org}/members`: `backend` is paginated, `frontend` one page of 50."""
        del headers
        rows = self._organization(names).member_rows(self._world.clock.now)
        kind = query.text("type") or "frontend"
        if kind not in ("frontend", "backend"):
            raise BadRequestError("Invalid 'type' value.")
        if kind == "frontend":
            return {"members": self._organization(names).seat_rows(self._world.clock.now)}
        shown, more = by_token(rows, query, self._behaviour, Tokens(_MEMBERS_PER_PAGE))
        return {"members": shown, **more}

    def stack(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/stacks/{org}/{project}/{stack}`."""
        del query, headers
        organization, stack = self._stack(names)
        return organization.stack_detail_row(stack, self._world.clock.now)

    def updates(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/stacks/{org}/{project}/{stack}/updates`: newest first, pages from 1.

        Page 0 (or none) is everything. Without `output-type=service` the flat shape.
        """
        del headers
        _, stack = self._stack(names)
        now = self._world.clock.now
        every = stack.numbers(now)
        numbers, more = by_number(every[::-1], query, self._behaviour, Pages())
        latest = stack.update(every[-1]).version if every else 0
        rows = [update_row(stack, stack.update(number), latest, now) for number in numbers]
        if query.text("output-type") in (None, "cli"):
            return {"updates": [row["info"] for row in rows]}
        return {"updates": rows, **more}

    def one_update(self, names: Mapping[str, str], query: Query, headers: Headers) -> Row:
        """`GET /api/stacks/{org}/{project}/{stack}/updates/{version}`: the service shape."""
        del query, headers
        _, stack = self._stack(names)
        if not re.fullmatch(r"[0-9]{1,18}", names["version"]):
            raise BadRequestError("Invalid 'version' value.")
        version, now = int(names["version"]), self._world.clock.now
        numbers = stack.numbers(now)
        place = bisect_left(numbers, version, key=lambda number: stack.update(number).version)
        if place == len(numbers) or stack.update(numbers[place]).version != version:
            raise NotFoundError
        latest = stack.update(numbers[-1]).version
        return update_row(stack, stack.update(numbers[place]), latest, now)

    def _listed_organizations(self, login: str | None) -> list[Organization]:
        if login is None:
            return sorted(self._world.organizations, key=lambda owner: owner.login)
        return [self._organization({"org": login})]

    def _organization(self, names: Mapping[str, str]) -> Organization:
        for organization in self._world.organizations:
            if organization.login == names["org"]:
                return organization
        raise NotFoundError

    def _stack(self, names: Mapping[str, str]) -> tuple[Organization, Stack]:
        organization = self._organization(names)
        stack = organization.stacks.find(names["project"], names["stack"], self._world.clock.now)
        if stack is None:
            raise NotFoundError
        return organization, stack

    def _stack_rows(self, found: list[tuple[Organization, Stack]]) -> list[Row]:
        now = self._world.clock.now
        return [organization.stack_row(stack, now) for organization, stack in found]


def _tagged(
    found: list[tuple[Organization, Stack]], query: Query, now: int
) -> list[tuple[Organization, Stack]]:
    name, value = query.text("tagName"), query.text("tagValue")
    if name is None:
        return found
    return [
        (organization, stack)
        for organization, stack in found
        if name in (tags := organization.tags(stack, now)) and value in (None, tags[name])
    ]


def _key(organization: Organization, stack: Stack) -> tuple[str, str, str]:
    return organization.login, stack.project, stack.name
