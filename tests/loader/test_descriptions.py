"""What a schema says of a stream and its properties is in dlt's schema, and beside the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.loader.postgres import needs_postgres
from tests.loader.support import (
    ENGINES,
    INTEGER,
    STRING,
    dlt_attach,
    dlt_pipeline,
    load,
    load_dlt,
    query,
    record,
    schema,
    state,
)
from tests.loader.warehouses import Delta, Postgres

if TYPE_CHECKING:
    from pathlib import Path

ODD = [
    "plain",
    "it's \"quoted\" 'twice''",
    "'; DROP TABLE t; --",
    "two\nlines\r\nand\ttabs",
    "back\\slash \\' \\n",
    "%s %(name)s 100% {0} $1 :name ?",
    "Größe \U0001f986 \u202e",
    "nul\0 and half \ud800 pair",
    "  room  ",
    "x" * 9_999,
]
KEPT = [*ODD[:7], "nul and half \\ud800 pair", "room", ODD[-1]]


def described(text: str | None, stream: str = "t", **texts: str) -> list[str]:
    kinds = {"id": INTEGER, "v": STRING, "createdAt": STRING}
    kinds = {name: {**kind, "description": texts.get(name)} for name, kind in kinds.items()}
    more = {} if text is None else {"description": text}
    head = schema(stream, kinds, ["id"], **more)
    return [head, record(stream, id=1, v="a", createdAt="b"), state(1)]


def comments(path: Path, table: str = "t") -> dict[str, str]:
    """The comments of a table, by an empty name, and of its columns."""
    rows = query(
        path,
        f"SELECT '', comment FROM duckdb_tables() WHERE table_name = '{table}' UNION ALL "  # noqa: S608
        f"SELECT column_name, comment FROM duckdb_columns() WHERE table_name = '{table}'",
    )
    return {name: text for name, text in rows if text is not None}


@pytest.mark.parametrize("engine", ENGINES)
def test_they_are_comments_and_in_the_schema_of_dlt(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    load(path, described("Orders.", v="Name.", createdAt="When."), engine=engine)
    assert comments(path) == {"": "Orders.", "v": "Name.", "created_at": "When."}
    known: Any = dlt_attach(path, "a", "main", tmp_path / "dlt").default_schema.get_table("t")
    assert known["description"] == "Orders."
    assert known["columns"]["created_at"]["description"] == "When."
    assert "description" not in known["columns"]["id"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_changed_one_is_written_and_a_missing_one_stays(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    load(path, described("Orders.", v="Name.", createdAt="When."), engine=engine)
    versions = query(path, "SELECT version_hash FROM _dlt_version")
    load(path, described("Orders.", v="Name.", createdAt="When."), engine=engine)
    assert query(path, "SELECT version_hash FROM _dlt_version") == versions
    load(path, described(None, v="Full name.", id="Number."), engine=engine)
    expected = {"": "Orders.", "v": "Full name.", "created_at": "When.", "id": "Number."}
    assert comments(path) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_what_somebody_wrote_stays_until_there_is_something_new(
    tmp_path: Path, engine: str
) -> None:
    path = tmp_path / "a.duckdb"
    load(path, described("Orders.", v="Name.", id="Number."), engine=engine)
    with duckdb.connect(str(path)) as connection:
        connection.execute("COMMENT ON TABLE t IS 'Mine.'")
        connection.execute("COMMENT ON COLUMN t.v IS 'Mine, too.'")
        connection.execute("COMMENT ON COLUMN t.id IS NULL")
    load(path, described("Orders.", v="Name.", id="Number."), engine=engine)
    assert comments(path) == {"": "Mine.", "v": "Mine, too.", "id": "Number."}
    load(path, described("Orders.", v="Full name.", id="Number."), engine=engine)
    assert comments(path) == {"": "Mine.", "v": "Full name.", "id": "Number."}


def odd_lines() -> list[str]:
    kinds = {f"p{n}": {**STRING, "description": text} for n, text in enumerate(ODD)}
    heads = [schema(f"t{n}", {"id": INTEGER}, ["id"], description=t) for n, t in enumerate(ODD)]
    return [*heads, schema("t", {"id": INTEGER, **kinds}, ["id"]), record("t", id=1), state(1)]


@pytest.mark.parametrize("engine", ENGINES)
def test_any_text_is_kept(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    for _ in range(2):
        load(path, odd_lines(), engine=engine)
    found = comments(path)
    assert [found[f"p{n}"] for n in range(len(ODD))] == KEPT
    assert [comments(path, f"t{n}")[""] for n in range(len(ODD))] == KEPT


@pytest.mark.parametrize("engine", ENGINES)
def test_one_that_comes_back_is_written_again(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    for text in ("one", "other", "one", "other"):
        load(path, described(text, v=text), engine=engine)
        assert comments(path) == {"": text, "v": text}


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_wild_texts(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("wild") / "a.duckdb"
    for text in texts:
        load(path, described(text, v=text))
    cleaned = [text.replace("\0", "").strip() for text in texts]
    last = next((text for text in reversed(cleaned) if text), None)
    assert comments(path) == ({} if last is None else {"": last, "v": last})


def test_what_is_no_text_or_too_long_says_nothing_or_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    kinds = {
        "id": INTEGER,
        "a": {**STRING, "description": 5},
        "b": {**STRING, "description": ["x"]},
        "c": {**STRING, "description": ""},
        "d": {**STRING, "description": "y" * 1_000_000},
        "e": True,
        "f": {"anyOf": [{**STRING, "description": "either"}, {"type": "null"}]},
    }
    load(path, [schema("t", kinds, ["id"], description={}), record("t", id=1), state(1)])
    assert comments(path) == {"d": "y" * 9_999 + "…", "f": "either"}


def test_nested_values(tmp_path: Path) -> None:
    price = {"type": "number", "description": "In euros."}
    steps = {"type": "array", "items": {"type": "array", "description": "Row."}}
    items = {
        "type": "array",
        "description": "What was bought.",
        "items": {"type": "object", "properties": {"price": price, "steps": steps}},
    }
    name = {"type": "object", "properties": {"first": {**STRING, "description": "Given name."}}}
    more = {"type": "object", "properties": {"items": items}}
    lines = [
        schema("t", {"id": INTEGER, "name": name, "items": items, "more": more}, ["id"]),
        record(
            "t",
            id=1,
            name={"first": "a"},
            items=[{"price": 1.5, "steps": [[1]]}],
            more={"items": [{"price": 2}]},
        ),
        state(1),
    ]
    path = tmp_path / "a.duckdb"
    load(path, lines, nesting="tables")
    assert comments(path) == {"name__first": "Given name."}
    assert comments(path, "t__items") == {"": "What was bought.", "price": "In euros."}
    assert comments(path, "t__more__items") == {"": "What was bought.", "price": "In euros."}
    assert comments(path, "t__items__steps__list") == {"": "Row."}
    flat = tmp_path / "b.duckdb"
    load(flat, lines, flattening_enabled=True, flattening_max_depth=1)
    assert comments(flat)["name__first"] == "Given name."


@pytest.mark.parametrize("engine", ENGINES)
def test_an_index_a_view_or_another_pipeline_is_no_hindrance(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "a.duckdb"
    pipeline = dlt_pipeline(path, "other", "raw", tmp_path / "dlt")
    hints: Any = {"v": {"data_type": "text", "description": "Theirs."}}
    pipeline.run([{"id": 1, "v": "a"}], table_name="t", primary_key="id", columns=hints)
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE INDEX one ON raw.t (id)")
        connection.execute("CREATE VIEW raw.seen AS SELECT v FROM raw.t")
    for text in ("Name.", "Full name."):
        load(path, described("Orders.", v=text), engine=engine, default_target_schema="raw")
        assert comments(path) == {"": "Orders.", "v": text}
    assert query(path, "SELECT v FROM raw.seen") == [("a",)]


@needs_postgres
def test_postgres(server: dict[str, object]) -> None:
    place = Postgres.new(server)

    def found(table: str) -> dict[str, str]:
        with place.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(a.attname, ''), d.description FROM pg_description d "
                "LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid "
                "AND d.objsubid > 0 WHERE d.objoid = %s::regclass",
                [f"raw.{table}"],
            )
            return dict(cursor.fetchall())

    for _ in range(2):
        load_dlt(odd_lines(), **place.config)
    columns = found("t")
    assert [columns[f"p{n}"] for n in range(len(ODD))] == KEPT
    assert [found(f"t{n}")[""] for n in range(len(ODD))] == KEPT
    load_dlt(described("New.", "t0", v="Name."), **place.config)
    assert found("t0") == {"": "New.", "v": "Name."}


@needs_postgres
def test_who_may_not_write_comments_loads_all_the_same(
    server: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """Only the owner of a table may; here it is one of somebody else."""
    place = Postgres.new(server)
    load_dlt([schema("t", {"v": STRING}), record("t", v="a"), state(1)], **place.config)
    credentials = dict(place.config["destination_config"]["credentials"])
    place.execute("CREATE ROLE guest_of_comments LOGIN PASSWORD 'guest'")
    place.execute("GRANT ALL ON SCHEMA raw TO guest_of_comments")
    place.execute("GRANT ALL ON ALL TABLES IN SCHEMA raw TO guest_of_comments")
    credentials |= {"username": "guest_of_comments", "password": "guest"}
    config = {**place.config, "destination_config": {"credentials": credentials}}
    head = schema("t", {"v": {**STRING, "description": "Name."}})
    load_dlt([head, record("t", v="b"), state(2)], **config)
    assert sorted(row["v"] for row in place.rows("t")) == ["a", "b"]
    assert "descriptions could not be written as comments: " in caplog.text


def test_a_lake_has_them_in_the_schema_of_dlt(tmp_path: Path) -> None:
    place = Delta(tmp_path)
    load_dlt(described("x" * 5_000, v="Name."), **place.config)
    (file,) = (place.folder / "raw" / "_dlt_version").glob("*.jsonl")
    text = file.read_text()
    assert "Name." in text
    assert "x" * 999 + "…" in text or "x" * 999 + "\\u2026" in text
