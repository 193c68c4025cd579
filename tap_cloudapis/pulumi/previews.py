"""Previews of stacks, which hang on the updates that they follow."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from tap_cloudapis.core.ascending_pages import AscendingPages
from tap_cloudapis.core.breaking import in_own_words
from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.exchange import AskedPage, Read, Reading
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.ledger import PassesBookmark
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.numbered_pages import NumberedPages
from tap_cloudapis.core.paging import PageLimit
from tap_cloudapis.pulumi.detail_marks import DetailStream
from tap_cloudapis.pulumi.stack_streams import READ_STACK, StackStream
from tap_cloudapis.pulumi.stacks import STACK_KEY
from tap_cloudapis.pulumi.update_marks import OpenUpdate, StackMark, UpdatesBookmark
from tap_cloudapis.pulumi.update_rows import (
    flattened,
    identity_of,
    info_of,
    is_open,
    ref_of,
    version_of,
)
from tap_cloudapis.pulumi.updates import is_fresh

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Params, PendingPage, Row

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
    records_key = "updates"
    page_size = ("pageSize", 100)
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

    def wants(self, context: Context) -> bool:
        """Whether the stack has changed, has its turn, or a preview that was open."""
        if super().wants(context):
            return True
        mark = self.marks.get(context["stack_id"])
        is_read = self._pass.read_in(context["stack_id"])[0] == self._ledger_parent.ledger.run
        return not is_read and (mark is None or bool(mark.open))

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """New previews come behind those that were read."""
        return {"asc": "true"}

    def new_paginator(self, context: Context | None) -> AscendingPages:
        """All pages."""
        return AscendingPages(limit=self.limit, what=self.place(context), identity=ref_of)

    def prefetch(self, context: Context) -> None:
        """Ask for the previews behind the newest update."""
        super().prefetch({"version": LATEST, **context})

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The previews behind the newest update, and behind those that are new."""
        context = context or {}
        self._before = self.marks.get(context["stack_id"])
        told = None if self._may_go_on(context) else context["last_update"]
        self._now = StackMark(context["org_name"], told, 0)
        newest = yield from self._behind(context, LATEST)
        versions, listed = self._versions(context)
        self._now.newest = max(listed, newest)
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
        mark, last_update = self._before, context["last_update"]
        if mark is not None and last_update == mark.last_update:
            return [], mark.newest
        told = to_timestamp(last_update)
        if told is None and self._ledger_parent.tells_changes:
            return [], 0
        first = mark is None
        oldest = self.oldest if first else ""
        if first and isinstance(told, str) and told < oldest:
            return [], 0
        return self._list_updates(context, max((mark.newest if mark else 0) - 1, 0), oldest)

    def _list_updates(self, context: Context, floor: int, oldest: str) -> tuple[list[int], int]:
        """The versions above a floor that began since a time, and the newest there is."""
        pages = NumberedPages(
            limit=PageLimit("pageSize", 100),
            what=self.place(context),
            key=version_of,
            identity=identity_of,
            floor=floor,
        )
        pages.enough = lambda rows: all(_began(row) < oldest for row in rows)
        url = self.get_url({"version": LATEST, **context}).removesuffix(f"/{LATEST}/previews")

        def ask(params: Params) -> Any:
            return self.ask_at(f"{url}?{urlencode({'output-type': 'service', **params})}")

        def ask_page(read: Read, params: Params, *, resizable: bool = True) -> PendingPage:
            return AskedPage(
                ask,
                self.read_page,
                self.connection.host,
                params,
                limit=read.paginator.limit,
                resizable=resizable,
            )

        def fail(_read: Read, exc: Exception) -> None:
            raise exc

        found = [
            version_of(row) or 0
            for _, rows in Reading([Read(pages)], ask_page, self.ahead, fail, fail)
            for row in rows
            if _began(row) >= oldest
        ]
        return found, pages.newest

    def to_record(self, row: Row, context: Context) -> Row | None:
        """A preview, under the names that it was emitted with if it was open."""
        info, ref = info_of(row), ref_of(row)
        emitted = self._before.open.get(ref) if self._before else None
        update = emitted or OpenUpdate.seen(self._following, context)
        if is_open(info):
            self._now.open[ref] = update._replace(version=self._following)
        elif emitted is None and str(to_timestamp(info.get("startTime")) or "9") < self.start:
            return None
        return flattened(row, version_of(row), update.names)

    def context_done(self, context: Context | None) -> None:
        """Mark the stack: all that it had to say was written."""
        if context:
            self.marks.put(context["stack_id"], self._now)
        super().context_done(context)


def _began(row: Row) -> str:
    """When an update began; one that does not tell may be of any time."""
    return str(to_timestamp(info_of(row).get("startTime")) or "9")
