"""Which column a property has: what the table has decides, in any spelling, not a run's order."""

# ruff: noqa: S608 (table names are our own)

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_dlt.errors import LoaderError
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    ENGINES,
    INTEGER,
    STRING,
    column_types,
    dlt_attach,
    dlt_pipeline,
    load,
    load_dlt,
    query,
    raw_record,
    record,
    schema,
    state,
    typed,
)
from tests.loader.warehouses import Delta, DuckDB, Postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SYSTEM = {"_dlt_id", "_dlt_load_id", "_dlt_parent_id", "_dlt_root_id", "_dlt_list_idx"}


@dataclass
class Place:
    """Somewhere to load into, and to read the rows of a table from."""

    load: Callable[..., None]
    table: Callable[[str], list[dict[str, Any]]]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows without dlt's columns and what is NULL, ordered by their first value."""
        rows = [
            {k: v for k, v in row.items() if k not in SYSTEM and v is not None}
            for row in self.table(table)
        ]
        return sorted(rows, key=lambda row: str(list(row.values())[:1]))


def in_file(path: Path, **fixed: Any) -> Place:
    def rows(table: str) -> list[dict[str, Any]]:
        names = [name for (name,) in query(path, f"SELECT column_name FROM (DESCRIBE {table})")]
        return [dict(zip(names, row, strict=True)) for row in query(path, f"FROM {table}")]

    return Place(lambda messages, **more: load(path, messages, **fixed, **more), rows)


@pytest.fixture(
    params=["own", "package", "duckdb", pytest.param("postgres", marks=needs_postgres), "delta"]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param in {"own", "package"}:
        more = {"engine": "package"} if request.param == "package" else {}
        return in_file(tmp_path / "db.duckdb", **more)
    if request.param == "postgres":
        warehouse: Any = Postgres.new(request.getfixturevalue("server"))
    else:
        warehouse = {"duckdb": DuckDB, "delta": Delta}[request.param](tmp_path)
    return Place(
        lambda messages, **more: load_dlt(messages, **warehouse.config, **more), warehouse.rows
    )


def test_another_spelling_goes_on_with_table_and_columns(place):
    first = schema("Orders", {"ID": INTEGER, "createdAt": STRING}, ["ID"])
    second = schema("orders", {"id": INTEGER, "created_at": STRING}, ["id"])
    place.load([first, *(record("Orders", ID=n, createdAt="old") for n in (1, 2)), state(1)])
    place.load([second, *(record("orders", id=n, created_at="new") for n in (2, 3)), state(2)])
    assert place.rows("orders") == [
        {"id": 1, "created_at": "old"},
        {"id": 2, "created_at": "new"},
        {"id": 3, "created_at": "new"},
    ]
    place.load([first, record("Orders", ID=3, createdAt="back"), state(3)])
    assert place.rows("orders")[2] == {"id": 3, "created_at": "back"}


def test_two_properties_of_one_name_stay_two_columns(place):
    both = {"id": INTEGER, "ID": INTEGER, "Name": STRING, "name": STRING}
    place.load([schema("t", both, ["id"]), record("t", id=1, ID=10, Name="A", name="a")])
    turned = dict(reversed(both.items()))
    place.load([schema("t", turned, ["id"]), record("t", ID=20, id=2, name="b", Name="B")])
    place.load([schema("t", {"ID": INTEGER, "id": INTEGER}, ["id"]), record("t", ID=30, id=3)])
    place.load([schema("t", {"id": INTEGER}, ["id"]), record("t", name="d", id=4, Name="D")])
    assert place.rows("t") == [
        {"id": 1, "id_2": 10, "name": "A", "name_2": "a"},
        {"id": 2, "id_2": 20, "name": "B", "name_2": "b"},
        {"id": 3, "id_2": 30},
        {"id": 4, "name": "D", "name_2": "d"},
    ]


def test_the_last_owner_keeps_its_column_when_the_other_spelling_comes_back(place):
    place.load([schema("t", {"ID": INTEGER}, ["ID"]), record("t", ID=1), record("t", ID=2)])
    place.load([schema("t", {"id": INTEGER}, ["id"]), record("t", id=1, v=1)])
    both = schema("t", {"ID": INTEGER, "id": INTEGER}, ["id"])
    place.load([both, record("t", ID=5, id=1, v=2), record("t", ID=6, id=2)])
    assert place.rows("t") == [{"id": 1, "id_2": 5, "v": 2}, {"id": 2, "id_2": 6}]


def test_a_stream_that_is_again_as_it_was_is_remembered(place):
    """By its content dlt tells a schema: one that comes back is no new one to it."""
    first = schema("t", {"id": INTEGER, "createdAt": STRING}, ["id"])
    other = schema("t", {"id": INTEGER, "created_at": STRING}, ["id"])
    place.load([first, record("t", id=1, createdAt="a")])
    place.load([other, record("t", id=2, created_at="b")])
    place.load([first, record("t", id=3, createdAt="c")])
    place.load([first, record("t", id=4, created_at="d", createdAt="D")])
    kept = [{"id": n, "created_at": text} for n, text in ((1, "a"), (2, "b"), (3, "c"))]
    assert place.rows("t") == [*kept, {"id": 4, "created_at": "D", "created_at_2": "d"}]


def test_undeclared_spellings_share_a_column_until_a_record_has_both(place):
    stream = schema("t", {"id": INTEGER}, ["id"])
    rows = [record("t", id=1, name="a"), record("t", id=2, Name="b"), record("t", id=3, NAME="c")]
    place.load([stream, *rows])
    place.load([stream, record("t", id=4, NAME="d")])
    alone = [{"id": n, "name": text} for n, text in enumerate("abcd", start=1)]
    assert place.rows("t") == alone
    place.load([stream, record("t", id=5, name="e", NAME="E"), record("t", id=6, name="f")])
    assert place.rows("t") == [
        *alone,
        {"id": 5, "name": "E", "name_2": "e"},
        {"id": 6, "name_2": "f"},
    ]


def test_another_spelling_does_not_change_the_type(place):
    stream = schema("t", {"id": INTEGER, "n": INTEGER}, ["id"])
    place.load([stream, record("t", id=1, n=1), record("t", id=2, N="x")])
    place.load([stream, record("t", id=3, N=3), record("t", id=4, N="y")])
    assert place.rows("t") == [
        {"id": 1, "n": 1},
        {"id": 2, "n__v_text": "x"},
        {"id": 3, "n": 3},
        {"id": 4, "n__v_text": "y"},
    ]


def test_a_record_in_the_middle_of_a_run_may_have_both(place):
    stream = schema("t", {"id": INTEGER, "name": STRING}, ["id"])
    commits = [
        [record("t", id=1, name="a"), state(1)],
        [record("t", id=2, Name="b"), state(2)],
        [record("t", id=3, Name="C", name="c"), state(3)],
        [record("t", id=4, Name="D"), state(4)],
    ]
    place.load([stream, *chain.from_iterable(commits)], batch_size_rows=1)
    assert place.rows("t") == [
        {"id": 1, "name": "a"},
        {"id": 2, "name": "b"},
        {"id": 3, "name": "c", "name_2": "C"},
        {"id": 4, "name_2": "D"},
    ]


def test_the_key_and_its_property_may_be_spelled_in_two_ways(place):
    stream = schema("t", {"userId": INTEGER, "n": INTEGER}, ["user_ID"])
    place.load([stream, record("t", userId=7, n=1), record("t", USERID=8, N=2)])
    place.load([stream, record("t", user_id=7, n=3)])
    assert place.rows("t") == [{"user_id": 7, "n": 3}, {"user_id": 8, "n": 2}]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_of_dlt_goes_on(tmp_path, engine):
    path = tmp_path / "db.duckdb"
    rows = [{"userId": 1, "n": 1, "home": {"City": "x"}}, {"userId": 2, "n": "two"}]
    pipeline = dlt_pipeline(path, "db", "main", tmp_path / "pipelines")
    options: Any = {"write_disposition": "merge", "primary_key": "userId"}
    pipeline.run(rows, table_name="Users", **options)
    before = column_types(path, "users")
    place = in_file(path, engine=engine, data_flattening_max_level=1)
    stream = schema("users", {"userId": INTEGER, "n": INTEGER}, ["userId"])
    place.load([stream, record("users", userId=1, n=3), record("users", userId=3, n="three")])
    place.load([stream, raw_record("users", '{"userId": 4, "home": {"City": "y"}}')])
    assert column_types(path, "users") == before
    assert place.rows("users") == [
        {"user_id": 1, "n": 3},
        {"user_id": 2, "n__v_text": "two"},
        {"user_id": 3, "n__v_text": "three"},
        {"user_id": 4, "home__city": "y"},
    ]
    again = dlt_attach(path, "db", "main", tmp_path / "again")
    again.run([{"userId": 4, "n": "four"}], table_name="Users", **options)
    assert column_types(path, "users") == before


LAID_OUT = pytest.mark.parametrize(
    "config", [{"data_flattening_max_level": 2}, {"nesting": "tables"}], ids=["flat", "tables"]
)


@LAID_OUT
def test_nested_and_plain_properties_of_one_name_do_not_swap(tmp_path, config):
    place = in_file(tmp_path / "db.duckdb", **config)
    user = typed("object", properties={"x": STRING, "X": STRING})
    properties = {"id": INTEGER, "user__x": STRING, "user": user, "user__X": STRING}
    values = {"user__x": "plain", "user": {"x": "low", "X": "high"}, "user__X": "Plain"}
    for number, turned in enumerate((False, True)):
        order = dict(reversed(properties.items())) if turned else properties
        row = dict(reversed(values.items())) if turned else values
        place.load([schema("t", order, ["id"]), record("t", id=number, **row)])
    place.load([schema("t", {"id": INTEGER}, ["id"]), record("t", id=2, user={"X": "high"})])
    first, second, third = place.rows("t")
    del first["id"], second["id"], third["id"]
    assert first == second
    assert sorted(first.values()) == ["Plain", "high", "low", "plain"]
    assert third.items() <= first.items()


@LAID_OUT
def test_what_older_releases_laid_out_goes_on(tmp_path, config):
    """Their columns were recorded by the names that they have."""
    place = in_file(tmp_path / "db.duckdb")
    place.load([schema("t", {"user__x": STRING}), record("t", user__x="old")])
    user = typed("object", properties={"x": STRING})
    place.load([schema("t", {"user": user}), record("t", user={"x": "new"})], **config)
    assert sorted(row["user__x"] for row in place.rows("t")) == ["new", "old"]
    assert list(column_types(tmp_path / "db.duckdb", "t")) == ["user__x"]


def test_arrays_of_one_name_do_not_swap(tmp_path):
    place = in_file(tmp_path / "db.duckdb", nesting="tables")
    lists = {"Items": ["A"], "items": ["a"], "o": {"items": ["o"]}, "o__items": ["p"]}
    for number, turned in enumerate((False, True)):
        row = dict(reversed(lists.items())) if turned else lists
        place.load([schema("t", {"id": INTEGER}, ["id"]), record("t", id=number, **row)])
    for name in ("t__items", "t__items_2", "t__o__items", "t__o__items_2"):
        (one, other) = place.rows(name)
        assert one == other
    array = typed("array", items=STRING)
    declared = schema("t", {"id": INTEGER, "Items": array, "items": array}, ["id"])
    place.load([declared, record("t", id=2, items=["a"]), state(1), record("t", id=3, Items=["A"])])
    place.load([schema("t", {"id": INTEGER}, ["id"]), record("t", id=4, ITEMS=["?"])])
    assert [row["value"] for row in place.rows("t__items")] == ["?", "A", "A", "A"]
    assert [row["value"] for row in place.rows("t__items_2")] == ["a", "a", "a"]


@needs_postgres
def test_names_beyond_the_limit_of_the_database_are_found_in_other_spellings(server):
    warehouse = Postgres.new(server)
    stem = "aVeryLong" * 10
    names = [f"{stem}Name", f"{stem}_name", f"{stem}NAME"]
    for number, name in enumerate(names):
        stream = schema(name, {"id": INTEGER, name: INTEGER}, ["id"])
        load_dlt([stream, record(name, id=1, **{name: number})], **warehouse.config)
    both = dict.fromkeys([*names, f"{stem}Two"], INTEGER)
    row = record("t", **{name: number for number, name in enumerate(both)})
    for order in (both, dict(reversed(both.items()))):
        load_dlt([schema("t", order), row], **warehouse.config)
    with closing(warehouse.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'raw' "
            "AND table_name LIKE 'a_very%'"
        )
        ((table,),) = cursor.fetchall()
    (only,) = warehouse.rows(table)
    assert sorted(value for name, value in only.items() if name not in SYSTEM) == [1, 2]
    first, second = (
        {k: v for k, v in row.items() if k not in SYSTEM} for row in warehouse.rows("t")
    )
    assert first == second
    assert sorted(first.values()) == [0, 1, 2, 3]


def test_streams_of_one_name_have_a_table_each_and_go_on_alone(place):
    ids = {"id": INTEGER}
    streams = [schema(name, ids, ["id"]) for name in ("Orders", "orders")]
    rows = [record("Orders", id=1), record("orders", id=2)]
    place.load([*streams, *rows])
    place.load([*reversed(streams), record("orders", id=4), record("Orders", id=3)])
    place.load([streams[1], record("orders", id=6)])
    place.load([schema("ORDERS", ids, ["id"]), record("ORDERS", id=5)])
    assert [row["id"] for row in place.rows("orders")] == [1, 3, 5]
    assert [row["id"] for row in place.rows("orders_2")] == [2, 4, 6]


def test_a_stream_whose_table_went_to_another_in_the_same_run_is_an_error(place):
    old, new = (schema(name, {"id": INTEGER}, ["id"]) for name in ("Orders", "orders"))
    place.load([old, record("Orders", id=1), state(1)])
    with pytest.raises(LoaderError, match="stream 'Orders': stream 'orders', whose name is the "):
        place.load(
            [new, record("orders", id=2), state(2), old, record("Orders", id=3), state(3)],
            batch_size_rows=1,
        )


# Groups of properties whose columns have one name, at the top and nested.
ALIKE: list[list[tuple[str, ...]]] = [
    [("ab",), ("AB",), ("Ab ",)],
    [("userId",), ("user_id",), ("UserID",)],
    [("o", "x"), ("o__x",), ("o", "X"), ("O", "x")],
    [("c",)],
]
PATHS = [path for group in ALIKE for path in group]
ORDERS = st.permutations(PATHS)
SUBSETS = st.sets(st.sampled_from(PATHS)).map(sorted)


def nest(paths: Iterable[tuple[str, ...]], leaf: Callable[[tuple[str, ...]], Any]) -> Any:
    found: dict[str, Any] = {}
    for path in paths:
        node = found
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = leaf(path)
    return found


def described(paths: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    return {
        key: typed("object", properties=dict.fromkeys(sub, STRING)) if sub else STRING
        for key, sub in nest(paths, lambda _: None).items()
    }


@st.composite
def runs(draw):
    """Runs of commits, each with records that have some of the properties, in any order."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        declared = draw(SUBSETS.flatmap(st.permutations))
        commits = draw(st.lists(st.lists(SUBSETS.flatmap(st.permutations), max_size=2), max_size=3))
        made.append((declared, commits))
    return made


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"data_flattening_max_level": 1},
        {"nesting": "tables"},
    ],
    ids=["plain", "flat", "tables"],
)
@settings(max_examples=10, deadline=None)
@given(first=ORDERS, later=runs())
def test_a_property_that_has_a_column_keeps_it(config, first, later):
    """Each value is in the column that the first run gave its property, and nowhere else."""

    def usable(paths):
        return [path for path in paths if config or len(path) == 1]

    with TemporaryDirectory() as folder:
        place = in_file(Path(folder, "db.duckdb"), **config)
        number, expected = 0, {}

        def row(paths):
            nonlocal number
            number += 1
            expected[number] = {"/".join(path) for path in usable(paths)}
            return record("t", key=number, **nest(usable(paths), "/".join))

        def stream(paths):
            return schema("t", {"key": INTEGER, **described(usable(paths))}, ["key"])

        place.load([stream(first), row(first)])
        (whole,) = place.rows("t")
        columns = {value: name for name, value in whole.items()}
        assert len(columns) == len(usable(PATHS)) + 1
        for declared, commits in later:
            messages = [stream(declared)]
            for commit in commits:
                messages += [*map(row, commit), state(number)]
            place.load(messages, batch_size_rows=1)
        for found in place.rows("t"):
            key = found.pop("key")
            assert found == {columns[value]: value for value in expected.pop(key)}
        assert not expected


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(ALIKE[0]), st.sampled_from(ALIKE[1])), min_size=2, max_size=4
    ),
    st.data(),
)
def test_one_spelling_at_a_time_is_one_column(spellings, data):
    """Whatever the tap calls key and value in a run, a row is there once, with its last values."""
    with TemporaryDirectory() as folder:
        place = in_file(Path(folder, "db.duckdb"))
        expected: dict[int, str] = {}
        for turn, ((key,), (value,)) in enumerate(spellings):
            properties = {key: INTEGER}
            if data.draw(st.booleans()):
                properties[value] = STRING
            messages = [schema("t", properties, [key])]
            for number in data.draw(st.lists(st.integers(1, 3), min_size=1)):
                expected[number] = f"{turn}"
                messages.append(record("t", **{key: number, value: f"{turn}"}))
            place.load([*messages, state(turn)])
        (name,) = {name for row in place.rows("t") for name in row if name.startswith("ab")}
        found = {row[name]: row["user_id"] for row in place.rows("t")}
        assert len(place.rows("t")) == len(found)
        assert found == expected
