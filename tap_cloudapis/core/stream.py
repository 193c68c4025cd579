"""The base class of every stream: what a stream declares, and how it asks for its rows.

Threads do nothing but HTTP. The main thread prepares requests, decodes answers, normalises
records and writes them, in order, so that a sync emits the same messages as a serial one.
"""

from __future__ import annotations

import logging
from copy import copy
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from singer_sdk.streams.rest import HTTPRequest, PageContext

from tap_cloudapis.core.children import context_key
from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.exchange import AskedPage, Exchange, Read, Reading, Sender, decode_body
from tap_cloudapis.core.paging import (
    NO_ROW,
    Page,
    Paginator,
    Params,
    Row,
    SinglePage,
    as_object,
    as_total,
)
from tap_cloudapis.core.rows import RowStream
from tap_cloudapis.core.urls import query_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import requests
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.facts import Facts


class CloudStream(RowStream):
    """A stream of one of the services.

    A subclass declares ``name``, ``path``, ``primary_keys``, its parent and its facts, and where
    it differs overrides :meth:`new_paginator`, :meth:`base_params`, :meth:`read_page`,
    :meth:`to_record`, :meth:`reads` and :meth:`child_context`. Paths take values of the
    context in braces; every value is quoted.
    """

    #: What the stream costs, needs and holds.
    facts: ClassVar[Facts]

    payload_as_json = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if facts := cls.__dict__.get("facts"):
            cls.permission, cls.switch = facts.lacking, facts.switch
            cls.selected_by_default = facts.unselected is None

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap=tap)
        self._prefetched: dict[str, Reading] = {}
        self._template: requests.PreparedRequest | None = None

    # What the SDK asks of a stream

    @property
    def url_base(self) -> str:
        """The service's base URL."""
        return self.connection.url

    @property
    def requests_session(self) -> requests.Session:
        """The session that all streams of the service share."""
        return self.connection.session

    @property
    def user_agent(self) -> str:
        """What the tap calls itself."""
        return self.tap.user_agent

    @property
    def timeout(self) -> int:
        """Seconds to wait for a connection, and for each read."""
        return int(self.connection.timeout)

    @staticmethod
    def _url_encode(val: Any) -> str:
        """Quote a context value for a path: every reserved character, not only the slash."""
        return quote(str(val), safe="")

    def get_url(self, context: Context | None) -> str:
        """The URL for a context; no setting is ever put into a path."""
        path: str = self.path
        for key, value in (context or {}).items():
            if (name := f"{{{key}}}") in path:
                path = path.replace(name, self._url_encode(value))
        return self.url_base + path

    def get_url_params(self, context: Context | None, next_page_token: Any) -> dict[str, Any]:
        """Query parameters: those of the list and those of the page."""
        return query_text({**self.base_params(context), **(next_page_token or {})})

    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        """Log what the SDK says of each context at the level DEBUG.

        A dry run ends each stream by raising an exception; that is no error either.
        """
        if level == logging.INFO or self.ABORT_AT_RECORD_COUNT is not None:
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)

    # What a subclass may override

    def new_paginator(self, context: Context | None) -> Paginator:  # noqa: ARG002
        """How the list of a context is paged."""
        return SinglePage()

    def base_params(self, context: Context | None) -> Params:  # noqa: ARG002
        """Query parameters of every page."""
        return {}

    def read_page(self, body: Any) -> Page:
        """Take the records and the paging figures out of a decoded answer.

        Raises:
            TypeError: When the answer has another shape; by default it is the bare list.
        """
        if not isinstance(body, list):
            msg = "not a list"
            raise TypeError(msg)
        return Page(rows=body)

    def read_detail(self, body: Any) -> Row:
        """The object in an answer about one row; an empty one where there is none."""
        return as_object(body)

    def total_of(self, value: Any) -> int | None:
        """Read how many rows an answer announces; where that cannot be, no row may be dropped."""
        total = as_total(value)
        self.report.unlisted |= total is None and value is not None
        return total

    def reads(self, context: Context | None) -> Iterable[Read]:
        """The lists that make up the records of a context; most streams have one."""
        return (Read(self.new_paginator(context)),)

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Choose among the raw rows of a batch, knowing which list they come from."""
        return rows

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the lists of a context, in batches of raw rows."""
        reading = self._prefetched.pop(context_key(context), None) or self._reading(context)
        for read, rows in reading:
            objects = self._objects(rows, context) if NO_ROW in rows else rows
            yield self.sift(read, objects, context)

    # Requests

    def prepare(
        self, context: Context | None, params: Params, *, below: str = ""
    ) -> requests.PreparedRequest:
        """Prepare the request of a page through the SDK's hooks.

        The requests of a stream differ in nothing but their URL, every part of which is quoted
        already. Taking it apart again and putting the headers together is half of the cost of
        a request, so that is done once.
        """
        if self._template is None:
            request: HTTPRequest = self.get_http_request(
                page=PageContext(stream_context=context, next_page_token=params)
            )
            self._template = self.build_prepared_request(
                method=request.method, url=request.url, headers=request.headers
            )
        prepared = copy(self._template)
        try:
            query = urlencode(self.get_url_params(context, params))
            url = self.get_url(context) + below
        except UnicodeEncodeError:
            # Half a surrogate pair, such as in a continuation token.
            msg = f"{self.connection.host} gave a value that cannot be put into a URL"
            raise TapError(msg) from None
        prepared.url = f"{url}?{query}" if query else url
        return prepared

    def send(self, request: requests.PreparedRequest) -> Exchange:
        """Send a prepared request in a thread, without waiting."""
        return Exchange(self._sender, request)

    def ask(
        self, context: Context | None, params: Params | None = None, *, below: str = ""
    ) -> Exchange:
        """Send a request in a thread, without waiting.

        Args:
            context: Fills the path.
            params: Parameters beyond :meth:`base_params`.
            below: What of the list is asked for, behind its path.
        """
        return self.send(self.prepare(context, params or {}, below=below))

    def ask_at(self, url: str) -> Exchange:
        """Send a request to another address than that of the list, without waiting."""
        request = self.prepare(None, {})
        request.url = url
        return self.send(request)

    @cached_property
    def _sender(self) -> Sender:
        self.report.kind = self.kind_of_lists or self.name
        return Sender(self.connection, self.validate_response, self.report)

    def _reading(
        self,
        context: Context | None,
        reads: Iterable[Read] | None = None,
        ask: Callable[[Params], Exchange] | None = None,
        ahead: int | None = None,
    ) -> Reading:
        """Read the lists of a context, or other ones, at the same path or where one is asked.

        Args:
            context: Fills the path.
            reads: The lists; by default those of the context.
            ask: Asks for a page; by default at the path.
            ahead: The most pages to keep asked for; by default as many as keep all workers busy.
        """
        ask = partial(self.ask, context) if ask is None else ask

        def ask_page(read: Read, params: Params, *, resizable: bool = True) -> AskedPage:
            return AskedPage(
                ask,
                self.read_page,
                self.connection.host,
                {**read.params, **params},
                limit=read.paginator.limit,
                resizable=resizable,
            )

        refused, failed = partial(self.not_given, context), partial(self.named_failed, context)
        coming = self.reads(context) if reads is None else reads
        return Reading(coming, ask_page, ahead or self.ahead, refused, failed)

    def prefetch(self, context: Context) -> None:
        """Ask for the first pages of a context that will be synced soon."""
        key = context_key(context)
        if key not in self._prefetched and self._can_read(context):
            self._prefetched[key] = self._reading(context)

    def is_coming(self, context: Context) -> bool:
        """Whether the lists of a context were asked for ahead, and not read yet."""
        return context_key(context) in self._prefetched

    def peek(self, context: Context) -> list[Row] | None:
        """The first rows that were asked for ahead, raw, if they are here; nobody changes them."""
        reading = self._prefetched.get(context_key(context))
        return None if reading is None else reading.peek()

    def forget_prefetched(self) -> None:
        """Give up what was asked for and is not needed any more."""
        for reading in self._prefetched.values():
            reading.cancel()
        self._prefetched.clear()

    @property
    def ahead(self) -> int:
        """How many pages to keep asked for; a dry run must not read the whole API."""
        return self.connection.pool.ahead if self.ABORT_AT_RECORD_COUNT is None else 1

    def parse_response(self, response: requests.Response) -> Iterable[Row]:
        """The raw rows of an answer (the SDK's hook)."""
        return self.read_page(decode_body(response.content)).rows

    # Records

    def request_records(self, context: Context | None) -> Iterator[Row]:
        """Give the records of a context, ready to be emitted but for selection."""
        for rows in self.lists(context):
            self._record_suffix = self._suffix_now()
            self.tap.report.progress()
            yield from self._records_of(rows, context or {})
