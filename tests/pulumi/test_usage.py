"""Usage per day: how far back each metric is asked for, and what becomes of what still changes."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.pulumi.usage import METRICS
from tests.core.syncing import (
    StreamWarehouse,
    assert_true,
    catalog_of,
    cut_after,
    latest,
    settings,
    sync,
)
from tests.pulumi.lists import Organization, only, refused
from tests.scripted_server import Reply
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM = "pulumi_usage_daily"
PATHS = {metric: f"{path}/summary" for metric, (path, _) in METRICS.items()}
#: Where the service's clock stands.
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
TODAY = NOW.date()


def day(when: date, resources: int = 1) -> dict[str, Any]:
    return {"year": when.year, "month": when.month, "day": when.day, "resources": resources}


def every(answer: Any) -> Organization:
    clock = NOW.timestamp() - time.time()
    return Organization(dict.fromkeys(PATHS.values(), answer), clock=clock)


def one(metric: str, answer: Any) -> Organization:
    organization = every(Reply(status=204))
    organization.lists[PATHS[metric]] = answer
    return organization


def looked_back(organization: Organization) -> dict[str, int]:
    names = {path: metric for metric, path in PATHS.items()}
    return {names[path]: int(query["lookbackDays"]) for path, query in organization.asked}


def marks(organization: Organization) -> Any:
    assert organization.state is not None
    bookmark = organization.state["bookmarks"][STREAM]
    return bookmark.get("organizations", {}).get("acme", {}).get("days", {})


def test_each_metric_is_asked_for_by_days() -> None:
    organization = every({"summary": [day(TODAY, 5)]})
    rows = organization.sync(STREAM).records(STREAM)
    assert {only(r, "metric", "unit") for r in rows} == {(m, u) for m, (_, u) in METRICS.items()}
    assert {only(r, "date", "resources") for r in rows} == {("2026-07-01", 5)}
    assert not {"year", "month", "day"} & rows[0].keys()
    assert {query["granularity"] for _, query in organization.asked} == {"daily"}
    assert not any("lookbackStart" in query for _, query in organization.asked)
    assert set(looked_back(organization).values()) == {365}


def test_later_syncs_ask_for_what_is_new_and_three_days_more() -> None:
    organization = one("secrets", {"summary": [day(TODAY - timedelta(days=n)) for n in range(9)]})
    first = organization.sync(STREAM)
    dates = [record["date"] for record in first.records(STREAM)]
    assert dates == sorted(dates)
    assert len(dates) == 9
    assert marks(organization) == {"secrets": "2026-07-01"}
    organization.sync(STREAM)
    assert looked_back(organization)["secrets"] == 3
    assert looked_back(organization)["resources"] == 365, "204 moves no mark"
    organization.clock += 10 * 86_400
    organization.sync(STREAM)
    assert looked_back(organization)["secrets"] == 13
    assert marks(organization) == {"secrets": "2026-07-01"}, "what is older moves no mark back"


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ({"pulumi_usage_days": 30}, 30),
        ({"pulumi_usage_days": 1}, 3),
        ({"start_date": "2026-06-11"}, 21),
        ({"start_date": "2020-01-01"}, 365),
        ({"start_date": "2026-06-11", "pulumi_usage_days": 9}, 9),
    ],
)
def test_how_far_the_first_sync_goes_back(given: dict[str, Any], days: int) -> None:
    organization = every(Reply(status=204))
    organization.sync(STREAM, **given)
    assert set(looked_back(organization).values()) == {days}


def test_a_full_table_is_read_from_the_start() -> None:
    organization = every({"summary": [day(TODAY)]})
    organization.sync(STREAM)
    catalog = catalog_of([STREAM])
    for entry in catalog["streams"]:
        for meta in entry["metadata"]:
            if entry["stream"] == STREAM and not meta["breadcrumb"]:
                meta["metadata"]["replication-method"] = "FULL_TABLE"
        if entry["stream"] == STREAM:
            entry["replication_method"] = "FULL_TABLE"
    organization.sync(STREAM, catalog=catalog)
    assert set(looked_back(organization).values()) == {365}


def test_a_refused_metric_takes_nothing_away() -> None:
    organization = every({"summary": [day(TODAY)]})
    organization.lists[PATHS["neo_tokens"]] = refused()
    outcome = organization.sync(STREAM)
    assert {r["metric"] for r in outcome.records(STREAM)} == METRICS.keys() - {"neo_tokens"}
    assert outcome.says(STREAM, "without neo_tokens")


def test_one_that_was_read_before_may_not_be_refused() -> None:
    organization = every({"summary": [day(TODAY)]})
    organization.sync(STREAM)
    organization.lists[PATHS["secrets"]] = refused()
    outcome = organization.sync(STREAM, code=1)
    assert outcome.logged("ERROR", STREAM, "secrets: ", "read before")
    assert len(outcome.records(STREAM)) == 5


def test_all_refused_is_a_refusal() -> None:
    outcome = every(refused(403)).sync(STREAM, code=1)
    assert len(outcome.logged("WARNING", STREAM, "organization:read_usage")) == 1


@pytest.mark.parametrize("odd", [{"year": 2026, "month": 13, "day": 1}, {"year": 2026}, 5], ids=str)
def test_what_is_no_day_is_left_out(odd: Any) -> None:
    answer = {"summary": [odd, day(TODAY)]}
    outcome = one("resources", answer).sync(STREAM, code=1)
    assert len(outcome.records(STREAM)) == 1
    assert outcome.logged("ERROR", STREAM, "left out a record")


def test_another_shape_fails() -> None:
    outcome = one("resources", []).sync(STREAM, code=1)
    assert outcome.logged("ERROR", STREAM, "shape that is not its API's (resources)")


@pytest.mark.parametrize("spoiled", ["x", "2099-01-01", 5])
def test_a_spoiled_mark_is_dropped(spoiled: Any) -> None:
    organization = every({"summary": [day(TODAY)]})
    organization.sync(STREAM)
    marks(organization)["secrets"] = spoiled
    outcome = organization.sync(STREAM)
    assert outcome.says(STREAM, "from the start")
    assert set(looked_back(organization).values()) == {365}


class Warehouse(StreamWarehouse):
    stream = STREAM
    keeps_deleted = True


@pytest.fixture
def moving() -> Any:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=0, pulumi_stacks=1) as simulator:
        yield simulator


def test_days_that_were_restated_are_true_at_the_end(moving: Simulator) -> None:
    warehouse = Warehouse(moving)
    advance: Callable[[float], Any] = moving.advance
    for hours in (0, 5, 20, 30, 100, 24 * 9):
        advance(hours * 3600)
        warehouse.sync()
        warehouse.assert_true(moving)
    assert len(warehouse.sync().records(STREAM)) < 50


@pytest.mark.parametrize("records", [1, 20, 60])
def test_a_sync_that_is_cut_goes_on(records: int, moving: Simulator) -> None:
    config = settings(moving, "pulumi")
    cut = sync(config, select=[STREAM], prepare=cut_after(records, STREAM))
    assert len(cut.records(STREAM)) == records
    rest = sync(config, select=[STREAM], state=cut.state)
    assert rest.code == 0
    found = latest([*cut.records(STREAM), *rest.records(STREAM)], STREAM)
    assert_true(lambda _: found, moving, [STREAM])
    again = sync(config, select=[STREAM], state=rest.state)
    assert len(again.records(STREAM)) < len(rest.records(STREAM))
