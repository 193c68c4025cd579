"""Declared lists: what a declaration alone gives, and that the API tells the truth of each."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from cloudapis_simulator.clock import ZERO_TIME, Clock, parse_time
from cloudapis_simulator.settings import Sizes
from cloudapis_simulator.table import Falling, Grid, Offsets, Pages, Table, Tokens, Whole
from cloudapis_simulator.tables import TABLES
from cloudapis_simulator.values import NOT_TRUE, Time, Told, snake
from cloudapis_simulator.world import World
from tests.simulator import widgets
from tests.simulator.client import Client
from tests.simulator.test_world import in_order, utc
from tests.simulator_process import END_OF_HISTORY, SECRET_MARKER, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = dict[str, Any]
WIDGETS = "v3/accounts/1042/projects/2100/widgets/"


class WithWidgets(Simulator):
    program = (sys.executable, widgets.__file__)


@pytest.fixture(scope="module")
def toys() -> Iterator[Client]:
    with WithWidgets(now=END_OF_HISTORY, dbt_jobs=5, pulumi_stacks=9) as simulator:
        yield Client(simulator)


def places(table: Table, client: Client, *, details: bool = False) -> Iterator[tuple[str, Row]]:
    """Yield the path of each of its lists, or details, and the columns of what it is under."""
    sizes = Sizes(**client.simulator.truth("dbt_accounts", whole=True)["sizes"])
    world = World(client.simulator.seed, sizes, Clock(parse_time(client.simulator.now)))
    for above in table.every(world) if details else table.aboves(world):
        columns = table.columns(above) if details else table.under.columns(above)
        names: dict[str, str] = {}
        for column, value in columns.items():
            names.setdefault(column.rpartition("_")[0], quote(str(value), safe=""))
        path = table.detail if details else table.path
        yield path.removeprefix("/api/").format(**names), columns


def seats(data: Any) -> list[Row]:
    return [{"license_type": kind, **row} for kind, row in data.items()]


def scopes(data: Any) -> list[Row]:
    return [
        {"name": name, "scope": scope, "id": value["id"]}
        for name, values in data["variables"].items()
        for scope, value in values.items()
        if value["id"] is not None
    ]


def overrides(data: Any) -> list[Row]:
    return [{"name": name, **row["job"]} for name, row in data.items() if row["job"]]


def resources(data: Any) -> list[Row]:
    return [entry["resource"] for entry in data["resources"]]


def referrers(data: Any) -> list[Row]:
    return [
        {"revision": key, "use": use} for key, uses in data["referrers"].items() for use in uses
    ]


#: The rows in answers that are no lists of them.
SHAPES: dict[str, Callable[[Any], list[Row]]] = {
    "dbt_licenses": seats,
    "dbt_environment_variables": scopes,
    "dbt_job_environment_variables": overrides,
    "pulumi_environments": lambda data: list(data["environments"]),
    "pulumi_environment_tags": lambda data: list(data["tags"].values()),
    "pulumi_environment_referrers": referrers,
    "pulumi_stack_resources": resources,
    "pulumi_stack_deployment_status": lambda data: [data],
}


def choices(table: Table) -> Iterator[dict[str, str]]:
    """Yield parameters that give all rows between them, where a list wants some."""
    names = [*table.choices]
    every = [["all"] if "all" in one.values else [*one.values] for one in table.choices.values()]
    for values in itertools.product(*every):
        yield dict(zip(names, values, strict=True))


def falling_rows(client: Client, path: str, by: str) -> list[Row]:
    """Read numbered rows down to an empty answer."""
    rows: list[Row] = []
    while answer := client.pulumi(path, **({"before": rows[-1][by]} if rows else {})).json():
        rows += answer
    return rows


def shaped_rows(client: Client, path: str, table: Table) -> list[Row]:
    """Read pages whose tokens, or whose rows, have another form than usual."""
    style, params, rows = table.paging, dict[str, Any](), list[Row]()
    assert isinstance(style, Tokens)
    while True:
        answer = client.pulumi(path, **params).json()
        rows += SHAPES[table.stream](answer)
        token = answer.get(style.answered_as)
        if token in (None, style.end):
            return rows
        params[style.takes] = token


def pulumi_rows(  # noqa: PLR0911 - a way of reading for each form of a list
    table: Table, path: str, client: Client, chosen: dict[str, str]
) -> list[Row]:
    """Read a list of Pulumi to its end."""
    if isinstance(table.paging, Falling):
        return falling_rows(client, path, table.paging.by)
    if isinstance(table.paging, Tokens) and (table.paging.shape or table.rows_in == "environments"):
        return shaped_rows(client, path, table)
    if isinstance(table.paging, Tokens):
        token = table.paging.answered_as
        return client.pulumi_rows(path, table.rows_in, answered_as=token, **chosen)
    if isinstance(table.paging, Pages):
        return client.pulumi_pages(path, table.rows_in, **chosen)
    if isinstance(table.paging, Grid):
        return client.ask_pulumi(path, {}, **chosen).json()[table.rows_in]  # type: ignore[no-any-return]
    response = client.pulumi(path, **chosen)
    if response.status_code == 404 and table.paging == Whole(single=True):
        return []  # not set
    answer: Any = response.json()
    if isinstance(table.paging, Whole) and table.paging.shape:
        return SHAPES[table.stream](answer)
    found: list[Row] = answer[table.rows_in] if table.rows_in else answer
    return [answer] if table.paging == Whole(single=True) else found


def rows_of(table: Table, path: str, client: Client, above: Row) -> list[Row]:
    """Read a list to its end."""
    if not table.stream.startswith("dbt_"):
        return [
            row for chosen in choices(table) for row in pulumi_rows(table, path, client, chosen)
        ]
    params = {"include_related": ",".join(child.carried for child in table.carries)}
    if table.asks_for:
        params[table.asks_for[0]] = above[table.asks_for[0]]
    if isinstance(table.paging, Whole) and (table.paging.single or table.paging.shape):
        data = client.dbt(path, **params).json()["data"]
        return SHAPES[table.stream](data) if table.paging.shape else [data]
    if isinstance(table.paging, Offsets) and table.paging.state:
        params["state"] = "all"
    if isinstance(table.paging, Offsets) and table.paging.days:
        params[table.paging.days.first] = "2000-01-01"
    return client.dbt_rows(path, **params)


def plain(value: Any) -> Any:
    """Return a value without planted secrets, with times in the form of the truth."""
    if isinstance(value, dict):
        inner = {key: plain(one) for key, one in value.items()}
        return {key: one for key, one in inner.items() if one is not GONE}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str) and SECRET_MARKER in value:
        return GONE
    if isinstance(value, str) and re.match(r"20\d\d-\d\d-\d\d[T ]", value):
        return utc(value)
    return value


GONE = object()


def seen(table: Table, row: Row, columns: Row) -> Row:
    """Return the columns of the truth that can be read off a row."""
    truth = table.truth
    if truth is None:
        # What a field means beyond its answer is not for a test that knows nothing of it.
        known = [n for n, what in table.fields.items() if not isinstance(what, (Told, *NOT_TRUE))]
        carried = {child.carried for child in table.carries}
        told = {name: row[name] for name in known if name not in carried}
        if table.stream.startswith("pulumi_"):
            for name, what in table.fields.items():
                if isinstance(what, Time) and name in told:
                    told[name] = of_time(told[name])
            told = {snake(name): value for name, value in told.items()}
        texts = [name for name in told if name.endswith("_at") and str(told[name]).isdecimal()]
        told |= {name: of_micros(told[name]) for name in texts}
        return {**columns, **{k: v for k, v in plain(told).items() if k not in columns}}
    told = {}
    for name, what in truth.items() if isinstance(truth, dict) else zip(truth, truth, strict=True):
        if isinstance(what, str):
            value = {**row, **columns}
            for key in what.split("."):
                value = value[key]
            told[name] = value
    return told


def of_micros(text: str) -> str:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(text))
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def of_time(value: Any) -> str | None:
    """Return a moment in any form as the truth writes it."""
    if not value or value == ZERO_TIME:
        return None
    if isinstance(value, int):  # seconds or milliseconds
        return of_micros(f"{value}000" if value > 10**11 else f"{value}000000")
    return utc(value)


def carried(table: Table, row: Row) -> list[Row]:
    """Return the rows of a table that a row carries."""
    found: list[Any] = row[table.carried]
    return [{table.bare: value} for value in found] if table.bare else found


def gather(table: Table, rows: list[Row], columns: Row, found: dict[str, list[Row]]) -> None:
    """Collect the rows of a table, and what they carry, by stream."""
    mine = found.setdefault(table.stream, [])
    for row in rows:
        if row.get("account_id", columns.get("account_id")) not in (
            columns.get("account_id"),
            str(columns.get("account_id")),
        ):
            continue  # of another customer
        mine.append(seen(table, row, columns))
        below = columns
        if table.part:
            below = {**columns, f"{table.part}_{table.named_by}": row[table.named_by]}
        for child in table.carries:
            if child.carried in row:  # not those that only details carry
                gather(child, carried(child, row), below, found)


def check(table: Table, client: Client) -> None:
    """Compare what the API has of a table, and of what its rows carry, with the truth."""
    found: dict[str, list[Row]] = {}
    for path, columns in places(table, client):
        gather(table, rows_of(table, path, client, columns), columns, found)
    for stream, rows in found.items():
        truth = client.simulator.truth(stream)
        assert rows, f"{stream}: no row to compare"
        known = list(rows[0])
        if stream == "dbt_service_token_grants":  # what is granted twice is one row
            known = [name for name in known if name != "writable_environment_categories"]
            seen_once = {tuple(row[name] for name in known): row for row in rows}
            assert len(seen_once) < len(rows)
            rows = [{name: row[name] for name in known} for row in seen_once.values()]  # noqa: PLW2901
        assert in_order(rows) == in_order([{k: row[k] for k in known} for row in truth["rows"]])
        keys = [tuple(row[key] for key in truth["key"]) for row in truth["rows"]]
        assert len(set(keys)) == len(keys) == truth["count"]
        assert client.simulator.truth(stream, counts=True)["count"] == len(rows)


def test_what_only_details_carry_is_true(still: Client) -> None:
    tables = [one for one in TABLES.values() if any(child.detailed for child in one.carries)]
    assert tables
    for table in tables:
        found: dict[str, list[Row]] = {}
        for path, columns in places(table, still, details=True):
            row = still.pulumi(path).json()
            for child in table.carries:
                gather(child, carried(child, row), columns, found)
        for stream, rows in found.items():
            truth = still.simulator.rows(stream)
            assert in_order(rows) == in_order([{k: row[k] for k in rows[0]} for row in truth])


@pytest.mark.parametrize("stream", [name for name, table in TABLES.items() if table.path])
def test_declared_lists_tell_the_truth(still: Client, stream: str) -> None:
    check(TABLES[stream], still)


def test_so_do_they_in_a_window_a_year_ahead() -> None:
    with Simulator(now="2027-06-30T13:00:00Z", days=200, dbt_runs=100) as simulator:
        for table in TABLES.values():
            if table.path:
                check(table, Client(simulator))


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
