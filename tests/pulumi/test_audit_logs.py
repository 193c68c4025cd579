"""The audit log: windows of a week, keys of events without ids, late events, older servers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import assert_true, settings, sync
from tests.pulumi.newest import NOT_THERE, Org
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

LOGS = "pulumi_audit_logs"
V2, V1 = "orgs/acme/auditlogs/v2", "orgs/acme/auditlogs"
NOW = int(time.time())
HOUR, DAY = 3600, 86_400


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may run long after this module was read."""
    monkeypatch.setattr(f"{__name__}.NOW", int(time.time()))


def event(ago: int, login: str = "ana", **more: Any) -> Record:
    user = {"githubLogin": login, "name": login.title(), "avatarUrl": "a.png"}
    return {
        "timestamp": NOW - ago,
        "sourceIP": "203.0.113.1",
        "event": "member-added",
        "description": "A member was added.",
        "user": user,
        **more,
    }


class Log:
    """A log that heeds bounds; its pages have as many events as it says."""

    def __init__(self, *events: Record, size: int = 100, ends_belong: bool = True) -> None:
        self.events = list(events)
        self.size = size
        self.ends_belong = ends_belong
        self.windows: list[tuple[int, int]] = []

    def __call__(self, query: dict[str, str]) -> Any:
        low, high = int(query["startTime"]), int(query["endTime"])
        if not self.ends_belong:
            low, high = low + 1, high - 1
        found = [one for one in self.newest_first() if low <= one["timestamp"] <= high]
        start = int(query.get("continuationToken", 0))
        if not start:
            self.windows.append((low, high))
        page: Record = {"auditLogEvents": found[start : start + self.size]}
        if start + self.size < len(found):
            page["continuationToken"] = str(start + self.size)
        return page

    def newest_first(self) -> list[Record]:
        return sorted(self.events, key=lambda one: -one["timestamp"])


def read(log: Log) -> Org:
    log.windows.clear()
    return Org({V2: log})


@pytest.mark.parametrize("ends_belong", [True, False])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_every_event_once_wherever_windows_meet(size: int, *, ends_belong: bool) -> None:
    agos = sorted({ago for day in range(0, 80, 7) for ago in range(day * DAY, day * DAY + 3)})
    log = Log(*(event(ago) for ago in [1, *agos]), size=size, ends_belong=ends_belong)
    acme = read(log)
    acme.sync(LOGS)
    assert len(acme.outcome.records(LOGS)) == len(acme.rows[LOGS]) == len(agos) + 1
    assert len(log.windows) == 13
    log.windows.clear()
    acme.sync(LOGS)
    assert len(log.windows) == 1


def test_events_that_are_alike_are_counted_and_keep_their_keys() -> None:
    log = Log(event(10), event(10), event(10, "bo"), event(9, authFailure=True))
    acme = read(log)
    acme.sync(LOGS)
    keys = set(acme.rows[LOGS])
    assert len(keys) == 4
    assert sum(key.endswith("-2") for _, key in keys) == 1
    # Names and pictures are told as they are today.
    for one in log.events:
        one["user"] = {**one["user"], "name": "Renamed", "avatarUrl": "b.png"}
        one["tokenName"] = "renamed"
    acme.sync(LOGS)
    assert set(acme.rows[LOGS]) == keys
    assert {row["user"]["name"] for row in acme.rows[LOGS].values()} == {"Renamed"}


def test_an_event_that_is_logged_late_is_read() -> None:
    log = Log(event(5))
    acme = read(log)
    acme.sync(LOGS)
    log.events.append(event(HOUR // 2, "late"))
    acme.sync(LOGS)
    assert {row["user_login"] for row in acme.rows[LOGS].values()} == {"ana", "late"}


def test_a_sync_that_is_cut_goes_on_behind_the_whole_windows() -> None:
    log = Log(*(event(day * DAY) for day in range(80)))
    acme = Org({V2: lambda q: Reply({}, status=418) if len(log.windows) == 5 else log(q)})
    acme.sync(LOGS, code=1)
    read_so_far = len(acme.rows[LOGS])
    assert read_so_far > 20
    first = log.windows[0]
    log.windows.clear()
    acme.answers[V2] = log
    acme.sync(LOGS)
    assert log.windows[0] > first
    assert len(acme.rows[LOGS]) == 80


def test_the_start_date_bounds_the_first_sync() -> None:
    start = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(NOW - 200 * DAY))
    log = Log(event(150 * DAY), event(300 * DAY))
    acme = read(log)
    acme.sync(LOGS, start_date=start)
    assert len(acme.rows[LOGS]) == 1


def test_the_first_sync_goes_back_ninety_days_and_no_further() -> None:
    margin = 600  # of a slow machine
    inside, outside = event(90 * DAY - margin, "in"), event(90 * DAY + margin, "out")
    acme = read(Log(event(5), inside, outside))
    acme.sync(LOGS)
    assert {row["user_login"] for row in acme.rows[LOGS].values()} == {"ana", "in"}


def test_a_server_that_heeds_no_bounds_doubles_nothing() -> None:
    events = [event(day * DAY) for day in range(30)]
    acme = Org({V2: {"auditLogEvents": events}})
    acme.sync(LOGS)
    assert len(acme.outcome.records(LOGS)) == 30
    assert acme.outcome.says("other times than it is asked for")


def down_from(second: int, events: list[Record]) -> Record:
    """A page of the older list, with bare times for tokens: events of a second come again."""
    found = [one for one in events if one["timestamp"] <= second][:10]
    more = {"continuationToken": str(found[-1]["timestamp"])} if len(found) == 10 else {}
    return {"auditLogEvents": found, **more}


class TestOlderServers:
    def test_the_older_list_is_followed_down_to_the_mark(self) -> None:
        events = [event(hours * HOUR) for hours in range(0, 40 * 24, 12)]

        def page(query: dict[str, str]) -> Any:
            return down_from(int(query.get("continuationToken") or query["startTime"]), events)

        acme = Org({V2: NOT_THERE, V1: page})
        acme.sync(LOGS)
        assert len(acme.outcome.records(LOGS)) == len(events)
        acme.sync(LOGS)
        # One page reaches the mark; until it is looked at, another is on its way, or two.
        assert acme.paths() in ([V2, V1, V1], [V2, V1, V1, V1])

    def test_a_token_that_is_not_taken_begins_anew_where_it_led(self) -> None:
        events = [event(hours * HOUR) for hours in range(0, 40 * 24, 12)]
        tokens = []

        def page(query: dict[str, str]) -> Any:
            if token := query.get("continuationToken"):
                tokens.append(token)
                if len(tokens) % 3 == 0:
                    return Reply({"code": 400, "message": "Invalid token."}, status=400)
            return down_from(int(token or int(query["startTime"]) - 1), events)

        acme = Org({V2: NOT_THERE, V1: page})
        acme.sync(LOGS)
        assert len(acme.outcome.records(LOGS)) == len(events)

    def test_tokens_that_are_never_taken_are_one_error(self) -> None:
        def page(query: dict[str, str]) -> Any:
            if "continuationToken" in query or int(query["startTime"]) < NOW - 5 * HOUR:
                return Reply({"code": 400, "message": "Invalid token."}, status=400)
            bound = int(query["startTime"])
            found = [event(h * HOUR) for h in range(9) if NOW - h * HOUR < bound][:2]
            return {"auditLogEvents": found, "continuationToken": "x"}

        acme = Org({V2: NOT_THERE, V1: page})
        acme.sync(LOGS, code=1)
        assert len(acme.outcome.logged("ERROR", LOGS, "Invalid token.")) == 1
        assert acme.state
        assert not acme.state["bookmarks"][LOGS]["marks"]

    def test_without_any_list_it_is_skipped(self) -> None:
        acme = Org({V2: NOT_THERE, V1: NOT_THERE})
        acme.sync(LOGS, "pulumi_organization_teams", code=1)
        assert acme.outcome.logged("WARNING", LOGS, "the permission to read the audit log")

    def test_another_shape_is_no_empty_log(self) -> None:
        acme = Org({V2: {"entries": [], "total": 0}})
        acme.sync(LOGS, code=1)
        assert acme.outcome.says("in a shape that is not its API's")

    def test_a_plan_without_it(self) -> None:
        words = "Audit Logs is available only to organizations with an Enterprise subscription."
        acme = Org({V2: Reply({"code": 400, "message": words}, status=400)})
        acme.answers["orgs/acme/teams"] = {"teams": []}
        acme.sync(LOGS, "pulumi_organization_teams")
        assert acme.outcome.logged("WARNING", LOGS, words)


@pytest.mark.parametrize("missing", [[], ["/api/orgs/{org}/auditlogs/v2"]], ids=["v2", "v1"])
def test_syncs_of_a_world_that_lives(moving: Simulator, missing: list[str]) -> None:
    moving.settings(missing=missing, page_cap=7)
    moving.clear_requests()
    rows: dict[Any, Record] = {}
    state = None
    for _ in range(4):
        outcome = sync(settings(moving, "pulumi"), select=[LOGS], state=state)
        assert outcome.code == 0, outcome.log
        state = outcome.state
        rows.update(outcome.latest(LOGS))
        assert_true(lambda _: rows, moving, [LOGS], keys_only_grow=True)
        moving.advance(30 * HOUR)
    asked = {request["path"].rpartition("/")[2] for request in moving.requests()}
    assert ("auditlogs" in asked) is bool(missing)


@pytest.mark.parametrize("is_old", [False, True])
def test_an_event_without_a_time_is_not_lost(*, is_old: bool) -> None:
    untold = {**event(0, "eve"), "timestamp": None}
    answer = {"auditLogEvents": [event(50), untold, event(90)]}
    acme = Org({V1: answer, V2: NOT_THERE if is_old else answer})
    acme.sync(LOGS)
    found = {row["event_hash"]: row["user_login"] for row in acme.outcome.records(LOGS)}
    assert sorted(found.values()) == ["ana", "ana", "eve"]
