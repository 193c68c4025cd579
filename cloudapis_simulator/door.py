"""The door for tests and demos: truth, journal, clock, stacks, settings, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from cloudapis_simulator import truth
from cloudapis_simulator.clock import SECOND, parse_time, rfc3339
from cloudapis_simulator.faults import ClockMove, read_faults
from cloudapis_simulator.gate import DOOR_PATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from cloudapis_simulator.gate import Gate
    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World


class Door:
    """Routes under `/_simulator`, without authentication; answers are JSON.

    A bad request gets `{"error": ...}`.
    """

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour
        self.gate: Gate | None = None

    def routes(self) -> list[Route]:
        """Return the door's routes."""
        return [
            _route("health", "GET", self._health),
            _route("truth", "GET", self._truth),
            _route("requests", "GET", self._requests),
            _route("requests", "DELETE", self._forget_requests),
            _route("clock", "POST", self._move_clock),
            _route("stacks", "POST", self._change_stacks),
            _route("settings", "POST", self._change_settings),
            _route("faults", "POST", self._add_faults),
            _route("faults", "DELETE", self._forget_faults),
        ]

    def _open_gate(self) -> Gate:
        if self.gate is None:
            raise RuntimeError("the door is not connected to a gate")
        return self.gate

    async def _health(self, _request: Request) -> Any:
        return {"now": rfc3339(self._world.clock.now)}

    async def _truth(self, request: Request) -> Any:
        """`?stream=NAME&...`, `counts=1` (without rows), `details=1` (what only details tell)."""
        params = request.query_params
        return truth.tell(
            self._world,
            params.getlist("stream"),
            with_rows=not params.get("counts"),
            details=bool(params.get("details")),
        )

    async def _requests(self, _request: Request) -> Any:
        return self._open_gate().journal.told()

    async def _forget_requests(self, _request: Request) -> Any:
        self._open_gate().journal.clear()
        return {}

    async def _move_clock(self, request: Request) -> Any:
        """`{"now": TIME}`, or `{"advance_seconds": N[, "after_requests": K, "path": REGEX]}`."""
        order = await request.json()
        clock = self._world.clock
        if "now" in order:
            clock.move_to(parse_time(order["now"]))
            return {"now": rfc3339(clock.now)}
        advance = round(float(order["advance_seconds"]) * SECOND)
        if advance < 0:
            raise ValueError("the clock only moves forward")
        if "after_requests" in order:
            move = ClockMove(advance, int(order["after_requests"]), order.get("path", ""))
            self._open_gate().clock_moves.append(move)
        else:
            clock.move_to(clock.now + advance)
        return {"now": rfc3339(clock.now)}

    async def _change_stacks(self, request: Request) -> Any:
        """`{"from": "org/project/stack", "to": ...}`, or `{"make": ...[, "updates": N]}`."""
        order = await request.json()
        if "make" in order:
            self._world.make_stack(str(order["make"]), int(order.get("updates", 1)))
        else:
            self._world.move_stack(str(order["from"]), str(order["to"]))
        return {"now": rfc3339(self._world.clock.now)}

    async def _change_settings(self, request: Request) -> Any:
        changes = await request.json()
        truth.known(changes.get("forbid", ()))
        self._behaviour.change(changes)
        return vars(self._behaviour)

    async def _add_faults(self, request: Request) -> Any:
        faults = self._open_gate().faults
        faults.extend(read_faults(await request.json()))
        return {"faults": sum(fault.times for fault in faults)}

    async def _forget_faults(self, _request: Request) -> Any:
        self._open_gate().faults.clear()
        return {}


def _route(name: str, method: str, handler: Callable[[Request], Any]) -> Route:
    async def answer(request: Request) -> Response:
        status = 200
        try:
            body = await handler(request)
        except (ValueError, KeyError, TypeError) as error:
            body, status = {"error": str(error)}, 400
        return Response(msgspec.json.encode(body), status, media_type="application/json")

    return Route(f"{DOOR_PATH}/{name}", answer, methods=[method])
