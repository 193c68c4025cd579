"""dbt: what runs leave behind, as a reader finds it who knows nothing of how it is made."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.client import Client
from tests.simulator.test_world import in_order, utc
from tests.simulator_process import END_OF_HISTORY, SECRET_MARKER, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
RUNS = "v2/accounts/1042/runs/"
#: Commands whose results say no more than that everything was compiled.
NOT_READ = ("docs generate", "compile")
STATUSES = {
    "success",
    "error",
    "skipped",
    "pass",
    "fail",
    "warn",
    "reused",
    "partial success",
    "no-op",
}


class Archive:
    """All that the runs of an account left, read run by run and step by step."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.runs = client.dbt_rows(RUNS)
        self.ended = [run for run in self.runs if run["is_complete"]]
        self.steps: list[Row] = []
        self.files: list[Row] = []
        self.results: list[Row] = []
        self.ages: list[Row] = []
        self.left_over = 0
        self.versions: dict[str, list[Row]] = defaultdict(list)
        for run in self.ended:
            self._read(run)

    def _read(self, run: Row) -> None:
        path = f"{RUNS}{run['id']}/"
        if not run["started_at"]:
            return
        detail = self.client.dbt(path, include_related="run_steps").json()["data"]
        self.steps += detail["run_steps"]
        answer = self.client.dbt(f"{path}artifacts/")
        assert answer.status_code == (200 if run["artifacts_saved"] else 404)
        if not run["artifacts_saved"]:
            return
        self.files += [{"run_id": run["id"], "path": name} for name in answer.json()["data"] or ()]
        seen: set[str] = set()
        numbers = [(step["index"], step["name"]) for step in detail["run_steps"]]
        for number, name in numbers or [(0, "Invoke dbt with `?`")]:
            if not name.startswith("Invoke dbt with `"):
                assert self._file(run, "run_results.json", number) is None
                continue
            body = self._file(run, "run_results.json", number)
            if body is not None:
                self._keep(run, number, name[17:-1], body, seen)
            ages = self._file(run, "sources.json", number)
            if ages is not None and "source freshness" in name:
                told = {"run_id": run["id"], "step": number}
                self.ages += [{**told, **row} for row in ages["results"]]

    def _file(self, run: Row, name: str, step: int) -> Row | None:
        params = {"step": step} if step else {}
        answer = self.client.dbt(f"{RUNS}{run['id']}/artifacts/{name}", **params)
        assert answer.history == []
        assert answer.status_code in (200, 404)
        if answer.status_code == 404:
            assert answer.text == "The file was not found.\n"
            return None
        found: Row = answer.json()
        return found

    def _keep(self, run: Row, number: int, command: str, body: Row, seen: set[str]) -> None:
        metadata = body["metadata"]
        assert metadata["env"]["DBT_CLOUD_RUN_ID"] == str(run["id"])
        if metadata["invocation_id"] in seen:
            self.left_over += 1
            return
        seen.add(metadata["invocation_id"])
        version = metadata["dbt_schema_version"].rpartition("/")[2]
        fusion = metadata["dbt_version"].startswith("2.")
        self.versions["fusion" if fusion else version] += body["results"]
        if any(words in command for words in NOT_READ):
            assert {row["execution_time"] for row in body["results"]} == {0.0}
            return
        told = {"run_id": run["id"], "step": number, "invocation_id": metadata["invocation_id"]}
        self.results += [{**told, **row} for row in body["results"]]


@pytest.fixture(scope="module", name="archive")
def whole_archive() -> Iterator[Archive]:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, dbt_runs=320) as simulator:
        yield Archive(Client(simulator))


def only(row: Row, *names: str) -> Row:
    return {name: row.get(name) for name in names}


def test_steps_are_true(archive: Archive) -> None:
    names = ("run_id", "id", "index", "name", "status")
    truth = archive.client.simulator.rows("dbt_run_steps")
    assert in_order([only(row, *names) for row in archive.steps]) == in_order(
        [only(row, *names) for row in truth]
    )
    times = [[row["run_id"], row["index"], utc(row["started_at"])] for row in archive.steps]
    assert sorted(times) == sorted(
        [row["run_id"], row["index"], row["started_at"]] for row in truth
    )
    told = {row["command"] for row in truth if row["is_dbt"]}
    assert {f"Invoke dbt with `{text}`" for text in told} <= {row["name"] for row in archive.steps}


def test_results_are_true_for_each_step_of_each_run(archive: Archive) -> None:
    names = (
        "run_id",
        "step",
        "invocation_id",
        "unique_id",
        "status",
        "execution_time",
        "failures",
        "relation_name",
        "adapter_response",
        "thread_id",
        "compiled",
        "batch_results",
        "static_analysis_off_reason",
    )
    truth = archive.client.simulator.truth("dbt_run_results")
    assert in_order([only(row, *names) for row in archive.results]) == in_order(
        [only(row, *names) for row in truth["rows"]]
    )
    key = truth["key"]
    assert len({tuple(row[name] for name in key) for row in truth["rows"]}) == truth["count"]
    counted = archive.client.simulator.truth("dbt_run_results", counts=True)
    assert counted["count"] == truth["count"] > 2000
    messages = {(row["run_id"], row["step"], row["unique_id"]): row for row in truth["rows"]}
    for row in archive.results:
        true = messages[row["run_id"], row["step"], row["unique_id"]]
        said = row.get("message")
        assert true["message"] == (said if said is None else str(said))
        spans = {one["name"]: one for one in row["timing"]}
        for name in spans:
            assert true[f"{name}_started_at"] == utc(spans[name]["started_at"])
            assert true[f"{name}_completed_at"] == utc(spans[name]["completed_at"])
        response = row["adapter_response"]
        assert true["query_id"] == response.get("query_id", response.get("job_id"))


def test_invocations_are_true(archive: Archive) -> None:
    truth = archive.client.simulator.rows("dbt_run_invocations")
    found: dict[tuple[int, int, str], list[str]] = defaultdict(list)
    for row in archive.results:
        found[row["run_id"], row["step"], "run_results"].append(row["status"])
    for row in archive.ages:
        found[row["run_id"], row["step"], "sources"].append(row["status"])
    told = {(row["run_id"], row["step"], row["artifact"]): row for row in truth}
    # One that was cut off before its first node has no rows, and was there all the same.
    assert {key for key, row in told.items() if row["result_count"]} == found.keys()
    for key, statuses in found.items():
        assert told[key]["result_count"] == len(statuses)
        assert told[key]["status_counts"] == {one: statuses.count(one) for one in statuses}


def test_ages_of_sources_are_true(archive: Archive) -> None:
    truth = archive.client.simulator.rows("dbt_source_freshness")
    names = ("run_id", "step", "unique_id", "status", "error")
    assert in_order([only(row, *names) for row in archive.ages]) == in_order(
        [only(row, *names) for row in truth]
    )
    ages = {(row["run_id"], row["step"], row["unique_id"]): row for row in truth}
    for row in archive.ages:
        true = ages[row["run_id"], row["step"], row["unique_id"]]
        assert true["age_seconds"] == row.get("max_loaded_at_time_ago_in_s")
        if "criteria" in row:
            assert true["max_loaded_at"] == utc(row["max_loaded_at"])
            error = row["criteria"]["error_after"] or {}
            assert true["error_after_count"] == error.get("count")
    assert {row["status"] for row in truth} == {"pass", "warn", "error", "runtime error"}


def test_files_are_true(archive: Archive) -> None:
    truth = archive.client.simulator.rows("dbt_run_artifacts")
    files = [row for row in archive.files if not row["path"].startswith(("compiled/", "run/"))]
    assert in_order(files) == in_order([only(row, "run_id", "path") for row in truth])
    assert len(archive.files) > 3 * len(files)
    kinds = {"manifest", "run_results", "sources", "catalog", "semantic_manifest", "telemetry"}
    assert {row["kind"] for row in truth} == {*kinds, "other"}


def test_a_life_that_could_be_one(archive: Archive) -> None:
    runs = {run["id"]: run for run in archive.runs}
    by_run: dict[int, set[str]] = defaultdict(set)
    failed: dict[str, int] = defaultdict(int)
    for row in archive.results:
        by_run[row["run_id"]].add(row["status"])
        failed[row["unique_id"]] += row["status"] in ("error", "fail")
        if row["status"] in ("error", "fail"):
            assert row["message"]
    assert {status for statuses in by_run.values() for status in statuses} == STATUSES
    for run_id, statuses in by_run.items():
        assert not statuses & {"error", "fail"} or runs[run_id]["is_error"]
    assert archive.left_over > 3
    with_files = {row["run_id"] for row in archive.files}
    without = [run for run in archive.ended if run["started_at"] and run["id"] not in with_files]
    assert {run["artifacts_saved"] for run in without} == {True, False}
    retried = [run for run in archive.ended if run["retrying_run_id"] in by_run]
    assert retried
    assert {run["status"] for run in archive.ended if run["id"] in by_run} == {10, 20, 30}
    hybrid = {row["run_id"] for row in archive.results if row["step"] == 0}
    assert hybrid
    assert not hybrid & {row["run_id"] for row in archive.steps}


def test_nodes_slow_down_until_they_are_mended() -> None:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, dbt_runs=900, dbt_jobs=3) as simulator:
        rows = simulator.rows("dbt_run_results")
    seconds: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["status"] == "success" and row["compile_started_at"]:
            month = int(row["compile_started_at"][5:7])
            seconds[row["unique_id"]][month].append(row["execution_time"])
    slower = 0
    for months in seconds.values():
        if all(len(months[month]) > 5 for month in (1, 2, 3)):
            mean = {month: sum(months[month]) / len(months[month]) for month in (1, 2, 3)}
            slower += mean[2] > 1.3 * mean[1] and mean[3] < 0.8 * mean[2]
    assert slower


def test_files_come_in_the_form_of_each_version(archive: Archive) -> None:
    versions = archive.versions
    assert versions.keys() == {f"v{n}.json" for n in range(1, 7)} | {"fusion"}
    plain = {"status", "timing", "thread_id", "execution_time", "adapter_response", "message"}
    plain.add("unique_id")
    with_failures = {*plain, "failures"}
    compiled = {*with_failures, "compiled", "compiled_code", "relation_name"}
    columns = {
        "v1.json": plain,
        "v2.json": with_failures,
        "v3.json": with_failures,
        "v4.json": with_failures,
        "v5.json": compiled,
        "v6.json": {*compiled, "batch_results"},
    }
    for version, names in columns.items():
        assert {frozenset(row) for row in versions[version]} == {frozenset(names)}
    fusion = versions["fusion"]
    assert all(value is not None for row in fusion for value in row.values())
    assert not any("compiled" in row for row in fusion)
    assert any("static_analysis_off_reason" in row for row in fusion)
    assert {type(row["message"]) for row in versions["v1.json"]} >= {int, str, type(None)}


def test_files_are_asked_for_as_the_service_wants(archive: Archive) -> None:
    client = archive.client
    run = max(row["run_id"] for row in archive.results if row["step"] > 3)
    steps = [row["step"] for row in archive.results if row["run_id"] == run]
    path = f"{RUNS}{run}/artifacts/"
    last = client.dbt(f"{path}run_results.json").json()
    assert last == client.dbt(f"{path}run_results.json", step=max(steps) + 5).json()
    assert SECRET_MARKER in json.dumps(last["args"])
    assert SECRET_MARKER in json.dumps(last["metadata"])
    assert client.dbt(f"{path}run_results.json", step=1).status_code == 404
    for wrong in ("0", "-1", "x"):
        assert client.dbt(f"{path}run_results.json", step=wrong).status_code == 400
    assert client.dbt(f"{path}run_results.json/").status_code == 404
    assert client.dbt(f"{path}nothing.json").status_code == 404
    assert client.dbt(path, step=1).json() == client.dbt(path).json()
    logs = [row for row in archive.steps if row["logs"]]
    assert 0 < len(logs) < len(archive.steps)
    assert not any(row["debug_logs"] for row in archive.steps)
    related = "run_steps,debug_logs"
    detail = client.dbt(f"{RUNS}{logs[0]['run_id']}/", include_related=related).json()["data"]
    assert detail["run_steps"][0]["debug_logs"]


def test_who_started_and_who_cancelled_is_told_on_request(archive: Archive) -> None:
    rows = archive.client.dbt_rows(RUNS, include_related="trigger,audit")
    assert all(row["audit"] is None for row in archive.runs)
    actors = {row["trigger"]["cause_category"]: row["audit"]["trigger"] for row in rows}
    assert actors["ui"]["actor"]["type"] == "user"
    assert actors["scheduled"] is None
    for row in rows:
        assert bool(row["audit"]["cancellation"]) == row["is_cancelled"]


def test_files_come_late_and_none_before_the_end() -> None:
    missing: set[int] = set()
    late: set[int] = set()
    promised: set[int] = set()
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, days=2, dbt_runs=900) as simulator:
        client = Client(simulator)
        before = max(run["id"] for run in client.dbt_rows(RUNS))
        known: set[int] = set()
        for _ in range(250):
            simulator.advance(40)
            for run in client.dbt_rows(RUNS, id__gt=before):
                if run["id"] in known or not run["started_at"]:
                    continue
                code = client.dbt(f"{RUNS}{run['id']}/artifacts/").status_code
                if not run["is_complete"]:
                    assert code == 404
                    assert run["artifacts_saved"] is False
                elif code == 404 and run["artifacts_saved"]:
                    promised.add(run["id"])
                    empty = client.dbt(f"{RUNS}{run['id']}/artifacts/run_results.json", step=3)
                    assert (empty.status_code, empty.content) == (200, b"")
                elif code == 404:
                    missing.add(run["id"])
                else:
                    known.add(run["id"])
                    late |= {run["id"]} & (missing | promised)
    assert len(late) > 3
    assert promised <= late
    assert promised


def test_details_go_with_time_and_may_be_forbidden() -> None:
    with Simulator(
        now=END_OF_HISTORY, dbt_accounts=1, dbt_detail_days=30, unlisted=[1042]
    ) as simulator:
        client = Client(simulator)
        assert client.accounts() == []
        assert client.dbt("v2/accounts/1042/").json()["data"]["id"] == 1042
        runs = client.dbt_rows(RUNS)
        assert not any(run["artifacts_saved"] for run in runs[: len(runs) // 2])
        saved = [run for run in runs if run["artifacts_saved"]]
        path = f"{RUNS}{saved[0]['id']}/"
        assert client.dbt(path, include_related="run_steps").json()["data"]["run_steps"]
        old = client.dbt(f"{RUNS}{runs[9]['id']}/", include_related="run_steps").json()["data"]
        assert old["run_steps"] == []
        simulator.settings(forbid=["dbt_run_steps", "dbt_run_results", "dbt_run_artifacts"])
        assert client.dbt(path, include_related="run_steps").status_code == 404
        assert client.dbt(path).status_code == 200
        for name in ("", "run_results.json"):
            assert client.dbt(f"{path}artifacts/{name}").status_code == 404


def test_sizes_of_details_are_exact_where_they_are_wanted() -> None:
    sizes = {"dbt_runs": 60, "dbt_nodes": 20, "dbt_steps": 3, "dbt_large_mb": 2}
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, **sizes) as simulator:
        client = Client(simulator)
        lengths, counts = [], set()
        for run in client.dbt_rows(RUNS):
            if run["is_success"]:
                for step in (3, 4, 5):
                    path = f"{RUNS}{run['id']}/artifacts/run_results.json"
                    answer = client.dbt(path, step=step)
                    if answer.status_code == 200:  # some are too short to leave anything
                        counts.add(len(answer.json()["results"]))
                        lengths.append(len(answer.content))
    assert counts == {20}
    assert sum(length > 2_000_000 for length in lengths) == 3
    assert sorted(lengths)[-4] < 30_000
