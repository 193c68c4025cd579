"""The base class of every stream: a RESTStream whose requests run ahead in threads.

Threads do nothing but HTTP. The main thread prepares requests, decodes answers, normalises
records and writes them, in order, so that a sync emits the same messages as a serial one.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from copy import copy
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from singer_sdk import metrics
from singer_sdk.exceptions import (
    AbortedSyncFailedException,
    AbortedSyncPausedException,
    RetriableAPIError,
)
from singer_sdk.helpers._util import utc_now
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from singer_sdk.streams import RESTStream, Stream
from singer_sdk.streams.rest import HTTPRequest, PageContext

from tap_cloudapis.core.errors import (
    AuthenticationError,
    BadRequestError,
    RefusedError,
    ResponseError,
    TapError,
)
from tap_cloudapis.core.exchange import AskedPage, Exchange, Read, Reading, decode_body
from tap_cloudapis.core.normalizing import Scrubber, compile_timestamps
from tap_cloudapis.core.output import BufferedSingerWriter, encode
from tap_cloudapis.core.paging import (
    Page,
    Paginator,
    Params,
    PendingPage,
    Row,
    SinglePage,
)
from tap_cloudapis.core.projection import compile_projection
from tap_cloudapis.core.service import query_text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    import requests
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.report import StreamReport
    from tap_cloudapis.core.service import Service
    from tap_cloudapis.tap import TapCloudAPIs


@cache
def load_schema(package: str, name: str) -> dict[str, Any]:
    """Read a packaged schema, once.

    Args:
        package: The package of a service; its schemas are in the folder ``schemas``.
        name: The file's name without its ending.
    """
    text = (resources.files(package) / "schemas" / f"{name}.json").read_bytes()
    schema: dict[str, Any] = decode_body(text)
    return schema


class CloudStream(RESTStream[Params]):
    """A stream of one of the services.

    A subclass declares ``name``, ``path``, ``primary_keys``, its parent, and where it differs
    overrides :meth:`new_paginator`, :meth:`base_params`, :meth:`read_page`,
    :meth:`to_record`, :meth:`reads` and :meth:`child_context`. Paths take values of the
    context in braces; every value is quoted.
    """

    #: The package whose folder ``schemas`` holds the schema file.
    schema_package: ClassVar[str]
    #: The service's name in the settings: the prefix of its settings and streams.
    service_key: ClassVar[str]
    #: Columns copied from the context into each record: column -> context key.
    context_columns: ClassVar[Mapping[str, str]] = {}
    #: Top-level fields never emitted: volatile, or of no use without what is left out.
    dropped_fields: ClassVar[frozenset[str]] = frozenset()
    #: Top-level fields whose keys are users' own and are scrubbed by the service itself.
    unscrubbed_fields: ClassVar[frozenset[str]] = frozenset()
    #: The likely missing permission, for the warning about a refused stream.
    permission: ClassVar[str] = ""
    #: What a context stands for, in the words of an error message.
    scope: ClassVar[str] = ""

    _LOG_REQUEST_METRICS = False
    payload_as_json = False
    _tap: TapCloudAPIs

    def __init__(self, tap: TapCloudAPIs) -> None:
        super().__init__(tap=tap)
        self._prefetched: dict[tuple[Any, ...], Reading] = {}
        self._template: requests.PreparedRequest | None = None
        self._schema_written = False
        self._record_suffix = self._suffix_now()
        # The records carry their context; the state needs no entry for each of them.
        if self.parent_stream_type is not None:
            self.state_partitioning_keys = ()

    # What the SDK asks of a stream

    @property
    def schema(self) -> dict[str, Any]:
        """The packaged schema, read at first use."""
        return load_schema(self.schema_package, self.name.removeprefix(f"{self.service_key}_"))

    @property
    def service(self) -> Service:
        """The service, connected at first use."""
        return self._tap.service(self.service_key)

    @property
    def url_base(self) -> str:
        """The service's base URL."""
        return self.service.url

    @property
    def requests_session(self) -> requests.Session:
        """The session that all streams of the service share."""
        return self.service.session

    @property
    def user_agent(self) -> str:
        """What the tap calls itself."""
        return self._tap.user_agent

    @property
    def timeout(self) -> int:
        """Seconds to wait for a connection, and for each read."""
        return int(self.service.timeout)

    @property
    def report(self) -> StreamReport:
        """The figures of this stream."""
        return self._tap.report[self.name]

    @staticmethod
    def _url_encode(val: Any) -> str:
        """Quote a context value for a path: every reserved character, not only the slash."""
        return quote(str(val), safe="")

    def get_url(self, context: Context | None) -> str:
        """The URL for a context; no setting is ever put into a path."""
        path: str = self.path
        for key, value in (context or {}).items():
            path = path.replace(f"{{{key}}}", self._url_encode(value))
        return self.url_base + path

    def get_url_params(self, context: Context | None, next_page_token: Any) -> dict[str, Any]:
        """Query parameters: those of the list and those of the page."""
        return query_text({**self.base_params(context), **(next_page_token or {})})

    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        """Log what the SDK narrates about each context, for those who debug.

        A dry run ends each stream by an exception of its own; that is no error either.
        """
        if level == logging.INFO or self.ABORT_AT_RECORD_COUNT is not None:
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)

    def get_record_counter(self, **_: Any) -> metrics.Counter:
        """A counter that says nothing: the tap's own report counts, for all contexts."""
        return _SilentCounter(metrics.Metric.RECORD_COUNT)

    def get_sync_timer(self) -> metrics.Timer:
        """A timer that says nothing: the tap's own report tells the time."""
        return _SilentTimer(metrics.Metric.SYNC_DURATION)

    # What a subclass may override

    def new_paginator(self, context: Context | None) -> Paginator:  # noqa: ARG002
        """How the list of a context is paged."""
        return SinglePage()

    def base_params(self, context: Context | None) -> Params:  # noqa: ARG002
        """Query parameters of every page."""
        return {}

    def read_page(self, body: Any) -> Page:
        """Take the records and the paging figures out of a decoded answer."""
        raise NotImplementedError

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Turn a raw row into a record, before timestamps and secrets are seen to.

        Returns:
            The record; ``None`` leaves the row out.
        """
        return row

    def child_context(self, record: Row, context: Context) -> dict[str, Any] | None:
        """The context for the children of a record; ``None`` for no children."""
        raise NotImplementedError

    def wants(self, context: Context) -> bool:  # noqa: ARG002
        """Whether there can be anything to read for a context, by what its parent says."""
        return True

    def context_done(self, context: Context | None) -> None:
        """Called when every record of a context was written; the place to move marks."""

    def reads(self, context: Context | None) -> Iterable[Read]:
        """The lists that make up the records of a context; most streams have one."""
        return (Read(self.new_paginator(context)),)

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Choose among the raw rows of a batch, knowing which list they come from."""
        return rows

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Read the lists of a context, in batches of raw rows."""
        reading = self._prefetched.pop(_context_key(context), None) or Reading(self, context)
        for read, rows in reading:
            yield self.sift(read, rows, context)

    # Requests

    def prepare(self, context: Context | None, params: Params) -> requests.PreparedRequest:
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
        query = urlencode(self.get_url_params(context, params))
        url = self.get_url(context)
        prepared.url = f"{url}?{query}" if query else url
        return prepared

    def ask(self, context: Context | None, params: Params | None = None) -> Exchange:
        """Send a request in a thread, without waiting.

        Args:
            context: Fills the path.
            params: Parameters beyond :meth:`base_params`.
        """
        return Exchange(self, self.prepare(context, params or {}))

    def ask_page(
        self,
        context: Context | None,
        paginator: Paginator,
        params: Params,
        *,
        resizable: bool = True,
    ) -> PendingPage:
        """Ask for a page of a list; its size is halved as long as the API rejects it."""
        return AskedPage(self, context, paginator, params, resizable=resizable)

    def prefetch(self, context: Context) -> None:
        """Ask for the first pages of a context that will be synced soon."""
        key = _context_key(context)
        if key not in self._prefetched and self.service.unusable is None:
            self._prefetched[key] = Reading(self, context)

    @property
    def ahead(self) -> int:
        """How many pages to keep asked for; a dry run must not read the whole API."""
        return self.service.pool.ahead if self.ABORT_AT_RECORD_COUNT is None else 1

    def validate_response(self, response: requests.Response) -> None:
        """Tell success from what is worth another try and from what is not.

        Raises:
            RetriableAPIError: 408, 409, 425, 429 and 5xx.
            AuthenticationError: 401.
            RefusedError: 402, 403, 404, and a 400 that speaks of the plan.
            BadRequestError: Any other 400.
            ResponseError: Anything else that is not a success.
        """
        status = response.status_code
        if status < 300:  # noqa: PLR2004
            return
        reason = self.error_text(response)
        where = f"{self.service.host} answered {status} ({reason})"
        if status in (408, 409, 425, 429) or status >= 500:  # noqa: PLR2004
            raise RetriableAPIError(where, response)
        if status == 401:  # noqa: PLR2004
            raise AuthenticationError(
                f"{self.service.host} does not accept the value of {self.service_key}_token "
                f"({reason}); check the token, and that {self.service.url_setting} is the "
                "address that this account uses",
                response,
            )
        if status in (402, 403, 404) or (status == 400 and self.speaks_of_plan(reason)):  # noqa: PLR2004
            raise RefusedError(where, response)
        if status == 400:  # noqa: PLR2004
            raise BadRequestError(where, response)
        raise ResponseError(where, response)

    def error_text(self, response: requests.Response) -> str:
        """The service's own words in an error answer, short."""
        text = " ".join(response.text.split())
        return text[:200] if text and not text.startswith("<") else str(response.reason)

    def speaks_of_plan(self, reason: str) -> bool:
        """Whether a 400 says that the plan does not include the feature."""
        return any(word in reason.lower() for word in ("subscription", "available only", "enabled"))

    def parse_response(self, response: requests.Response) -> Iterable[Row]:
        """The raw rows of an answer (the SDK's hook)."""
        return self.read_page(decode_body(response.content)).rows

    # Records

    def get_records(self, context: Context | None) -> Iterator[Row]:
        """Give the records of a context; requests of children run ahead of them."""
        if not any(isinstance(child, CloudStream) for child in self._wanted_children()):
            yield from self.request_records(context)
            return
        yield from self._announced(self.request_records(context), context)

    def request_records(self, context: Context | None) -> Iterator[Row]:
        """Give the records of a context, ready to be emitted but for selection."""
        normalize = self._normalize
        for rows in self.lists(context):
            self._record_suffix = self._suffix_now()
            self._tap.report.progress()
            for row in rows:
                record = self.to_record(row, context or {})
                if record is not None:
                    normalize(record, context or {})
                    yield record

    @cached_property
    def _timestamps(self) -> Any:
        return compile_timestamps(self.schema)

    @cached_property
    def _scrubber(self) -> Scrubber:
        return Scrubber(self.schema, replace=self.replace_secret, untouched=self.unscrubbed_fields)

    #: See :class:`Scrubber`.
    replace_secret: Any = None

    @cached_property
    def _normalize(self) -> Callable[[Row, Context], None]:
        dropped = tuple(self.dropped_fields)
        columns = tuple(self.context_columns.items())
        scrub, timestamps = self._scrubber.scrub, self._timestamps

        def normalize(record: Row, context: Context) -> None:
            for name in dropped:
                if name in record:
                    del record[name]
            for column, key in columns:
                record[column] = context[key]
            scrub(record)
            if timestamps is not None:
                timestamps(record)

        return normalize

    def _wanted_children(self) -> list[CloudStream]:
        return [
            child
            for child in self.child_streams
            if isinstance(child, CloudStream) and (child.selected or child.has_selected_descendents)
        ]

    def _announced(self, records: Iterator[Row], context: Context | None) -> Iterator[Row]:
        """Hold a window of records back, and ask for their children's first pages meanwhile."""
        children = self._wanted_children()
        test = self.ABORT_AT_RECORD_COUNT is not None
        window = 1 if test else max(2, self.service.pool.ahead // len(children))
        waiting: deque[Row] = deque()
        passes_map = self.stream_maps[0].get_filter_result
        try:
            for record in records:
                waiting.append(record)
                if not test and passes_map(record):
                    for child_context in self.generate_child_contexts(record, context):
                        for child in children:
                            if child_context and child.wants(child_context):
                                child.prefetch(child_context)
                if len(waiting) >= window:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for child in children:
                child.forget_prefetched()

    def forget_prefetched(self) -> None:
        """Give up what was asked for and is not needed any more."""
        for reading in self._prefetched.values():
            reading.cancel()
        self._prefetched.clear()

    def generate_child_contexts(
        self, record: Row, context: Context | None
    ) -> Iterator[dict[str, Any] | None]:
        """The context for the children, where there are any."""
        if self.child_streams:
            child_context = self.child_context(record, context or {})
            if child_context is not None:
                yield child_context

    # The SDK's private seams; the contract tests in tests/core compare them with stock

    def _process_record(
        self,
        record: Row,
        child_context: Context | None = None,
        partition_context: Context | None = None,
    ) -> None:
        """Sync the children of a record; a stream without any has nothing to do here.

        The columns that come from the context are in the record already.
        """
        if self.child_streams:
            super()._process_record(record, child_context, partition_context)

    def _sync_children(self, child_context: Context | None) -> None:
        """Sync the children that can have anything to read for this context."""
        for child in self._wanted_children():
            if child_context is not None and child.wants(child_context):
                with suppress(AbortedSyncFailedException, AbortedSyncPausedException):
                    child.sync(context=child_context)

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Emit the records of a context; a failure is reported and ends this context only."""
        if not self.configured or self.service.unusable is not None:
            return
        report = self._tap.report
        with report.timing(self.name) as figures:
            before = figures.rows
            try:
                if write_messages and self._is_plain:
                    self._sync_plain_records(context, figures)
                else:
                    for record in super()._sync_records(context, write_messages=write_messages):
                        figures.rows += 1
                        yield record
                        self._tap.check_signal()
                self.context_done(context)
            except RefusedError as exc:
                self.refused(exc, context, figures.rows - before)
            except AuthenticationError as exc:
                self.service.unusable = exc
                report.fail(self.name, str(exc))
            except TapError as exc:
                report.fail(self.name, f"{self.describe(context)}{exc}")
            except (AbortedSyncFailedException, AbortedSyncPausedException, OSError):
                # The end of a dry run, or nowhere to write to: nothing for this stream to bear.
                raise
            except Exception as exc:
                # Data that nobody has foreseen must not take the other streams away.
                report.fail(self.name, f"{self.describe(context)}unexpected {exc!r}")
                self.logger.exception("Please report this")

    @property
    def _is_plain(self) -> bool:
        """Whether nothing of the SDK's loop has a say in a record but writing and counting it."""
        return (
            self._fast
            and self.selected
            and not self._wanted_children()
            and self.ABORT_AT_RECORD_COUNT is None
            and type(self).post_process is Stream.post_process
        )

    def _sync_plain_records(self, context: Context | None, figures: StreamReport) -> None:
        """Emit the records of a context as the SDK's loop does, without what it does for others."""
        self._write_starting_replication_value(context)
        check_signal = self._tap.check_signal
        for record in self.get_records(context):
            self._write_record_message(record)
            self._increment_stream_state(record, context=context)
            figures.rows += 1
            if figures.rows % self.STATE_MSG_FREQUENCY == 0:
                self._write_state_message()
            check_signal()
        if self._get_state_partition_context(context) == context:
            self._finalize_state(self.get_context_state(context))
        if not context:
            self._finalize_state(self.stream_state)
        self._write_state_message()

    @property
    def configured(self) -> bool:
        """Whether the configuration has a token for the service."""
        return self._tap.has_token(self.service_key)

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """Decide what a refused list means: a skipped context, or a failure.

        Args:
            exc: The refusal.
            context: What was refused.
            rows: How many records of the context were emitted before.
        """
        text = f"{self.describe(context)}{exc}"
        if self.permission:
            text += f"; the token probably lacks {self.permission}"
        if rows or self._tap.config["on_forbidden"] == "fail":
            self._tap.report.fail(self.name, text)
        else:
            what = f"{self.describe(context)}answered {exc.response.status_code}"
            self._tap.report.skip(self.name, what, in_full=text)

    def describe(self, context: Context | None) -> str:
        """Say which list an error is about, as the beginning of a message."""
        return f"{self.scope.format(**context)}: " if context and self.scope else ""

    def _write_schema_message(self) -> None:
        """Write SCHEMA once per run, not for every context."""
        if self.configured and not self._schema_written:
            super()._write_schema_message()
            self._schema_written = True
            if self._versioned:
                self._stream_version = self._initialized_at // 1000

    @property
    def emit_activate_version_messages(self) -> bool:
        """Never by the SDK, which would for each context, and before its records were read."""
        return False

    @property
    def _versioned(self) -> bool:
        """Whether the records of this stream carry a version."""
        return self.replication_method == REPLICATION_FULL_TABLE and bool(
            self.config.get("emit_activate_version_messages")
        )

    def _activate_version(self) -> None:
        """Tell a target to drop what is older than this run, if all there is was read."""
        if self._schema_written and self._versioned and self._is_whole():
            self._write_activate_version_message(self._initialized_at // 1000)
            self._tap.message_writer.flush()

    def _is_whole(self) -> bool:
        """Whether every record that exists was emitted: nothing skipped, filtered or cut."""
        if self.ABORT_AT_RECORD_COUNT is not None or self._tap.is_narrowed(self.service_key):
            return False
        if not isinstance(self.stream_maps[0], SameRecordTransform):
            return False
        if self.report.skipped or self.report.failures or self.service.unusable:
            return False
        parent = self._tap.stream_of(self.parent_stream_type)
        return parent is None or parent._is_whole()  # noqa: SLF001 - one of its own kind

    @cached_property
    def _fast(self) -> bool:
        """Whether records go out as they are: no stream map and no flattening has a say."""
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and isinstance(self._tap.message_writer, BufferedSingerWriter)
        )

    @cached_property
    def _projection(self) -> Any:
        return compile_projection(self.effective_schema, self.mask)

    @cached_property
    def _record_prefix(self) -> bytes:
        return b'{"type":"RECORD","stream":%b,"record":' % encode(self.name)

    def _suffix_now(self) -> bytes:
        """The end of a RECORD line for what is extracted now."""
        version = b"" if self._stream_version is None else b',"version":%d' % self._stream_version
        return b'%b,"time_extracted":"%b"}\n' % (version, utc_now().isoformat().encode())

    def _write_record_message(self, record: Row) -> None:
        """Write a RECORD: selected, conformed, encoded once."""
        if not self._fast:
            super()._write_record_message(record)
            return
        if self._projection is not None:
            self._projection(record)
        self._tap.message_writer.write_record(self._record_prefix, record, self._record_suffix)
        self.state_manager.is_flushed = False

    def _increment_stream_state(
        self, latest_record: Row, *, context: Context | None = None
    ) -> None:
        """Advance the bookmark; a null replication key (an open run) moves nothing."""
        if self.replication_key and latest_record.get(self.replication_key) is not None:
            super()._increment_stream_state(latest_record, context=context)

    def _write_state_message(self) -> None:
        """Write STATE if one is due; in a dry run now, as nobody ends that with the last one."""
        super()._write_state_message()
        if self.ABORT_AT_RECORD_COUNT is not None:
            self._tap.state_writer.force_state(self.tap_state)

    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Close the stream's state and write it: a stream has ended."""
        super().finalize_state_progress_markers(state)
        self._activate_version()
        self._tap.state_writer.force_state(self.tap_state)


def _context_key(context: Context | None) -> tuple[Any, ...]:
    return tuple((context or {}).items())


class _SilentCounter(metrics.Counter):
    def increment(self, value: int = 1) -> None:
        pass

    def exit(self) -> None:
        return


class _SilentTimer(metrics.Timer):
    def __exit__(self, *_: object) -> None:
        return
