"""The address of dbt Cloud: in every row, in errors where none is set, and two in one dataset."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.dbt import DBT_CLOUD
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import BY_DEFAULT, KEYS, NAMES, Outcome, command, run_tap, settings, sync
from tests.core.test_odd_servers import ALL, FAKE, OddDbt
from tests.loader.support import query, run
from tests.meltano.projects import HUB, ROOT, definition
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.simulator_process import Simulator

DEFAULT = "https://cloud.getdbt.com"
NOT_SET = "dbt_url is not set"
DBT_NAMES = [name for name in NAMES if name.startswith("dbt_")]
#: Those whose rows have a name, or are runs, of what is selected by default.
NAMED = [*(set(BY_DEFAULT) & set(DBT_NAMES) - {"dbt_licenses", "dbt_group_permissions"})]
#: What counts as no address.
UNSET: list[dict[str, Any]] = [{}, {"dbt_url": ""}, {"dbt_url": None}, {"dbt_url": " "}]


def answer_with(accounts: Any) -> Callable[[str, dict[str, str]], Any]:
    """A server that has one thing to say of accounts, and nothing else."""
    return lambda path, _query: accounts if "accounts/" in path else Reply({}, status=404)


def envelope(rows: Any, total: int | None = None) -> dict[str, Any]:
    total = len(rows) if total is None else total
    return {"status": {}, "data": rows, "extra": {"pagination": {"total_count": total}}}


def refusal(status: int) -> Reply:
    return Reply({"status": {"user_message": "no"}}, status=status)


def test_every_row_says_the_host_and_carries_the_account(still: Simulator) -> None:
    outcome = sync(settings(still, "dbt"))
    assert ":" in still.dbt_url.removeprefix("http://"), "no port: this test shows nothing"
    for stream in DBT_NAMES:
        records = outcome.records(stream)
        assert {record["dbt_host"] for record in records} == {"127.0.0.1"}, stream
        key = KEYS[stream]
        assert key == ("id",) if stream == "dbt_accounts" else key[0] == "account_id"
        described = [m for m in outcome.messages if m["type"] == "SCHEMA"]
        assert [m["key_properties"] for m in described if m["stream"] == stream] == [list(key)]


# Two deployments


class Region:
    """An account with one of each, a connection, a job, a group, and with runs.

    All ids but the account's are those of every other region.
    """

    def __init__(self, account: int, name: str) -> None:
        self.account = account
        self.name = name

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/accounts/":
            return envelope([{"id": self.account, "name": self.name}])
        own = {"account_id": self.account, "name": self.name}
        *_, what, _ = path.split("/")
        rows: list[dict[str, Any]] = [{**own, "id": 1}]
        if what == "runs":
            rows = [{"account_id": self.account, "id": number} for number in (1, 2, 3)]
            rows = [{**row, "status": 10, "git_sha": self.name} for row in rows]
        if what == "environments":
            rows[0]["project_id"] = 1
        if query.get("is_system"):
            rows = []
        return envelope({"it": {}} if what == "licenses" else rows)


def test_two_regions_in_one_dataset(tmp_path: Path) -> None:
    """Ids overlap between regions; the account's does not, and is part of every key."""
    database = tmp_path / "both.duckdb"
    regions = [Region(11, "eu"), Region(12, "us")]
    for region, host in zip(regions, ("127.0.0.1", "localhost"), strict=True):
        with ScriptedServer(region) as server:
            url = server.url.replace("127.0.0.1", host)
            outcome = run_tap(config={"dbt_token": FAKE, "dbt_url": url}, folder=tmp_path)
        assert outcome.code == 0, outcome.log
        lines = [line.decode() for line in outcome.lines]
        loaded = run(messages=lines, config={"path": str(database)}, folder=tmp_path)
        assert loaded.returncode == 0, loaded.stderr
    (dataset,) = query(
        database, "SELECT DISTINCT schema_name FROM duckdb_tables() WHERE table_name = 'dbt_runs'"
    )[0]
    for stream in NAMED:
        account = "id" if stream == "dbt_accounts" else "account_id"
        content = "git_sha" if stream == "dbt_runs" else "name"
        rows = query(
            database,
            f"SELECT {account}, dbt_host, {content}, count(*) FROM {dataset}.{stream} "  # noqa: S608
            "GROUP BY ALL ORDER BY 1",
        )
        count = 3 if stream == "dbt_runs" else 1
        assert rows == [(11, "127.0.0.1", "eu", count), (12, "localhost", "us", count)], stream


# No address


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have a server stand where the default address is."""

    def stand(url: str) -> None:
        _, *others = TapCloudAPIs.services
        monkeypatch.setattr(
            TapCloudAPIs, "services", (replace(DBT_CLOUD, default_url=url), *others)
        )

    return stand


def test_the_default_address_is_asked_and_said(
    unset: Callable[[str], None],
) -> None:
    assert DBT_CLOUD.default_url == DEFAULT
    with ScriptedServer(OddDbt(ALL)) as server:
        unset(server.url)
        for config in UNSET:
            outcome = sync({"dbt_token": FAKE, **config})
            assert outcome.code == 0, outcome.log
            assert len(outcome.records("dbt_runs")) == 11
            (line,) = outcome.logged("WARNING")
            assert outcome.log.index(line) == 0
            assert all(word in line for word in (server.url, NOT_SET, "Account settings"))


ERRORS: dict[str, Any] = {
    "401": refusal(401),
    "403": refusal(403),
    "404": refusal(404),
    "400": refusal(400),
    "418": refusal(418),
    "no account": envelope([]),
    "an error inside": {"status": {"is_success": False, "user_message": "no"}, "data": None},
    "another shape": {"data": 5},
    "no row": envelope([5]),
    "fewer than announced": envelope([], 7),
    "a web page": Reply(b"<html>Sign in</html>"),
}
DOUBTS = ("token", "the value of", "permission")


def assert_said_first(outcome: Outcome) -> None:
    errors = outcome.logged("ERROR")
    assert errors, outcome.log
    for line in errors:
        assert NOT_SET in line
        advised = line.index("Account settings")
        assert all(advised < line.index(word) for word in DOUBTS if word in line), line
        assert FAKE not in line


@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("more", [{}, {"dbt_account_ids": [7]}], ids=["all", "one"])
def test_every_error_says_first_that_no_address_is_set(
    answer: Any, more: dict[str, Any], unset: Callable[[str], None]
) -> None:
    with ScriptedServer(answer_with(answer)) as server:
        unset(server.url)
        outcome = sync({"dbt_token": FAKE, **more})
        assert outcome.code == 1
        assert_said_first(outcome)
        chosen = sync({"dbt_token": FAKE, "dbt_url": server.url, **more})
        assert chosen.code == 1
        assert chosen.logged("ERROR")
        assert not chosen.logged(NOT_SET)
        assert not chosen.logged("Account settings")
        assert not chosen.says("WARNING")


def test_a_refused_list_says_first_that_no_address_is_set(unset: Callable[[str], None]) -> None:
    odd = OddDbt(ALL)

    def refusing(path: str, query: dict[str, str]) -> Any:
        return refusal(403) if path.endswith("/jobs/") else odd(path, query)

    with ScriptedServer(refusing) as server:
        unset(server.url)
        failed = sync({"dbt_token": FAKE, "on_forbidden": "fail"})
        skipped = sync({"dbt_token": FAKE})
    assert failed.code == 1
    assert_said_first(failed)
    assert skipped.code == 0
    (_, warning) = skipped.logged("WARNING")
    assert warning.index("Account settings") < warning.index("token")


@pytest.mark.usefixtures("impatient")
def test_nobody_there_says_first_that_no_address_is_set(unset: Callable[[str], None]) -> None:
    unset("http://127.0.0.1:9")
    outcome = sync({"dbt_token": FAKE})
    assert outcome.code == 1
    assert_said_first(outcome)


def test_a_whole_process_asks_the_default_address(tmp_path: Path) -> None:
    """Through a proxy that is not there, so that nothing leaves."""
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    outcome = run_tap(config={"dbt_token": FAKE}, folder=tmp_path, env=nowhere)
    assert outcome.code == 1
    assert not any(message["type"] == "RECORD" for message in outcome.messages)
    (error,) = outcome.logged("ERROR")
    (warning,) = outcome.logged("WARNING")
    for line in (error, warning):
        assert all(word in line for word in ("cloud.getdbt.com", NOT_SET, "Account settings"))


def test_nobody_offers_the_default_as_a_setting() -> None:
    """As a setting, it would be taken for one that the user has chosen."""
    about = json.loads(b"".join(command("--about", "--format=json").lines))
    described = about["settings"]["properties"]["dbt_url"]
    assert "default" not in described
    assert DEFAULT in described["description"]
    project = definition(ROOT / "meltano.yml")["plugins"]["extractors"]
    taps = [plugin for plugin in project if plugin["name"] == "tap-cloudapis"]
    taps.append(definition(HUB / "extractors/tap-cloudapis/cloudapis.yml"))
    assert len(taps) == 2
    for tap in taps:
        (setting,) = (entry for entry in tap["settings"] if entry["name"] == "dbt_url")
        assert "value" not in setting
        (other,) = (entry for entry in tap["settings"] if entry["name"] == "pulumi_url")
        assert other["value"], "defaults are not in `value` any more: this test shows nothing"
