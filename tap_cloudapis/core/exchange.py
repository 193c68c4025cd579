"""Requests on their way, from one answer up to all the lists of a context.

The main thread makes these objects, which send their requests in threads at once, and asks
them for results when it needs them.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from tap_cloudapis.core.errors import BadRequestError, TapError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    import requests
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Page, Paginator, Params, PendingPage, Row, Submit
    from tap_cloudapis.core.stream import CloudStream

#: Tries to get an answer that can be decoded.
MAX_DECODE_TRIES = 4

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def decode_body(content: bytes) -> Any:
    """Decode a JSON body without losing a digit.

    Args:
        content: The body. What msgspec refuses (NaN, lone surrogates) is left to the
            standard library; NaN and the infinities become null, as the SDK has them.

    Raises:
        ValueError: When it is not JSON.
    """
    try:
        return _decode(content)
    except msgspec.DecodeError:
        return json.loads(content, parse_float=Decimal, parse_constant=lambda _: None)


class Exchange:
    """A request on its way, and its answer.

    Args:
        stream: On whose behalf.
        request: Sent at once, in a thread.
    """

    def __init__(self, stream: CloudStream, request: requests.PreparedRequest) -> None:
        self._stream = stream
        self._request = request
        self._future = self._submit()

    def _submit(self) -> Future[bytes | None]:
        stream = self._stream
        return stream.service.pool.submit(
            lambda: stream.service.send(self._request, stream.validate_response, stream.report)
        )

    def body(self) -> Any:
        """Wait for the answer and decode it; an empty or cut one is asked for again."""
        for _ in range(MAX_DECODE_TRIES):
            content = self._stream.service.pool.result(self._future)
            try:
                return None if content is None else decode_body(content)
            except ValueError:
                self._future = self._submit()
                self._stream.report.count(retries=1)
        self.cancel()
        service = self._stream.service
        msg = f"{service.host} answered something that is not JSON; check {service.url_setting}"
        raise TapError(msg)

    def cancel(self) -> None:
        """Give the request up, if it was not sent yet."""
        self._future.cancel()


class AskedPage:
    """A page on its way; see :meth:`CloudStream.ask_page`."""

    def __init__(
        self,
        stream: CloudStream,
        context: Context | None,
        paginator: Paginator,
        params: Params,
        *,
        resizable: bool,
    ) -> None:
        self._stream = stream
        self._context = context
        self._limit = paginator.limit
        self._params = params
        self._resizable = resizable and paginator.limit is not None
        self._size = 0
        self._exchange = self._ask()

    def _ask(self) -> Exchange:
        params = self._params
        if self._limit is not None and self._limit.param not in params:
            self._size = self._limit.value
            params = {**params, self._limit.param: self._size}
        return self._stream.ask(self._context, params)

    def result(self) -> Page:
        """Wait for the page, asking again for a smaller one if its size is rejected."""
        rejection: BadRequestError | None = None
        while True:
            try:
                return self._stream.read_page(self._exchange.body())
            except BadRequestError as exc:  # noqa: PERF203 - rare, and a network away
                rejection = rejection or exc
                if not (self._resizable and self._limit and self._limit.reject(self._size)):
                    raise rejection from None
                self._exchange = self._ask()
            except (KeyError, TypeError, AttributeError) as exc:
                host = self._stream.service.host
                msg = f"{host} answered in a shape that is not its API's ({exc!r})"
                raise TapError(msg) from exc

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
    """

    paginator: Paginator
    params: Params = field(default_factory=dict)
    purpose: Any = None


class Reading:
    """The lists of a context, being read: in turn, while the first pages of the next run ahead.

    Args:
        stream: Whose lists.
        context: Fills the path of them all.
    """

    def __init__(self, stream: CloudStream, context: Context | None) -> None:
        self._stream = stream
        self._context = context
        self._coming = iter(stream.reads(context))
        self._waiting: deque[tuple[Read, PendingPage]] = deque()
        self._look_ahead()

    def __iter__(self) -> Iterator[tuple[Read, list[Row]]]:
        """Give the lists' rows in batches, each with its list."""
        try:
            while self._waiting:
                read, first = self._waiting.popleft()
                submit = self._submitter(read)
                for rows in read.paginator.walk(submit, first, self._stream.ahead):
                    yield read, rows
                self._look_ahead()
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Give up what was asked for."""
        for _, page in self._waiting:
            page.cancel()

    def _look_ahead(self) -> None:
        for read in islice(self._coming, self._stream.ahead - len(self._waiting)):
            first = self._submitter(read)(read.paginator.first_params())
            self._waiting.append((read, first))

    def _submitter(self, read: Read) -> Submit:
        def submit(params: Params, *, resizable: bool = True) -> PendingPage:
            params = {**read.params, **params}
            return self._stream.ask_page(self._context, read.paginator, params, resizable=resizable)

        return submit
