"""Stacks and their updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.normalizing import looks_secret, to_timestamp
from tap_cloudapis.core.paging import NumberedPages, PageLimit, Paginator, Row, TokenPages
from tap_cloudapis.pulumi.client import PulumiStream, snake_keys
from tap_cloudapis.pulumi.organization import Organizations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.exchange import Read

#: The results of an update that has not ended.
OPEN_RESULTS = ("in-progress", "not-started")
ENDED_RESULTS = ("succeeded", "failed")
NOT_FOUND = 404


class Stacks(PulumiStream):
    """The stacks of an organization that the token can read; always the whole list.

    ``last_update`` is when the newest update began; it is offered as a replication key, but
    the list has no filter for it and is the parent of every stack's streams.
    """

    name = "pulumi_stacks"
    path = "/api/user/stacks"
    primary_keys = ("org_name", "project_name", "stack_name")
    replication_key = "last_update"
    forced_replication_method = "FULL_TABLE"
    parent_stream_type = Organizations
    records_key = "stacks"
    page_size = ("maxResults", 500)
    permission = "the permission to list stacks"
    context_columns: ClassVar[Mapping[str, str]] = {}

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.forced_replication_method = "FULL_TABLE"
        self.tells_last_update = False
        self._listed: set[str] = set()

    def get_replication_key_signpost(self, context: Context | None = None) -> None:  # noqa: ARG002
        """None: the whole list leaves nothing to remember."""
        return

    def base_params(self, context: Context | None) -> dict[str, Any]:
        """The stacks of one organization."""
        return {"organization": (context or {}).get("org_name")}

    def new_paginator(self, context: Context | None) -> Paginator:
        """Pages by token."""
        return TokenPages(limit=self.limit, what=self.describe(context).removesuffix(": "))

    def to_record(self, row: Row, context: Context) -> Row | None:
        """Rename the fields; the id stays with a stack when it is renamed."""
        if row["orgName"].casefold() != context["org_name"].casefold():
            return None
        record = snake_keys(row)
        record["stack_id"] = record.pop("id", None)
        record["console_url"] = (record.get("links") or {}).get("self")
        if record.get("last_update"):
            self.tells_last_update = True
        self._listed.add(stack_key(record))
        return record

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """What identifies a stack, and what tells whether it has changed."""
        return {
            "org_name": record["org_name"],
            "project_name": record["project_name"],
            "stack_name": record["stack_name"],
            "stack_id": record["stack_id"],
            "last_update": record.get("last_update"),
        }

    def context_done(self, context: Context | None) -> None:
        """Let the children forget the stacks that are gone from the organization."""
        for child in self.child_streams:
            if isinstance(child, StackUpdates) and context:
                child.forget_all_but(self._listed, context["org_name"])
        self._listed = set()


def stack_key(stack: Mapping[str, Any]) -> str:
    """A stack's name in the state; none of its parts can hold a slash."""
    return f"{stack['org_name']}/{stack['project_name']}/{stack['stack_name']}"


class StackUpdates(MarkedStream, PulumiStream):
    """The updates of each stack, incremental by stack.

    The state has a mark per stack, ``[stack_id, last_update, newest version, open versions]``.
    A stack is asked for only when its id or ``last_update`` differs from its mark, or while
    one of its updates is open: the end of an update does not move ``last_update``. A new id
    under an old name is a stack that was deleted and made again: it is read from its start.
    """

    name = "pulumi_stack_updates"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/updates"
    primary_keys = ("org_name", "project_name", "stack_name", "version")
    replication_key = "version"
    parent_stream_type = Stacks
    records_key = "updates"
    page_size = ("pageSize", 100)
    context_columns: ClassVar[Mapping[str, str]] = {
        name: name for name in ("org_name", "project_name", "stack_name", "stack_id")
    }
    # The checkpoint holds secrets; the newest version changes for old updates too.
    dropped_fields = frozenset({"deployment", "latest_version"})
    unscrubbed_fields = frozenset({"config"})
    permission = "the permission to read the stack"

    limit: PageLimit

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._since = to_timestamp(self.config.get("start_date")) or ""
        self._loaded = False
        # Of the stack that is being read: versions known before, and seen now.
        self._known = 0
        self._was_open: list[int] = []
        self._listed = 0
        self._newest = 0
        self._open: list[int] = []

    @property
    def marks(self) -> dict[str, list[Any]]:
        """The marks of all stacks, in the state; dropped when the start date moves back."""
        state = self.stream_state
        if not self._loaded:
            self._loaded = True
            since = state.get("since", self._since)
            moved_back = since and (not self._since or self._since < since)
            if moved_back or not self.incremental:
                state["stacks"] = {}
            state["since"] = self._since
        marks: dict[str, list[Any]] = state.setdefault("stacks", {})
        return marks

    def _mark(self, context: Context) -> list[Any] | None:
        """The mark of a stack; ``None`` for a stack that is new, or new under its name."""
        mark = self.marks.get(stack_key(context))
        return mark if mark and mark[0] == context["stack_id"] else None

    def wants(self, context: Context) -> bool:
        """Whether a stack has anything that was not read before."""
        if {context["project_name"], context["stack_name"]} & {".", ".."}:
            what = f"stack {stack_key(context)}: its name cannot be put in a URL"
            self._tap.report.skip(self.name, what)
            return False
        if context["last_update"] is None:
            parent = self._tap.streams[Stacks.name]
            return not (isinstance(parent, Stacks) and parent.tells_last_update)
        mark = self._mark(context)
        return mark is None or mark[1] != context["last_update"] or bool(mark[3])

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """The shape that tells who ran an update, and its id."""
        return {"output-type": "service"}

    def new_paginator(self, context: Context | None) -> NumberedPages:
        """Newest first, down to the oldest version that is open or not known."""
        mark = self._mark(context or {})
        return NumberedPages(
            limit=self.limit,
            what=f"stack {stack_key(context or {})}",
            key=_version,
            floor=min([mark[2], *(version - 1 for version in mark[3])]) if mark else 0,
            enough=self._before_start,
        )

    def _before_start(self, rows: list[Row]) -> bool:
        """Whether a page holds updates from before the start date: older pages only do."""
        return any(self._is_early(_info(row)) for row in rows)

    def _is_early(self, info: Row) -> bool:
        """Whether an update started before the start date."""
        return (to_timestamp(info.get("startTime")) or "9") < self._since

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The updates of a stack; all of them if it was made anew."""
        context = context or {}
        mark = self._mark(context)
        self._known, self._was_open = (mark[2], mark[3]) if mark else (0, [])
        self._newest, self._open = self._known, []
        yield from super().lists(context)
        if self._listed < self._known:
            # Its versions begin again: another stack under the same name, without an id.
            del self.marks[stack_key(context)]
            self._known = self._newest = 0
            yield from super().lists(context)

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Keep the updates that are new or were open."""
        assert isinstance(read.paginator, NumberedPages)  # noqa: S101 - see new_paginator()
        self._listed = read.paginator.newest
        return [
            row for row in rows if _version(row) > self._known or _version(row) in self._was_open
        ]

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Flatten either shape of an update into one record."""
        info = _info(row)
        version = _version(row)
        is_open = _is_open(info)
        if not is_open and self._is_early(info):
            return None
        self._newest = max(self._newest, version)
        if is_open:
            self._open.append(version)
        record = snake_keys(info)
        record.update(snake_keys({k: v for k, v in row.items() if k != "info"}))
        record["version"] = version
        record["requested_by_login"] = (record.get("requested_by") or {}).get("githubLogin")
        if str(record.get("requested_by_token") or "").startswith("pul-"):
            record["requested_by_token"] = None
        _hide_secret_config(record.get("config"))
        return record

    def context_done(self, context: Context | None) -> None:
        """Mark the stack: all that it had to say was written."""
        if context:
            self.marks[stack_key(context)] = [
                context["stack_id"],
                context["last_update"],
                self._newest,
                sorted(self._open),
            ]

    def forget_all_but(self, keys: set[str], org_name: str) -> None:
        """Drop the marks of stacks that are gone from an organization."""
        marks = self.marks
        org = org_name.casefold()
        gone = [k for k in marks if k.split("/", 1)[0].casefold() == org and k not in keys]
        for key in gone:
            del marks[key]

    def refused(self, exc: RefusedError, context: Context | None, rows: int) -> None:
        """A stack can be deleted before all its updates are read; then nothing is missing."""
        if context and exc.response.status_code == NOT_FOUND:
            self.marks.pop(stack_key(context), None)
            what = f"stack {stack_key(context)}: deleted while it was read"
            self._tap.report.skip(self.name, what)
            return
        super().refused(exc, context, rows)


def _info(row: Row) -> Row:
    """The facts of an update, in the shape of the service and in the older flat one."""
    info: Row = row.get("info") or row
    return info


def _version(row: Row) -> int:
    return int(row.get("version") or _info(row)["version"])


def _is_open(info: Row) -> bool:
    result = info.get("result")
    return result in OPEN_RESULTS or (result not in ENDED_RESULTS and not info.get("endTime"))


def _hide_secret_config(config: Any) -> None:
    """Null the values of secret configuration, keeping the users' keys and the marking."""
    if not isinstance(config, dict):
        return
    for name, entry in config.items():
        if isinstance(entry, dict):
            if entry.get("secret") or looks_secret(name):
                for key in entry:
                    if key not in ("secret", "object"):
                        entry[key] = None
        elif looks_secret(name):
            config[name] = None
