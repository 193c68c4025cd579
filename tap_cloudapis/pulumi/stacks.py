"""Stacks: the list of an organization, and the ledger that all streams below a stack read."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.ledger import LedgerParent
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.paging import Paginator, Row, TokenPages, as_object
from tap_cloudapis.pulumi.client import PulumiStream, snake_keys
from tap_cloudapis.pulumi.organization import Organizations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context

#: What identifies a stack in the key of everything below it. A stack keeps its id when it is
#: renamed or transferred; one that is made again under the same names has another.
STACK_KEY = ("org_name", "project_name", "stack_name", "stack_id")
#: An update is taken to have ended so long after it began, where no stream tells.
LONGEST_UPDATE = timedelta(days=1)


@runtime_checkable
class KnowsOpenUpdates(Protocol):
    """A child that knows of stacks whose updates have not ended."""

    def has_open_update(self, stack_id: str) -> bool:
        """Whether an update of a stack was open when it was last read."""


class Stacks(LedgerParent, PulumiStream):
    """The stacks of an organization that the token can read; always the whole list.

    A row is the stack that is now at the place that the key names. ``last_update`` is when the
    newest update began; it is offered as a replication key, but the list has no filter for it
    and is the parent of every stack's streams.
    """

    name = "pulumi_stacks"
    path = "/api/user/stacks"
    primary_keys = ("org_name", "project_name", "stack_name")
    replication_key = "last_update"
    parent_stream_type = Organizations
    records_key = "stacks"
    page_size = ("maxResults", 500)
    facts = Facts(
        row="a stack",
        requests="one per 500 stacks",
        permission="the permission to list stacks (stack:list)",
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.forced_replication_method = "FULL_TABLE"
        self.tells_last_update = False
        # Of all stacks that were listed; and whose list was read only for that.
        self._ids: dict[str, str] = {}
        self._asked_ids: set[str] = set()

    def get_replication_key_signpost(self, context: Context | None = None) -> None:  # noqa: ARG002
        """None: the whole list leaves nothing to remember."""
        return

    def base_params(self, context: Context | None) -> dict[str, Any]:
        """The stacks of one organization, those alone that have the tag of the settings."""
        name, _, value = (self.config.get("pulumi_stack_tag") or "").strip().partition("=")
        tag = {"tagName": name or None, "tagValue": value or None}
        return {"organization": (context or {}).get("org_name"), **tag}

    def reads(self, context: Context | None) -> Iterable[Read]:
        """One list, or one for each project of the settings."""
        projects = dict.fromkeys(filter(None, map(str.strip, self._projects)))
        lists = [{"project": project} for project in projects] or [{}]
        return [Read(self.new_paginator(context), params, params) for params in lists]

    @property
    def _projects(self) -> list[str]:
        return self.config.get("pulumi_projects") or []

    def new_paginator(self, context: Context | None) -> Paginator:
        """Pages by token."""
        return TokenPages(limit=self.limit, what=self.place(context))

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Note whether the server tells when stacks were updated, before any of them is asked.

        Older servers know no filter, and give stacks of other projects as well.
        """
        self.tells_last_update = self.tells_last_update or any(r.get("lastUpdate") for r in rows)
        project = (read.purpose or {}).get("project")
        return [r for r in rows if project is None or r.get("projectName") in (project, None)]

    @property
    def tells_changes(self) -> bool:
        """Whether the server tells when stacks were updated."""
        return self.tells_last_update

    def to_record(self, row: Row, context: Context) -> Row | None:
        """Rename the fields; leave out what older servers add of other organizations."""
        organization = context["org_name"]
        given = row.get("orgName")
        if isinstance(given, str):
            # A blank one says nothing, as null does.
            if given.strip() and given.casefold() != organization.casefold():
                return None
            del row["orgName"]  # the list's spelling counts
        record = snake_keys(row)
        names = (organization, record.get("project_name"), record.get("stack_name"))
        stack_id = record.pop("id", None)
        if not isinstance(stack_id, (str, int, type(None))):
            msg = "the id of a stack is no text"
            raise TypeError(msg)  # all below the stack is known by it
        record["stack_id"] = str(stack_id or "/".join(map(str, names)))
        self._ids["/".join(map(str, names))] = record["stack_id"]
        record["console_url"] = as_object(record.get("links")).get("self")
        return record

    def id_of(self, org_name: str, project_name: str, stack_name: str) -> str:
        """The id of a stack by its names, which stand in where the list does not know them.

        Where this stream is not selected, the list is read all the same.
        """
        if org_name not in self._read and org_name not in self._asked_ids:
            self._asked_ids.add(org_name)
            context = {"org_name": org_name}
            try:
                for row in chain.from_iterable(self._listed_of(context)):
                    self.to_record(row, context)
            except TapError as exc:
                self.note_of(context, f"the names of stacks stand in for their ids ({exc})")
        place = f"{org_name}/{project_name}/{stack_name}"
        return self._ids.get(place, place)

    def names_of(self, stack_id: str, names: list[str]) -> list[str] | None:
        """The names that a stack has by now.

        Args:
            stack_id: Its id.
            names: Those that it had.

        Returns:
            Those that it had where the list does not know it; ``None`` where they are another's.
        """
        known = self.id_of(*names)
        if known == stack_id:
            return names
        places = (place.split("/") for place, found in self._ids.items() if found == stack_id)
        return next(places, names if known == "/".join(names) else None)

    def _listed_of(self, context: Context) -> Iterator[list[Row]]:
        """The raw rows of an organization's list."""
        for _, rows in self._reading(context):
            yield self._objects(rows, context)

    @cached_property
    def _knowing(self) -> list[KnowsOpenUpdates]:
        return [child for child in self._wanted_children() if isinstance(child, KnowsOpenUpdates)]

    def entry(self, record: Row) -> tuple[str, str, Any]:
        """A stack is known by its id; another ``last_update`` tells that it has changed.

        That is when its newest update began, and does not move when it ends. So a stack counts as
        changed as long as that update is known to be open, and once more behind its end; where
        nobody knows, when it must have ended.
        """
        stack_id, changed = record["stack_id"], record.get("last_update")
        told = to_timestamp(changed)
        if any(child.has_open_update(stack_id) for child in self._knowing):
            changed = [changed, self.ledger.run]
        elif not self._knowing and isinstance(told, str):
            oldest = self.connection.now() - LONGEST_UPDATE
            changed = [changed] if told > f"{oldest:%Y-%m-%dT%H:%M:%S}" else changed
        return stack_id, stack_place(record), changed

    def context_done(self, context: Context | None) -> None:
        """Say once where nothing tells what has changed."""
        super().context_done(context)
        if self._listed and self._is_read and not self.tells_changes:
            what = "no stack tells when it was updated: what lies below is read in turn"
            self.tap.report.note(self.name, what)

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """What identifies a stack, and what tells whether it has changed."""
        identity = {name: record[name] for name in STACK_KEY}
        return {**identity, "last_update": record.get("last_update")}


def stacks_of(stream: PulumiStream) -> Stacks:
    """The stream of stacks beside another one of the tap."""
    found = stream.tap.streams[Stacks.name]
    assert isinstance(found, Stacks)  # noqa: S101 - no other bears its name
    return found


def has_address(context: Mapping[str, Any]) -> bool:
    """Whether the names of a stack can be put in a URL; these two would lead elsewhere."""
    return not {context["project_name"], context["stack_name"]} & {".", ".."}


def stack_place(stack: Mapping[str, Any]) -> str:
    """Where a stack is, as people write it; none of the parts can hold a slash."""
    return f"{stack['org_name']}/{stack['project_name']}/{stack['stack_name']}"
