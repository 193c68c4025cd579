"""Declared lists: what a declaration alone gives, and that the API tells the truth of each."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from cloudapis_simulator.clock import Clock, parse_time
from cloudapis_simulator.settings import Sizes
from cloudapis_simulator.table import Offsets, Table, Tokens, Whole
from cloudapis_simulator.tables import TABLES
from cloudapis_simulator.world import World
from tests.simulator import widgets
from tests.simulator.client import Client
from tests.simulator.test_world import in_order
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
WIDGETS = "v3/accounts/1042/projects/2100/widgets/"


class WithWidgets(Simulator):
    program = (sys.executable, widgets.__file__)


@pytest.fixture(scope="module")
def toys() -> Iterator[Client]:
    with WithWidgets(now=END_OF_HISTORY, dbt_jobs=5, pulumi_stacks=9) as simulator:
        yield Client(simulator)


def places(table: Table, client: Client) -> Iterator[tuple[str, Row]]:
    """Yield the path of each of its lists, and the columns of what it is under."""
    sizes = Sizes(**client.simulator.truth(counts=True)["sizes"])
    world = World(client.simulator.seed, sizes, Clock(parse_time(client.simulator.now)))
    for above in table.under.every(world):
        columns = table.under.columns(above)
        names: dict[str, str] = {}
        for column, value in columns.items():
            names.setdefault(column.rpartition("_")[0], quote(str(value), safe=""))
        yield table.path.removeprefix("/api/").format(**names), columns


def rows_of(table: Table, path: str, client: Client) -> list[Row]:
    """Read a list to its end."""
    if not table.stream.startswith("dbt_"):
        if isinstance(table.paging, Tokens):
            return client.pulumi_rows(path, table.rows_in)
        answer: Any = client.pulumi(path).json()
        found: list[Row] = answer[table.rows_in] if table.rows_in else answer
        return [answer] if table.paging == Whole(single=True) else found
    if table.paging == Whole(single=True):
        return [client.dbt(path).json()["data"]]
    params = {"include_related": ",".join(child.carried for child in table.carries)}
    if isinstance(table.paging, Offsets) and table.paging.state:
        params["state"] = "all"
    return client.dbt_rows(path, **params)


def seen(table: Table, row: Row, columns: Row) -> Row:
    """Return the columns of the truth that can be read off a row."""
    truth = table.truth
    told = {}
    for name, what in truth.items() if isinstance(truth, dict) else zip(truth, truth, strict=True):
        if isinstance(what, str):
            value = {**row, **columns}
            for key in what.split("."):
                value = value[key]
            told[name] = value
    return told


def check(table: Table, client: Client) -> None:
    """Compare what the API has of a table, and of what its rows carry, with the truth."""
    found: dict[str, list[Row]] = {table.stream: []}
    for path, columns in places(table, client):
        for row in rows_of(table, path, client):
            found[table.stream].append(seen(table, row, columns))
            below = {**columns, f"{table.part}_{table.named_by}": row.get(table.named_by)}
            for child in table.carries:
                rows = [seen(child, inner, below) for inner in row[child.carried]]
                found.setdefault(child.stream, []).extend(rows)
    for stream, rows in found.items():
        truth = client.simulator.truth(stream)
        known = rows[0].keys() if rows else ()
        assert in_order(rows) == in_order([{k: row[k] for k in known} for row in truth["rows"]])
        keys = [tuple(row[key] for key in truth["key"]) for row in truth["rows"]]
        assert len(set(keys)) == len(keys) == truth["count"]
        assert client.simulator.truth(stream, counts=True)["count"] == len(rows)


@pytest.mark.parametrize("stream", [name for name, table in TABLES.items() if table.path])
def test_declared_lists_tell_the_truth(still: Client, stream: str) -> None:
    check(TABLES[stream], still)


@pytest.mark.parametrize("stream", [name for name, table in widgets.OWN.items() if table.path])
def test_so_do_those_of_a_new_declaration(toys: Client, stream: str) -> None:
    check(widgets.OWN[stream], toys)


def test_widgets_are_as_strict_as_any_list(toys: Client) -> None:
    every = toys.dbt_rows(WIDGETS, state="all", limit=3)
    ids = [row["id"] for row in every]
    assert ids == [*range(9000, 9007)]
    assert [row["id"] for row in toys.dbt_rows(WIDGETS)] == [n for n in ids if n != 9003]
    assert [row["id"] for row in toys.dbt_rows(WIDGETS, state="deleted")] == [9003]
    assert [row["id"] for row in toys.dbt_rows(WIDGETS, order_by="-id", state=1, limit=2)] == [
        n for n in reversed(ids) if n != 9003
    ]
    picked = toys.dbt(WIDGETS, pk__in="[9001, 9002]", size=1).json()
    assert [row["id"] for row in picked["data"]] == [9001]
    assert picked["extra"]["filters"] == {
        "limit": 100,
        "offset": 0,
        "account_id": 1042,
        "state": "active",
        "pk__in": "[9001, 9002]",
        "size": "1",
    }
    assert {row["colour"] for row in toys.dbt_rows(WIDGETS, colour="grün")} == {"grün"}
    assert len(toys.dbt_rows(WIDGETS, name__icontains="wIDGET 5")) == 1
    for wrong in ({"state": "gone"}, {"order_by": "colour"}, {"order_by": "updated_at"}):
        assert toys.dbt(WIDGETS, **wrong).status_code == 400
    assert toys.dbt(WIDGETS.replace("2100", "1")).status_code == 404
    assert toys.dbt(WIDGETS.replace("1042", "1")).status_code == 404
    assert toys.dbt("v3/accounts/1042/switches").history == []
    assert toys.dbt("v3/accounts/1042/switches/").status_code == 404
    assert toys.dbt(WIDGETS[:-1]).history[0].status_code == 308


def test_details_and_carried_rows(toys: Client) -> None:
    (row,) = toys.dbt(WIDGETS, pk=9002).json()["data"]
    assert (row["maker"], row["parts"]) == (None, None)
    detail = toys.dbt(f"{WIDGETS}9002/", include_related="parts").json()["data"]
    assert len(detail["parts"]) == 2
    assert detail == {**row, "maker": {"name": "Zoë"}, "parts": detail["parts"]}
    assert toys.dbt(f"{WIDGETS}8999/").status_code == 404


def test_gadgets_come_with_tokens_and_time() -> None:
    with WithWidgets(now=END_OF_HISTORY, pulumi_orgs=1) as simulator:
        client, path = Client(simulator), "orgs/Acme-Cloud/gadgets"
        first = client.pulumi(path).json()
        assert len(first["gadgets"]) == 2
        assert len(client.pulumi(path, maxResults=9).json()["gadgets"]) == 3
        names = [row["name"] for row in client.pulumi_rows(path, "gadgets")]
        assert names == ["a/b 0", "a/b 2", "a/b 3", "a/b 4"]  # one has disappeared
        lines = client.pulumi(f"{path}/a%2Fb%202/logs").json()
        assert lines == [{"line": 6}, {"line": 7}, {"line": 8}]
        assert client.pulumi(f"{path}/a%2Fb%201/logs").status_code == 404
        simulator.advance(3 * 86_400)
        assert len(client.pulumi_rows(path, "gadgets")) == 7
        marks = client.pulumi("stacks/Acme-Cloud/website/prod.eu-west-1/marks", page=2).json()
        assert (len(marks["marks"]), marks["itemsPerPage"], marks["total"]) == (1, 2, 3)


def test_permissions_and_the_command_know_them() -> None:
    with WithWidgets(
        now=END_OF_HISTORY, dbt_accounts=1, pulumi_orgs=1, forbid=["dbt_widgets", "pulumi_gadgets"]
    ) as simulator:
        client = Client(simulator)
        assert client.dbt(WIDGETS).status_code == 404
        assert client.dbt(f"{WIDGETS}9000/").status_code == 404
        assert client.pulumi("orgs/Acme-Cloud/gadgets").status_code == 403
        simulator.settings(forbid=[])
        assert client.dbt(WIDGETS).status_code == 200
        assert simulator.requests()[-1]["stream"] == "dbt_widgets"
        truth = simulator.truth("dbt_widgets")
    command = [*WithWidgets.program, "truth", "--now", END_OF_HISTORY, "--dbt-accounts", "1"]
    told = subprocess.run(
        [*command, "--stream", "dbt_widgets"], capture_output=True, check=True, timeout=60
    )
    assert json.loads(told.stdout)["streams"] == {"dbt_widgets": truth}
