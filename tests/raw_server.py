"""A server on loopback that writes to the socket itself, for answers that are hardly HTTP."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer as it should be; its length is added if no header is about that."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if not any(h.lower().startswith(("content-length", "transfer-enc")) for h in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class RawServer:
    """Answers each request with pieces of bytes, and closes the connection; a context manager.

    Args:
        answer: Gives the pieces for a path; each is sent when it is taken.
        keeps: Whether connections are kept for more requests.

    Attributes:
        url: The base URL.
        asked: The paths that were asked for, in order.
        heads: What came before the bodies of the requests, in the same order.
        connections: How many connections were made.
    """

    def __init__(self, answer: Callable[[str], Iterable[bytes]], *, keeps: bool = False) -> None:
        self._answer = answer
        self._keeps = keeps
        self.connections = 0
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Without it, a thread that waits for a connection waits on.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while self._answer_one(connection) and self._keeps:
                    pass
            except OSError:
                return

    def _answer_one(self, connection: socket.socket) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (part := connection.recv(65536)):
                return False
            head += part
        path = head.split()[1].decode()
        self.heads.append(head)
        self.asked.append(path)
        for piece in self._answer(path):
            connection.sendall(piece)
        return True
