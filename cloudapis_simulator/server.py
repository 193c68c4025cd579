"""The process: one application on one loopback port, which ends quietly."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette

from cloudapis_simulator.api.routes import (
    DBT_TOKEN,
    PULUMI_TOKEN,
    Api,
    own_mistake,
    unknown_route,
    wrong_method,
)
from cloudapis_simulator.clock import rfc3339
from cloudapis_simulator.door import Door
from cloudapis_simulator.gate import DOOR_PATH, Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.settings import Behaviour
    from cloudapis_simulator.world import World

HOST = "127.0.0.1"
_BACKLOG = 2048


def application(world: World, behaviour: Behaviour, cache_bytes: int) -> Gate:
    """Return the ASGI application: both services and the door, behind the gate."""
    door = Door(world, behaviour)
    api = Api(world, behaviour, cache_bytes)
    app = Starlette(
        routes=[*api.routes(), *door.routes()],
        exception_handlers={404: unknown_route, 405: wrong_method, 500: own_mistake},
    )
    app.router.redirect_slashes = False
    door.gate = Gate(app, world, behaviour)
    return door.gate


def listen(port: int) -> socket.socket:
    """Return a socket that listens on loopback; port 0 takes a free one.

    Raises:
        OSError: The port is in use or not allowed.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        sock.listen(_BACKLOG)
    except (OSError, OverflowError):
        sock.close()
        raise
    return sock


def serve(
    world: World,
    behaviour: Behaviour,
    sock: socket.socket,
    *,
    cache_bytes: int,
    exit_with_parent: bool,
) -> None:
    """Serve until SIGTERM or SIGINT, or until stdin ends when `exit_with_parent`.

    Prints one JSON line on stdout as soon as it answers: urls, tokens, seed and now.
    """
    config = uvicorn.Config(
        application(world, behaviour, cache_bytes),
        access_log=False,
        log_level="critical",
        lifespan="off",
        ws="none",
        http="httptools",
        server_header=False,
        date_header=False,
        timeout_keep_alive=120,
    )
    port = sock.getsockname()[1]
    _Server(config, _greeting(world, port), exit_with_parent=exit_with_parent).run([sock])


def _greeting(world: World, port: int) -> str:
    url = f"http://{HOST}:{port}"
    return json.dumps(
        {
            "dbt_url": url,
            "pulumi_url": url,
            "door_url": f"{url}{DOOR_PATH}",
            "dbt_token": DBT_TOKEN,
            "pulumi_token": PULUMI_TOKEN,
            "seed": world.seed,
            "now": rfc3339(world.clock.now),
        }
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, greeting: str, *, exit_with_parent: bool) -> None:
        super().__init__(config)
        self._greeting = greeting
        self._exit_with_parent = exit_with_parent

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._greeting, flush=True)  # noqa: T201 - the contract of the command
        if self._exit_with_parent:
            threading.Thread(target=_leave_at_end_of_stdin, daemon=True).start()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave)
        yield


def _leave(*_: object) -> None:
    """End at once: there is nothing to tidy up, and nobody should have to wait."""
    os._exit(0)


def _leave_at_end_of_stdin() -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    _leave()
