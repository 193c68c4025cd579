"""What is read of each update: once, when it has ended, and again only if it could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.core.syncing import settings, sync
from tests.core.test_odd_servers import FAKE
from tests.pulumi.scripted import STACKS, UPDATES, Cloud, Stack, ended, update
from tests.scripted_server import Reply, ScriptedServer
from tests.simulator_process import SECRET_MARKER

if TYPE_CHECKING:
    from tests.core.syncing import Outcome, Record
    from tests.simulator_process import Simulator

EVENTS, TIMELINES = "pulumi_update_events", "pulumi_update_timelines"
SUMMARY = {"type": "summaryEvent", "timestamp": 1, "summaryEvent": {"result": "succeeded"}}
OUTPUT = {"type": "stdoutEvent", "timestamp": 1, "stdoutEvent": {"message": "x"}}


class Told(Cloud):
    """A cloud whose updates have events, in pages."""

    def __init__(self, *stacks: Stack) -> None:
        super().__init__(list(stacks), ["acme"])
        self.events: list[list[Record]] = [[OUTPUT, SUMMARY]]
        self.instead: dict[str, Any] = {}

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        what = path.rpartition("/")[2]
        if what not in ("events", "timeline"):
            return super().__call__(path, query)
        name = path.split("/")[-2]
        if name in self.instead:
            return self.instead[name]
        if what == "timeline":
            return {"update": {}, "previews": None, "collatedUpdateEvents": []}
        page = int(query.get("continuationToken", 0))
        more = str(page + 1) if page + 1 < len(self.events) else None
        return {"events": self.events[page], "continuationToken": more}


class Reader:
    def __init__(self, cloud: Told, stream: str = EVENTS, **more: Any) -> None:
        self.cloud, self.stream = cloud, stream
        self.more = {"pulumi_update_detail_days": 3650, **more}
        self.state: Record | None = None
        self.outcome: Outcome

    def read(self, *, code: int = 0, also: tuple[str, ...] = ()) -> list[str]:
        """Sync; give what was asked of updates."""
        with ScriptedServer(self.cloud) as server:
            config = {"pulumi_token": FAKE, "pulumi_url": server.url, **self.more}
            names = [STACKS, self.stream, *also]
            self.outcome = sync(config, state=self.state, select=names)
        assert self.outcome.code == code, self.outcome.log
        self.state = self.outcome.state
        paths = [r["path"].split("/") for r in server.requests]
        return [p[-2] for p in paths if p[-1] in ("events", "timeline")]


def stack(*rows: Record, name: str = "prod", **more: Any) -> Stack:
    made = Stack(f"acme/web/{name}", name, **more)
    for row in rows:
        made.add(row)
    return made


def named(version: int, **more: Any) -> Record:
    return update(version, updateID=f"u{version}", **more)


def test_each_is_read_once() -> None:
    cloud = Told(stack(named(1), named(2)))
    reader = Reader(cloud)
    assert sorted(reader.read()) == ["u1", "u2"]
    assert reader.read() == []
    cloud.stacks[0].add(named(5))
    assert reader.read() == ["u5"]


def test_an_open_one_is_read_when_it_has_ended() -> None:
    row = named(2, is_open=True)
    cloud = Told(stack(named(1), row, named(3)))
    reader = Reader(cloud)
    assert sorted(reader.read()) == ["u1", "u3"]
    assert reader.read() == []
    cloud.stacks[0].updates[1] = ended(row)
    assert reader.read() == ["u2"]
    assert reader.read() == []


def test_what_could_not_be_read_is_read_the_next_time() -> None:
    cloud = Told(stack(named(1), named(2)))
    cloud.instead = {"u1": Reply({"code": 400, "message": "bad"}, status=400)}
    reader = Reader(cloud)
    reader.read(code=1)
    assert reader.read(code=1) == ["u1"]
    cloud.instead = {}
    assert reader.read() == ["u1"]
    assert reader.read() == []


def test_they_are_numbered_over_all_pages_and_positions_are_kept() -> None:
    cloud = Told(stack(named(1)))
    cloud.events = [[OUTPUT, SUMMARY], [OUTPUT], [SUMMARY, {"timestamp": 2, "cancelEvent": {}}]]
    reader = Reader(cloud)
    reader.read()
    found = [(r["event_number"], r["type"]) for r in reader.outcome.records(EVENTS)]
    assert found == [(2, "summaryEvent"), (4, "summaryEvent"), (5, "cancelEvent")]


def test_a_token_that_comes_again_is_an_error() -> None:
    cloud = Told(stack(named(1)))
    cloud.instead = {"u1": {"events": [SUMMARY], "continuationToken": "0"}}
    reader = Reader(cloud)
    reader.read(code=1)
    assert reader.outcome.logged("ERROR", EVENTS, "has no end")


def test_at_first_it_goes_back_some_days_and_later_further() -> None:
    cloud = Told(stack(named(1)))
    reader = Reader(cloud, pulumi_update_detail_days=1)
    assert reader.read() == []
    reader.more["pulumi_update_detail_days"] = 3650
    assert reader.read() == ["u1"]


def test_of_a_stack_that_rested_only_what_is_new_is_read() -> None:
    cloud = Told(stack(named(1), named(2)))
    reader = Reader(cloud, pulumi_update_detail_days=1)
    reader.read()
    cloud.stacks[0].add(named(3))
    cloud.stacks[0].updates[0]["info"]["startTime"] = cloud.stacks[0].last
    assert reader.read() == ["u3"]


def test_timelines_are_asked_for_commits_alone_and_may_be_missing() -> None:
    commit = {"environment": {"git.head": "abc"}}
    cloud = Told(stack(named(1), named(2, **commit), named(3, **commit)))
    cloud.instead = {"3": Reply({"code": 404, "message": "none"}, status=404)}
    cloud.instead["3"].headers["Content-Type"] = "application/json"
    reader = Reader(cloud, TIMELINES)
    assert sorted(reader.read()) == ["2", "3"]
    (record,) = reader.outcome.records(TIMELINES)
    assert (record["version"], record["pr_number"], record["preview_ids"]) == (2, None, [])
    assert not reader.outcome.says("WARNING")
    assert reader.read() == []


def test_refusals_of_three_stacks_end_the_questions() -> None:
    cloud = Told(*(stack(named(1), named(2), name=f"s{n}") for n in range(40)))
    no = Reply({"code": 403, "message": "no"}, status=403)
    cloud.instead = {"u1": no, "u2": no}
    reader = Reader(cloud, concurrency=1)
    assert len(reader.read()) < 30
    cloud.instead = {}
    assert len(reader.read()) == 80
    assert reader.read() == []


def test_the_marks_of_updates_are_their_own() -> None:
    """Whoever selects updates later gets all of them."""
    cloud = Told(stack(named(1), named(2)))
    reader = Reader(cloud)
    reader.read()
    reader.read(also=(UPDATES,))
    assert len(reader.outcome.records(UPDATES)) == 2


def test_texts_come_only_where_they_are_asked_for(still: Simulator) -> None:
    plain = sync(settings(still, "pulumi"), select=[EVENTS])
    assert {record["message"] for record in plain.records(EVENTS)} == {None}
    told = sync(settings(still, "pulumi", pulumi_messages=True), select=[EVENTS])
    texts = {record["message"] for record in told.records(EVENTS)}
    assert {"the bucket is öffentlich", "public", "it failed"} <= texts
    for outcome in (plain, told):
        assert SECRET_MARKER not in b"".join(outcome.lines).decode()
