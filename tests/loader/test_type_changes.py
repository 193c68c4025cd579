"""A property changes its type: no value of either type is lost or altered, whoever writes next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import dlt
import pytest

from target_dlt.dlt_internals import Dataset
from target_dlt.errors import LoaderError
from tests.loader.comparing import check_cell, check_loaded, read
from tests.loader.support import (
    BOOLEAN,
    DATE,
    DECIMAL,
    ENGINES,
    INTEGER,
    MOMENT,
    NUMBER,
    OBJECT,
    STRING,
    dlt_pipeline,
    load,
    query,
    record,
    schema,
    state,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ID = {"id": INTEGER}
Side = tuple[dict[str, Any], list[Any]]
TREES = [{"a": 1, "b": [None, ""]}, [], ["x"], "plain", "5", 5, 'a "quoted" \\ \n\0 é']
TEXTS = ["", "plain", '"quoted"', "5", "1.50", "null", "true", "NaN", '{"a": 1}', "é\n"]
# Names as dlt's; the types before and after, and values of each.
CHANGES: dict[str, tuple[Side, Side]] = {
    "bigint_double": ((INTEGER, [0, -7, 2**53]), (NUMBER, [1.5, -0.1, 1e300, 3])),
    "large_bigint_double": ((INTEGER, [2**53 + 1, -(2**63)]), (NUMBER, [1.5, 2**53 + 3, 2])),
    "date_timestamp": (
        (DATE, ["2026-01-02", "1969-12-31"]),
        (MOMENT, ["2026-01-02T03:04:05.000006Z", "2026-01-02T23:00:00-05:00", "2026-01-03"]),
    ),
    "bigint_text": ((INTEGER, [0, -7, 2**63 - 1]), (STRING, TEXTS)),
    "timestamp_text": (
        (MOMENT, ["2026-01-02T03:04:05.000006Z", "2026-01-02T03:04:05+05:30", "0001-01-01"]),
        (STRING, [*TEXTS, "2026-01-02T03:04:05Z"]),
    ),
    "bool_text": ((BOOLEAN, [True, False]), (STRING, TEXTS)),
    "json_text": ((OBJECT, TREES), (STRING, TEXTS)),
    "text_bigint": ((STRING, TEXTS), (INTEGER, [0, -7, 2**63 - 1])),
    "text_json": ((STRING, TEXTS), (OBJECT, TREES)),
}


def first(name: str) -> list[str]:
    kind, values = CHANGES[name][0]
    rows = [record(name, id=n, v=value) for n, value in enumerate(values)]
    return [schema(name, {**ID, "v": kind}, ["id"]), *rows, record(name, id=50), state(1)]


def second(name: str) -> list[str]:
    kind, values = CHANGES[name][1]
    rows = [record(name, id=n, v=value) for n, value in enumerate(values, 100)]
    return [schema(name, {**ID, "v": kind}, ["id"]), *rows, record(name, id=150), state(2)]


def both() -> Iterator[str]:
    for name in CHANGES:
        yield from first(name)
    for name in CHANGES:
        yield from second(name)


@pytest.mark.parametrize(
    ("how", "on_type_change"),
    [
        ("two runs", "widen"),
        ("two runs", "variant"),
        ("one run", "widen"),
        ("one commit", "widen"),
        ("one commit", "variant"),
    ],
)
def test_no_value_is_lost_or_altered(tmp_path: Path, how: str, on_type_change: str) -> None:
    path = tmp_path / "types.duckdb"
    lines = list(both())
    config = {"on_type_change": on_type_change, "default_target_schema": "raw"}
    if how == "two runs":
        half = len(lines) - sum(len(second(name)) for name in CHANGES)
        load(path, lines[:half], **config)
        load(path, lines[half:], **config)
    else:
        load(path, lines, batch_size_rows=1 if how == "one run" else 100_000, **config)
    check_loaded(path, lines, "raw")
    if how == "two runs":
        # What dlt itself puts into a narrow column it may cut or coerce.
        names = list(CHANGES) if on_type_change == "widen" else ["bigint_double"]
        go_on_with_dlt(path, tmp_path, names)
        check_all(path, lines, names)
        load(path, [line for name in CHANGES for line in second(name)], **config)
        check_all(path, lines, names)


def go_on_with_dlt(path: Path, folder: Path, names: list[str]) -> None:
    """Write with a plain dlt pipeline, on a machine that knows nothing of the loads before."""
    dispositions: dict[Literal["merge", "append"], int] = {"merge": 200, "append": 300}
    for disposition, start in dispositions.items():
        pipeline = dlt_pipeline(path, "types", "raw", folder / disposition)
        resources = [
            dlt.resource(
                rows_of(name, start), name=name, write_disposition=disposition, primary_key="id"
            )
            for name in names
        ]
        pipeline.run(resources)


def rows_of(name: str, start: int) -> list[dict[str, Any]]:
    """Values of both types, in the order in which the second came last."""
    values = [v for _, side in CHANGES[name] for v in side if v != 1e300]
    if "json" in name:  # dlt takes objects apart, and texts in JSON columns for JSON
        values = ["5", "2.5"]
    if "bool" in name:  # which dlt spells as Python does
        values = ["x", "true"]
    return [{"id": n, "v": value} for n, value in enumerate(values, start)]


def check_all(path: Path, lines: list[str], names: list[str]) -> None:
    """Hold all rows to what Singer messages and the dlt pipelines brought."""
    for name in names:
        sent = {
            message["record"]["id"]: message["record"].get("v")
            for message in map(json.loads, lines)
            if message.get("stream") == name and message["type"] == "RECORD"
        }
        for start in (200, 300):
            sent |= {row["id"]: row["v"] for row in rows_of(name, start)}
        rows, kinds = read(path, f"raw.{name}", "id")
        assert [row["id"] for row in rows] == sorted(sent)
        for row in rows:
            check_cell("v", sent[row["id"]], row, kinds, (name, row))


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_that_was_broken_off_is_gone_on_with(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after the columns were changed and before dlt's schema was stored."""
    path = tmp_path / "types.duckdb"
    load(path, first(name))
    with monkeypatch.context() as patched:
        patched.setattr(Dataset, "apply", _die)
        with pytest.raises(KeyboardInterrupt):
            load(path, second(name))
    check_loaded(path, first(name))
    load(path, second(name))
    check_loaded(path, [*first(name), *second(name)])


def _die(dataset: Dataset) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"text_bigint", "text_json"}))
def test_an_error_leaves_all_as_it_was(tmp_path: Path, name: str) -> None:
    path = tmp_path / "types.duckdb"
    load(path, first(name))
    with pytest.raises(LoaderError, match=f"stream '{name}': 'v' has values of type"):
        load(path, second(name), on_type_change="error")
    check_loaded(path, first(name))


@pytest.mark.parametrize("name", ["text_bigint", "text_json"])
def test_a_text_column_holds_what_comes_without_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "types.duckdb"
    load(path, first(name))
    load(path, second(name), on_type_change="error")
    check_loaded(path, [*first(name), *second(name)])


@pytest.mark.parametrize("engine", ENGINES)
def test_decimals_become_text_without_an_exponent(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    load(path, [schema("t", {"id": INTEGER, "v": STRING}), record("t", id=0, v="a")], engine=engine)
    values = ["0", "0.000000001", "0.00000012", "-1.50", "100"]
    rows = [record("t", id=n, v=value) for n, value in enumerate(values, start=1)]
    load(path, [schema("t", {"id": INTEGER, "v": DECIMAL}), *rows], engine=engine)
    found = query(path, "SELECT v FROM t ORDER BY id")
    assert found == [("a",), ("0",), ("0.000000001",), ("0.00000012",), ("-1.5",), ("100",)]
