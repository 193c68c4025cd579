"""Any record of any JSON: what is read back is what was written."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.loader.support import (
    BOOLEAN,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    load,
    raw_record,
    schema,
    typed,
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: Number(str(number))),
    st.text(st.characters()),
    st.datetimes().map(str),
    st.sampled_from(["", "null", "NaN", "2026-01-02", "2026-01-02T03:04:05.123456789Z", "1e5"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
DECLARED = {
    "id": INTEGER,
    "b": BOOLEAN,
    "i": INTEGER,
    "n": NUMBER,
    "s": STRING,
    "t": MOMENT,
    "d": typed("string", format="date"),
    "p": typed("string", format="singer.decimal"),
    "o": typed("object"),
}
NAMES = st.sampled_from([name for name in DECLARED if name != "id"] + ["new", "more stuff"])
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=1, max_size=8)


class Number(str):
    """The text of a JSON number."""

    __slots__ = ()


def dumps(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(dumps, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {dumps(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


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
    return text.encode("utf-8", "backslashreplace").decode()


def expected(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def non_finite_as_text(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, list):
        return [non_finite_as_text(item) for item in value]
    if isinstance(value, dict):
        return {key: non_finite_as_text(item) for key, item in value.items()}
    return value


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(RECORDS, st.sampled_from([1000, 3]))
def test_any_record_comes_back_value_by_value(records, rows_per_commit):
    texts = [dumps({"id": n, **values}) for n, values in enumerate(records)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "wild.duckdb")
        messages = [schema("t", DECLARED, ["id"])]
        for text in texts:
            messages += [raw_record("t", text), '{"type": "STATE", "value": {}}']
        load(path, messages, batch_size_rows=rows_per_commit)
        rows, types = read(path)
    assert len(rows) == len(texts)
    for text, row in zip(texts, rows, strict=True):
        for name, value in expected(text).items():
            check(name, value, row, types, text)


def read(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        result = connection.execute("SELECT * FROM t ORDER BY id")
        names = [column[0] for column in result.description]
        kinds = {column[0]: str(column[1]) for column in result.description}
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()], kinds


COLUMNS = {"more stuff": "more_stuff"}


def check(name, value, row, types, text):
    """The value is in exactly one column of its name, in a type that holds it exactly."""
    base = COLUMNS.get(name, name)
    family = {
        column: row[column]
        for column in types
        if column == base or column.startswith(f"{base}__v_")
    }
    found = [(types[c], v) for c, v in family.items() if v is not None]
    if value is None:
        assert not found, (name, text)
        return
    assert any(same(value, kind, stored) for kind, stored in found), (name, value, found, text)
    assert len(found) == 1, (name, found, text)


def same(value, kind, stored):  # noqa: PLR0911
    if kind == "JSON":
        try:
            return canonical(expected(stored)) == canonical(non_finite_as_text(value))
        except ValueError:  # the text of another column of the name
            return False
    if kind.startswith("TIMESTAMP"):
        return isinstance(value, str) and moment(value) == stored
    if kind == "DATE":
        return isinstance(value, str) and value[:10] == stored.isoformat()
    if kind == "VARCHAR":
        if isinstance(value, str):
            return stored == clean(value)
        return stored[:1] not in {"", '"'} and same(value, "JSON", stored)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) == str(stored)
    if isinstance(value, str):
        return kind.startswith("DECIMAL") and Decimal(value) == stored
    return canonical(value) == canonical(stored)


def moment(text):
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
