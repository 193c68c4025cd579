"""How many runs of an account ran and waited at once: each hour, cut where anything changes."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.report.counting import by

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tests.report.counting import Row
    from tests.report.raw.tables import Raw

_Span = tuple["datetime", "datetime"]
_HOUR = timedelta(hours=1)


def slots_hourly(raw: Raw) -> list[Row]:
    """Each hour of an account, from its first run to its last; runs for pull requests left out."""
    slots = {row["id"]: row for row in raw.rows("select id, name, run_slots from dbt_accounts")}
    rows = []
    taking = [run for run in raw("dbt_cloud__runs") if not run["is_ci"]]
    for account_id, group in by(taking, "account_id").items():
        account = slots.get(account_id, {})
        running = _by_hour(
            (run["started_at"], run["ended_at"] or raw.now) for run in group if run["started_at"]
        )
        waiting = _by_hour(
            (run["requested_at"], until) for run in group if (until := _waited_until(run, raw))
        )
        hours = {*running, *waiting}
        at = min(hours)
        while at <= max(hours):
            local = raw.local(at)
            rows.append(
                {
                    "account_id": account_id,
                    "account_name": account.get("name"),
                    "hour_utc": at,
                    "day": local.date(),
                    "hour_of_day": local.hour,
                    "weekday": local.isoweekday(),
                    "run_slots": account.get("run_slots"),
                    **_hour(at, running.get(at, []), waiting.get(at, []), account.get("run_slots")),
                }
            )
            at += _HOUR
    return rows


def _waited_until(run: Row, raw: Raw) -> datetime | None:
    """A run waits until it is taken out of the queue, or to its end if it never is, or to now.

    Of one that was cancelled and never gets an end, nobody knows.
    """
    left: datetime | None = run["dequeued_at"] or run["started_at"] or run["finished_at"]
    return raw.now if left is None and run["outcome"] == "open" else left


def _by_hour(spans: Iterable[_Span]) -> dict[datetime, list[_Span]]:
    """The spans in each hour that they are in, cut to it."""
    found: dict[datetime, list[_Span]] = {}
    for begin, end in spans:
        at = begin.replace(minute=0, second=0, microsecond=0)
        while at < end:
            found.setdefault(at, []).append((max(at, begin), min(at + _HOUR, end)))
            at += _HOUR
    return found


def _hour(at: datetime, running: list[_Span], waiting: list[_Span], slots: int | None) -> Row:
    """What an hour comes to: between two changes, as many run and wait as in the middle."""
    spans = [*running, *waiting]
    cuts = sorted({at, at + _HOUR, *(cut for span in spans for cut in span)})
    most = full = waited = 0.0
    for begin, end in pairwise(cuts):
        middle = begin + (end - begin) / 2
        at_once = sum(one < middle < other for one, other in running)
        length = (end - begin).total_seconds()
        most = max(most, at_once)
        full += length if slots and at_once >= slots else 0
        waited += length * sum(one < middle < other for one, other in waiting)
    return {
        "max_running": most,
        "saturated_minutes": full / 60 if slots else None,
        "waited_seconds": waited,
    }
