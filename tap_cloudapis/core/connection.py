"""The HTTP side of a service: one session, one pool, one gate, one way to retry."""

from __future__ import annotations

import os
import random
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from singer_sdk.exceptions import RetriableAPIError

from tap_cloudapis.core.errors import TapError, UnavailableError
from tap_cloudapis.core.fetching import FetchPool
from tap_cloudapis.core.throttling import Gate, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_cloudapis.core.report import StreamReport

#: Tries of a request that fails (5xx, cut connection); waits double from a tenth of a second.
MAX_TRIES = 10
#: Tries while no request of the service has ever succeeded: most likely a wrong host.
MAX_FIRST_TRIES = 6
#: Connections that may time out before a host has ever answered, and the timeout, in seconds.
MAX_FIRST_TIMEOUTS = 3
CONNECT_TIMEOUT = 10
#: Requests that fail for good, one after another, before the service counts as down.
EXHAUSTED_IN_A_ROW = 3
#: Seconds between two lines in the log that say what is waited for.
SECONDS_BETWEEN_LINES = 10.0
FIRST_WAIT = 0.1
LONGEST_WAIT = 30.0
NO_CONTENT = 204
TOO_MANY_REQUESTS = 429

_CONNECTION_ERRORS = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,
)


class Connection:
    """The connection to a service, which all of its streams share.

    Args:
        service: The service's name, as users know it ("dbt Cloud").
        url: The normalised base URL.
        url_setting: The setting that holds the URL, for error messages.
        url_hint: What to say of the host where the user did not choose it; empty where they did.
        headers: Headers of every request, the authorization among them.
        concurrency: The most requests in flight.
        timeout: Seconds to wait for a connection, and for each read.
        requests_per_minute: The budget; ``None`` for none.
        patience: Seconds that one request may wait for rate limits to pass.
        before_wait: See :class:`FetchPool`.
        log: Logs a line about waiting; called in worker threads.

    Attributes:
        unusable: Why nothing can be read any more, once the token was refused, or the service is
            down or asks for more patience than there is.
        closed: Why nothing can be read of an account or organization, by its id.
    """

    def __init__(  # noqa: PLR0913 - a record of settings
        self,
        *,
        service: str,
        url: str,
        url_setting: str,
        url_hint: str,
        headers: dict[str, str],
        concurrency: int,
        timeout: float,
        requests_per_minute: int | None,
        patience: int,
        before_wait: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self.url = url
        self.url_setting = url_setting
        self.url_hint = url_hint
        self.timeout = timeout
        self.patience = patience
        self.unusable: TapError | None = None
        self.closed: dict[Any, str] = {}
        self._service = service
        self._parts = urlsplit(url)
        self._stopped = threading.Event()
        #: The time of the latest answer, as the server tells it; empty if it does not.
        self.date = ""
        self._reached = False
        self._exhausted: list[StreamReport] = []
        self._lock = threading.Lock()
        self._log = log
        self._said_at = time.monotonic()
        self.gate = Gate(requests_per_minute, self._stopped)
        self.pool = FetchPool(concurrency, service, before_wait)
        self.session = _new_session(url, headers, concurrency)

    @property
    def reached(self) -> bool:
        """Whether any request has succeeded, so that the token is one of this service."""
        return self._reached

    @property
    def hostname(self) -> str:
        """The host's name alone, as rows carry it."""
        return self._parts.hostname or ""

    @property
    def host(self) -> str:
        """The host as error messages name it: with what there is to say about it."""
        name = self._parts.netloc
        return f"{name} ({self.url_hint})" if self.url_hint else name

    def send(
        self,
        request: requests.PreparedRequest,
        validate: Callable[[requests.Response], None],
        report: StreamReport,
    ) -> bytes | None:
        """Send a request until it is answered; called in a worker thread.

        Args:
            request: A GET.
            validate: Raises ``RetriableAPIError`` for what is worth another try, and any other
                error for what is not.
            report: Where requests and retries are counted.

        Returns:
            The body of the answer; ``None`` when it has none (204).

        Raises:
            UnavailableError: When every try has failed.
            TapError: When no other try makes sense.
        """
        tries = 0
        limited_since: float | None = None
        while True:
            entered = self.gate.enter()
            self._check_usable(report)
            report.count(requests=1)
            tries += 1
            try:
                body = self._send_once(request, validate)
            except RetriableAPIError as exc:
                failure, answered = str(exc), True
                wait = self._asked_to_wait(exc.response, entered)
                if wait is not None:
                    now = time.monotonic()
                    limited_since = limited_since or now
                    self._be_patient(failure, wait, now - limited_since)
                    tries -= 1
                    report.count(retries=1)
                    continue
            except _CONNECTION_ERRORS as exc:
                failure = f"no answer from {self.host} ({_reason(exc)}); check {self.url_setting}"
                answered = False
                if isinstance(exc, requests.exceptions.ConnectTimeout) and not self._reached:
                    tries += MAX_FIRST_TRIES // MAX_FIRST_TIMEOUTS - 1
            except requests.exceptions.RequestException as exc:
                msg = f"cannot ask {self.host} ({_reason(exc)}); check {self.url_setting}"
                raise TapError(msg) from exc
            else:
                self._reached = True
                self._exhausted.clear()
                self.gate.succeeded()
                return body
            most = MAX_TRIES if self._reached else MAX_FIRST_TRIES
            if tries >= most:
                msg = f"{failure} ({tries} tries)"
                self._count_failure(report, msg, answered=answered)
                raise UnavailableError(msg) from None
            report.count(retries=1)
            pause = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)) * _jitter()
            if pause >= 1:
                self._say(f"{failure}, trying again in {pause:.0f} s ({tries} of {most})")
            self._stopped.wait(pause)

    def _check_usable(self, report: StreamReport) -> None:
        if self.unusable is not None:
            raise self.unusable
        if report.given_up:
            raise TapError(report.given_up)
        if self._stopped.is_set():
            msg = f"{self._service}: the sync was stopped"
            raise TapError(msg)

    def give_up(self, reason: TapError) -> None:
        """Read nothing more of this service; whoever waits for it is woken."""
        with self._lock:
            self.unusable = self.unusable or reason
        self._stopped.set()

    def _asked_to_wait(self, response: requests.Response | None, entered: float) -> float | None:
        """Close the gate if an answer asks for it.

        Args:
            response: An answer worth another try; ``None`` for none.
            entered: When its request was let through.

        Returns:
            Seconds until the gate opens; ``None`` for an answer that asks for nothing.
        """
        if response is None:
            return None
        # Zero or less is no reason to ask at once: then the gate's own cool-down holds.
        asked = parse_retry_after(response.headers.get("Retry-After")) or None
        if response.status_code == TOO_MANY_REQUESTS:
            return self.gate.throttled(entered, asked)
        return None if asked is None else self.gate.pause(asked)

    def _be_patient(self, failure: str, wait: float, waited: float) -> None:
        """Say that a limit is waited out, or that it takes too long.

        Raises:
            TapError: When the wait is beyond the patience.
        """
        if waited + wait > self.patience:
            so_far = f" after waiting {waited:.0f} s" if waited >= 1 else ""
            reason = TapError(
                f"{failure}; gave up{so_far}: the next wait would be {wait:.0f} s, and "
                f"rate_limit_patience_seconds is {self.patience}; the rest of {self._service} is "
                "not read"
            )
            # The gate is closed for so long: no other request would get through either.
            self.give_up(reason)
            raise reason
        if wait >= 1:
            self._say(f"{failure}, waiting {wait:.0f} s")

    def _count_failure(self, report: StreamReport, failure: str, *, answered: bool) -> None:
        """Count a request that failed for good; after a few in a row the service may be down.

        It is if it does not answer at all, or fails whatever stream is read. One kind of list that
        it cannot give is no reason to leave out the others.
        """
        with self._lock:
            self._exhausted.append(report)
            count = len(self._exhausted)
            is_down = not answered or any(other is not report for other in self._exhausted)
        if is_down and count >= EXHAUSTED_IN_A_ROW:
            self.give_up(
                TapError(
                    f"{count} requests in a row failed, so the rest of {self._service} is not "
                    f"read: {failure}"
                )
            )

    def _say(self, text: str) -> None:
        """Log a line about waiting, but not more than one in some seconds; from any thread."""
        now = time.monotonic()
        with self._lock:
            due = now - self._said_at >= SECONDS_BETWEEN_LINES
            if due:
                self._said_at = now
        if due:
            self._log(text)

    def _send_once(
        self, request: requests.PreparedRequest, validate: Callable[[requests.Response], None]
    ) -> bytes | None:
        """Send a request and read the body in one piece, which requests does in many.

        The session's own way of sending is for cookies and redirects; it is taken for a redirect.
        """
        session = self.session
        response = session.get_adapter(self.url).send(
            request,
            timeout=(min(CONNECT_TIMEOUT, self.timeout), self.timeout),
            stream=True,
            verify=session.verify or True,
            proxies=session.proxies,
        )
        if response.is_redirect:
            response.close()
            response = session.send(request, timeout=self.timeout, stream=True)
        self.date = response.headers.get("Date", "")
        validate(response)
        if response.status_code == NO_CONTENT:
            response.close()
            return None
        body: bytes = response.raw.read(decode_content=True)
        return body

    def stop(self) -> None:
        """End all waiting in worker threads; nothing more is sent."""
        self._stopped.set()
        self.pool.close()


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
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=concurrency)
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


def _jitter() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, protects nothing


def _reason(exc: BaseException) -> str:
    """Say in a few words what a chain of transport errors is about."""
    if isinstance(exc, requests.exceptions.SSLError):
        return "its certificate is not trusted; set REQUESTS_CA_BUNDLE for a private authority"
    if isinstance(exc, requests.exceptions.ProxyError):
        return "the proxy of the environment refused"
    if isinstance(exc, requests.exceptions.Timeout):
        return "timed out"
    text = str(exc)
    for sign, words in (
        ("NameResolution", "the name cannot be resolved"),
        ("refused", "connection refused"),
        ("unreachable", "network unreachable"),
    ):
        if sign in text:
            return words
    return "the connection was cut" if isinstance(exc, _CONNECTION_ERRORS) else type(exc).__name__
