"""The walk over updates of stacks, for streams that read something of each one that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.breaking import GONE, NO_ROUTE, REFUSED_IN_A_ROW, STOPPED, in_own_words
from tap_cloudapis.core.carriers import CarrierStream
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.numbered_pages import NumberedPages
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import PulumiStream
from tap_cloudapis.pulumi.detail_marks import DetailStream
from tap_cloudapis.pulumi.stack_streams import READ_STACK
from tap_cloudapis.pulumi.stacks import STACK_KEY, Stacks, has_address
from tap_cloudapis.pulumi.update_marks import OpenUpdate, StackMark, UpdatesBookmark
from tap_cloudapis.pulumi.update_rows import (
    began,
    beginnings,
    identity_of,
    info_of,
    is_open,
    version_of,
)
from tap_cloudapis.pulumi.updates import StackUpdates, is_fresh

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import PageLimit, Row

_STACK = "stack {org_name}/{project_name}/{stack_name}"


class UpdateWalk(CarrierStream, PulumiStream):
    """The updates of stacks that have changed, or of which a member waits for something."""

    name = "pulumi_ended_updates"
    title = "updates of stacks that have changed"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/updates"
    primary_keys = (*STACK_KEY, "version")
    parent_stream_type = Stacks
    records_key = "updates"
    page_size = ("pageSize", 100)
    kind_of_lists = StackUpdates.kind_of_lists
    scope = _STACK
    context_columns: ClassVar[Mapping[str, str]] = {name: name for name in STACK_KEY}
    permission = READ_STACK

    limit: PageLimit

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: The updates of the stack that is being read, by version.
        self.seen: dict[int, Row] = {}
        #: The newest version of that stack, whether it is wanted or not.
        self.newest = 0

    @property
    def members(self) -> list[UpdateMember]:
        """The streams that read something of updates."""
        return [child for child in self._wanted_children() if isinstance(child, UpdateMember)]

    def wants(self, context: Context) -> bool:
        """Whether any member may find something new."""
        if not has_address(context):
            return False
        return any([member.wants_stack(context) for member in self.members])  # noqa: C419 - all

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """The shape that tells the ids of updates."""
        return {"output-type": "service"}

    def new_paginator(self, context: Context | None) -> NumberedPages:
        """Newest first, down to what every member that wants the stack has read."""
        context = context or {}
        wanting = [member for member in self.members if member.wants_stack(context)]
        marks = [member.marks.get(context["stack_id"]) for member in wanting]
        floors = [mark.newest if mark else 0 for mark in marks]
        pages = NumberedPages(
            limit=self.limit, what=self.place(context), key=version_of, identity=identity_of
        )
        pages.floor = min(floors, default=0)
        waiting = (update.version for mark in marks if mark for update in mark.open.values())
        pages.sought = frozenset(filter(None, waiting))
        if not pages.floor:
            begins = [m.begins_at(mark) for m, mark in zip(wanting, marks, strict=True)]
            oldest = min(begins, default="")
            pages.enough = lambda rows: all(told < oldest for told in beginnings(rows).values())
        return pages

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The updates of a stack."""
        self.seen, self.newest = {}, 0
        yield from super().lists(context)

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Leave out the updates that have no version yet: they have not begun."""
        assert isinstance(read.paginator, NumberedPages)  # noqa: S101 - see new_paginator()
        self.newest = read.paginator.newest
        return [row for row in rows if version_of(row)]

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """What members need to know of an update."""
        info, version = info_of(row), version_of(row) or 0
        environment = as_object(info.get("environment"))
        record = self.seen[version] = {
            "version": version,
            "update_id": row.get("updateID"),
            "kind": info.get("kind"),
            "is_open": is_open(info),
            "began": began(info),
            "has_commit": bool(environment.get("git.head")),
        }
        return dict(record)

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """The update."""
        return dict(record)

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """A stack can be gone before its updates are read."""
        if exc.is_not_found and not rows:
            self.outcomes[self.owner_of(context)].gone += 1
            self.skip(GONE, self.place(context))
            return
        super().refused(exc, context, rows)

    def forget_rows(self, met: Collection[str], read: Collection[str]) -> None:
        """Have the members forget the stacks that are gone."""
        for member in self.members:
            member.forget_rows(met, read)


class UpdateMember(MarkedStream, DetailStream):
    """Something of each update, read once when the update has ended.

    The mark of a stack has the newest version that was seen, and the updates up to it that are
    not done: open ones, and such as could not be read.
    """

    primary_keys: Sequence[str] = (*STACK_KEY, "version")
    replication_key = "version"
    bookmark_form = UpdatesBookmark
    parent_stream_type = UpdateWalk
    scope = f"{_STACK}, update {{version}}"
    context_columns: ClassVar[Mapping[str, str]] = {
        name: name for name in (*STACK_KEY, "version", "update_id")
    }

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._done: set[tuple[str, int]] = set()
        #: By owner, the last stacks of which something was refused, one after another.
        self._refused: dict[Any, list[str]] = {}
        self._has_route = True

    @property
    def keeps_marks(self) -> bool:
        """Whether to go on from the marks in the state."""
        return self.incremental

    @property
    def _walk(self) -> UpdateWalk:
        parent = self.parent
        assert isinstance(parent, UpdateWalk)  # noqa: S101 - declared so
        return parent

    def concerns(self, update: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Whether there can be anything to read of an update."""
        return True

    def wants_stack(self, context: Context) -> bool:
        """Whether a stack may have an update that was not read.

        One that was updated last before all that is to be read is noted, and costs no request.
        """
        if not self._has_route or self._is_stopped(context):
            return False
        stack_id, last_update = context["stack_id"], context["last_update"]
        self.marks.moved(stack_id, context["org_name"])
        mark = self.marks.get(stack_id)
        told = to_timestamp(last_update)
        if told is None and self.is_untold(mark, self._walk.parent):
            return True
        if mark is not None:
            return bool(mark.last_update != last_update or mark.open)
        if told is None:
            return False
        if isinstance(told, str) and told < self.oldest:
            self.marks.put(stack_id, StackMark(context["org_name"], last_update, 0))
            return False
        return True

    def wants(self, context: Context) -> bool:
        """Whether an update has ended and was not read."""
        stack_id, version = context["stack_id"], context["version"]
        if context["is_open"] or (stack_id, version) in self._done:
            return False
        if not self._has_route or stack_id in self._refused.get(self.owner_of(context), ()):
            return False
        return self._is_due(context, self.marks.get(stack_id))

    def _is_due(self, update: Mapping[str, Any], mark: StackMark | None) -> bool:
        """Whether an update was not done with before this sync, open or not."""
        version = update["version"]
        if not self.concerns(update):
            return False
        if mark is not None and any(version == u.version for u in mark.open.values()):
            return True
        if mark is None:
            return bool(update["began"] >= self.oldest)
        if not mark.newest:
            return bool(update["began"] > self.begins_at(mark))
        return bool(version > mark.newest)

    def _is_stopped(self, context: Context) -> bool:
        return len(self._refused.get(self.owner_of(context), ())) >= REFUSED_IN_A_ROW

    def context_done(self, context: Context | None) -> None:
        """Note that an update is done with."""
        context = context or {}
        self._refused.pop(self.owner_of(context), None)
        if self.lacks_rows:
            return  # to be read again, until nothing has to be left out
        self._done.add((context["stack_id"], context["version"]))

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """What is not there is done with; what the token may not read is asked for next time."""
        context = context or {}
        if exc.is_not_found and in_own_words(exc.response) and not rows:
            self.outcomes[self.owner_of(context)].read += 1
            self._done.add((context["stack_id"], context["version"]))
            return
        if exc.is_not_found and not in_own_words(exc.response):
            self._has_route = False
            self.outcomes[self.owner_of(context)].refused += 1
            self.skip(NO_ROUTE, in_full=f"{exc}; {NO_ROUTE}: {self.permission}")
            return
        owner = self.owner_of(context)
        stacks = self._refused.setdefault(owner, [])
        if context["stack_id"] not in stacks:
            stacks.append(context["stack_id"])
        self.outcomes[owner].refused += 1
        if self._is_stopped(context):
            place = f"{self.owner} {owner}"
            self.tell_refused(exc, context, place, rows=rows, more=STOPPED)
        else:
            self.tell_refused(exc, context, self.place(context), rows=rows)

    def parent_done(self, context: Context | None) -> None:
        """Mark the stack, as all of its updates were seen."""
        context = context or {}
        stack_id, walk = context["stack_id"], self._walk
        if not self.wants_stack(context) or not self._can_read(context):
            return
        mark = self.marks.get(stack_id)
        if mark is not None and 0 < walk.newest < mark.newest:
            # Another stack under the same names, on a server that gives stacks no ids.
            self.marks.drop(stack_id)
            return
        waiting = {
            str(update["update_id"] or f"#{version}"): OpenUpdate.seen(version, context)
            for version, update in walk.seen.items()
            if (stack_id, version) not in self._done and self._is_due(update, mark)
        }
        told = context["last_update"]
        if is_fresh(told, self.connection.now()):
            told = None  # another update may begin in the same second
        newest = max(walk.newest, mark.newest if mark else 0)
        self.marks.put(stack_id, StackMark(context["org_name"], told, newest, open=waiting))
