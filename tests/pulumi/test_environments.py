"""ESC environments: few requests, never what is in them, and odd ends of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import assert_true, settings, sync
from tests.core.test_odd_servers import FAKE
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.syncing import Outcome, Record
    from tests.simulator_process import Simulator

NAMES = [
    "pulumi_environments",
    "pulumi_environment_tags",
    "pulumi_environment_revisions",
    "pulumi_environment_referrers",
]
ENVIRONMENTS, TAGS, REVISIONS, REFERRERS = NAMES
DAY = 20_000


def one(**more: Any) -> Record:
    return {"organization": "Acme", "name": "e", "modified": "2023-10-10 12:24:03", **more}


def read(answers: dict[str, Callable[[dict[str, str]], Any]], *rows: Record) -> Outcome:
    """A sync of one organization, whose lists below environments a test answers."""

    def answer(path: str, query: dict[str, str]) -> Any:
        what = path.rpartition("/")[2]
        if path == "/api/esc/environments/acme":
            return {"environments": list(rows) or [one()]}
        return answers[what](query) if what in answers else {"githubLogin": "acme"}

    with ScriptedServer(answer) as server:
        config = {"pulumi_token": FAKE, "pulumi_url": server.url, "pulumi_organizations": ["acme"]}
        return sync(config, select=NAMES)


NONE: dict[str, Any] = {
    "tags": lambda _: {"tags": {}, "nextToken": "0"},
    "versions": lambda _: [],
    "referrers": lambda _: {"referrers": None},
}


def test_what_does_not_show_is_read_in_turn(
    moving: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: dict[str, Any] = {name: {} for name in NAMES}
    state: Record | None = None
    for day in range(9):
        monkeypatch.setattr("tap_cloudapis.core.ledger.day_of", lambda _, day=day: DAY + day)
        moving.clear_requests()
        outcome = sync(settings(moving, "pulumi", pulumi_refresh_days=3), state=state, select=NAMES)
        assert outcome.code == 0, outcome.log
        state = outcome.state
        for name in NAMES:
            rows[name].update(outcome.latest(name))
        if day < 5:
            moving.advance(86_400)
    assert_true(lambda name: rows[name], moving, NAMES, keys_only_grow=True)
    # Nothing else is ever asked of an environment, above all not what is in it.
    asked = {r["path"].split("/")[7:][0] for r in moving.requests() if r["path"].count("/") > 6}
    assert asked <= {"tags", "versions", "referrers"}


def test_unchanged_ones_cost_no_request(still: Simulator) -> None:
    first = sync(settings(still, "pulumi"), select=NAMES)
    still.clear_requests()
    assert sync(settings(still, "pulumi"), select=NAMES, state=first.state).code == 0
    assert {r["stream"] for r in still.requests()} <= {None, "pulumi_organizations", ENVIRONMENTS}


def test_older_servers_tell_less() -> None:
    outcome = read(NONE)
    assert outcome.code == 0, outcome.log
    (record,) = outcome.records(ENVIRONMENTS)
    assert (record["project_name"], record["env_name"]) == ("default", "e")
    assert record["modified"] == "2023-10-10T12:24:03.000000Z"
    assert read(NONE, one(), one(organization="other", name="x")).records(ENVIRONMENTS) == [record]


def test_tags_end_with_zero() -> None:
    pages = {None: "1", "1": "2", "2": "0"}

    def tags(query: dict[str, str]) -> Any:
        after = query.get("after")
        return {"tags": {f"t{after}": {"value": "x"}}, "nextToken": pages[after]}

    outcome = read({**NONE, "tags": tags})
    assert [r["name"] for r in outcome.records(TAGS)] == ["tNone", "t1", "t2"]


def test_environments_without_tags_are_not_asked_for_them() -> None:
    asked: list[str] = []

    def tags(query: dict[str, str]) -> Any:
        asked.append(repr(query))
        return NONE["tags"](query)

    assert read({**NONE, "tags": tags}, one(tags={}), one(name="f", tags={"a": "b"})).code == 0
    assert len(asked) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 500])
@pytest.mark.parametrize("lowest", [1, 3])
def test_revisions_are_read_down_to_the_first(size: int, lowest: int) -> None:
    def versions(query: dict[str, str]) -> Any:
        before = int(query.get("before", 8))
        return [{"number": n} for n in range(before - 1, lowest - 1, -1)][:size]

    outcome = read({**NONE, "versions": versions})
    assert outcome.code == 0, outcome.log
    assert [r["number"] for r in outcome.records(REVISIONS)] == list(range(7, lowest - 1, -1))


def test_a_server_that_ignores_before_is_an_error() -> None:
    outcome = read({**NONE, "versions": lambda _: [{"number": 3}, {"number": 2}]})
    assert outcome.code == 1
    assert outcome.logged("ERROR", REVISIONS, "again")


def test_of_an_environment_that_uses_it_twice_the_newest_is_kept() -> None:
    def use(revision: int) -> Record:
        return {"environment": {"project": "p", "name": "n", "revision": revision}}

    found = {"latest": [use(2), use(4), use(3)], "2": [use(1)]}
    outcome = read({**NONE, "referrers": lambda _: {"referrers": found}})
    assert outcome.code == 0, outcome.log
    records = [(r["revision"], r["referrer_version"]) for r in outcome.records(REFERRERS)]
    assert records == [("latest", 4), ("2", 1)]


def test_an_answer_of_409_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.core.connection.FIRST_WAIT", 0.001)
    answers = iter([Reply({"code": 409, "message": "changed"}, status=409), []])
    assert read({**NONE, "versions": lambda _: next(answers)}).code == 0
