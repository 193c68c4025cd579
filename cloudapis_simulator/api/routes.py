"""The routes of both services: from a matched path to a cached, encoded answer."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import msgspec
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cloudapis_simulator.api import audit, dbt, pulumi
from cloudapis_simulator.api.artifacts import ArtifactApi
from cloudapis_simulator.api.cache import JsonCache
from cloudapis_simulator.api.deployments import DeploymentApi
from cloudapis_simulator.api.errors import BadRequestError, NoFileError, NotFoundError
from cloudapis_simulator.api.lists import ListApi
from cloudapis_simulator.api.policy import PolicyApi
from cloudapis_simulator.api.query import Query
from cloudapis_simulator.api.registry import RegistryApi
from cloudapis_simulator.api.search import SearchApi
from cloudapis_simulator.api.update_details import UpdateDetailApi
from cloudapis_simulator.api.usage import UsageApi
from cloudapis_simulator.api.vcs import VcsApi
from cloudapis_simulator.table import Grid
from cloudapis_simulator.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import Headers
    from starlette.requests import Request

    from cloudapis_simulator.api.lists import Handler
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World

DBT_TOKEN = "dbtc_fake-token-of-the-simulator"  # noqa: S105 - fake by design
PULUMI_TOKEN = "pul-fake-token-of-the-simulator"  # noqa: S105 - fake by design

_ENCODER = msgspec.json.Encoder()
_DBT_SCHEMES = ("token", "bearer")
_PULUMI_SCHEMES = ("token",)


class _Endpoint(NamedTuple):
    """A route; not `cached` where an answer is asked for but once, or heeds other settings.

    One that `posts` is asked by a body.
    """

    path: str
    stream: str | None
    handler: Handler
    cached: bool = True
    posts: bool = False


def service_of(path: str) -> str:
    """Return `dbt` or `pulumi`, by the path."""
    return "dbt" if re.match(r"/+api/+v[23](/|$)", path) else "pulumi"


def slashless_paths() -> list[re.Pattern[str]]:
    """Return the few paths of dbt that do not end with a slash."""
    paths = (path for table in TABLES.values() for path in (table.path, table.detail))
    files = re.compile(r"/api/v2/accounts/[^/]+/runs/[^/]+/artifacts/.+")
    declared = [
        re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for path in paths
        if path and service_of(path) == "dbt" and not path.endswith("/")
    ]
    return [files, *declared]


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


def _question(body: bytes) -> dict[str, Any]:
    """Read the body of a POST.

    Raises:
        BadRequestError: It is no JSON object.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise BadRequestError("invalid request body") from None


class Api:
    """Both services' routes over one world.

    Args:
        world: Where the answers come from.
        behaviour: How the services answer at the moment.
        cache_bytes: Most memory for encoded answers and rows.
    """

    def __init__(self, world: World, behaviour: Behaviour, cache_bytes: int) -> None:
        self._behaviour = behaviour
        self._cache = JsonCache(world.clock, cache_bytes)
        self._dbt = dbt.DbtApi(world, behaviour, self._cache)
        self._pulumi = pulumi.PulumiApi(world, behaviour)
        self._lists = ListApi(world, behaviour)
        self._files = ArtifactApi(world)
        self._deployments = DeploymentApi(world, behaviour)
        self._policy = PolicyApi(world)
        self._audit = audit.AuditApi(world, behaviour)
        self._vcs = VcsApi(world)
        self._usage = UsageApi(world)
        self._search = SearchApi(world, behaviour)
        self._registry = RegistryApi(world, behaviour)
        self._details = UpdateDetailApi(world, behaviour)

    def routes(self) -> list[Route]:
        """Return the routes; `scope["path"]` must hold the undecoded path."""
        return [
            Route(
                endpoint.path,
                self._answerer(endpoint),
                methods=["POST" if endpoint.posts else "GET"],
            )
            for endpoint in self._endpoints()
        ]

    def _endpoints(self) -> list[_Endpoint]:
        v2 = "/api/v2/accounts/{account}/"
        run = f"{v2}runs/{{run}}"
        org, stack = "/api/orgs/{org}", "/api/stacks/{org}/{project}/{stack}"
        return [
            # Its rows are cached one by one, for pages of any cut.
            _Endpoint(f"{v2}runs/", "dbt_runs", self._dbt.runs, cached=False),
            _Endpoint(f"{stack}/updates", "pulumi_stack_updates", self._pulumi.updates),
            _Endpoint(
                f"{stack}/updates/{{version}}", "pulumi_stack_updates", self._pulumi.one_update
            ),
            *self._update_details(stack),
            _Endpoint(f"{run}/", "dbt_runs", self._dbt.run, cached=False),
            *self._artifacts(f"{run}/artifacts/"),
            _Endpoint(f"{v2}jobs/", "dbt_jobs", self._dbt.jobs),
            _Endpoint(v2, "dbt_accounts", self._dbt.account),
            _Endpoint("/api/v3/accounts/", "dbt_accounts", self._dbt.accounts, cached=False),
            _Endpoint("/api/user", None, self._pulumi.user),
            _Endpoint("/api/user/stacks", "pulumi_stacks", self._pulumi.stacks),
            _Endpoint("/api/capabilities", None, self._pulumi.capabilities),
            _Endpoint(org, "pulumi_organizations", self._pulumi.organization),
            _Endpoint(f"{org}/metadata", "pulumi_organizations", self._pulumi.metadata),
            _Endpoint(f"{org}/members", "pulumi_organization_members", self._pulumi.members),
            _Endpoint(stack, "pulumi_stack_details", self._pulumi.stack),
            _Endpoint(audit.PATH, "pulumi_audit_logs", self._audit.older),
            *(
                _Endpoint(path, "pulumi_vcs_integrations", handler)
                for path, handler in self._vcs.handlers().items()
            ),
            *(
                _Endpoint(path, "pulumi_usage_daily", handler)
                for path, handler in self._usage.handlers().items()
            ),
            *(
                _Endpoint(path, "pulumi_resources", handler)
                for path, handler in self._search.handlers().items()
            ),
            *(
                _Endpoint(path, stream, handler)
                for path, (stream, handler) in self._registry.handlers().items()
            ),
            _Endpoint(
                f"{org}/policygroups/metadata", "pulumi_policy_summary", self._policy.coverage
            ),
            _Endpoint(
                "/api/registry/policypacks",
                "pulumi_policy_packs",
                self._policy.registry,
                cached=False,
                posts=True,
            ),
            *self._declared(),
            # Behind what has other words in that place.
            _Endpoint(f"{stack}/deployments", "pulumi_deployments", self._deployments.of_stack),
            _Endpoint(
                f"{stack}/deployments/{{deployment}}", "pulumi_deployments", self._deployments.one
            ),
        ]

    def _update_details(self, stack: str) -> list[_Endpoint]:
        """Return the routes of what hangs on single updates."""
        one = f"{stack}/updates/{{version}}"
        api = self._details
        return [
            _Endpoint(f"{one}/previews", "pulumi_stack_previews", api.previews),
            _Endpoint(f"{one}/timeline", "pulumi_update_timelines", api.timeline),
            _Endpoint(f"{stack}/update/{{update}}/events", "pulumi_update_events", api.events),
        ]

    def _artifacts(self, path: str) -> list[_Endpoint]:
        """Return the routes of the files of a run."""
        api = self._files
        return [
            _Endpoint(path, "dbt_run_artifacts", api.files, cached=False),
            _Endpoint(f"{path}run_results.json", "dbt_run_results", api.run_results, cached=False),
            _Endpoint(f"{path}sources.json", "dbt_source_freshness", api.sources, cached=False),
            _Endpoint(f"{path}{{file:path}}", None, api.other, cached=False),
        ]

    def _declared(self) -> list[_Endpoint]:
        endpoints = [
            _Endpoint(path, table.stream, handler, cached=not posts, posts=posts)
            for table in TABLES.values()
            for path, handler in self._lists.handlers(table).items()
            for posts in (isinstance(table.paging, Grid) and path == table.path,)
        ]
        # "{" is behind all letters: what is called by name comes before what names a part.
        return sorted(endpoints, key=lambda endpoint: endpoint.path)

    def _answerer(self, endpoint: _Endpoint) -> Callable[[Request], Any]:
        service = service_of(endpoint.path)

        async def answer(request: Request) -> Response:
            request.scope["simulator"].update(template=endpoint.path, stream=endpoint.stream)
            refusal = self._refusal(service, endpoint, request.headers)
            if refusal is not None:
                return refusal
            try:
                asked = _question(await request.body()) if endpoint.posts else None
                body = self._body(endpoint, request, asked)
            except BadRequestError as error:
                return failure(service, 400, str(error))
            except NoFileError:
                return PlainTextResponse("The file was not found.\n", 404)
            except NotFoundError:
                return failure(service, 404, dbt.NOT_FOUND if service == "dbt" else "not found")
            if not body and service == "pulumi":
                return Response(status_code=204)
            return Response(body, media_type="application/json")

        return answer

    def _body(self, endpoint: _Endpoint, request: Request, asked: dict[str, Any] | None) -> bytes:
        scope, behaviour = request.scope, self._behaviour
        key = (
            scope["path"],
            scope["query_string"],
            pulumi.accepted_version(request.headers.get("accept", "")),
            behaviour.page_cap,
            behaviour.over_cap,
        )
        body = self._cache.get(key) if endpoint.cached else None
        if body is None:
            names = {name: unquote(value) for name, value in request.path_params.items()}
            answer = endpoint.handler(names, Query(request.query_params, asked), request.headers)
            body = answer if isinstance(answer, bytes) else _ENCODER.encode(answer)
            if endpoint.cached:
                self._cache.put(key, body)
        return body

    def _refusal(self, service: str, endpoint: _Endpoint, headers: Headers) -> Response | None:
        """Return 401 for a bad token; what a token may not see is 404 (dbt) or 403 (Pulumi)."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if service == "dbt":
            if scheme.lower() not in _DBT_SCHEMES or token.strip() != DBT_TOKEN:
                return failure("dbt", 401, "Invalid token.")
            forbidden = endpoint.stream in self._behaviour.forbid
            return failure("dbt", 404, dbt.NOT_FOUND) if forbidden else None
        if endpoint.path in self._behaviour.missing:
            return PlainTextResponse("404 page not found\n", 404)
        if scheme not in _PULUMI_SCHEMES or token.strip() != PULUMI_TOKEN:
            return failure("pulumi", 401, "Unauthorized: No credentials provided or invalid.")
        if endpoint.stream in self._behaviour.forbid:
            return failure("pulumi", 403, "Forbidden: your role does not allow this.")
        return None
