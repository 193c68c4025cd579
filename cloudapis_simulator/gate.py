"""What every request passes before and after its answer: log, latency, limits and faults."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from cloudapis_simulator.api.dbt import NOT_FOUND
from cloudapis_simulator.api.routes import failure, service_of, slashless_paths
from cloudapis_simulator.chance import Dice, share
from cloudapis_simulator.clock import SECOND

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cloudapis_simulator.faults import ClockMove, Fault
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World

DOOR_PATH = "/_simulator"
_MOST_REQUESTS_KEPT = 50_000
_REDIRECT = 308
_TOO_MANY = 429
_HANG_SECONDS = 3600


class Journal:
    """The requests that came in, newest last, and how many per path template."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=_MOST_REQUESTS_KEPT)
        self._counts: Counter[str] = Counter()

    def add(self, entry: dict[str, Any]) -> None:
        """Note a request that has been answered."""
        self._entries.append(entry)
        self._counts[entry["template"]] += 1

    def clear(self) -> None:
        """Forget all requests."""
        self._entries.clear()
        self._counts.clear()

    def told(self) -> dict[str, Any]:
        """Return `{"requests": [...], "counts": {template: n}}`."""
        requests = [
            {**entry, "query": dict(parse_qsl(entry["query"], keep_blank_values=True))}
            for entry in self._entries
        ]
        return {"requests": requests, "counts": dict(self._counts)}


class _Limit:
    """A bucket of requests that refills at `rate` per second, and holds a second's worth."""

    def __init__(self) -> None:
        self._left = 0.0
        self._at: float | None = None

    def allows(self, rate: float, now: float) -> bool:
        most = max(rate, 1.0)
        passed = most if self._at is None else (now - self._at) * rate
        self._left, self._at = min(most, self._left + passed), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Gate:
    """ASGI application around the two services; requests to the door pass untouched."""

    def __init__(self, app: ASGIApp, world: World, behaviour: Behaviour) -> None:
        self._app = app
        self._world = world
        self._behaviour = behaviour
        self._chance = Dice(world.seed, "faults")
        self._number = 0
        self._slashless = slashless_paths()
        self._limits: defaultdict[str, _Limit] = defaultdict(_Limit)
        self.journal = Journal()
        self.faults: list[Fault] = []
        self.clock_moves: list[ClockMove] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            return
        # Routes match the path as it was sent: an encoded slash belongs to a name.
        scope["path"] = scope["raw_path"].decode("ascii", "replace")
        if scope["path"].startswith(DOOR_PATH):
            await self._app(scope, receive, send)
            return
        path, query = scope["path"], scope["query_string"].decode("ascii", "replace")
        service = service_of(path)
        scope["simulator"] = {"template": "(not routed)", "stream": None}
        self._number += 1
        bits = self._chance.roll(self._number)
        fault = next((fault for fault in self.faults if fault.strikes(path, query)), None)
        spoiled = fault.status if fault else None
        if spoiled is None and share(bits, 1) < self._behaviour.cut_rate:
            spoiled = "cut"
        wait = _HANG_SECONDS if spoiled == "hang" else self._behaviour.latency_ms / 1000
        if wait:
            await asyncio.sleep(wait)
        early = self._spoiled(service, fault) or self._early(scope, service, bits)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                now = formatdate(self._world.clock.now / SECOND, usegmt=True)
                message["headers"] = [*message["headers"], (b"date", now.encode())]
                # Before the client can see it: what it asks next finds journal and clock moved.
                self._note(scope, service, message["status"], spoiled)
            elif spoiled == "cut":
                # Announced in full, never completed: the server closes the connection.
                half = message["body"][: len(message["body"]) // 2]
                message = {"type": "http.response.body", "body": half, "more_body": True}
            await send(message)

        await (early or self._app)(scope, receive, answer)

    def _note(self, scope: Scope, service: str, status: int, spoiled: str | int | None) -> None:
        self.journal.add(
            {
                "service": service,
                "method": scope["method"],
                "path": scope["path"],
                "query": scope["query_string"].decode("ascii", "replace"),
                "status": status,
                "fault": spoiled,
                **scope["simulator"],
            }
        )
        for move in self.clock_moves:
            if move.due_after(scope["path"]):
                self._world.clock.move_to(self._world.clock.now + move.advance)
        self.clock_moves = [move for move in self.clock_moves if move.after_requests > 0]

    @staticmethod
    def _spoiled(service: str, fault: Fault | None) -> Response | None:
        """Return the answer of a fault that does not need the real one."""
        if fault is None or fault.status == "cut":
            return None
        if fault.status == "empty":
            response = Response(b"", media_type="application/json")
        elif fault.status == "garbage":
            response = Response(b'{"data": [{"id": 1', media_type="application/json")
        elif fault.status == _TOO_MANY:
            response = _too_many(service, fault.retry_after)
        elif fault.status == "hang":
            response = failure(service, 504, "The simulator was told to hang.")
        else:
            response = failure(service, int(fault.status), "The simulator was told to fail.")
        if fault.body is not None:
            response = Response(fault.body, response.status_code)
        if fault.retry_after is not None:
            response.headers["retry-after"] = str(fault.retry_after)
        return response

    def _early(self, scope: Scope, service: str, bits: int) -> Response | None:
        """Return the answer of a service that does not get to its routes."""
        behaviour, path = self._behaviour, scope["path"]
        now = asyncio.get_running_loop().time()
        limit = behaviour.rate_limit
        if limit is not None and not self._limits[service].allows(limit, now):
            return _too_many(service, behaviour.retry_after)
        if share(bits, 0) < behaviour.error_rate:
            return failure(service, 503, "Service temporarily unavailable.")
        if service != "dbt":
            return None
        if "//" in path:
            return failure("dbt", 404, NOT_FOUND)
        if not path.endswith("/") and not any(known.fullmatch(path) for known in self._slashless):
            if behaviour.slash_redirect:
                query = scope["query_string"].decode("ascii", "replace")
                url = f"{path}/?{query}" if query else f"{path}/"
                return RedirectResponse(url, _REDIRECT)
            scope["path"] = f"{path}/"
        return None


def _too_many(service: str, retry_after: int | str | None) -> Response:
    response: Response = PlainTextResponse("rate-limit error", _TOO_MANY)
    if service == "dbt":
        response = failure("dbt", _TOO_MANY, "Too many requests. Please try again later.")
    if retry_after is not None:
        response.headers["retry-after"] = str(retry_after)
    return response
