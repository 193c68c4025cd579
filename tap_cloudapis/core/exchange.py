"""Requests on their way, from one answer up to all the lists of a context.

The main thread makes these objects, which send their requests in threads at once, and asks
them for results when it needs them. They know a connection, how an answer is validated and
where it is counted; of streams they know nothing.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tap_cloudapis.core.connection import Trial
from tap_cloudapis.core.errors import BadRequestError, RefusedError, TapError
from tap_cloudapis.core.paging import NO_ROW
from tap_cloudapis.core.redaction import redact_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    import requests

    from tap_cloudapis.core.budget import Weight
    from tap_cloudapis.core.connection import Connection
    from tap_cloudapis.core.paging import Page, PageLimit, Paginator, Params, Row
    from tap_cloudapis.core.report import StreamReport

#: Smaller sizes that a page is tried with, when the reason of a 400 does not speak of its size.
MAX_GUESSES = 2

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def decode_body(content: bytes) -> Any:
    """Decode a JSON body without losing a digit, and without the secrets that show by their form.

    Args:
        content: The body. What msgspec refuses (NaN, lone surrogates, another encoding) is left to
            the standard library; NaN and the infinities become null, as in the SDK.

    Raises:
        ValueError: When it is not JSON.
    """
    try:
        return _decode(redact_body(content))
    except msgspec.DecodeError:
        text = content.decode(json.detect_encoding(content), "surrogatepass")
        body = redact_body(text.encode("utf-8", "surrogatepass"))
        return json.loads(body, parse_float=Decimal, parse_constant=lambda _: None)


def decode_text(text: str) -> Any:
    """Decode JSON that stands in a text as :func:`decode_body` does; ``None`` where it is none."""
    try:
        return decode_body(text.encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class Sender:
    """Sends the requests of one stream.

    Attributes:
        connection: To the stream's service.
        validate: Tells a success from what is worth another try and from what is not.
        report: Where requests are counted.
    """

    connection: Connection
    validate: Callable[[requests.Response], None]
    report: StreamReport

    def submit(
        self, request: requests.PreparedRequest, trial: Trial, weight: Weight | None = None
    ) -> Future[bytes | None]:
        """Send a request in a thread; it goes on where its trial is.

        Args:
            request: A GET.
            trial: What it has gone through.
            weight: Told how large the answer is, as soon as that is known.
        """
        connection, report = self.connection, self.report
        if weight is None:
            return connection.pool.submit(
                lambda: connection.send(request, self.validate, report, trial)
            )
        return connection.pool.submit(lambda: self._send_weighed(request, trial, weight))

    def _send_weighed(
        self, request: requests.PreparedRequest, trial: Trial, weight: Weight
    ) -> bytes | None:
        def validate(response: requests.Response) -> None:
            self.validate(response)
            length = response.headers.get("Content-Length", "")
            weight.tell(int(length) if length.isdecimal() else 0)

        try:
            body = self.connection.send(request, validate, self.report, trial)
        except BaseException:
            weight.drop()
            raise
        weight.tell(len(body or b""))
        return body


class Exchange:
    """A request on its way, and its answer.

    Args:
        sender: Sends it at once, in a thread.
        request: A GET.
        weight: What the answer counts among those that are held; ``None`` where it does not.
        may_be_empty: Whether a body without a byte is an answer, and not one that was cut.
    """

    def __init__(
        self,
        sender: Sender,
        request: requests.PreparedRequest,
        weight: Weight | None = None,
        *,
        may_be_empty: bool = False,
    ) -> None:
        self._sender = sender
        self._request = request
        self._weight = weight
        self._trial = Trial(may_be_empty=may_be_empty)
        self._future = sender.submit(request, self._trial, weight)

    @property
    def done(self) -> bool:
        """Whether the answer is here, or none will come."""
        return self._future.done()

    def body(self, decode: Callable[[bytes], Any] = decode_body) -> Any:
        """Wait for the answer and decode it; what is no JSON is a failure like any other.

        Args:
            decode: Raises ``ValueError`` for what is no JSON.

        Raises:
            TapError: When it cannot be had, or not be decoded.
        """
        connection = self._sender.connection
        while True:
            content = connection.pool.result(self._future)
            if content is None:
                return None
            try:
                decoded = decode(content)
            except ValueError:
                connection.refused_by_decoder(self._trial)
                self._future = self._sender.submit(self._request, self._trial, self._weight)
            except (RecursionError, MemoryError):
                msg = f"{connection.host} answered values that are nested too deep, or too large"
                raise TapError(msg) from None
            else:
                connection.health.decoded()
                return decoded

    def cancel(self) -> None:
        """Give the request up, if it was not sent yet."""
        self._future.cancel()
        if self._weight is not None:
            self._weight.drop()


class AskedPage:
    """A page on its way; when the API rejects its size, a smaller one is asked for.

    Args:
        ask: Sends the request for a page with the given query parameters.
        read: Reads the page out of a decoded answer.
        host: The host, for error messages.
        params: The query parameters of the page.
        limit: The page size to ask for; ``None`` where the list has none.
        resizable: Whether a smaller page still begins with the same row.
    """

    def __init__(  # noqa: PLR0913 - what makes up a page
        self,
        ask: Callable[[Params], Exchange],
        read: Callable[[Any], Page],
        host: str,
        params: Params,
        *,
        limit: PageLimit | None,
        resizable: bool,
    ) -> None:
        self._send = ask
        self._read = read
        self._host = host
        self._params = params
        self._limit = limit
        self._resizable = resizable
        self._size = limit.value if limit is not None else 0
        self._page: Page | None = None
        self._exchange = self._ask()

    def _ask(self) -> Exchange:
        params = self._params
        if self._limit is not None and self._limit.param not in params:
            params = {**params, self._limit.param: self._size}
        return self._send(params)

    def result(self) -> Page:
        """Wait for the page, asking again for a smaller one if its size is rejected."""
        page, self._page = self._page, None
        return self._wait() if page is None else page

    def hold(self) -> None:
        """Wait for the page, and keep it for :meth:`result`."""
        if self._page is None:
            self._page = self._wait()

    def _wait(self) -> Page:
        rejection: BadRequestError | None = None
        guesses = 0
        while True:
            try:
                page = self._answered()
            except BadRequestError as exc:
                rejection = rejection or exc
                if not (self._resizable and self._limit) or self._size <= 1:
                    raise rejection from None
                # A reason that does not name the size is tried with smaller ones all the same.
                guesses += not self._limit.is_meant(str(exc))
                if guesses > MAX_GUESSES:
                    raise rejection from None
                self._size = min(self._size // 2, self._limit.value)
                self._exchange = self._ask()
            except (KeyError, TypeError, AttributeError) as exc:
                what = f"without {exc}" if isinstance(exc, KeyError) else exc
                msg = f"{self._host} answered in a shape that is not its API's ({what})"
                raise TapError(msg) from exc
            else:
                if rejection is not None and self._limit is not None:
                    self._limit.accept(self._size)
                return page

    def peek(self) -> Page | None:
        """The page, if it is here; what is wrong with it, :meth:`result` will tell."""
        if self._page is None and self._exchange.done:
            with suppress(TapError, KeyError, TypeError, AttributeError):
                self._page = self._answered()
        return self._page

    def _answered(self) -> Page:
        page = self._read(self._exchange.body())
        if any(type(row) is not dict for row in page.rows):
            if not any(type(row) is dict for row in page.rows):
                msg = "no row is an object"
                raise TypeError(msg)
            page.rows = [row if type(row) is dict else NO_ROW for row in page.rows]
        return page

    def cancel(self) -> None:
        """Give the page up."""
        self._exchange.cancel()


@dataclass
class Read:
    """One of several lists that make up the records of a context.

    Attributes:
        paginator: How it is paged.
        params: Its query parameters beyond the stream's own.
        purpose: Tells the lists of a context apart.
        optional: What to say when the API does not give the list (400, 403), which then counts as
            empty; without it, that is an error.
        named: What of the settings the list is asked for ("job 7 of dbt_job_ids"): when it cannot
            be read, the lists of the others are read all the same.
    """

    paginator: Paginator
    params: Params = field(default_factory=dict)
    purpose: Any = None
    optional: str = ""
    named: str = ""


class AskPage(Protocol):
    """Asks for a page of one of the lists of a context."""

    def __call__(self, read: Read, params: Params, *, resizable: bool = True) -> AskedPage:
        """Ask for a page.

        Args:
            read: The list.
            params: Paging parameters; the list's own and the page size are added.
            resizable: See :class:`AskedPage`.
        """


class Reading:
    """The lists of a context, being read one after another.

    While one list is read, the first pages of the next ones are on their way.

    Args:
        reads: The lists, made when they are needed.
        ask_page: Asks for a page.
        ahead: The most pages to keep asked for.
        refused: Told of a list that is optional and that the API does not give at all.
        failed: Told of a list that the settings name and that cannot be read; may raise.
    """

    def __init__(
        self,
        reads: Iterable[Read],
        ask_page: AskPage,
        ahead: int,
        refused: Callable[[Read, TapError], None],
        failed: Callable[[Read, TapError], None],
    ) -> None:
        self._refused = refused
        self._failed = failed
        self._coming = iter(reads)
        self._ask_page = ask_page
        self._ahead = ahead
        self._waiting: deque[tuple[Read, AskedPage]] = deque()
        self._look_ahead()

    def __iter__(self) -> Iterator[tuple[Read, list[Row]]]:
        """Give the lists' rows in batches, each with its list."""
        lost: set[str] = set()
        try:
            while self._waiting:
                read, first = self._waiting.popleft()
                submit = self._submitter(read)
                begun = False
                try:
                    if read.named and read.named in lost:
                        first.cancel()
                    else:
                        for rows in read.paginator.walk(submit, first, self._ahead):
                            begun = True
                            yield read, rows
                except TapError as exc:
                    is_refusal = isinstance(exc, (BadRequestError, RefusedError))
                    if read.optional and is_refusal and not begun:
                        self._refused(read, exc)
                    elif read.named:
                        lost.add(read.named)
                        self._failed(read, exc)
                    else:
                        raise
                self._look_ahead()
        finally:
            self.cancel()

    def peek(self) -> list[Row] | None:
        """The rows of the first page, if it is here already; they must not be changed."""
        page = self._waiting[0][1].peek() if self._waiting else None
        return None if page is None else [row for row in page.rows if row is not NO_ROW]

    def is_refused(self) -> bool:
        """Whether the first page is refused; asked before any is read, it waits for that."""
        try:
            self._waiting[0][1].hold()
        except RefusedError:
            return True
        except TapError:
            pass  # told of when it is read
        return False

    def cancel(self) -> None:
        """Give up what was asked for."""
        for _, page in self._waiting:
            page.cancel()

    def _look_ahead(self) -> None:
        for read in islice(self._coming, self._ahead - len(self._waiting)):
            first = self._submitter(read)(read.paginator.first_params())
            self._waiting.append((read, first))

    def _submitter(self, read: Read) -> Callable[..., AskedPage]:
        def submit(params: Params, *, resizable: bool = True) -> AskedPage:
            return self._ask_page(read, params, resizable=resizable)

        return submit
