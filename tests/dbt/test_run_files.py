"""Files of runs that a test writes: late, refused, empty, left over, of every form, and large."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.syncing import sync
from tests.core.test_odd_servers import FAKE
from tests.dbt.lists import NOT_THERE, SECRET
from tests.dbt.run_details import ALL, FILES, FRESHNESS, INVOCATIONS, RESULTS, STEPS
from tests.dbt.run_files import Service, Syncs, ended, file, results, step
from tests.dbt.scripted import ago, envelope
from tests.scripted_server import Reply, ScriptedServer


class TestLate:
    """Files that are not there yet, and runs that no list has shown yet."""

    def test_only_the_step_that_lacks_its_file_is_asked_for_again(self) -> None:
        row = ended(1000, step(4, "dbt run"), step(5, "dbt test"), hours=0.7)
        service = Service([row], files={(1000, 4, "run_results.json"): file(1000, "a", "model.x")})
        syncs = Syncs(service)
        assert results(syncs.sync(RESULTS), "step", "unique_id") == [(4, "model.x")]
        assert syncs.mark(RESULTS)["waiting"] == {"1000": [5]}
        service.files[1000, 5, "run_results.json"] = file(1000, "b", "test.y")
        assert results(syncs.sync(RESULTS), "step", "unique_id") == [(5, "test.y")]
        # That of the step before, to tell a file that was left over.
        asked = {(1000, "", 0), *((1000, "artifacts/run_results.json", n) for n in (4, 5))}
        assert set(service.asked) == asked
        assert len(service.asked) == 3
        syncs.sync(RESULTS)
        assert service.asked == []
        assert syncs.mark(RESULTS)["waiting"] == {}

    @pytest.mark.parametrize("answer", [NOT_THERE, Reply(b"")], ids=["404", "empty"])
    @pytest.mark.parametrize(("hours", "waits"), [(0.7, True), (3, False)])
    def test_what_is_not_there_after_the_grace_is_not_asked_for_again(
        self, answer: Any, hours: float, waits: bool
    ) -> None:
        row = ended(1000, step(4, "dbt run"), hours=hours)
        service = Service([row], listed={1000: envelope(None)})
        service.files[1000, 4, "run_results.json"] = answer
        syncs = Syncs(service)
        syncs.sync(RESULTS)
        assert syncs.mark(RESULTS)["waiting"] == ({"1000": [4]} if waits else {})
        syncs.sync(RESULTS)
        assert bool(service.asked) is waits
        assert syncs.sync(RESULTS, dbt_artifact_grace_minutes=0).code == 0
        assert syncs.mark(RESULTS)["waiting"] == {}

    def test_a_run_without_files_may_save_them_yet(self) -> None:
        row = ended(1000, step(4, "dbt run"), hours=0.7)
        row["artifacts_saved"] = False
        service = Service([row], files={(1000, 4, "run_results.json"): file(1000, "a", "model.x")})
        syncs = Syncs(service)
        assert results(syncs.sync(RESULTS), "step") == []
        assert service.asked == [], "nothing was asked for"
        row["artifacts_saved"] = True
        assert results(syncs.sync(RESULTS), "step") == [(4,)]

    def test_a_run_that_shows_late_is_read_and_no_other_again(self) -> None:
        runs = [ended(i, step(4, "dbt run"), hours=5 + (1010 - i)) for i in range(1000, 1010)]
        files = {
            (i, 4, "run_results.json"): file(i, f"of {i}", "model.x") for i in range(1000, 1010)
        }
        service = Service(runs, files=files, hidden={1003, 1007})
        syncs = Syncs(service)
        first = results(syncs.sync(RESULTS), "run_id")
        assert first == [(i,) for i in range(1000, 1010) if i not in service.hidden]
        service.hidden = {1007}
        assert results(syncs.sync(RESULTS), "run_id") == [(1003,)]
        service.hidden = set()
        assert results(syncs.sync(RESULTS), "run_id") == [(1007,)]
        assert results(syncs.sync(RESULTS), "run_id") == []
        assert syncs.mark(RESULTS)["settled"] == [1000] + [1] * 9

    def test_marks_hold_no_more_than_the_look_back(self) -> None:
        runs = [ended(i, hours=2 * (1030 - i) + 1) for i in range(1000, 1030)]
        syncs = Syncs(Service(runs), {"lookback_hours": 10})
        syncs.sync(STEPS)
        mark = syncs.mark(STEPS)
        assert mark["base"] == 1025, "it was created 11 hours ago"
        assert mark["settled"] == [1] * 4


class TestWhoseFile:
    """A step that writes no file shows the one that was there before."""

    def test_a_file_that_an_earlier_step_has_left_is_not_read_again(self) -> None:
        row = ended(1000, step(4, "dbt build"), step(5, "dbt run-operation x"), step(6, "dbt frob"))
        first, last = file(1000, "a", "model.x"), file(1000, "c", "model.z")
        service = Service(
            [row],
            files={
                (1000, 4, "run_results.json"): first,
                (1000, 5, "run_results.json"): first,
                (1000, 6, "run_results.json"): last,
            },
        )
        outcome = Syncs(service).sync()
        assert results(outcome, "step", "unique_id") == [(4, "model.x"), (6, "model.z")]
        steps = [row["step"] for row in outcome.records(INVOCATIONS)]
        assert steps == [4, 6]

    def test_a_file_of_another_run_is_none_of_this(self) -> None:
        row = ended(1000, step(4, "dbt build"))
        service = Service([row], files={(1000, 4, "run_results.json"): file(999, "a", "model.x")})
        outcome = Syncs(service).sync()
        assert (1000, "artifacts/run_results.json", 4) in service.asked
        assert not outcome.records(RESULTS)
        assert not outcome.records(INVOCATIONS)

    def test_a_run_without_steps_has_the_file_of_its_last_command(self) -> None:
        service = Service([ended(1000), ended(1001)])
        service.files[1000, 0, "run_results.json"] = file(1000, "a", "model.x")
        compiled = file(1001, "b", "model.x", args={"which": "generate"})
        service.files[1001, 0, "run_results.json"] = compiled
        outcome = Syncs(service).sync()
        assert results(outcome, "run_id", "step", "command_verb") == [(1000, 0, "build")]
        assert all(query == 0 for _, below, query in service.asked if below)

    def test_the_last_of_two_entries_for_a_node_counts(self) -> None:
        nodes = [{"unique_id": "model.x", "status": status} for status in ("error", "success")]
        service = Service([ended(1000, step(4, "dbt build"))])
        service.files[1000, 4, "run_results.json"] = file(1000, "a", *nodes)
        outcome = Syncs(service).sync()
        assert results(outcome, "status") == [("success",)]
        (invocation,) = outcome.records(INVOCATIONS)
        assert invocation["result_count"] == 1
        assert invocation["status_counts"] == {"success": 1}


class TestOdd:
    """Answers that are none of the API's cost their own run, or step, and are told of."""

    @pytest.mark.parametrize("body", [[], {"results": {}}, {"results": "none"}, "text"], ids=repr)
    def test_a_file_in_another_shape(self, body: Any) -> None:
        row = ended(1000, step(4, "dbt run"), step(5, "dbt test"))
        service = Service([row, ended(1001, step(4, "dbt run"))])
        service.files[1000, 4, "run_results.json"] = Reply(json.dumps(body).encode())
        service.files[1000, 5, "run_results.json"] = file(1000, "b", "test.y")
        service.files[1001, 4, "run_results.json"] = file(1001, "c", "model.x")
        syncs = Syncs(service)
        outcome = syncs.sync(RESULTS, code=1)
        assert results(outcome, "run_id", "step") == [(1000, 5), (1001, 4)]
        assert outcome.logged("ERROR", RESULTS, "account 1, run 1000")
        assert syncs.mark(RESULTS)["waiting"] == {"1000": [4]}
        service.files[1000, 4, "run_results.json"] = file(1000, "a", "model.x")
        assert results(syncs.sync(RESULTS), "run_id", "step") == [(1000, 4)]

    def test_a_node_that_is_none(self) -> None:
        service = Service([ended(1000, step(4, "dbt run"))])
        service.files[1000, 4, "run_results.json"] = file(1000, "a", "model.x", {"status": "x"})
        outcome = Syncs(service).sync(RESULTS, code=1)
        assert results(outcome, "unique_id") == [("model.x",)]
        assert outcome.logged("ERROR", RESULTS, "unique_id is null")

    @pytest.mark.parametrize("data", [None, [], {"id": 999}, {"id": 1000, "run_steps": {}}])
    def test_a_detail_that_is_none(self, data: Any) -> None:
        service = Service([ended(1000, step(4, "dbt run"))])
        service.answers["/api/v2/accounts/1/runs/1000/"] = envelope(data)
        syncs = Syncs(service)
        outcome = syncs.sync(STEPS, RESULTS, code=1)
        assert outcome.logged("ERROR", STEPS, "run 1000")
        assert syncs.mark(RESULTS)["waiting"] == {"1000": []}

    def test_numbers_and_texts_come_as_they_are(self) -> None:
        node = {"unique_id": "model.x", "execution_time": 0, "message": 7, "failures": "3"}
        text = json.dumps(file(1000, "a", node)).replace(
            '"execution_time": 0',
            '"execution_time": 0.1000000000000000055511151231257827, "n": NaN',
        )
        service = Service([ended(1000, step(4, "dbt run"))])
        service.files[1000, 4, "run_results.json"] = Reply(text.encode())
        outcome = Syncs(service).sync(RESULTS, INVOCATIONS)
        line = next(line for line in outcome.lines if b'"dbt_run_results","record"' in line)
        assert b'"execution_time":0.1000000000000000055511151231257827' in line
        assert results(outcome, "message", "failures", "n") == [("7", 3, None)]

    def test_what_looks_secret_is_nowhere(self) -> None:
        told = file(1000, "a", {"unique_id": "model.x", "adapter_response": {"token": SECRET}})
        told["metadata"]["env"]["DBT_ENV_CUSTOM_ENV_API_TOKEN"] = SECRET
        told["args"] |= {
            "vars": {"x": SECRET},
            "invocation_command": f"dbt run --vars {SECRET}",
            "state": f"/{SECRET}",
            "profiles_dir": f"/{SECRET}",
            "log_path": f"/{SECRET}",
            "password": SECRET,
            "warn_error": False,
        }
        service = Service([ended(1000, step(4, "dbt run"))])
        service.files[1000, 4, "run_results.json"] = told
        outcome = Syncs(service).sync()
        assert SECRET not in b"".join(outcome.lines).decode()
        (row,) = outcome.records(INVOCATIONS)
        assert row["args"] == {"warn_error": False}
        assert row["env"] == {"DBT_CLOUD_RUN_ID": "1000"}

    def test_no_message_tells_a_command(self) -> None:
        row = ended(1000, step(4, f"dbt run --vars '{{x: {SECRET}}}'"))
        service = Service([row])
        service.files[1000, 4, "run_results.json"] = Reply(b"[]")
        outcome = Syncs(service).sync(RESULTS, code=1)
        assert not outcome.says(SECRET)


class TestRefused:
    """A file that is not there is answered like one that the token may not read."""

    def service(self, count: int, status: int) -> Service:
        runs = [ended(i, step(4, "dbt run"), hours=200 - i / 10) for i in range(1000, 1000 + count)]
        refused = Reply({"status": {"user_message": "no"}}, status=status)
        files = {(row["id"], 4, "run_results.json"): refused for row in runs}
        return Service(runs, files=files)

    @pytest.mark.parametrize("status", [403, 404])
    def test_files_that_the_list_names_are_refused(self, status: int) -> None:
        service = self.service(30, status)
        service.listed = {row["id"]: envelope(["run_results.json"]) for row in service.runs}
        syncs = Syncs(service)
        outcome = syncs.sync(RESULTS)
        (warning,) = outcome.logged("WARNING", RESULTS)
        assert "account 1" in warning
        assert "permission to read runs" in warning
        assert syncs.mark(RESULTS)["settled"] == []
        files = [each for each in service.asked if "run_results" in each[1]]
        assert len(files) < 30 + 2 * 8, "no more is asked for than is on its way"
        service.files = {key: file(key[0], "a", "model.x") for key in service.files}
        assert len(results(syncs.sync(RESULTS), "run_id")) == 30

    @pytest.mark.parametrize("listed", [["manifest.json"], None])
    def test_files_that_are_in_no_list_are_not_there(self, listed: Any) -> None:
        service = self.service(25, 404)
        service.listed = {row["id"]: envelope(listed) for row in service.runs}
        syncs = Syncs(service)
        outcome = syncs.sync(RESULTS)
        assert not outcome.logged("WARNING")
        assert not syncs.mark(RESULTS)["waiting"]
        syncs.sync(RESULTS)
        assert not service.asked

    def test_one_that_is_refused_at_first_may_be_given_later(self) -> None:
        service = Service([ended(1000, step(4, "dbt run"), hours=0.7)])
        service.files[1000, 4, "run_results.json"] = Reply({"status": {}}, status=403)
        service.listed[1000] = Reply({"status": {}}, status=403)
        syncs = Syncs(service)
        syncs.sync(RESULTS, FILES)
        service.files[1000, 4, "run_results.json"] = file(1000, "a", "model.x")
        service.listed[1000] = envelope(["run_results.json"])
        outcome = syncs.sync(RESULTS, FILES)
        assert results(outcome, "run_id") == [(1000,)]
        assert [row["path"] for row in outcome.records(FILES)] == ["run_results.json"]

    def test_one_that_was_given_tells_that_others_are_not_there(self) -> None:
        service = self.service(30, 404)
        service.files[1003, 4, "run_results.json"] = file(1003, "a", "model.x")
        outcome = Syncs(service).sync(RESULTS)
        assert not outcome.logged("WARNING")
        assert not [each for each in service.asked if each[1] == "artifacts/"]

    def test_a_right_that_is_lost_is_an_error(self) -> None:
        service = self.service(5, 404)
        service.files = {key: file(key[0], "a", "model.x") for key in service.files}
        syncs = Syncs(service)
        syncs.sync(RESULTS)
        service.runs += self.service(8, 404).runs[5:]
        service.listed = {row["id"]: envelope(["run_results.json"]) for row in service.runs}
        outcome = syncs.sync(RESULTS, code=1)
        assert outcome.logged("ERROR", RESULTS, "read before")
        service.files = {(i, 4, "run_results.json"): file(i, "a", "m.x") for i in range(1000, 1008)}
        assert results(syncs.sync(RESULTS), "run_id") == [(1005,), (1006,), (1007,)]


def test_files_are_asked_for_as_any_type_and_at_no_other_address() -> None:
    service = Service([ended(1000, step(3, "dbt source freshness"), step(4, "dbt run"))])
    with ScriptedServer(service) as server:
        sync({"dbt_token": FAKE, "dbt_url": server.url}, select=ALL)
        files = [r for r in server.requests if r["path"].endswith(".json")]
        others = [r for r in server.requests if not r["path"].endswith(".json")]
    assert {r["headers"]["accept"] for r in files} == {"*/*"}
    assert {r["headers"]["accept"] for r in others} == {"application/json"}
    asked = {(r["path"].rpartition("/")[2], r["query"]["step"]) for r in files if r["query"]}
    assert asked == {("sources.json", "3"), ("run_results.json", "4")}


def test_sources_in_both_shapes() -> None:
    service = Service([ended(1000, step(3, "dbt source snapshot-freshness"))])
    aged = {
        "unique_id": "source.x",
        "status": "warn",
        "max_loaded_at": "2026-01-01T00:00:00Z",
        "max_loaded_at_time_ago_in_s": 3600.5,
        "criteria": {"warn_after": {"count": 1, "period": "hour"}, "error_after": {}},
    }
    failed = {"unique_id": "source.y", "status": "runtime error", "error": 5}
    service.files[1000, 3, "sources.json"] = file(1000, "a", aged, failed)
    rows = Syncs(service).sync(FRESHNESS).records(FRESHNESS)
    first, second = rows
    assert (first["age_seconds"], first["warn_after_count"]) == (3600.5, 1)
    assert (first["error_after_count"], first["filter"]) == (None, None)
    assert (second["error"], second["step"]) == ("5", 3)


def test_files_that_lie_in_folders_are_left_out_unless_wanted() -> None:
    paths = [
        "manifest.json",
        "compiled/a/models/run_results.json",
        "run/a.sql",
        "run_results.json",
        "metadata/telemetry-4-otel.parquet",
        "graph.gpickle",
    ]
    service = Service([ended(1000)], listed={1000: envelope(paths)})
    told = {row["path"]: row["kind"] for row in Syncs(service).sync(FILES).records(FILES)}
    assert told == {
        "manifest.json": "manifest",
        "run_results.json": "run_results",
        "metadata/telemetry-4-otel.parquet": "telemetry",
        "graph.gpickle": "other",
    }
    everything = Syncs(service).sync(FILES, dbt_all_artifact_paths=True).records(FILES)
    assert len(everything) == len(paths)
    assert {row["file_name"] for row in everything} >= {"a.sql", "run_results.json"}


def test_runs_that_never_began_cost_nothing() -> None:
    queued = {**ended(1000), "started_at": None}
    service = Service([queued, ended(1001, created_at=ago(days=200))])
    syncs = Syncs(service)
    outcome = syncs.sync()
    assert not service.asked
    assert outcome.says("dbt_run_details_days"), "the history begins 90 days ago"
