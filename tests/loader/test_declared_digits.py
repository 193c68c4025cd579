"""Decimals of as many digits as the schema says: no value is rounded, whatever the table has."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_dlt.messages.schema import data_type
from tests.loader.comparing import check_cell, check_loaded, check_stored, decoded, read
from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    ENGINES,
    INTEGER,
    NUMBER,
    STRING,
    column_types,
    dlt_attach,
    load,
    load_dlt,
    query,
    raw_record,
    record,
    schema,
    state,
    typed,
)
from tests.loader.warehouses import Delta, DuckDB, Iceberg, Postgres

if TYPE_CHECKING:
    from pathlib import Path

ID = {"id": INTEGER}


def step(value: Any, **more: Any) -> dict[str, Any]:
    return typed("number", multipleOf=value, **more)


def decimal(precision: int | None = None, scale: int | None = None, **more: Any) -> dict[str, Any]:
    digits = {"precision": precision, "scale": scale}
    given = {name: digits[name] for name in digits if digits[name] is not None}
    return typed("string", format="x-singer.decimal", **given, **more)


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        (step(0.01), "number(38,2)"),
        (step(1e-12), "number(38,12)"),
        (step("0.001"), "number(38,3)"),
        (step(0.25), "number(38,2)"),
        (step(1), "number(38,0)"),
        (step(100), "number(38,0)"),
        (step(0.01, minimum=0, maximum=100), "number(38,2)"),
        (step(1e-38, maximum=1e62), "double"),  # PostgreSQL's numeric without a bound
        (step(0), "double"),
        (step(-1), "double"),
        (step("much"), "double"),
        (step(True), "double"),
        (typed("integer", multipleOf=10), "bigint"),
        (decimal(), "decimal"),
        (decimal(38, 9), "decimal"),
        (decimal(38, 0), "wei"),
        (decimal(12, 2), "decimal(12,2)"),
        (decimal(38, 18), "decimal(38,18)"),
        (decimal(38, 38), "decimal(38,38)"),
        (decimal(10), "decimal(10,0)"),
        (decimal(scale=12), "decimal(38,12)"),
        (decimal(40, 20), "decimal(38,20)"),
        (decimal(100, 38), "decimal"),
        (decimal(2, 5), "decimal(5,5)"),  # Oracle's thousandths of hundredths
        (decimal(10, -2), "decimal(12,0)"),
        (decimal(0, 0), "wei"),
        (decimal(12, 4) | {"type": ["string", "number"]}, "decimal(12,4)"),
        (typed("string", format="singer.decimal", precision=12, scale=4), "decimal(12,4)"),
        ({"anyOf": [step(0.01), {"type": "null"}]}, "number(38,2)"),
        ({"anyOf": [step(0.01), {"type": "integer"}]}, "number(38,2)"),
        ({"anyOf": [step(0.01), {"type": "number"}]}, "double"),
        ({"anyOf": [step(0.01), {"type": "string"}]}, "text"),
        ({"anyOf": [decimal(12, 2), decimal(10, 4)]}, "decimal(14,4)"),
        ({"allOf": [{"type": "number"}, {"multipleOf": 0.01}]}, "number(38,2)"),
    ],
)
def test_what_a_schema_says_of_digits(declared: dict[str, Any], kind: str) -> None:
    assert data_type(declared, root={}) == kind


SENT = {
    "cents": (step(0.01), ["19.99", "-0.10", "123456789012345678901234567890.25", "1e3", "0.000"]),
    "tiny": (step(1e-12), ["0.000000000001", "-7", "12345678.123456789012"]),
    "wei": (step(1), ["100", "5.0", "123456789012345678901234567890"]),
    "rate": (decimal(38, 18), ['"0.000000000000000001"', '"12345678901234567890.5"']),
    "small": (decimal(5, 2), ['"999.99"', "1.5", '"-0.01"']),
    "share": (decimal(20, 20), ['"0.12345678901234567890"', '"0"']),
    # What no column of theirs holds.
    "cents_beyond": (step(0.01), ["1.001", "2.50", "1e40", '"many"', "-1e-30"]),
    "small_beyond": (decimal(5, 2), ['"1000.00"', '"0.001"', '"3.00"', '"x"', "12345.678"]),
}
TYPES = {
    "cents": "DECIMAL(38,2)",
    "tiny": "DECIMAL(38,12)",
    "wei": "DECIMAL(38,0)",
    "rate": "DECIMAL(38,18)",
    "small": "DECIMAL(5,2)",
    "share": "DECIMAL(20,20)",
    "cents_beyond": "DECIMAL(38,2)",
    "small_beyond": "DECIMAL(5,2)",
}


def spelled(texts: dict[str, str]) -> str:
    """A record of values as they are spelled in JSON."""
    return raw_record("t", "{" + ", ".join(f'"{name}": {texts[name]}' for name in texts) + "}")


def lines(first: int = 1, changed: dict[str, Any] | None = None) -> list[str]:
    declared = {name: sent[0] for name, sent in SENT.items()} | (changed or {})
    rows = []
    for number in range(5):
        texts = {name: values[number % len(values)] for name, (_, values) in SENT.items()}
        texts["id"] = str(first + number)
        rows.append(spelled(texts))
    return [schema("t", ID | declared, ["id"]), *rows, state(first)]


@pytest.mark.parametrize("engine", ENGINES)
def test_columns_have_the_declared_digits(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    sent = lines()
    for _ in range(2):
        load(path, sent, engine=engine)
        check_loaded(path, sent)
    types = column_types(path, "t")
    assert {name: types[name] for name in TYPES} == TYPES
    hints = dlt_attach(path, "a", "main", tmp_path / "dlt").default_schema.get_table_columns("t")
    assert {**hints["rate"], "data_type": "decimal", "precision": 38, "scale": 18} == hints["rate"]
    assert {**hints["small"], "data_type": "decimal", "precision": 5, "scale": 2} == hints["small"]


def check_all(rows: list[dict[str, Any]]) -> None:
    """Hold rows to what `lines` has sent of the ids 1 to 8, the last five of them last."""
    rows = sorted(rows, key=lambda row: row["id"])
    assert [row["id"] for row in rows] == list(range(1, 9))
    for number, row in zip((0, 1, 2, *range(5)), rows, strict=True):
        sent = {name: decoded(values[number % len(values)]) for name, (_, values) in SENT.items()}
        check_stored(sent, row)


WIDER = ["numeric", "numeric(50,20)", "numeric(156,78)", "numeric(100,70)", "numeric(1000,2)"]


@needs_postgres
@pytest.mark.parametrize("stored", ["none", *WIDER, "numeric(5,-2)", "numeric(2,5)"])
def test_columns_have_the_declared_digits_in_postgres(
    server: dict[str, object], stored: str
) -> None:
    """There are columns of more digits than here, without a bound, and of odd ones."""
    place = Postgres.new(server)
    altered = ("cents", "tiny", "rate", "share", "wei")
    if stored != "none":
        load_dlt(lines()[:1], **place.config)
        for name in altered:
            place.execute(f"ALTER TABLE raw.t ALTER {name} TYPE {stored}")
    for first in (1, 1, 4):
        load_dlt(lines(first), **place.config)
    rows = place.rows("t")
    check_all(rows)
    if stored in {"none", "numeric", "numeric(156,78)"}:
        beside = [name for name in rows[0] if "__v_" in name and name.partition("__")[0] in altered]
        assert beside == []


@pytest.mark.parametrize("make", [Delta, Iceberg])
def test_columns_have_the_declared_digits_in_a_lake(tmp_path: Path, make: Any) -> None:
    place = make(tmp_path)
    for first in (1, 1, 4):
        load_dlt(lines(first), **place.config)
    check_all(place.rows("t"))


OLD = ["DOUBLE", "BIGINT", "DECIMAL(38,9)", "DECIMAL(10,2)", "DECIMAL(38,2)", "DECIMAL(38,30)"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("on_type_change", ["widen", "variant"])
def test_what_the_table_has_decides(tmp_path: Path, engine: str, on_type_change: str) -> None:
    """Values go to a column of other digits if it holds them, however it came to have them."""
    path = tmp_path / "a.duckdb"
    names = {f"{name}_{n}": (name, old) for name in SENT for n, old in enumerate(OLD)}
    load(path, [schema("t", {**ID, **dict.fromkeys(names, NUMBER)}, ["id"]), state(0)])
    with duckdb.connect(str(path)) as connection:
        for column, (_, old) in names.items():
            connection.execute(f"ALTER TABLE t DROP {column}")
            connection.execute(f"ALTER TABLE t ADD COLUMN {column} {old}")
    declared = {column: SENT[name][0] for column, (name, _) in names.items()}
    rows = []
    for n in range(5):
        texts = {c: SENT[name][1][n % len(SENT[name][1])] for c, (name, _) in names.items()}
        rows.append({"id": str(n), **texts})
    sent = [
        schema("t", {**ID, **declared}, ["id"]),
        *map(spelled, rows),
        state(1),
    ]
    for _ in range(2):
        load(path, sent, engine=engine, on_type_change=on_type_change)
        found, kinds = read(path, "t", "id")
        for row, cells in zip(rows, found, strict=True):
            for column, made in names.items():
                check_cell(column, decoded(row[column]), cells, kinds, (column, made))
    # A column of doubles stays one, and has what it had before there were decimals.
    assert kinds["cents_0"] == "DOUBLE"
    assert [cells["cents_0"] for cells in found] == [19.99, -0.1, None, 1000.0, 0.0]
    assert not any(name.startswith("cents_4__") for name in kinds)
    assert sum(name.startswith("cents_0__") for name in kinds) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_grows_with_its_declaration(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"

    def one(number: int, kind: dict[str, Any], value: Any) -> list[str]:
        return [
            schema("t", {**ID, "v": kind}, ["id"]),
            record("t", id=number, v=value),
            state(number),
        ]

    load(path, one(1, decimal(5, 2), "999.99"), engine=engine)
    load(path, one(2, decimal(8, 4), "1234.5678"), engine=engine)
    load(path, one(3, decimal(5, 2), "1.10"), engine=engine)
    load(
        path,
        [*one(4, decimal(12, 2), "1234567890.12"), *one(5, decimal(10, 6), "0.000001")],
        engine=engine,
    )
    assert column_types(path, "t") == {"id": "BIGINT", "v": "DECIMAL(16,6)"}
    assert query(path, "SELECT v FROM t ORDER BY id") == [
        (Decimal(text),) for text in ("999.99", "1234.5678", "1.1", "1234567890.12", "0.000001")
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", [step(0.01), decimal(12, 2)])
def test_a_key_of_declared_digits(tmp_path: Path, engine: str, kind: dict[str, Any]) -> None:
    """It is found by its value; what is beyond its digits makes the column wide enough."""
    path = tmp_path / "a.duckdb"
    head = schema("t", {"k": kind, "v": STRING}, ["k"])

    def sent(text: str, value: str) -> str:
        text = text if kind["type"] == ["null", "number"] else f'"{text}"'
        return raw_record("t", f'{{"k": {text}, "v": "{value}"}}')

    load(path, [head, sent("1.50", "a"), sent("2", "b"), state(1)], engine=engine)
    load(path, [head, sent("1.5", "c"), sent("2.00", "d"), state(2)], engine=engine)
    assert query(path, "SELECT k, v FROM t ORDER BY k") == [
        (Decimal("1.5"), "c"),
        (Decimal(2), "d"),
    ]
    load(path, [head, sent("1.125", "e"), sent("2.0", "f"), state(3)], engine=engine)
    assert sorted(query(path, "SELECT k::VARCHAR::DECIMAL(38,9), v FROM t")) == [
        (Decimal("1.125"), "e"),
        (Decimal("1.5"), "c"),
        (Decimal(2), "f"),
    ]


def test_nested_values_have_declared_digits(tmp_path: Path) -> None:
    items = {"type": "array", "items": {"type": "object", "properties": {"price": step(0.01)}}}
    kinds = {**ID, "sum": {"type": "object", "properties": {"of": decimal(20, 4)}}, "items": items}
    row = record("t", id=1, sum={"of": "1.2345"}, items=[{"price": 2.5}])
    path = tmp_path / "a.duckdb"
    load(path, [schema("t", kinds, ["id"]), row, state(1)], nesting="tables")
    assert column_types(path, "t")["sum__of"] == "DECIMAL(20,4)"
    assert column_types(path, "t__items")["price"] == "DECIMAL(38,2)"
    load(
        tmp_path / "b.duckdb",
        [schema("t", kinds, ["id"]), row, state(1)],
        flattening_enabled=True,
        flattening_max_depth=1,
    )
    assert column_types(tmp_path / "b.duckdb", "t")["sum__of"] == "DECIMAL(20,4)"


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kinds=st.lists(
        st.one_of(
            st.integers(0, 30).map(lambda places: step(f"1e-{places}")),
            st.tuples(st.integers(1, 38), st.integers(0, 38)).map(
                lambda digits: decimal(max(digits), min(digits))
            ),
            st.just(NUMBER),
            st.just(INTEGER),
        ),
        min_size=1,
        max_size=3,
    ),
    numbers=st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
            lambda number: abs(number.adjusted()) < 60
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_any_number_in_any_column(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[Any], numbers: list[Decimal]
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.duckdb"
    sent: list[str] = []
    for turn, kind in enumerate(kinds):
        is_text = "string" in kind["type"]
        texts = [f'"{number:f}"' if is_text else f"{number:f}" for number in numbers]
        rows = [
            raw_record("t", f'{{"id": {10 * turn + n}, "v": {text}}}')
            for n, text in enumerate(texts)
        ]
        now = [schema("t", {**ID, "v": kind}, ["id"]), *rows, state(turn)]
        load(path, now)
        sent += now
    check_loaded(path, sent)


def test_the_same_in_another_file_of_dlt(tmp_path: Path) -> None:
    place = DuckDB(tmp_path)
    for first in (1, 3):
        load_dlt(lines(first), **place.config)
    check_loaded(place.path, [*lines(1)[:3], *lines(3)], "raw")
