"""Any record of any JSON: what is read back is what was written."""

from __future__ import annotations

import json
import math
from tempfile import TemporaryDirectory
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
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
NAMES = st.sampled_from([name for name in DECLARED if name != "id"] + ["new", "New", "more stuff"])
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
