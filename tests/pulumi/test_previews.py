"""Previews: behind each update once, again while they are open, and few requests for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.pulumi.scripted import STACKS, Cloud, Stack, ended, update
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from tests.core.syncing import Record

PREVIEWS = "pulumi_stack_previews"


class Looked(Cloud):
    """A cloud with one stack, and previews by the version of the update that they follow."""

    def __init__(self, *versions: int) -> None:
        super().__init__([Stack("acme/web/prod", "one", [])], ["acme"])
        self.behind: dict[int, list[Record]] = {}
        for version in versions:
            self.stacks[0].add(update(version))

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        if not path.endswith("/previews"):
            return super().__call__(path, query)
        told = path.split("/")[-2]
        newest = self.stacks[0].updates[0]["version"] if self.stacks[0].updates else 0
        version = newest if told == "latest" else int(told)
        if version and version not in [row["version"] for row in self.stacks[0].updates]:
            return Reply({"code": 404, "message": "no"}, status=404)
        assert query["asc"] == "true"
        rows = [{**row, "latestVersion": newest} for row in self.behind.get(version, [])]
        return self._page(rows, query)


class Reader:
    """Syncs of one cloud."""

    def __init__(self, cloud: Cloud, **more: Any) -> None:
        self.cloud, self.more = cloud, {"pulumi_update_detail_days": 3650, **more}
        self.state: Record | None = None

    def read(self, *, code: int = 0) -> list[Any]:
        """The ids and results that a sync emits."""
        with ScriptedServer(self.cloud) as server:
            config = {"pulumi_token": FAKE, "pulumi_url": server.url, **self.more}
            outcome = sync(config, state=self.state, select=[STACKS, PREVIEWS])
        assert outcome.code == code, outcome.log
        self.state, self.outcome = outcome.state, outcome
        paths = [r["path"].split("/") for r in server.requests]
        self.asked = [p[-2] if p[-1] == "previews" else p[-1] for p in paths if "stacks" in p]
        self.asked = [name for name in self.asked if name != "stacks"]
        return [(r["update_id"], r["result"]) for r in outcome.records(PREVIEWS)]


def ids(found: list[Any]) -> list[str]:
    return sorted(ref for ref, _ in found)


def preview(name: str, **more: Any) -> Record:
    return update(7, updateID=name, kind="Pupdate", **more)


def test_those_behind_new_updates_are_read_and_no_others() -> None:
    cloud = Looked(1, 2, 4)
    cloud.behind = {1: [preview("a")], 2: [preview("b")], 4: [preview("c")]}
    reader = Reader(cloud)
    assert ids(reader.read()) == ["a", "b", "c"]
    assert sorted(reader.asked) == ["1", "2", "latest", "updates"]
    assert reader.read() == []
    assert reader.asked == []
    # One more before the next update, one behind it.
    cloud.behind[4].append(preview("d"))
    cloud.stacks[0].add(update(5))
    cloud.behind[5] = [preview("e")]
    assert ids(reader.read()) == ["c", "d", "e"]
    assert sorted(reader.asked) == ["4", "latest", "updates"]


def test_an_open_one_is_followed_to_its_end() -> None:
    cloud = Looked(1)
    row = preview("a", is_open=True)
    cloud.behind = {1: [row]}
    reader = Reader(cloud)
    assert reader.read() == reader.read() == [("a", "in-progress")]
    cloud.stacks[0].add(update(2))
    cloud.behind[1] = [ended(row)]
    assert reader.read() == [("a", "succeeded")]
    assert reader.read() == []


def test_a_stack_that_was_never_updated_has_previews() -> None:
    cloud = Looked()
    cloud.stacks[0].last = 0
    cloud.behind = {0: [preview("a")]}
    reader = Reader(cloud)
    assert ids(reader.read()) == ["a"]


@pytest.mark.parametrize("cap", [1, 2, 3, 100])
def test_all_pages_are_read(cap: int) -> None:
    cloud = Looked(1)
    cloud.cap = cap
    cloud.behind = {1: [preview(f"p{number}") for number in range(7)]}
    assert len(Reader(cloud).read()) == 7


def test_a_server_that_gives_the_first_page_again_and_again_is_an_error() -> None:
    cloud = Looked(1)
    cloud.cap = 2
    cloud.behind = {1: [preview(f"p{number}") for number in range(7)]}
    whole = cloud._page
    vars(cloud)["_page"] = lambda rows, query: whole(rows, {**query, "page": "1"})
    reader = Reader(cloud)
    assert len(reader.read(code=1)) == 2
    assert reader.outcome.logged("ERROR", "fewer rows than it announces")


def test_one_that_goes_while_they_are_read_hides_no_other() -> None:
    cloud = Looked(1)
    cloud.cap = 2
    cloud.behind = {1: [preview(f"p{number}") for number in range(5)]}
    whole = cloud._page

    def page(rows: list[Record], query: dict[str, str]) -> Record:
        answer = whole(rows, query)
        cloud.behind[1] = [row for row in cloud.behind[1] if row["updateID"] != "p0"]
        return answer

    vars(cloud)["_page"] = page
    assert {f"p{number}" for number in range(1, 5)} <= set(ids(Reader(cloud).read()))


def test_at_first_it_goes_back_some_days_and_later_further() -> None:
    cloud = Looked(1, 2)
    cloud.behind = {1: [preview("a")], 2: [preview("b")]}
    reader = Reader(cloud, pulumi_update_detail_days=1)
    assert ids(reader.read()) == ["b"]
    assert reader.asked == ["latest"]
    reader.more["pulumi_update_detail_days"] = 3650
    assert ids(reader.read()) == ["a", "b"]
    assert reader.read() == []
