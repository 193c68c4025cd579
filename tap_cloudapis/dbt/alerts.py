"""Who is told of runs: notifications of people, webhooks, and what these have delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NotRequired, TypedDict

from tap_cloudapis.core.exchange import decode_text
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.core.normalizing import moment
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.dbt.account import AccountList
from tap_cloudapis.dbt.client import AccountContext, DbtStream, Paging, as_integers, host_alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Read
    from tap_cloudapis.core.paging import Paginator, PendingPage, Row, Submit

_WEBHOOKS = (
    "the permission to read webhooks, which Developer and Webhook have and Account Viewer does not"
)
#: The permission sets that have it, and can change webhooks as well: none reads them alone.
_HOOKING = "Developer or Webhook"


class Notifications(AccountList):
    """Rules about whom to tell of the ends of which jobs."""

    name = "dbt_notifications"
    path = "/v2/accounts/{account_id}/notifications/"
    params: ClassVar[Mapping[str, Any]] = {"state": "all"}
    dropped_fields = frozenset({"user"})
    facts = Facts(
        row="a rule: whom to tell of which jobs",
        requests="per account, one per 100 rules",
        permission="the permission to read account settings",
        unselected=Unselected.PERSONAL,
    )


class Webhooks(AccountList):
    """Webhooks, of whose addresses no more is told than the host."""

    name = "dbt_webhooks"
    # These paths end in no slash.
    path = "/v3/accounts/{account_id}/webhooks/subscriptions"
    grant = _HOOKING
    paging = Paging.UNORDERED
    dropped_fields = frozenset({"hmac_secret"})
    facts = Facts(
        row="a webhook subscription",
        requests="per account, one per 100 webhooks",
        permission=_WEBHOOKS,
        unselected=Unselected.SECURITY,
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Cut the address; ids come as texts."""
        row["client_url"] = host_alone(row.get("client_url"))
        row["job_ids"] = as_integers(row.get("job_ids"))
        return row

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """Events of a webhook need its id."""
        return {"account_id": context["account_id"], "subscription_id": record["id"]}


class AccountEvents(TypedDict):
    """The marks of an account in the state: by webhook the newest event."""

    context: AccountContext
    newest: NotRequired[dict[str, str]]


class EventsBookmark(TypedDict, total=False):
    """The bookmark of the stream."""

    partitions: list[AccountEvents]


class EventPages(OffsetPages):
    """Events from the newest on; one page at a time where the reader may soon have enough."""

    known: str = ""

    def walk(self, submit: Submit, first: PendingPage, ahead: int) -> Iterator[list[Row]]:
        """Give each event once."""
        return super().walk(submit, first, 1 if self.known else ahead)


class WebhookEvents(MarkedStream, DbtStream):
    """What webhooks have reported in the last 30 days; new events only.

    Ids sort by time. The list is read from the newest event down to the page that has the newest
    one of the last sync; if it comes in another order, it is read whole.
    """

    name = "dbt_webhook_events"
    path = "/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/events"
    grant = _HOOKING
    parent_stream_type = Webhooks
    paging = Paging.TOTAL
    replication_key = "id"
    state_keys = ("account_id",)
    bookmark_form = EventsBookmark
    scope = "account {account_id}, webhook {subscription_id}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "account_id": "account_id",
        "subscription_id": "subscription_id",
    }
    # Names of projects, jobs and people.
    dropped_fields = frozenset({"payload"})
    facts = Facts(
        row="an event that a webhook has reported",
        requests="per webhook, one per page of new events",
        permission=_WEBHOOKS,
        unselected=Unselected.REQUESTS,
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        #: By webhook, the newest event of this sync, and the last one that came.
        self._newest: dict[Any, str] = {}
        self._last: dict[Any, str] = {}
        self._listed: set[Any] = set()

    def wants(self, context: Context) -> bool:
        """Always; the webhook is there."""
        self._listed.add(context["subscription_id"])
        return True

    def _marks(self, context: Context) -> dict[str, str]:
        """The newest event of each webhook of an account, as far as its list was read."""
        marks: dict[str, str] = self.get_context_state(context).setdefault("newest", {})
        return marks

    def new_paginator(self, context: Context | None) -> Paginator:
        """From the newest on, down to what is known."""
        assert context is not None  # noqa: S101 - a child stream always has one
        what = self.place(context)
        pages = EventPages(limit=None, what=what, ordered=False, newest_first=True)
        if self.incremental:
            pages.known = self._marks(context).get(context["subscription_id"], "")
        return pages

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:
        """End the walk at what is known, if the events come in their order."""
        webhook, pages = (context or {})["subscription_id"], read.paginator
        assert isinstance(pages, EventPages)  # noqa: S101 - of this stream
        ids = [row["id"] for row in rows if isinstance(row.get("id"), str)]
        if ids:
            ordered = [self._last.get(webhook, max(ids)), *ids]
            is_descending = all(a >= b for a, b in zip(ordered, ids, strict=False))
            self._last[webhook] = ids[-1] if is_descending else ""
            self._newest[webhook] = max(self._newest.get(webhook, ""), *ids)
            pages.closed = bool(pages.known) and is_descending and ids[-1] < pages.known
        return rows

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Take out of the payload what tells of the run; the rest are names."""
        payload = row.get("payload")
        if isinstance(payload, str):
            payload = decode_text(payload)
        told = as_object(payload)
        run = as_object(told.get("data"))
        row["event_time"] = told.get("timestamp")
        row["run_id"] = run.get("runId")
        row["run_status"] = run.get("runStatus")
        is_early = self.start and "" < moment(row["event_time"]) < self.start
        return None if is_early else row

    def context_done(self, context: Context | None) -> None:
        """Move the mark of a webhook: every new event was written."""
        assert context is not None  # noqa: S101 - a child stream always has one
        webhook = context["subscription_id"]
        if newest := self._newest.get(webhook):
            marks = self._marks(context)
            marks[webhook] = max(newest, marks.get(webhook, ""))

    def parent_done(self, context: Context | None) -> None:
        """Forget the webhooks that are gone."""
        if context is not None:
            marks = self._marks(context)
            for webhook in marks.keys() - self._listed:
                del marks[webhook]
