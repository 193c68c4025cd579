"""The HTTP side of a service: one session, one pool, one gate, one way to retry."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from singer_sdk.exceptions import RetriableAPIError

from tap_cloudapis.core.bodies import is_proper, oddity
from tap_cloudapis.core.errors import TapError, UnavailableError
from tap_cloudapis.core.fetching import FetchPool
from tap_cloudapis.core.health import Health
from tap_cloudapis.core.sending import CONNECTION_ERRORS, Bounds, Transport, reason_of
from tap_cloudapis.core.throttling import Gate, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_cloudapis.core.report import StreamReport

#: Tries of a request that fails (5xx, cut connection); waits double from a tenth of a second.
MAX_TRIES = 10
#: Tries while no request of the service has ever succeeded: most likely a wrong host.
MAX_FIRST_TRIES = 6
#: Connections that may time out before a host has ever answered.
MAX_FIRST_TIMEOUTS = 3
FIRST_WAIT = 0.1
LONGEST_WAIT = 30.0
TOO_MANY_REQUESTS = 429


@dataclass
class Trial:
    """What one request has gone through so far.

    Attributes:
        tries: How often it was sent, and failed.
        waited: Seconds that it waited because a service asked for it.
        failure: What its last answer was, where only the decoder saw that it is no JSON.
        may_be_empty: Whether a body without a byte is an answer, and not one that was cut.
    """

    tries: int = 0
    waited: float = 0.0
    failure: str = ""
    may_be_empty: bool = False


class Connection:
    """The connection to a service, which all of its streams share.

    Args:
        service: The service's name, as users know it ("dbt Cloud").
        url: The normalised base URL.
        url_setting: The setting that holds the URL, for error messages.
        url_hint: What to say of the host where the user did not choose it; empty where they did.
        headers: Headers of every request, the authorization among them.
        concurrency: The most requests in flight.
        bounds: What a request and its answer may take.
        requests_per_minute: The budget; ``None`` for none.
        patience: Seconds that one request may wait for rate limits to pass.
        before_wait: See :class:`FetchPool`.
        log: Logs a line about waiting; called in worker threads.

    Attributes:
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
        bounds: Bounds,
        requests_per_minute: int | None,
        patience: int,
        before_wait: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self.url = url
        self.url_setting = url_setting
        self.url_hint = url_hint
        self.timeout = bounds.timeout
        self.patience = patience
        self.patience_is = "rate_limit_patience_seconds is"
        self.closed: dict[Any, str] = {}
        self._service = service
        self._parts = urlsplit(url)
        self.health = Health(service, log)
        self.gate = Gate(requests_per_minute, self.health.stopped, self._say_that_budget_is_spent)
        self.pool = FetchPool(concurrency, service, before_wait)
        self._transport = Transport(
            url, host=self.host, headers=headers, concurrency=concurrency, bounds=bounds
        )
        self.session = self._transport.session

    @property
    def unusable(self) -> TapError | None:
        """Why nothing can be read any more, once that is so."""
        return self.health.unusable

    def give_up(self, reason: TapError) -> None:
        """Read nothing more of this service; whoever waits for it is woken."""
        self.health.give_up(reason)

    @property
    def reached(self) -> bool:
        """Whether any request has succeeded, so that the token is one of this service."""
        return self.health.reached

    def _say_that_budget_is_spent(self, seconds: float) -> None:
        setting = self.url_setting.replace("_url", "_requests_per_minute")
        self.health.say(f"{self._service}: waits {seconds:.0f} s, as {setting} says")

    def now(self) -> datetime:
        """The time by the service's clock, where it tells it, or else by this computer's."""
        try:
            return parsedate_to_datetime(self._transport.date).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            return datetime.now(UTC)

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
        trial: Trial,
    ) -> bytes | None:
        """Send a request until it is answered; called in a worker thread.

        Args:
            request: A GET.
            validate: Raises ``RetriableAPIError`` for what is worth another try, and any other
                error for what is not.
            report: Where requests and retries are counted.
            trial: What the request has gone through; it goes on from there.

        Returns:
            The body of the answer; ``None`` when it has none (204), or an empty one that may be.

        Raises:
            UnavailableError: When every try has failed.
            TapError: When no other try makes sense.
        """
        if trial.failure:
            failure, trial.failure = trial.failure, ""
            self._failed(trial, failure, report)
        while True:
            entered = self._enter(trial)
            self.health.check(report)
            report.count(requests=1)
            trial.tries += 1
            answered, most_at_first = True, MAX_FIRST_TRIES
            try:
                body = self._transport.fetch(request, validate)
            except RetriableAPIError as exc:
                failure = str(exc)
                asked = _retry_after(exc.response)
                wait = self._close_gate(exc.response, entered, asked)
                if wait is not None:
                    trial.tries -= 1
                    report.count(retries=1)
                    self._be_patient(trial, wait, failure, asked)
                    continue
            except CONNECTION_ERRORS as exc:
                failure = f"no answer from {self.host} ({reason_of(exc)})"
                answered = False
                if isinstance(exc, requests.exceptions.ConnectTimeout):
                    most_at_first = MAX_FIRST_TIMEOUTS
            except requests.exceptions.RequestException as exc:
                msg = f"cannot ask {self.host} ({reason_of(exc)}); check {self.url_setting}"
                raise TapError(msg) from exc
            else:
                if trial.may_be_empty and not body:
                    body = None
                odd = oddity(body) if body is not None else ""
                if not odd:
                    self.health.answered(properly=body is None or is_proper(body))
                    self.gate.succeeded()
                    return body
                failure = self.not_json(odd)
            self._failed(trial, failure, report, most_at_first, answered=answered)

    def not_json(self, what: str) -> str:
        """Say what was answered instead of JSON."""
        return f"{self.host} answered {what}, which is not JSON"

    def refused_by_decoder(self, trial: Trial) -> None:
        """Have the next try of a request go on as after any other failure."""
        self.health.doubt()
        trial.failure = self.not_json("something")

    def _failed(
        self,
        trial: Trial,
        failure: str,
        report: StreamReport,
        most_at_first: int = MAX_FIRST_TRIES,
        *,
        answered: bool = True,
    ) -> None:
        """Wait before the next try.

        Raises:
            UnavailableError: When there is none.
        """
        most = MAX_TRIES if self.health.reached else most_at_first
        if self.health.is_failing:
            # Another request has waited all that time in vain, and nothing was answered since.
            most = min(most, MAX_FIRST_TRIES)
        if trial.tries >= most:
            check = "" if self.health.reached else f"; check {self.url_setting}"
            msg = f"{failure}{check} ({trial.tries} tries)"
            self.health.count_failure(report, msg, answered=answered)
            raise UnavailableError(msg) from None
        report.count(retries=1)
        pause = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (trial.tries - 1)) * _jitter()
        if pause >= 1:
            self.health.say(f"{failure}, trying again in {pause:.0f} s ({trial.tries} of {most})")
        self.health.stopped.wait(pause)

    def _enter(self, trial: Trial) -> float:
        """Pass the gate.

        Returns:
            When the request was let through.

        Raises:
            TapError: When it would have to wait beyond the patience.
        """
        entered = self.gate.enter(self.patience - trial.waited)
        trial.waited += entered.waited
        if entered.beyond:
            self._be_patient(trial, entered.beyond, f"{self.host} limits the rate of requests")
        return entered.moment

    def _close_gate(
        self, response: requests.Response | None, entered: float, asked: float | None
    ) -> float | None:
        """Close the gate if an answer asks for it.

        Args:
            response: An answer worth another try; ``None`` for none.
            entered: When its request was let through.
            asked: Seconds that it names.

        Returns:
            Seconds until the gate opens; ``None`` for an answer that asks for nothing.
        """
        if response is not None and response.status_code == TOO_MANY_REQUESTS:
            return self.gate.throttled(entered, asked)
        return None if asked is None else self.gate.pause(asked)

    def _be_patient(
        self, trial: Trial, wait: float, failure: str, asked: float | None = None
    ) -> None:
        """Say that a limit is waited out, or that it takes too long.

        Raises:
            TapError: When the wait is beyond the patience.
        """
        if trial.waited + wait > self.patience:
            so_far = f" after waiting {trial.waited:.0f} s" if trial.waited >= 1 else ""
            # It may have asked another request of the burst for longer than this one.
            why = (
                f"the next wait would be {wait:.0f} s"
                if asked is None or asked + 1 < wait
                else f"{self._parts.netloc} asks for a wait of {asked:.0f} s"
            )
            reason = TapError(
                f"{failure}; gave up{so_far}: {why}, and {self.patience_is} "
                f"{self.patience}; the rest of {self._service} is not read"
            )
            # The gate is closed for so long: no other request would get through either.
            self.give_up(reason)
            raise reason
        if wait >= 1:
            self.health.say(f"{failure}, waiting {wait:.0f} s")

    def stop(self) -> None:
        """End all waiting in worker threads; nothing more is sent."""
        self.health.stopped.set()
        self.pool.close()


def _retry_after(response: requests.Response | None) -> float | None:
    """How long an answer asks to wait; zero or less is no reason to ask again at once."""
    return (
        parse_retry_after(response.headers.get("Retry-After")) or None
        if response is not None
        else None
    )


def _jitter() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, protects nothing
