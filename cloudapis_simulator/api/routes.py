"""The routes of both services: from a matched path to a cached, encoded answer."""

from __future__ import annotations

import re
import traceback
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import msgspec
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cloudapis_simulator.api import dbt, pulumi
from cloudapis_simulator.api.errors import BadRequestError, NotFoundError
from cloudapis_simulator.api.query import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.datastructures import Headers
    from starlette.requests import Request

    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World

    Handler = Callable[[Mapping[str, str], Query, Headers], dict[str, Any]]

DBT_TOKEN = "dbtc_fake-token-of-the-simulator"  # noqa: S105 - fake by design
PULUMI_TOKEN = "pul-fake-token-of-the-simulator"  # noqa: S105 - fake by design

_ENCODER = msgspec.json.Encoder()
_DBT_SCHEMES = ("token", "bearer")
_PULUMI_SCHEMES = ("token",)


class _Endpoint(NamedTuple):
    path: str
    stream: str | None
    handler: Handler


class PageCache:
    """Encoded answers, as many as fit into so many bytes; the longest unused go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._pages: OrderedDict[object, bytes] = OrderedDict()
        self._version: object = None

    def get(self, key: object, version: object) -> bytes | None:
        """Return the answer kept under `key`, if it still holds for `version` of the world."""
        if version != self._version:
            self._pages.clear()
            self._bytes, self._version = 0, version
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
        return page

    def put(self, key: object, page: bytes) -> None:
        """Keep an answer for the version last asked for."""
        self._bytes += len(page) - len(self._pages.pop(key, b""))
        self._pages[key] = page
        while self._bytes > self._most_bytes:
            _, dropped = self._pages.popitem(last=False)
            self._bytes -= len(dropped)


def service_of(path: str) -> str:
    """Return `dbt` or `pulumi`, by the path."""
    return "dbt" if re.match(r"/+api/+v[23](/|$)", path) else "pulumi"


def failure(service: str, status: int, message: str) -> Response:
    """Return an error in the form of the service."""
    body = dbt.failure(status, message) if service == "dbt" else pulumi.failure(status, message)
    return Response(_ENCODER.encode(body), status, media_type="application/json")


def unknown_route(request: Request, _error: Exception) -> Response:
    """Answer a path that no route matches."""
    if service_of(request.scope["path"]) == "dbt":
        return failure("dbt", 404, dbt.NOT_FOUND)
    return PlainTextResponse("404 page not found\n", 404)


def wrong_method(request: Request, _error: Exception) -> Response:
    """Answer a method that the route does not know."""
    if service_of(request.scope["path"]) == "dbt":
        body = {"detail": f'Method "{request.method}" not allowed.'}
        return Response(_ENCODER.encode(body), 405, media_type="application/json")
    return failure("pulumi", 405, "method not allowed")


def own_mistake(_request: Request, error: Exception) -> Response:
    """Show a mistake of the simulator itself; the server's own log is silent."""
    traceback.print_exception(error)
    return PlainTextResponse("the simulator made a mistake: see its stderr\n", 500)


class Api:
    """Both services' routes over one world.

    Args:
        world: Where the answers come from.
        behaviour: How the services answer at the moment.
        cache_bytes: Most memory for encoded answers.
    """

    def __init__(self, world: World, behaviour: Behaviour, cache_bytes: int) -> None:
        self._world = world
        self._behaviour = behaviour
        self._cache = PageCache(cache_bytes)
        self._dbt = dbt.DbtApi(world, behaviour)
        self._pulumi = pulumi.PulumiApi(world, behaviour)

    def routes(self) -> list[Route]:
        """Return the routes; `scope["path"]` must hold the undecoded path."""
        return [
            Route(endpoint.path, self._answerer(endpoint), methods=["GET"])
            for endpoint in self._endpoints()
        ]

    def _endpoints(self) -> list[_Endpoint]:
        v2, v3 = "/api/v2/accounts/{account}/", "/api/v3/accounts/{account}/"
        org, stack = "/api/orgs/{org}", "/api/stacks/{org}/{project}/{stack}"
        return [
            _Endpoint(f"{v2}runs/", "dbt_runs", self._dbt.runs),
            _Endpoint(f"{stack}/updates", "pulumi_stack_updates", self._pulumi.updates),
            _Endpoint(f"{v2}runs/{{run}}/", "dbt_runs", self._dbt.run),
            _Endpoint(f"{v2}jobs/", "dbt_jobs", self._dbt.jobs),
            _Endpoint(v2, "dbt_accounts", self._dbt.account),
            _Endpoint("/api/v3/accounts/", "dbt_accounts", self._dbt.accounts),
            _Endpoint(f"{v3}projects/", "dbt_projects", self._dbt.projects),
            _Endpoint(
                f"{v3}projects/{{project}}/environments/",
                "dbt_environments",
                self._dbt.environments,
            ),
            _Endpoint(f"{v3}connections/", "dbt_connections", self._dbt.connections),
            _Endpoint("/api/user", None, self._pulumi.user),
            _Endpoint("/api/user/stacks", "pulumi_stacks", self._pulumi.stacks),
            _Endpoint("/api/capabilities", None, self._pulumi.capabilities),
            _Endpoint(org, "pulumi_organizations", self._pulumi.organization),
            _Endpoint(f"{org}/metadata", "pulumi_organizations", self._pulumi.metadata),
            _Endpoint(f"{org}/members", "pulumi_organization_members", self._pulumi.members),
            _Endpoint(f"{org}/teams", "pulumi_organization_teams", self._pulumi.teams),
            _Endpoint(stack, "pulumi_stacks", self._pulumi.stack),
        ]

    def _answerer(self, endpoint: _Endpoint) -> Callable[[Request], Any]:
        service = service_of(endpoint.path)

        async def answer(request: Request) -> Response:
            request.scope["simulator"].update(template=endpoint.path, stream=endpoint.stream)
            refusal = self._refusal(service, endpoint.stream, request.headers)
            if refusal is not None:
                return refusal
            try:
                body = self._body(endpoint, request)
            except BadRequestError as error:
                return failure(service, 400, str(error))
            except NotFoundError:
                return failure(service, 404, dbt.NOT_FOUND if service == "dbt" else "not found")
            return Response(body, media_type="application/json")

        return answer

    def _body(self, endpoint: _Endpoint, request: Request) -> bytes:
        scope = request.scope
        accept = request.headers.get("accept", "")
        key = (scope["path"], scope["query_string"], pulumi.accepted_version(accept))
        behaviour = self._behaviour
        version = (
            self._world.clock.version,
            behaviour.page_cap,
            behaviour.over_cap,
            behaviour.ignore_keyset,
        )
        body = self._cache.get(key, version)
        if body is None:
            names = {name: unquote(value) for name, value in request.path_params.items()}
            answer = endpoint.handler(names, Query(request.query_params), request.headers)
            body = _ENCODER.encode(answer)
            self._cache.put(key, body)
        return body

    def _refusal(self, service: str, stream: str | None, headers: Headers) -> Response | None:
        """Return 401 for a bad token; what a token may not see is 404 (dbt) or 403 (Pulumi)."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if service == "dbt":
            if scheme.lower() not in _DBT_SCHEMES or token.strip() != DBT_TOKEN:
                return failure("dbt", 401, "Invalid token.")
            if stream in self._behaviour.forbid:
                return failure("dbt", 404, dbt.NOT_FOUND)
            return None
        if scheme not in _PULUMI_SCHEMES or token.strip() != PULUMI_TOKEN:
            return failure("pulumi", 401, "Unauthorized: No credentials provided or invalid.")
        if stream in self._behaviour.forbid:
            return failure("pulumi", 403, "Forbidden: your role does not allow this.")
        return None
