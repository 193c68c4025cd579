"""What a load must leave, by the Singer specification, held to what is in the file.

Written without the target's code: from the messages as text to rows, cell by cell.
"""

# ruff: noqa: S608 (names come from the file itself)

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
from dlt.common.normalizers.naming.snake_case import NamingConvention

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_NAMING = NamingConvention()


def decoded(text: str) -> Any:
    """Decode JSON without losing a digit."""
    return json.loads(text, parse_float=Decimal)


def column_name(name: str) -> str:
    """Spell a name as dlt does."""
    return str(_NAMING.normalize_path(name)) if name.strip() else "_"


class Expected:
    """The records of one stream that are left: the last of each key, or all of them."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.records: dict[Any, dict[str, Any]] = {}

    def add(self, record: dict[str, Any]) -> None:
        key: Any = len(self.records)
        if self.keys:
            key = json.dumps([record[name] for name in self.keys], default=str)
        self.records.pop(key, None)
        self.records[key] = record


def expected_of(lines: Iterable[str]) -> dict[str, Expected]:
    """Read messages as any Singer target must understand them."""
    streams: dict[str, Expected] = {}
    for line in lines:
        if not line.strip():
            continue
        message = decoded(line)
        if message["type"] == "SCHEMA":
            stream = streams.setdefault(message["stream"], Expected())
            stream.keys = message.get("key_properties") or []
        elif message["type"] == "RECORD":
            version = {"_sdc_table_version": message["version"]} if "version" in message else {}
            streams[message["stream"]].add({**message["record"], **version})
    return streams


def check_loaded(path: Path, lines: Iterable[str], dataset: str = "main") -> int:
    """Hold a file to the messages that were loaded into it; answer how many cells were compared.

    Every record is one row. Every value is in exactly one column of its name, in a type that holds
    it exactly, and what is not in the record is NULL.
    """
    cells = 0
    for stream, expected in expected_of(lines).items():
        table = column_name(stream)
        rows, kinds = read(path, f'"{dataset}"."{table}"')
        assert len(rows) == len(expected.records), (stream, len(rows), len(expected.records))
        for record, row in zip(_in_order(expected, rows, kinds), rows, strict=True):
            for name, value in record.items():
                check_cell(column_name(name), value, row, kinds, record)
            named = {column_name(name) for name in record}
            for column in kinds.keys() - {"_dlt_id", "_dlt_load_id"}:
                if column.partition("__v_")[0] not in named:
                    assert row[column] is None, (stream, column, row)
            cells += len(record)
    return cells


def _in_order(
    expected: Expected, rows: list[dict[str, Any]], kinds: dict[str, str]
) -> list[dict[str, Any]]:
    """Answer the records in the order of their rows, which are found by their keys."""
    records = list(expected.records.values())
    if not expected.keys:
        return records
    columns = [(name, column_name(name)) for name in expected.keys]
    left = {
        tuple(_comparable(record[name], kinds[column]) for name, column in columns): record
        for record in records
    }
    assert len(left) == len(records)
    return [left.pop(tuple(_comparable(row[column]) for _, column in columns)) for row in rows]


def _comparable(value: Any, kind: str = "") -> Any:
    if kind.startswith("TIMESTAMP"):
        return moment(value)
    if kind == "DATE":
        return datetime.fromisoformat(value).date()
    if kind == "VARCHAR" and not isinstance(value, str):
        return json.dumps(value, default=str)
    return Decimal(repr(value)) if isinstance(value, float) else value


def read(path: Path, table: str, order: str = "rowid") -> tuple[list[dict[str, Any]], Any]:
    """Read a table: its rows, and the types of its columns by name."""
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        result = connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
        names = [column[0] for column in result.description]
        kinds = {column[0]: str(column[1]) for column in result.description}
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()], kinds


def check_cell(
    column: str, value: Any, row: dict[str, Any], kinds: dict[str, str], shown: Any
) -> None:
    """The value is in exactly one column of its name, in a type that holds it exactly."""
    found = [
        (kinds[name], row[name])
        for name in kinds
        if (name == column or name.startswith(f"{column}__v_")) and row[name] is not None
    ]
    if value is None:
        assert not found, (column, found, shown)
        return
    assert len(found) == 1, (column, value, found, shown)
    assert same(value, *found[0]), (column, value, found, shown)


def check_stored(record: dict[str, Any], row: dict[str, Any]) -> None:
    """Every value is in one column of its name, exactly, in a row that any warehouse gave."""
    for column, value in record.items():
        cells = [
            cell
            for name, cell in row.items()
            if cell is not None and (name == column or name.startswith(f"{column}__v_"))
        ]
        assert len(cells) == (value is not None), (column, value, cells)
        assert all(_is_stored(value, cell) for cell in cells), (column, value, cells)


def _is_stored(value: Any, stored: Any) -> bool:
    kinds = [(datetime, "TIMESTAMP"), (date, "DATE"), (time, "TIME"), (Decimal, "DECIMAL")]
    kind = next((kind for python, kind in kinds if isinstance(stored, python)), "")
    if isinstance(stored, str):
        return same(value, "VARCHAR", stored) or same(value, "JSON", stored)
    if isinstance(stored, (dict, list)):
        return bool(canonical(value) == canonical(stored))
    exact = value if isinstance(value, Decimal) else decoded(json.dumps(value))
    return same(exact, kind, stored)


def same(value: Any, kind: str, stored: Any) -> bool:  # noqa: PLR0911
    """Tell whether a stored value of some column type is exactly a decoded JSON value."""
    if kind == "JSON":
        try:
            return bool(canonical(decoded(stored)) == canonical(non_finite_as_text(value)))
        except ValueError:  # the text of another column of the name
            return False
    if kind.startswith("TIMESTAMP"):
        in_utc = stored if stored.tzinfo else stored.replace(tzinfo=UTC)
        return isinstance(value, str) and moment(value) == in_utc
    if kind == "DATE":
        return isinstance(value, str) and moment(value) == moment(stored.isoformat())
    if kind == "TIME":
        return isinstance(value, str) and value == stored.isoformat()
    if kind == "VARCHAR":
        if isinstance(value, str):
            return stored == clean(value) or _is_same_moment(value, stored)
        return stored[:1] not in {"", '"'} and same(value, "JSON", stored)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) == str(stored)
    if isinstance(value, str):
        return kind.startswith("DECIMAL") and Decimal(value) == stored
    return bool(canonical(value) == canonical(stored))


def _is_same_moment(value: str, stored: str) -> bool:
    """Tell whether a text is a point in time as a column of such points became text."""
    try:
        return stored.endswith("Z") and moment(value) == moment(stored)
    except ValueError:
        return False


def canonical(value: Any) -> Any:
    """Values that mean the same in JSON become equal; numbers by their exact value."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, Decimal)):
        return ("number", Decimal(value).normalize() if value else Decimal(0))
    if isinstance(value, float):
        return ("number", Decimal(repr(value)).normalize() if value else Decimal(0))
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): canonical(item) for key, item in value.items()}
    return clean(value)


def clean(text: str) -> str:
    """Spell out half a surrogate pair, which no text column can hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def non_finite_as_text(value: Any) -> Any:
    """Spell out what strict JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, list):
        return [non_finite_as_text(item) for item in value]
    if isinstance(value, dict):
        return {key: non_finite_as_text(item) for key, item in value.items()}
    return value


def moment(text: str) -> datetime:
    """Read a point in time; without an offset it is UTC.

    Raises:
        ValueError: If it is none, or finer than a microsecond, which Python would cut.
    """
    if re.search(r"\.\d{6}\d*[1-9]", text):
        raise ValueError(text)
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
