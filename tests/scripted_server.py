"""An HTTP server on loopback that answers as a test says, where the simulator cannot."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


@dataclass
class Reply:
    """An answer that is more than a JSON body with status 200.

    Attributes:
        body: Bytes as they are, anything else as JSON.
        status: The HTTP status.
        headers: Headers beside the length.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class ScriptedServer:
    """Serves GET requests, and POST requests that only read; a context manager.

    Args:
        answer: Gives a :class:`Reply` or a JSON value for a path and its query; what the body of
            a POST holds is added to the query.
        seconds: How long each answer takes.
        clock: By how many seconds the time differs that answers tell.

    Attributes:
        url: The base URL.
        seconds: How long each answer takes from now on.
        requests: Path, query and headers (in lower case) of every request, in order.
        most_in_flight: The most requests there were at once.
    """

    def __init__(
        self,
        answer: Callable[[str, dict[str, str]], Any],
        *,
        seconds: float = 0,
        clock: float = 0,
    ) -> None:
        self.seconds = seconds
        self.requests: list[dict[str, Any]] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two packets, and the second would wait for an acknowledgement.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query))
                length = int(self.headers.get("Content-Length") or 0)
                query |= json.loads(self.rfile.read(length) or "{}")
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer._arrived({"path": parts.path, "query": query, "headers": headers})
                time.sleep(outer.seconds)
                reply = answer(parts.path, query)
                outer._left()
                if not isinstance(reply, Reply):
                    reply = Reply(reply)
                body = reply.body
                if not isinstance(body, bytes):
                    body = json.dumps(body).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - as http.server calls it

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) + clock)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _arrived(self, request: dict[str, Any]) -> None:
        with self._lock:
            self.requests.append(request)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)

    def _left(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
