"""One request on the wire: its session, its redirects, and the time it may take.

``http.client`` and requests have timeouts for each part of an answer only. Here the reads of a
socket heed a deadline as well, from the first byte of the headers to the last one of the body.
"""

from __future__ import annotations

import io
import os
import threading
import time
from dataclasses import dataclass
from functools import cache
from http.client import BadStatusLine, HTTPException, HTTPResponse, parse_headers
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, requote_uri
from singer_sdk.exceptions import RetriableAPIError

from tap_cloudapis.core.bodies import TooManyBytesError, read_beginning, read_body
from tap_cloudapis.core.errors import TapError, TooLargeError, TooSlowError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

#: The longest wait for a connection, in seconds.
CONNECT_TIMEOUT = 10
MAX_REDIRECTS = 5
#: The most interim answers (1xx) before an answer.
MAX_INTERIM = 20
OK, NO_CONTENT = 200, 204
SWITCHING_PROTOCOLS = 101
REDIRECTS_FROM = 300
MEGABYTE = 1_000_000

CONNECTION_ERRORS = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,
)


@dataclass(frozen=True)
class Bounds:
    """What a request and its answer may take.

    Attributes:
        timeout: Seconds to wait for a connection, and for each part of an answer.
        seconds: Seconds from sending to the last byte, redirects included.
        megabytes: The size of an answer, unpacked.
    """

    timeout: float
    seconds: float
    megabytes: int

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Bounds:
        """Take them from the tap's settings."""
        timeout = settings["request_timeout_seconds"]
        return cls(
            timeout=timeout,
            seconds=settings.get("request_time_limit_seconds") or 5 * timeout,
            megabytes=settings["max_answer_megabytes"],
        )


class _TimeIsUpError(Exception):
    """The deadline has passed; no error of the operating system, so that no library wraps it."""


class _Clock(threading.local):
    """The deadline of the request that a thread is sending."""

    deadline = 0.0

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            _TimeIsUpError: When there are none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _TimeIsUpError
        return left

    def check(self) -> None:
        """Raise if the time is up."""
        self.left()


_clock = _Clock()


class _TimedReader(io.RawIOBase):
    """Reads from a socket, and waits for it no longer than to the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = _clock.left()
        timeout = self._sock.gettimeout()
        if timeout is None or left < timeout:
            self._sock.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            _clock.check()
            raise

    def close(self) -> None:
        super().close()
        self._raw.close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))

    def _read_status(self) -> tuple[str, int, str]:
        """Skip interim answers (1xx), of which ``http.client`` takes all but 100 for final.

        The answer proper would then be read as that of the next request on the connection.

        Raises:
            BadStatusLine: When the server leaves HTTP, which nobody asked for, or never ends.
        """
        for _ in range(MAX_INTERIM + 1):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if found[1] >= OK:
                return found
            if found[1] == SWITCHING_PROTOCOLS:
                break
            parse_headers(self.fp)
        raise BadStatusLine(str(found[1]))

    def _read_next_chunk_size(self) -> int:
        """Refuse a negative size, which would mean "up to the end" to whoever reads it."""
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            msg = "a chunk of negative size"
            raise HTTPException(msg)
        return size


@cache
def _timed(connection_class: type[Any]) -> type[Any]:
    """The same kind of connection, whose answers heed the deadline."""
    return type("Timed", (connection_class,), {"response_class": _TimedResponse})


class _TimedAdapter(HTTPAdapter):
    """Keeps connections whose answers heed the deadline.

    Proxies and certificates stay the same, so an address has one pool of connections; requests
    would work out again for every request which one it is.
    """

    def __init__(self, connections: int) -> None:
        # A service redirects to its own host at most: from http to https.
        super().__init__(pool_connections=2, pool_maxsize=connections)
        self._pools: dict[str, Any] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> Any:
        address = "/".join(str(request.url).split("/", 3)[:3])
        pool = self._pools.get(address)
        if pool is None:
            made: Any = super().get_connection_with_tls_context(request, *args, **kwargs)
            if made.ConnectionCls.response_class is not _TimedResponse:
                made.ConnectionCls = _timed(made.ConnectionCls)
            pool = self._pools[address] = made
        return pool


class Transport:
    """Sends requests to one service, and reads their answers within bounds.

    Args:
        url: The base URL.
        host: The host, as error messages name it.
        headers: Headers of every request, the authorization among them.
        concurrency: How many connections to keep.
        bounds: What an answer may take.

    Attributes:
        session: What every request is prepared with.
        date: The time of the latest answer, as the server tells it; empty if it does not.
    """

    def __init__(
        self,
        url: str,
        *,
        host: str,
        headers: dict[str, str],
        concurrency: int,
        bounds: Bounds,
    ) -> None:
        self.session = _new_session(url, headers, concurrency)
        self.date = ""
        self._adapter = self.session.get_adapter(url)
        self._host = host
        self._bounds = bounds
        self._timeouts = (min(CONNECT_TIMEOUT, bounds.timeout), bounds.timeout)

    def fetch(
        self, request: requests.PreparedRequest, validate: Callable[[requests.Response], None]
    ) -> bytes | None:
        """Send a request and read its answer; called in a worker thread.

        Args:
            request: A GET.
            validate: Raises an error for an answer that is not a success.

        Returns:
            The body; ``None`` when there is none (204).

        Raises:
            TooLargeError: When the body is beyond its bound.
            TooSlowError: When it took too long.
        """
        bounds = self._bounds
        _clock.deadline = time.monotonic() + bounds.seconds
        try:
            response = self._send(request)
            self.date = response.headers.get("Date", "")
            raw = response.raw
            if response.status_code >= REDIRECTS_FROM:
                response.raw = io.BytesIO(read_beginning(raw))
            validate(response)
            if response.status_code == NO_CONTENT:
                response.close()
                return None
            return read_body(raw, bounds.megabytes * MEGABYTE, _clock.check)
        except _TimeIsUpError:
            msg = (
                f"{self._host} took more than {bounds.seconds:.0f} s for one answer "
                "(request_time_limit_seconds); raise that setting if the service is so slow"
            )
            raise TooSlowError(msg) from None
        except TooManyBytesError:
            msg = (
                f"{self._host} answered with more than {bounds.megabytes} MB "
                "(max_answer_megabytes); raise that setting if such an answer is in order"
            )
            raise TooLargeError(msg) from None

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        """Send a request, and again where it is redirected to.

        The session's own way of sending reads the body of a redirect, however large it is, and
        goes on to other hosts without the token.

        Raises:
            RetriableAPIError: When a redirect leads to where the token must not be sent, as
                services that are down do for a while.
            TapError: When it leads nowhere.
        """
        session = self.session
        for _ in range(MAX_REDIRECTS + 1):
            response = self._adapter.send(
                request,
                stream=True,
                timeout=self._timeouts,
                verify=session.verify or True,
                proxies=session.proxies,
            )
            if not response.is_redirect:
                return response
            read_beginning(response.raw)
            request = self._redirected(request, response)
        msg = f"{self._host} redirects without end ({MAX_REDIRECTS} times)"
        raise TapError(msg)

    def _redirected(
        self, request: requests.PreparedRequest, response: requests.Response
    ) -> requests.PreparedRequest:
        asked = str(request.url)
        try:
            location = self.session.get_redirect_target(response) or ""
            target = requote_uri(urldefrag(urljoin(asked, location)).url)
            parts = urlsplit(target)
            is_elsewhere = self.session.should_strip_auth(asked, target)  # type: ignore[no-untyped-call]
        except (ValueError, requests.exceptions.RequestException):
            msg = f"{self._host} redirects to what is no address"
            raise TapError(msg) from None
        if is_elsewhere:
            there = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:100]
            msg = f"{self._host} redirects to {there}, where the token is not sent"
            raise RetriableAPIError(msg, response)
        redirected = request.copy()
        redirected.url = target
        return redirected


def _new_session(url: str, headers: dict[str, str], concurrency: int) -> requests.Session:
    """A session that honours proxies and CA bundles of the environment, and nothing else of it.

    ``Session.send`` ignores the CA bundle variables, and a netrc entry for the host would
    silently replace the token; so both are settled here, once.
    """
    session = requests.Session()
    session.trust_env = False
    session.proxies = get_environ_proxies(url)
    session.verify = _ca_bundle()
    session.headers.update(headers)
    adapter = _TimedAdapter(concurrency)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _ca_bundle() -> str | bool:
    """The certificates to trust: those that the environment names, else those of requests.

    Raises:
        TapError: When the environment names a file that is not there.
    """
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(variable)
        if path:
            if not os.path.exists(path):  # noqa: PTH110 - as requests looks for it
                msg = f"{variable} names a file that is not there: {path}"
                raise TapError(msg)
            return path
    return True


def reason_of(exc: BaseException) -> str:
    """Say in a few words what a chain of transport errors is about."""
    if isinstance(exc, requests.exceptions.SSLError):
        return "its certificate is not trusted; set REQUESTS_CA_BUNDLE for a private authority"
    if isinstance(exc, requests.exceptions.ProxyError):
        return "the proxy of the environment refused"
    if isinstance(exc, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)):
        is_late = not isinstance(exc, requests.exceptions.ConnectTimeout)
        return "timed out, see request_timeout_seconds" if is_late else "no connection in time"
    if isinstance(exc, urllib3.exceptions.DecodeError):
        return "its answer cannot be unpacked"
    text = str(exc)
    for sign, words in (
        ("NameResolution", "the name cannot be resolved"),
        ("refused", "connection refused"),
        ("unreachable", "network unreachable"),
        ("BadStatusLine", "its answer is not HTTP"),
        ("UnknownProtocol", "its answer is not HTTP"),
        ("LineTooLong", "its headers are too long"),
        ("got more than", "its headers are too many"),
    ):
        if sign in text:
            return words
    return "the connection was cut" if isinstance(exc, CONNECTION_ERRORS) else type(exc).__name__
