"""What is used of Pulumi Cloud on each day, as the bill has it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, TypedDict

from tap_cloudapis.core.bookmarks import Day
from tap_cloudapis.core.children import context_key
from tap_cloudapis.core.errors import RefusedError
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.marks import MarkedStream
from tap_cloudapis.pulumi.lists import OrganizationList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.exchange import Exchange
    from tap_cloudapis.core.paging import Row

#: Where each metric lies below an organization, and in which unit it is counted.
METRICS = {
    "resources": ("resources", "resource hours"),
    "discovered_resources": ("discovered-resources", "resource hours"),
    "deployments": ("deployments", "minutes"),
    "secrets": ("secrets", "secret hours"),
    "insights_scans": ("insights-scans", "scans"),
    "neo_tokens": ("neo/tokens", "tokens"),
}
#: Days whose figures may still change, and the most that the service looks back.
RESTATED, MOST_DAYS = 3, 365
_DATE = ("year", "month", "day")


class OrganizationDays(TypedDict):
    """Of an organization, by metric, the last day that was read."""

    days: dict[str, Day]


class UsageBookmark(TypedDict, total=False):
    """The bookmark of the stream."""

    organizations: dict[str, OrganizationDays]


class UsageDaily(MarkedStream, OrganizationList):
    """What is used on each day, by metric; the last days are read again, as they still change.

    The metrics are asked for side by side; one that is refused takes nothing of the others away.
    """

    name = "pulumi_usage_daily"
    path = "/api/orgs/{org_name}"
    primary_keys = ("org_name", "metric", "date")
    replication_key = "date"
    bookmark_form = UsageBookmark
    records_key = "summary"
    finds_more = True
    lists_at_rest = None
    dropped_fields = frozenset({"year", "month", "day", "week_number", "hour", "tags"})
    facts = Facts(
        row="a metric on a day",
        requests=f"{len(METRICS)} per organization",
        permission=(
            "the permission to read usage (organization:read_usage, and deployments:read_usage)"
        ),
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._asked: dict[str, dict[str, Exchange]] = {}

    def requests_beyond(self, rows: int) -> int:  # noqa: ARG002
        """The other metrics."""
        return len(METRICS) - 1

    def prefetch(self, context: Context) -> None:
        """Ask for all metrics."""
        key = context_key(context)
        if key not in self._asked and self._can_read(context):
            self._asked[key] = self._ask_all(context)

    def forget_prefetched(self) -> None:
        """Give up what was asked for and is not needed any more."""
        for asked in self._asked.values():
            for exchange in asked.values():
                exchange.cancel()
        self._asked.clear()

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Give the days of each metric, the oldest first, so that a mark is always true.

        Raises:
            RefusedError: Where none of the metrics may be read.
        """
        assert context is not None  # noqa: S101 - a child stream always has one
        asked = self._asked.pop(context_key(context), None) or self._ask_all(context)
        refusals: dict[str, RefusedError] = {}
        for metric, exchange in asked.items():
            try:
                body = exchange.body()
            except RefusedError as exc:
                refusals[metric] = exc
                continue
            if body is not None:  # no usage at all
                yield self._days(metric, body, context)
        if len(refusals) == len(asked):
            raise next(iter(refusals.values()))
        for metric, refusal in refusals.items():
            if metric in self._marks(context):
                text = f"{metric}: {refusal}; it was read before"
                self.tap.report.fail(self.name, text, self.place(context))
            else:
                self.note_of(context, f"without {metric} ({refusal})")

    def _ask_all(self, context: Context) -> dict[str, Exchange]:
        test = self.ABORT_AT_RECORD_COUNT is not None
        return {
            metric: self.ask(
                context,
                {"granularity": "daily", "lookbackDays": self._look_back(metric, context)},
                below=f"/{path}/summary",
            )
            for metric, (path, _) in [*METRICS.items()][: 1 if test else None]
        }

    def _look_back(self, metric: str, context: Context) -> int:
        """How many days to ask for: those since the last one that was read, and some before."""
        known = self._marks(context).get(metric) if self.incremental else None
        today = self.connection.now().date()
        if known is not None:
            since = (today - date.fromisoformat(known)).days + RESTATED
        else:
            since = int(self.config.get("pulumi_usage_days") or MOST_DAYS)
            if self.start:
                since = min(since, (today - date.fromisoformat(self.start[:10])).days + 1)
        return max(RESTATED, min(since, MOST_DAYS))

    def _days(self, metric: str, body: Any, context: Context) -> list[Row]:
        try:
            rows = self.read_page(body).rows
        except (AttributeError, TypeError):
            raise self.misshapen(metric) from None
        days = [{**row, "metric": metric} for row in self._objects(rows, context)]
        return sorted(days, key=lambda row: [_number(row, part) for part in _DATE])

    def to_record(self, row: Row, context: Context) -> Row:
        """Make a date of year, month and day."""
        record = super().to_record(row, context) or {}
        record["date"] = date(*(_number(row, part) for part in _DATE)).isoformat()
        record["unit"] = METRICS[row["metric"]][1]
        return record

    def _marks(self, context: Context) -> dict[str, str]:
        """Of an organization, by metric, the last day that was read."""
        organizations = self.stream_state.setdefault("organizations", {})
        entry = organizations.setdefault(context["org_name"], {"days": {}})
        marks: dict[str, str] = entry["days"]
        return marks

    def _increment_stream_state(
        self, latest_record: Row, *, context: Context | None = None
    ) -> None:
        """Move the mark of a metric to the day that was written."""
        if context is not None and self.incremental:
            marks = self._marks(context)
            metric, day = latest_record["metric"], latest_record["date"]
            marks[metric] = max(day, marks.get(metric, ""))


def _number(row: Row, name: str) -> int:
    """A part of a date; 0, which is no day, where it is missing or no number."""
    value = row.get(name)
    return value if type(value) is int and value >= 0 else 0
