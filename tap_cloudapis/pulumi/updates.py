"""Updates of stacks: every update while it is open, and once more when it has ended."""

from __future__ import annotations

from contextlib import suppress
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_cloudapis.core.breaking import GONE
from tap_cloudapis.core.errors import ResponseError
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.ledger import short_hash
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.numbered_pages import NumberedPages
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import PulumiStream
from tap_cloudapis.pulumi.stacks import STACK_KEY, Stacks, has_address
from tap_cloudapis.pulumi.update_marks import OpenUpdate, StackMark, UpdateMarks, UpdatesBookmark
from tap_cloudapis.pulumi.update_rows import (
    all_began_before,
    began,
    beginnings,
    flattened,
    identity_of,
    info_of,
    is_open,
    ref_of,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import ClassVar

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.exchange import Exchange, Read
    from tap_cloudapis.core.paging import PageLimit, Row

#: What the address of an update answers that is not there, or on servers without such addresses.
GONE_STATUSES = (404, 405, 410)
#: A stack that was updated just now is asked for once more: a clock or a list may lag behind by
#: minutes. What lies further ahead is no time at all, and has to tell one update from another.
LAG, AHEAD = timedelta(minutes=5), timedelta(days=1)


class ReadList(NamedTuple):
    """What the list of a stack's updates has told.

    Attributes:
        stack_id: The stack.
        floor: The version above which all was read, but for what is older than the start date.
        newest: The newest version.
        began: When updates above the floor began, by version.
    """

    stack_id: str
    floor: int
    newest: int
    began: dict[int, str]


class StackUpdates(MarkedStream, PulumiStream):
    """The updates of each stack, incremental by stack.

    A stack is asked for only when its ``last_update`` differs from its mark, or while one of
    its updates is open: the end of an update does not move ``last_update``. An update that is
    open when its stack is renamed or transferred ends under the names it was emitted with.

    Some servers give an update no version (0) before it starts. It is emitted so, and followed
    by its id until it has ended under the version it got; the first row stays.
    """

    name = "pulumi_stack_updates"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/updates"
    primary_keys = (*STACK_KEY, "version")
    replication_key = "version"
    bookmark_form = UpdatesBookmark
    parent_stream_type = Stacks
    records_key = "updates"
    page_size = ("pageSize", 100)
    kind_of_lists = "updates of stacks"
    scope = "stack {org_name}/{project_name}/{stack_name}"
    # The names are those of the stack, or those that an open update was emitted with.
    context_columns: ClassVar[Mapping[str, str]] = {"stack_id": "stack_id"}
    # The checkpoint holds secrets; the newest version changes for old updates too.
    dropped_fields = frozenset({"deployment", "latest_version"})
    unscrubbed_fields = frozenset({"config"})
    facts = Facts(
        row="an update, refresh, destroy or import of a stack",
        requests="one per stack with a new or an open update, and one per further 100 updates",
        permission="the permission to read the stack (stack:read)",
    )

    limit: PageLimit

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        # Of the stack that is being read: what was known before, and what is seen now.
        self._before = StackMark("", None, 0)
        self._now = StackMark("", None, 0)
        self._listed = 0
        self._missing: frozenset[int] = frozenset()
        self._told_unsorted = False
        #: What was read of the last stack whose list was read to its end.
        self.last_read = ReadList("", 0, 0, {})
        self._began: dict[int, str] = {}
        self._is_another = False

    @cached_property
    def _is_followed(self) -> bool:
        """Whether another stream goes by what the lists of updates tell."""
        beside = self.parent.child_streams if self.parent else ()
        return any(each.selected and getattr(each, "follows_updates", False) for each in beside)

    @cached_property
    def marks(self) -> UpdateMarks:
        """The marks of all stacks, in the state."""
        return UpdateMarks(self.stream_state, self.start, keep=self.incremental)

    def wants(self, context: Context) -> bool:
        """Whether a stack has anything that was not read before."""
        if not has_address(context):
            self.skip("has a name that cannot be put in a URL", self.place(context))
            return False
        self.marks.moved(context["stack_id"], context["org_name"])
        mark = self.marks.get(context["stack_id"])
        known = mark.last_update if mark else None
        if known != context["last_update"] or (mark and mark.open):
            return True
        if known is not None:
            return False
        # Never updated, unless it was, or this server never tells.
        return bool(mark and mark.newest) or not self._tells_last_update

    @property
    def _tells_last_update(self) -> bool:
        parent = self.parent
        told_now = isinstance(parent, Stacks) and parent.tells_last_update
        return told_now or self.marks.tell_last_update

    def has_open_update(self, stack_id: str) -> bool:
        """Whether an update of a stack was open when it was last read."""
        return bool((mark := self.marks.get(stack_id)) and mark.open)

    def was_read(self, context: Context | None) -> bool:
        """Whether the stack has a mark, and all of its organization was read."""
        if context is None or self.marks.get(context["stack_id"]) is None:
            return False
        return self.owner_of(context) in self.read_whole

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """The shape that tells who ran an update, and its id."""
        return {"output-type": "service"}

    def new_paginator(self, context: Context | None) -> NumberedPages:
        """Newest first, down to what is known; what was open is looked for where it must be."""
        pages = NumberedPages(
            limit=self.limit,
            what=self.place(context),
            key=version_of,
            identity=identity_of,
        )
        if self.start:
            pages.enough = lambda rows: all_began_before(rows, self.start)
        mark = self.marks.get((context or {})["stack_id"])
        if mark is not None:
            pages.floor = mark.newest
            pages.sought = frozenset(u.version for u in mark.open.values() if u.version)
            pages.awaited = frozenset(ref for ref, u in mark.open.items() if not u.version)
        return pages

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The updates of a stack; all of them if its versions begin again."""
        context = context or {}
        self._begin(context, self.marks.get(context["stack_id"]))
        yield from self._read_list(context)
        lacks = self._listed < self._before.newest
        if lacks and not self._is_another and self._has_newest(context):
            # The list lacks for a moment what is there: it is read again, and nothing is forgotten.
            self._now.last_update = None
            numbers = (update.version for update in self._before.open.values())
            self._missing = frozenset(filter(None, numbers))
        elif lacks or self._is_another:
            # Another stack under the same names, on a server that gives stacks no ids, or since
            # the list of stacks was read.
            self.marks.drop(context["stack_id"])
            self._begin(context, None)
            yield from self._read_list(context)
            return
        if self._missing:
            yield self._each_alone(context)

    def _read_list(self, context: Context) -> Iterator[list[Row]]:
        self._began = {}
        yield from super().lists(context)
        floor = self._before.newest
        self.last_read = ReadList(context["stack_id"], floor, self._listed, self._began)

    def _has_newest(self, context: Context) -> bool:
        """Whether the newest update that was emitted is at its own address."""
        version, known_by = self._before.newest, self._before.known_by
        with suppress(ResponseError):
            row = as_object(self._ask_alone(context, version).body())
            is_known = not known_by or short_hash(identity_of(row)) == known_by
            return version_of(row) == version and is_known
        return False

    def _ask_alone(self, context: Context, version: int) -> Exchange:
        return self.ask_at(f"{self.get_url(context)}/{version}")

    def _each_alone(self, context: Context) -> list[Row]:
        """Ask for open updates that the list lacks: only their own addresses tell what is gone."""
        still_open = {update.version: (ref, update) for ref, update in self._before.open.items()}
        pending = [
            (version, self._ask_alone(context, version)) for version in sorted(self._missing)
        ]
        rows = []
        for version, exchange in pending:
            try:
                row = exchange.body()
            except ResponseError as exc:
                if exc.response.status_code not in GONE_STATUSES:
                    raise
                what = f"update {version} was open, and is gone: it stays as it was"
                self.note_of(context, what)
                continue
            if isinstance(row, dict) and version_of(row) == version:
                rows.append(row)
            else:
                ref, update = still_open[version]
                self._now.open[ref] = update
        return rows

    def _begin(self, context: Context, mark: StackMark | None) -> None:
        self._before = mark or StackMark("", None, 0)
        # The time is told in seconds: another update may begin in the one that was told.
        told = (
            None
            if is_fresh(context["last_update"], self.connection.now())
            else context["last_update"]
        )
        self._now = StackMark(context["org_name"], told, self._before.newest, self._before.known_by)
        self._missing = frozenset()
        self._is_another = False

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:
        """Keep the updates that are new or were open."""
        assert isinstance(read.paginator, NumberedPages)  # noqa: S101 - see new_paginator()
        self._listed, self._missing = read.paginator.newest, read.paginator.missing
        if self._is_followed:
            self._began.update(beginnings(rows))
        if read.paginator.unsorted and not self._told_unsorted:
            self._told_unsorted = True
            what = "its updates do not come newest first, so all of them are read each time"
            self.note_of(context, what)
        found = read.paginator.identity_of(self._before.newest)
        if found is not None and self._before.known_by:
            self._is_another = short_hash(found) != self._before.known_by
        return [row for row in rows if self._is_new(row) or self._emitted_open(row) is not None]

    def _emitted_open(self, row: Row) -> OpenUpdate | None:
        """The update as it was emitted, if it was open then; without an id, known by its version.

        A server that begins to give ids has none for what was emitted before.
        """
        still_open = self._before.open
        if not still_open:
            return None
        return still_open.get(ref_of(row)) or still_open.get(f"#{version_of(row)}")

    def _is_new(self, row: Row) -> bool:
        """Whether an update was not emitted before; one without a version is again and again."""
        version = version_of(row)
        return not version or version > self._before.newest

    def to_record(self, row: Row, context: Context) -> Row | None:
        """An update that is new or was open, under the names it was emitted with."""
        info, version = info_of(row), version_of(row)
        emitted_open = self._emitted_open(row)
        still_open = is_open(info)
        if began(info) < self.start and not still_open and emitted_open is None:
            return None
        update = emitted_open or OpenUpdate.seen(version or 0, context)
        if version is not None:
            if version and version >= self._now.newest:
                self._now.newest, self._now.known_by = version, short_hash(identity_of(row))
            if still_open:
                self._now.open[ref_of(row)] = update._replace(version=version)
        return flattened(row, version, update.names)

    def context_done(self, context: Context | None) -> None:
        """Mark the stack: all that it had to say was written."""
        if context:
            if self.lacks_rows:
                self._now.last_update = None  # to be read again, until nothing has to be left out
            self.marks.put(context["stack_id"], self._now)

    def forget_rows(self, met: Collection[str], read: Collection[str]) -> None:
        """Drop the marks of stacks that are gone."""
        self.marks.forget(met, read)

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """A stack can be gone before all its updates are read; then nothing is missing.

        If it has been moved, the next sync goes on at its mark; else it forgets the mark.
        """
        if context and exc.is_not_found and not rows:
            self.outcomes[self.owner_of(context)].gone += 1
            self.skip(GONE, self.place(context))
            return
        super().refused(exc, context, rows)


def is_fresh(last_update: Any, server_time: datetime) -> bool:
    """Whether a stack was updated just now, by the server's clock or this computer's."""
    clocks = (datetime.now(UTC), server_time)
    told = str(to_timestamp(last_update) or "")
    return any(
        f"{now - LAG:%Y-%m-%dT%H:%M:%S}" < told < f"{now + AHEAD:%Y-%m-%dT%H:%M:%S}"
        for now in clocks
        if now.year < MAXYEAR
    )
