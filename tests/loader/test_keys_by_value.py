"""A value that is spelled in several ways is one key, whatever types the key has had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    DATE,
    DECIMAL,
    ENGINES,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    TIME,
    load,
    load_dlt,
    query,
    raw_record,
    record,
    schema,
    state,
)
from tests.loader.warehouses import Postgres

if TYPE_CHECKING:
    from pathlib import Path

ANY: dict[str, Any] = {}
MOMENTS = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z", "2026-01-02T04:04:05+01:00"]
#: Declarations and values of a key, one after the other: they are one row.
ONE_KEY: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "a moment becomes text": [(MOMENT, MOMENTS[0]), (STRING, MOMENTS[0]), (STRING, MOMENTS[2])],
    "text becomes a moment": [(STRING, MOMENTS[0]), (MOMENT, MOMENTS[1]), (STRING, MOMENTS[0])],
    "a date becomes a moment, then text": [
        (DATE, "2026-01-02"),
        (MOMENT, "2026-01-02T00:00:00Z"),
        (STRING, "2026-01-02T00:00:00Z"),
        (STRING, "2026-01-02"),
    ],
    "a date becomes text": [(DATE, "2026-01-02"), (STRING, "2026-01-02")],
    "text becomes a date": [(STRING, "2026-01-02"), (DATE, "2026-01-02")],
    "a time becomes text": [(TIME, "03:04:05"), (STRING, "03:04:05.000000")],
    "a decimal becomes text": [(DECIMAL, "10"), (STRING, "10"), (STRING, "10.00")],
    "text becomes a decimal": [(STRING, "10.50"), (DECIMAL, "10.5"), (STRING, "10.500")],
    "a number becomes text": [(NUMBER, 10), (STRING, "10"), (NUMBER, 10.0)],
    "a large number becomes text": [(NUMBER, 1e20), (STRING, "100000000000000000000")],
    "a small number becomes text": [(NUMBER, 1e-7), (STRING, "0.0000001")],
    "an integer becomes text": [(INTEGER, 10), (STRING, "10"), (INTEGER, 10)],
    "an integer becomes a number": [(INTEGER, 10), (NUMBER, 10.0), (INTEGER, 10)],
    "JSON becomes text": [(ANY, "a"), (STRING, "a"), (ANY, "a")],
    "an object becomes text": [(ANY, {"a": 1.0}), (STRING, '{"a": 1}')],
}
#: Texts that look like one value and are not: two rows.
TWO_KEYS: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "text": [(STRING, "10"), (STRING, "10.0")],
    "text of moments": [(STRING, MOMENTS[0]), (STRING, MOMENTS[1])],
    "leading zeros": [(NUMBER, 7), (STRING, "007")],
    "a hash": [(NUMBER, 100000), (STRING, "1e5")],
    "digits that could be a date": [(DATE, "2026-01-02"), (STRING, "20260102")],
    "a version": [(INTEGER, 1), (STRING, "1.0")],
    "text and number in JSON": [(ANY, "7"), (ANY, 7)],
}
CASES = [(name, steps, 1) for name, steps in ONE_KEY.items()]
CASES += [(name, steps, 2) for name, steps in TWO_KEYS.items()]


@pytest.mark.parametrize("how", ["runs", "one commit"])
@pytest.mark.parametrize("engine", ENGINES)
def test_rows_are_told_apart_by_value(tmp_path: Path, engine: str, how: str) -> None:
    path = tmp_path / "keys.duckdb"
    longest = max(len(steps) for _, steps, _ in CASES)
    runs: list[list[str]] = [[] for _ in range(longest)]
    for number, (_, steps, _) in enumerate(CASES):
        for run, (declared, value) in enumerate(steps):
            runs[run] += [
                schema(f"t{number}", {"k": declared, "v": INTEGER}, ["k"]),
                record(f"t{number}", k=value, v=run),
            ]
    if how == "runs":
        for run, lines in enumerate(runs):
            load(path, [*lines, state(run)], engine=engine)
    else:
        load(path, [line for lines in runs for line in lines] + [state(1)], engine=engine)
    for number, (name, steps, count) in enumerate(CASES):
        expected = [(len(steps) - 1,)] if count == 1 else [(0,), (1,)]
        assert query(path, f"SELECT v FROM t{number} ORDER BY v") == expected, name  # noqa: S608


@needs_postgres
def test_rows_are_told_apart_by_value_in_postgres(server: dict[str, object]) -> None:
    """But for keys of JSON, of which PostgreSQL cannot tell whether they are equal."""
    warehouse = Postgres.new(server)
    cases = [case for case in CASES if all(declared != ANY for declared, _ in case[1])]
    for run in range(max(len(steps) for _, steps, _ in cases)):
        lines: list[str] = []
        for number, (_, steps, _) in enumerate(cases):
            for declared, value in steps[run : run + 1]:
                lines.append(schema(f"t{number}", {"k": declared, "v": INTEGER}, ["k"]))
                lines.append(record(f"t{number}", k=value, v=run))
        load_dlt([*lines, state(run)], default_target_schema="raw", **warehouse.config)
    for number, (name, steps, count) in enumerate(cases):
        expected = [len(steps) - 1] if count == 1 else [0, 1]
        assert sorted(row["v"] for row in warehouse.rows(f"t{number}")) == expected, name


SPELLINGS = [
    ['"caf\\u00e9"', '"café"'],
    ['{"a": 1, "b": [1.50]}', '{"b":[1.5],"a":1}', '{ "b" : [ 15e-1 ] , "a" : 1.0 }'],
    ["7", "7.0", "70e-1"],
    ["[]", "[ ]"],
    ["-0", "0.0"],
    ["123456789012345678901234567890", "123456789012345678901234567890.0"],
]


@pytest.mark.parametrize("engine", ENGINES)
def test_json_is_one_key_in_any_spelling(tmp_path: Path, engine: str) -> None:
    """Within a commit and over runs; beside a value that takes a record to the slow lane, too."""
    path = tmp_path / "keys.duckdb"
    head = schema("t", {"k": ANY, "v": INTEGER}, ["k"])
    for run in range(2):
        lines = [
            raw_record("t", f'{{"k": {spelling}, "v": {value}}}')
            for spellings in SPELLINGS
            for spelling in spellings
            for value in (run, '"misfit"')
        ]
        load(path, [head, *lines, state(run)], engine=engine)
        assert query(path, "SELECT count(*), count(DISTINCT k) FROM t") == [(len(SPELLINGS),) * 2]


@pytest.mark.parametrize("engine", ENGINES)
def test_json_keys_of_an_older_release_are_found(tmp_path: Path, engine: str) -> None:
    """They were kept as the tap had spelled them, and the schema says nothing of it."""
    path = tmp_path / "keys.duckdb"
    lines = [schema("t", {"k": ANY, "v": INTEGER}, ["k"]), record("t", k={"b": 1, "a": 2}, v=1)]
    load(path, [*lines, state(1)], engine=engine, load_method="append-only")
    assert query(path, "SELECT k FROM t") == [('{"b": 1, "a": 2}',)]
    load(path, [*lines, state(2)], engine=engine)
    assert query(path, "SELECT k FROM t") == [('{"a":2,"b":1}',)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_was_ended_between_column_and_schema(tmp_path: Path, engine: str) -> None:
    """The column is text already, and dlt's schema still says moment."""
    import duckdb  # noqa: PLC0415

    path = tmp_path / "keys.duckdb"
    load(
        path,
        [schema("t", {"k": MOMENT}, ["k"]), record("t", k=MOMENTS[0]), state(1)],
        engine=engine,
    )
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "SET timezone = 'UTC'; "
            "ALTER TABLE main.t ALTER k TYPE VARCHAR USING strftime(k, '%Y-%m-%dT%H:%M:%S.%fZ')"
        )
    load(path, [schema("t", {"k": STRING}, ["k"]), record("t", k=MOMENTS[2])], engine=engine)
    assert query(path, "SELECT k FROM t") == [(MOMENTS[1],)]
