"""Previews of stacks, which hang on the updates that they follow."""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from tap_cloudapis.core.ascending_pages import AscendingPages
from tap_cloudapis.core.breaking import in_own_words
from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.exchange import Read, Reading
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.ledger import PassesBookmark
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.numbered_pages import NumberedPages
from tap_cloudapis.core.paging import PageLimit
from tap_cloudapis.pulumi.detail_marks import DetailStream
from tap_cloudapis.pulumi.stack_streams import READ_STACK, StackStream
from tap_cloudapis.pulumi.stacks import STACK_KEY, has_address
from tap_cloudapis.pulumi.update_marks import OpenUpdate, StackMark, UpdatesBookmark
from tap_cloudapis.pulumi.update_rows import (
    began,
    beginnings,
    flattened,
    identity_of,
    info_of,
    is_open,
    ref_of,
    version_of,
)
from tap_cloudapis.pulumi.updates import ReadList, StackUpdates, is_fresh

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Params, Row

LATEST = "latest"


class PreviewsBookmark(PassesBookmark, UpdatesBookmark, total=False):
    """The bookmark of the stream: turns of stacks, and how far each was read."""


class StackPreviews(StackStream, DetailStream):
    """The previews of each stack.

    A preview is listed with the update that it follows. When a stack has changed, those behind
    the update that was the newest, and behind each later one, are read; when it has its turn, or
    one of them is open, those behind the newest. At first those behind updates of the last
    ``pulumi_update_detail_days`` are read, too. The mark has the version of the newest update, and
    what is open; an open preview is known with the version of the update that it follows.
    """

    name = "pulumi_stack_previews"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/updates/{version}/previews"
    primary_keys = (*STACK_KEY, "update_id")
    bookmark_form = PreviewsBookmark
    in_slots = True
    may_be_unset = True
    #: Read by the stream of updates: what its lists tell is wanted here.
    follows_updates = True
    records_key = "updates"
    page_size = ("pageSize", 100)
    kind_of_lists = StackUpdates.kind_of_lists
    # The names are those of the stack, or those that an open preview was emitted with.
    context_columns: ClassVar[Mapping[str, str]] = {"stack_id": "stack_id"}
    dropped_fields = frozenset({"deployment", "latest_version"})
    unscrubbed_fields = frozenset({"config"})
    facts = Facts(
        row="a preview of an update, refresh or destroy of a stack",
        requests=(
            "two per stack that has changed and one per new update, one per stack that has its turn"
        ),
        permission=READ_STACK,
    )

    limit: PageLimit

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        # Of the stack that is being read: what was known before, and what is seen now.
        self._before: StackMark | None = None
        self._now = StackMark("", None, 0)
        self._following = 0
        #: Whether it went while it was read; if it comes back, it goes on at its mark.
        self._is_gone = False
        #: By stack, the list of its updates that was asked for ahead, and what follows from it.
        self._lists: dict[str, tuple[NumberedPages, Reading]] = {}
        self._contexts: dict[str, Context] = {}

    def wants(self, context: Context) -> bool:
        """Whether the stack has changed, has its turn, or a preview that was open."""
        if super().wants(context):
            return True
        if not has_address(context):
            return False
        mark = self.marks.get(context["stack_id"])
        is_read = self._pass.read_in(context["stack_id"])[0] == self._ledger_parent.ledger.run
        if is_read or mark is None:
            return not is_read
        # Another update may have begun in the second that was told.
        was_fresh = mark.last_update is None and context["last_update"] is not None
        return was_fresh or bool(mark.open)

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """New previews come behind those that were read."""
        return {"asc": "true"}

    def new_paginator(self, context: Context | None) -> AscendingPages:
        """All pages."""
        return AscendingPages(limit=self.limit, what=self.place(context), identity=ref_of)

    def prefetch(self, context: Context) -> None:
        """Ask for the previews behind the newest update, and for which others there are."""
        super().prefetch({"version": LATEST, **context})
        if self._can_read(context) and self._asks_for_updates(context):
            stack_id, mark = context["stack_id"], self.marks.get(context["stack_id"])
            self._contexts[stack_id] = context
            if self._updates is None or not self._updates.is_coming(context):
                pages = self._pages(context, mark.newest if mark else 0)
                self._lists[stack_id] = (pages, self._listing(context, pages))

    def ask_on(self) -> None:
        """Ask for the previews behind updates that are known by now."""
        for stack_id, context in [*self._contexts.items()]:
            listing, updates = self._lists.get(stack_id), self._updates
            if listing is not None:
                rows = listing[1].peek()
            elif updates is not None and updates.is_coming(context):
                rows = updates.peek(context)
            else:
                del self._contexts[stack_id]
                continue
            if rows is not None:
                del self._contexts[stack_id]
                began = beginnings(rows)
                chosen = {*self._chosen(context, began)} - {max(began, default=0)}
                for version in islice(sorted(chosen), self.ahead):
                    super().prefetch({"version": version, **context})

    def forget_prefetched(self) -> None:
        """Give up what was asked for and is not needed any more."""
        super().forget_prefetched()
        for _, listing in self._lists.values():
            listing.cancel()
        self._lists.clear()
        self._contexts.clear()

    @cached_property
    def _updates(self) -> StackUpdates | None:
        """The stream that lists the updates of each stack, if it is read."""
        return self.beside(StackUpdates)

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The previews behind the newest update, and behind those that are new."""
        context = context or {}
        self._before = self.marks.get(context["stack_id"])
        told = None if self._may_go_on(context) else context["last_update"]
        self._now = StackMark(context["org_name"], told, 0)
        self._is_gone = False
        newest = yield from self._behind(context, LATEST)
        versions, listed = self._versions(context)
        self._now.newest = max(listed, newest, self._before.newest if self._before else 0)
        # An open one that was behind the newest update may be behind an older one by now.
        was_open = {u.version for u in self._before.open.values()} if self._before else set()
        versions = sorted({*versions, *was_open} - {self._now.newest, 0})
        coming = iter(versions)
        for version in islice(coming, self.ahead):
            super().prefetch({"version": version, **context})
        for version in versions:
            yield from self._behind(context, version)
            for following in islice(coming, 1):
                super().prefetch({"version": following, **context})

    def _may_go_on(self, context: Context) -> bool:
        """Whether the stack can change without another ``last_update``."""
        return is_fresh(context["last_update"], self.connection.now())

    def _behind(self, context: Context, version: int | str) -> Generator[list[Row], None, int]:
        """Read the previews behind an update; give back the newest version that they tell of."""
        newest = 0
        try:
            for rows in super().lists({"version": version, **context}):
                for row in rows:
                    told = row.get("latestVersion")
                    newest = max(newest, told if type(told) is int else 0)
                self._following = version if isinstance(version, int) else newest
                yield rows
        except RefusedError as exc:
            # None, or an update that is not there any more.
            if not exc.is_not_found or not in_own_words(exc.response):
                raise
        return newest

    def _versions(self, context: Context) -> tuple[list[int], int]:
        """The updates whose previews are wanted, and the newest version.

        Where both are known, that costs no request.
        """
        mark, stack_id = self._before, context["stack_id"]
        self._contexts.pop(stack_id, None)
        listing = self._lists.pop(stack_id, None)
        if not self._asks_for_updates(context):
            return [], mark.newest if mark else 0
        floor = mark.newest if mark else 0
        read = self._updates.last_read if self._updates is not None else None
        if listing is not None or read is None or read.stack_id != stack_id or read.floor > floor:
            read = self._listed(context, floor, listing)
        if 0 < read.newest < floor:
            # Another stack under the same names, on a server that gives stacks no ids.
            self._before = None
            self.marks.drop(stack_id)
            read = read if not read.floor else self._listed(context, 0)
        return self._chosen(context, read.began), read.newest

    def _asks_for_updates(self, context: Context) -> bool:
        """Whether there can be updates whose previews were not read when they were the newest."""
        mark, last_update = self.marks.get(context["stack_id"]), context["last_update"]
        told = to_timestamp(last_update)
        if told is None and self.is_untold(mark, self._ledger_parent):
            return True
        if mark is not None:
            return bool(last_update != mark.last_update)
        return told is not None and (not isinstance(told, str) or told >= self.oldest)

    def _chosen(self, context: Context, began: Mapping[int, str]) -> list[int]:
        """The updates whose previews are wanted: the one that was the newest, and later ones."""
        mark = self.marks.get(context["stack_id"])
        if mark is None or not mark.newest:
            oldest = self.begins_at(mark)
            return [version for version, told in began.items() if told >= oldest]
        return [version for version in {mark.newest, *began} if version >= max(mark.newest, 1)]

    def _listed(
        self, context: Context, floor: int, listing: tuple[NumberedPages, Reading] | None = None
    ) -> ReadList:
        """Read the list of a stack's updates down to a version."""
        if listing is None:
            pages = self._pages(context, floor)
            listing = (pages, self._listing(context, pages))
        pages, reading = listing
        began: dict[int, str] = {}
        try:
            for _, rows in reading:
                began.update(beginnings(rows))
        except RefusedError as exc:
            if not exc.is_not_found or not in_own_words(exc.response):
                raise
            self._is_gone = True
            return ReadList(context["stack_id"], floor, floor, {})
        return ReadList(context["stack_id"], floor, pages.newest, began)

    def _pages(self, context: Context, floor: int) -> NumberedPages:
        """Newest first, down to a version; at first down to the oldest that is wanted."""
        pages = NumberedPages(
            limit=PageLimit("pageSize", 100),
            what=self.place(context),
            key=version_of,
            identity=identity_of,
            floor=floor,
        )
        if not floor:
            oldest = self.begins_at(self.marks.get(context["stack_id"]))
            pages.enough = lambda rows: all(told < oldest for told in beginnings(rows).values())
        return pages

    def _listing(self, context: Context, pages: NumberedPages) -> Reading:
        """The list of a stack's updates, on its way."""
        url = self.get_url({"version": LATEST, **context}).removesuffix(f"/{LATEST}/previews")

        def ask(params: Params) -> Any:
            return self.ask_at(f"{url}?{urlencode({'output-type': 'service', **params})}")

        return self._reading(context, [Read(pages)], ask)

    def to_record(self, row: Row, context: Context) -> Row | None:
        """A preview, under the names that it was emitted with if it was open."""
        info, ref = info_of(row), ref_of(row)
        emitted = self._before.open.get(ref) if self._before else None
        update = emitted or OpenUpdate.seen(self._following, context)
        if is_open(info):
            self._now.open[ref] = update._replace(version=self._following)
        elif emitted is None and began(info) < self.start:
            return None
        return flattened(row, version_of(row), update.names)

    def context_done(self, context: Context | None) -> None:
        """Mark the stack: all that it had to say was written."""
        if context and not self._is_gone and not self.lacks_rows:
            self.marks.put(context["stack_id"], self._now)
        super().context_done(context)
