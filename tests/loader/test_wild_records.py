"""Any record of any JSON: what is read back is what was written."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.loader.comparing import check_loaded
from tests.loader.support import (
    BOOLEAN,
    DATE,
    DECIMAL,
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
    "d": DATE,
    "p": DECIMAL,
    "o": typed("object"),
}
NAMES = st.sampled_from([name for name in DECLARED if name != "id"] + ["new", "more stuff"])
# Many at once: a load costs as much as some hundred values.
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=20, max_size=30)


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


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)
@given(RECORDS, st.sampled_from([1000, 8]))
def test_any_record_comes_back_value_by_value(records, rows_per_commit):
    texts = [dumps({"id": n, **values}) for n, values in enumerate(records)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "wild.duckdb")
        messages = [schema("t", DECLARED, ["id"])]
        for text in texts:
            messages += [raw_record("t", text), '{"type": "STATE", "value": {}}']
        load(path, messages, batch_size_rows=rows_per_commit)
        check_loaded(path, messages)
