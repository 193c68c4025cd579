"""A run that cannot be read costs that run, and nothing that others have left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.syncing import catalog_of, cut_after, sync
from tests.core.test_odd_servers import FAKE
from tests.dbt.lists import NOT_THERE
from tests.dbt.run_details import FILES, INVOCATIONS, RESULTS, STEPS
from tests.dbt.run_files import Service, Syncs, ended, file, results, step
from tests.dbt.scripted import envelope, waiting
from tests.scripted_server import Reply, ScriptedServer

BROKEN = Reply({"status": {"user_message": "out of order"}}, status=500)
FORBIDDEN = Reply({"status": {"user_message": "not for you"}}, status=403)
NAME = "run_results.json"

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_cloudapis.core.connection.MAX_TRIES", 2)


def service(bad: Any, *ids: int, of: range = range(1000, 1030)) -> Service:
    """Runs with a build each; the files of some are bad."""
    made = Service([ended(i, step(4, "dbt build"), hours=2000 - i) for i in of])
    for i in of:
        made.files[i, 4, NAME] = bad if i in ids else file(i, f"invocation {i}", "model.x")
    return made


@pytest.mark.parametrize("ids", [(1000, 1010, 1020), (1000, 1001, 1002, 1003)])
def test_files_that_fail_for_good_stop_nothing_else(ids: tuple[int, ...]) -> None:
    syncs = Syncs(service(BROKEN, *ids))
    outcome = syncs.sync(RESULTS, code=1)
    assert len(results(outcome, "run_id")) == 30 - len(ids)
    syncs.service.runs.append(ended(1100, step(4, "dbt build")))
    syncs.service.files[1100, 4, NAME] = file(1100, "new", "model.x")
    outcome = syncs.sync(RESULTS, INVOCATIONS, code=1)
    assert results(outcome, "run_id") == [(1100,)]
    for i in ids:
        syncs.service.files[i, 4, NAME] = file(i, f"invocation {i}", "model.x")
    assert results(syncs.sync(RESULTS), "run_id") == [(i,) for i in ids]


def test_a_run_whose_detail_is_refused_waits() -> None:
    syncs = Syncs(service(None))
    syncs.service.answers["/api/v2/accounts/1/runs/1000/"] = FORBIDDEN
    for expected in (29, 0):
        outcome = syncs.sync(STEPS, "dbt_runs")
        assert len(outcome.records(STEPS)) == expected
        assert outcome.logged("WARNING", STEPS, "run 1000", "403")
    del syncs.service.answers["/api/v2/accounts/1/runs/1000/"]
    assert [row["run_id"] for row in syncs.sync(STEPS).records(STEPS)] == [1000]


def test_a_file_that_is_refused_beside_others_waits() -> None:
    syncs = Syncs(service(FORBIDDEN, 1020))
    outcome = syncs.sync(RESULTS)
    assert len(outcome.records(RESULTS)) == 29
    assert outcome.logged("WARNING", RESULTS, "run 1020", "403")
    assert "1020" in syncs.mark(RESULTS)["waiting"]


def test_an_open_run_that_cannot_be_read_alone_holds_no_other_up() -> None:
    syncs = Syncs(Service([waiting(1000)]))
    syncs.sync(RESULTS)
    syncs.service.runs[:] = [ended(1001, step(4, "dbt build"))]
    syncs.service.files[1001, 4, NAME] = file(1001, "a", "model.x")
    syncs.service.answers["/api/v2/accounts/1/runs/1000/"] = BROKEN
    outcome = syncs.sync(RESULTS, code=1)
    assert outcome.logged("ERROR", "run 1000", "500")
    assert results(outcome, "run_id") == [(1001,)]
    assert "1000" in syncs.mark(RESULTS)["waiting"]


def test_marks_move_although_a_kind_of_file_is_never_there() -> None:
    made = service(None, of=range(1000, 1300))
    made.runs[0]["run_steps"].append(step(5, "dbt source freshness"))
    made.listed[1000] = envelope([NAME])
    syncs = Syncs(made)
    with ScriptedServer(made) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url}
        cut = sync(config, select=[INVOCATIONS], prepare=cut_after(250, INVOCATIONS))
    (part,) = cut.state["bookmarks"][INVOCATIONS]["partitions"]
    assert part["walks"][""]["base"] > 1150
    syncs.state = cut.state
    rest = syncs.sync(INVOCATIONS).records(INVOCATIONS)
    both = (*cut.records(INVOCATIONS), *rest)
    assert {row["run_id"] for row in both} == set(range(1000, 1300))
    assert len(rest) <= 52


def test_lists_of_files_that_are_lost_are_asked_for_again() -> None:
    made = service(None, of=range(1000, 1005))
    made.listed |= {i: envelope(["manifest.json"]) for i in range(1000, 1005)}
    syncs = Syncs(made)
    assert len(syncs.sync(FILES).records(FILES)) == 5
    made.runs += [ended(i, step(4, "dbt build")) for i in range(1100, 1110)]
    assert syncs.sync(FILES).records(FILES) == []
    made.listed |= {i: envelope(["manifest.json"]) for i in range(1100, 1110)}
    assert len(syncs.sync(FILES).records(FILES)) == 10


def test_a_list_of_files_that_is_empty_just_after_the_end_is_asked_for_again() -> None:
    made = Service([ended(1000, step(4, "dbt build"), hours=0.7)])
    made.listed[1000] = envelope([])
    syncs = Syncs(made)
    syncs.sync(FILES)
    made.listed[1000] = envelope(["manifest.json"])
    assert len(syncs.sync(FILES).records(FILES)) == 1


def test_steps_find_their_files_although_their_names_are_not_selected() -> None:
    made = Service([ended(i, step(4, "dbt run"), step(5, "dbt test")) for i in range(1000, 1020)])
    for i in range(1000, 1020):
        made.files[i, 4, NAME] = file(i, f"{i} a", "model.x")
        made.files[i, 5, NAME] = file(i, f"{i} b", "test.y")
    with ScriptedServer(made) as server:
        config = {"dbt_token": FAKE, "dbt_url": server.url}
        catalog = catalog_of([STEPS, RESULTS], dbt_run_steps=["name"])
        outcome = sync(config, catalog=catalog)
    assert outcome.code == 0, outcome.log
    assert {row["step"] for row in outcome.records(RESULTS)} == {4, 5}
    assert len(outcome.records(RESULTS)) == 40


@pytest.mark.parametrize("index", [4, "4"])
def test_the_number_of_a_step_may_be_a_text(index: Any) -> None:
    syncs = Syncs(Service([ended(1000, step(index, "dbt build"))]))
    syncs.service.files[1000, 4, NAME] = file(1000, "a", "model.x")
    assert results(syncs.sync(RESULTS), "step") == [(4,)]


def test_a_command_is_counted_whole_although_its_nodes_failed() -> None:
    made = Service([ended(1000, step(4, "dbt build"))])
    nodes = [{"unique_id": f"model.{n}", "status": "success", "execution_time": n} for n in "12"]
    made.files[1000, 4, NAME] = file(1000, "a", *nodes)
    syncs = Syncs(made, settings={"stream_maps": {RESULTS: {"a": "int(unique_id)"}}})
    (row,) = syncs.sync(RESULTS, INVOCATIONS, code=1).records(INVOCATIONS)
    assert row["result_count"] == 2
    assert row["status_counts"] == {"success": 2}


def test_a_time_that_nothing_can_take_is_not_added_up() -> None:
    made = Service([ended(1000, step(4, "dbt build"))])
    body = b'{"metadata": {"invocation_id": "a"}, "results": [%b]}'
    node = b'{"unique_id": "model.%d", "status": "success", "execution_time": 9e999999999}'
    made.files[1000, 4, NAME] = Reply(body % b", ".join(node % n for n in (1, 2)))
    outcome = Syncs(made).sync(INVOCATIONS)
    (row,) = outcome.records(INVOCATIONS)
    assert row["result_count"] == 2
    assert row["execution_seconds"] is None


class TestLeftOver:
    def test_from_a_step_that_an_earlier_sync_has_read(self) -> None:
        row = ended(1000, step(4, "dbt run"), step(5, "dbt test"), hours=0.7)
        made = Service([row], files={(1000, 4, NAME): file(1000, "a", "model.x")})
        syncs = Syncs(made)
        assert results(syncs.sync(RESULTS), "step") == [(4,)]
        made.files[1000, 5, NAME] = file(1000, "a", "model.x")
        assert results(syncs.sync(RESULTS), "step") == []
        assert (1000, f"artifacts/{NAME}", 5) in made.asked

    def test_from_a_command_whose_results_are_not_read(self) -> None:
        made = Service([ended(1000, step(4, "dbt docs generate"), step(5, "dbt build"))])
        of_docs = file(1000, "a", "model.x", args={"which": "generate"})
        made.files |= {(1000, 4, NAME): of_docs, (1000, 5, NAME): of_docs}
        assert results(Syncs(made).sync(RESULTS), "step") == []
        assert (1000, f"artifacts/{NAME}", 5) in made.asked

    def test_an_empty_name_of_an_invocation_is_none(self) -> None:
        made = Service([ended(1000, step(4, "dbt run"), step(5, "dbt test"))])
        made.files[1000, 4, NAME] = file(1000, "", "model.x")
        made.files[1000, 5, NAME] = file(1000, "", "test.y")
        assert results(Syncs(made).sync(RESULTS), "step") == [(4,), (5,)]


def test_what_is_not_there_stays_so() -> None:
    """Where others were read, a file that is not there after the grace is asked for once."""
    syncs = Syncs(service(NOT_THERE, 1005))
    assert len(syncs.sync(RESULTS).records(RESULTS)) == 29
    syncs.sync(RESULTS)
    assert syncs.service.asked == []
