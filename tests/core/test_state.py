"""The state as a whole: which one is taken, which one is refused, and in which words."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.state import VERSION
from tests.core.syncing import (
    NAMES,
    Outcome,
    Record,
    command,
    run_tap,
    settings,
    sync,
    without_runs,
)
from tests.core.test_odd_servers import ALL, FAKE, OddDbt, flat, odd_pulumi
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.simulator_process import Simulator

#: Bookmarks as an earlier version of the tap wrote them.
OLD_RUNS: Record = {
    "dbt_runs": {
        "partitions": [
            {
                "context": {"account_id": 1},
                "marks": {
                    "": {
                        "last_id": 5,
                        "finished_at": "2026-06-01T10:05:00.000000Z",
                        "open": [],
                        "since": "",
                    }
                },
                "replication_key": "finished_at",
                "replication_key_value": "2026-06-01T10:05:00.000000Z",
            }
        ]
    }
}
OLD_UPDATES: Record = {
    "pulumi_stack_updates": {
        "since": "",
        "stacks": {"acme/web/prod": ["id", "2026-06-01T10:05:00.000000Z", 3, []]},
    }
}
FOREIGN: Record = {"issues": {"replication_key_value": "2026-01-01", "partitions": [5]}, "x": 7}


@pytest.fixture(scope="module")
def servers() -> Iterator[Record]:
    """The settings for both services, on servers with a few rows each."""
    rows = [flat(version) for version in (3, 2, 1)]
    updates = odd_pulumi(lambda _query: {"updates": rows})
    with ScriptedServer(OddDbt(ALL)) as dbt, ScriptedServer(updates) as pulumi:
        yield {
            "dbt_token": FAKE,
            "dbt_url": dbt.url,
            "pulumi_token": FAKE,
            "pulumi_url": pulumi.url,
            "pulumi_organizations": ["acme"],
        }


def test_what_is_written_beside_the_bookmarks(still: Simulator) -> None:
    outcome = sync(settings(still))
    assert outcome.states
    for state in outcome.states:
        assert state.keys() == {"bookmarks", "version", "hosts"}
        assert state["version"] == VERSION
        assert state["hosts"] == {"dbt": "127.0.0.1", "pulumi": "127.0.0.1"}
    again = sync(settings(still), state=outcome.state)
    assert again.code == 0
    assert not again.says("WARNING")
    assert without_runs(again.state) == without_runs(outcome.state)


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ({"bookmarks": OLD_RUNS}, "meltano state clear"),
        ({"bookmarks": OLD_UPDATES}, "meltano state clear"),
        ({"bookmarks": OLD_RUNS, "version": VERSION + 1}, "update tap-cloudapis"),
        ({"bookmarks": OLD_RUNS, "version": VERSION - 1}, "meltano state clear"),
        ({"bookmarks": {**FOREIGN, **OLD_UPDATES}, "version": str(VERSION)}, "meltano state clear"),
    ],
    ids=["runs", "updates", "newer", "version 0", "version as text"],
)
def test_a_state_of_another_form_is_refused_whole(
    state: Record, advice: str, servers: Record, tmp_path: Path
) -> None:
    outcome = run_tap(config=servers, state=state, folder=tmp_path)
    assert outcome.code == 1
    assert outcome.lines == []
    (line,) = outcome.log
    assert "ERROR" in line
    assert "--state: " in line
    assert advice in line
    (name,) = (name for name in state["bookmarks"] if name in NAMES)
    assert name in line


@pytest.mark.parametrize("version", [VERSION + 0.5, True, None, [VERSION], "1"], ids=repr)
def test_a_version_of_another_type_is_none(version: Any, servers: Record) -> None:
    with pytest.raises(TapError, match=r"--state: an older version .* dbt_runs"):
        sync(servers, state={"bookmarks": OLD_RUNS, "version": version})


def run_mark(**changes: Any) -> Record:
    """A state with the mark of an account's runs, changed; ``...`` takes a part away."""
    state = copy.deepcopy(OLD_RUNS)
    mark = state["dbt_runs"]["partitions"][0]["marks"][""]
    mark.update(changes)
    for name in [name for name, value in mark.items() if value is ...]:
        del mark[name]
    return state


#: Bookmarks that are spoiled in one part, and the words that name it.
DAMAGED: dict[str, Record] = {
    "stream": {"dbt_runs": [1]},
    "full table": {"dbt_jobs": {"partitions": [5]}},
    "partitions": {"dbt_runs": {"partitions": {"a": 1}}},
    "context": {"dbt_runs": {"partitions": [{"marks": {"": {"open": [1]}}}]}},
    "twice": {"dbt_runs": {"partitions": OLD_RUNS["dbt_runs"]["partitions"] * 2}},
    "last_id": run_mark(last_id="5"),
    "open": run_mark(open=["5"]),
    "no open": run_mark(open=...),
    "finished_at": run_mark(finished_at="yesterday"),
    "no finished_at": run_mark(finished_at=...),
    "since": run_mark(since=5),
    "stack": {"pulumi_stack_updates": {"stacks": {"one": 5}}},
    "older stack": OLD_UPDATES,
    "short": {"pulumi_stack_updates": {"stacks": {"one": ["acme", "2026"]}}},
    "newest": {"pulumi_stack_updates": {"stacks": {"one": ["acme", "2026", "3"]}}},
    "open update": {"pulumi_stack_updates": {"stacks": {"one": ["acme", "2026", 3, {"#1": [1]}]}}},
}


@pytest.mark.parametrize("bookmarks", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_bookmark_is_read_from_the_start(bookmarks: Record, servers: Record) -> None:
    """The other streams go on with theirs."""
    config = {**servers, "lookback_hours": 0}
    before = sync(config).state["bookmarks"]
    (name,) = bookmarks
    outcome = sync(config, state={"version": VERSION, "bookmarks": {**before, **bookmarks}})
    assert outcome.code == 0, outcome.log
    (line,) = outcome.logged("WARNING")
    assert all(word in line for word in ("--state: ", name, "from the start", "not what"))
    runs, updates = (len(outcome.records(n)) for n in ("dbt_runs", "pulumi_stack_updates"))
    assert runs == 11 if name == "dbt_runs" else runs <= 1
    assert updates == (3 if name == "pulumi_stack_updates" else 0)
    assert not sync(config, state=outcome.state).says("WARNING")


def test_the_mark_of_the_runs_is_good_as_it_is(servers: Record) -> None:
    state = {"version": VERSION, "bookmarks": run_mark()}
    outcome = sync({**servers, "lookback_hours": 0}, state=state)
    assert outcome.code == 0
    assert min(r["id"] for r in outcome.records("dbt_runs")) > 1


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"bookmarks": {}},
        {"bookmarks": None},
        {"bookmarks": []},
        {"bookmarks": {"dbt_accounts": {}, "dbt_runs": {"partitions": []}}},
        {"bookmarks": {"dbt_accounts": None, "dbt_runs": {"partitions": [{}]}}},
        {"bookmarks": FOREIGN},
        {"bookmarks": {}, "version": VERSION + 1},
        {"version": "x", "hosts": [5]},
    ],
    ids=str,
)
def test_a_state_without_bookmarks_is_a_first_sync(
    state: Record, servers: Record, tmp_path: Path
) -> None:
    outcome = run_tap(config=servers, state=state, folder=tmp_path)
    assert outcome.code == 0, outcome.log
    assert len(outcome.records("dbt_runs")) == 11
    assert len(outcome.records("pulumi_stack_updates")) == 3
    assert outcome.state["version"] == VERSION


@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda state: {"singer_state": state}, "singer_state"),
        (lambda state: {"type": "STATE", "value": state}, "value"),
        (
            lambda state: {"completed": {"singer_state": state}, "partial_state": {}},
            "completed.singer_state",
        ),
        (
            lambda state: {"completed": {}, "partial": {"singer_state": state}},
            "partial.singer_state",
        ),
    ],
)
def test_a_state_is_taken_out_of_what_it_is_kept_in(
    wrap: Callable[[Record], Record], place: str, servers: Record
) -> None:
    config = {**servers, "lookback_hours": 0}
    state = sync(config).state
    outcome = sync(config, state=wrap(state))
    assert outcome.code == 0, outcome.log
    assert outcome.logged("INFO", "--state: ", f"out of {place}")
    assert not outcome.says("WARNING")
    assert len(outcome.records("dbt_runs")) <= 1
    assert without_runs(outcome.state) == without_runs(state)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"bookmarks": FOREIGN}, ["issues", "x"]),
        ({"bookmarks": {}, "state": {"dbt_runs": 5}}, ["state"]),
        ({"singer_state": {"dbt_runs": 5}}, ["singer_state"]),
        ({"dbt_runs": {"last_id": 5}}, ["dbt_runs"]),
    ],
)
def test_a_state_that_is_not_understood_is_told(
    state: Record, words: list[str], servers: Record
) -> None:
    outcome = sync(servers, state=state)
    assert outcome.code == 0
    (line,) = outcome.logged("WARNING")
    assert all(word in line for word in ["no bookmark of tap-cloudapis", *words])
    assert len(outcome.records("dbt_runs")) == 11


@pytest.mark.parametrize("state", [{}, {"bookmarks": None}, {"bookmarks": {"dbt_runs": None}}])
def test_a_state_of_nothing_is_no_word(state: Record, servers: Record) -> None:
    assert not sync(servers, state=state).says("WARNING")


@pytest.mark.parametrize("hosts", [None, "x", [5], {"dbt": 5, "pulumi": None}, {"dbt": ["a"]}])
def test_hosts_that_are_none_are_ignored(hosts: Any, servers: Record) -> None:
    state = {**sync(servers).state, "hosts": hosts}
    outcome = sync(servers, state=state)
    assert outcome.code == 0
    assert not outcome.says("WARNING")
    assert outcome.state["hosts"] == {"dbt": "127.0.0.1", "pulumi": "127.0.0.1"}


def test_a_state_that_is_nested_too_deep_is_one_line(servers: Record, tmp_path: Path) -> None:
    for depth in (800, 100_000):
        text = '{"bookmarks": {"dbt_runs": ' + '{"a":' * depth + "1" + "}" * depth + "}}"
        path = tmp_path / "state.json"
        path.write_text(text)
        (tmp_path / "config.json").write_text(json.dumps(servers))
        outcome = command("--config", tmp_path / "config.json", "--state", path)
        assert outcome.code == 1
        assert outcome.logged("ERROR", "--state: ")


def test_bookmarks_without_content_are_no_older_ones(servers: Record) -> None:
    """A sync that read nothing leaves such a state, whatever its version was."""
    state: Record = {"bookmarks": {name: {"partitions": [{"context": {}}]} for name in NAMES}}
    assert sync(servers, state=state).code == 0


def test_a_state_of_another_deployment_is_used_and_said(servers: Record) -> None:
    first = sync(servers)
    state = copy.deepcopy(first.state)
    state["hosts"]["dbt"] = "ab123.us1.dbt.com"
    second = sync(servers, state=state)
    assert second.code == 0
    (line,) = second.logged("WARNING")
    assert all(word in line for word in ("ab123.us1.dbt.com", "dbt_host", "127.0.0.1"))
    assert second.state["hosts"]["dbt"] == "127.0.0.1"
    assert len(first.records("pulumi_stack_updates")) == 3
    assert not second.records("pulumi_stack_updates")


def test_the_host_of_a_service_without_a_token_stays(servers: Record) -> None:
    first = sync(servers)
    alone = {name: value for name, value in servers.items() if not name.startswith("dbt_")}
    second = sync(alone, state=first.state)
    assert second.state["hosts"] == first.state["hosts"]
    assert second.state["bookmarks"]["dbt_runs"] == first.state["bookmarks"]["dbt_runs"]


# Wild states

scalars = st.none() | st.booleans() | st.integers(-3, 300) | st.sampled_from(["", "x", "2026"])
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["", "context", "marks", "open", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what fits, now and then anything."""
    return st.integers(0, 11).flatmap(lambda number: strategy if number else anything)


def objects(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return maybe(st.fixed_dictionaries({}, optional={k: maybe(v) for k, v in parts.items()}))


marks = objects(
    last_id=st.integers(0, 12),
    finished_at=st.just("2026-06-01T10:05:00.000000Z"),
    open=st.lists(st.integers(1, 12), max_size=3),
    since=st.sampled_from([None, "", "2026-01-01T00:00:00.000000Z"]),
)
filter_names = st.sampled_from(["", "job=1", "projects=1,2", "job=1;projects=2", "job=x", "x"])
partitions = objects(
    context=st.fixed_dictionaries({"account_id": st.integers(1, 2)}),
    marks=st.dictionaries(filter_names, marks, max_size=2),
    progress_markers=st.dictionaries(st.just("Note"), scalars),
    replication_key_value=scalars,
)
names = [maybe(st.just("acme"))] * 3
open_updates = st.dictionaries(st.sampled_from(["#3", "x"]), st.tuples(st.integers(0, 4), *names))
stack_marks = st.tuples(st.just("acme"), scalars, st.integers(0, 5), maybe(open_updates)).map(list)
bookmarks = objects(
    dbt_runs=objects(partitions=st.lists(partitions, max_size=2), progress_markers=anything),
    pulumi_stack_updates=objects(
        since=st.sampled_from(["", "2026-01-01T00:00:00.000000Z"]),
        stacks=st.dictionaries(st.sampled_from(["acme/p/s", "x"]), maybe(stack_marks), max_size=2),
    ),
    pulumi_stacks=anything,
    dbt_jobs=objects(partitions=anything, progress_markers=anything),
    foreign=anything,
)
wild = st.fixed_dictionaries(
    {}, optional={"bookmarks": bookmarks, "version": maybe(st.just(VERSION)), "hosts": anything}
)


@given(state=wild)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_state_is_refused_in_a_line_or_used(state: Record, servers: Record) -> None:
    outcome = outcome_of(servers, state)
    if outcome is None:
        return
    assert outcome.code == 0, outcome.log
    assert not outcome.logged("ERROR")
    assert outcome.state["version"] == VERSION
    again = outcome_of(servers, outcome.state)
    assert again is not None, "what was written is refused"
    assert again.code == 0


def outcome_of(config: Record, state: Record) -> Outcome | None:
    """Sync from a state; ``None`` where it is refused in one line."""
    try:
        return sync(config, state=state, select=["dbt_runs", "pulumi_stack_updates"])
    except TapError as exc:
        refusal = str(exc)
    assert refusal.startswith("--state: ")
    assert "\n" not in refusal
    assert state.get("bookmarks")
    return None
