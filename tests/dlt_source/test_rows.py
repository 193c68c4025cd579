"""The source loads what tap and loader load: tables, columns and cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from target_dlt.dlt_internals import dlt
from tests.core.syncing import BY_DEFAULT, KEYS, NAMES, settings, sync
from tests.dlt_source.support import DATASET, Warehouse, source_of
from tests.loader.comparing import check_loaded
from tests.loader.support import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.simulator_process import Simulator

#: Seconds between two syncs.
LATER = 3_600 * 24 * 3


def lines_of(outcome: Any) -> list[str]:
    return [line.decode() for line in outcome.lines]


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def hints(schema: Any) -> dict[str, Any]:
    """What a dlt schema says of tables of streams, without whose a column is."""
    kept = ("data_type", "nullable", "primary_key", "description", "row_key", "unique")
    return {
        name: (
            table.get("write_disposition"),
            table.get("description"),
            {
                column: {key: hint for key, hint in each.items() if key in kept and hint}
                for column, each in table["columns"].items()
            },
        )
        for name, table in schema["tables"].items()
        if name in KEYS
    }


def test_every_stream_is_loaded_cell_by_cell(own: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)
    ours.pipeline().run(source_of(own, *NAMES))
    first = sync(settings(own))
    assert first.code == 0, first.log
    assert check_loaded(ours.path, lines_of(first), DATASET) > 3_000

    theirs = Warehouse(tmp_path, "theirs")
    config = {"default_target_schema": DATASET, "pipeline_name": "theirs"}
    load(theirs.path, lines_of(first), **config)
    assert ours.columns() == theirs.columns()
    schemas = ours.pipeline().schemas
    loaded = dlt.attach(
        "theirs",
        destination=dlt.destinations.duckdb(str(theirs.path)),
        dataset_name=DATASET,
        pipelines_dir=str(tmp_path / "attached"),
    )
    assert hints(schemas["cloudapis"].to_dict()) == hints(loaded.default_schema.to_dict())

    # What has changed since comes from where both have ended.
    own.advance(LATER)
    ours.pipeline().run(source_of(own, *NAMES))
    second = sync(settings(own), state=first.state)
    assert second.code == 0, second.log
    load(theirs.path, lines_of(second), **config)
    assert ours.columns() == theirs.columns()
    columns = [each for each in ours.columns() if not each[1].startswith("_dlt")]
    queries = [
        f"SELECT {quoted(name for t, name in columns if t == table)} "  # noqa: S608
        f'FROM {{raw}}."{table}" ORDER BY {quoted(key)}'
        for table, key in KEYS.items()
    ]
    found = zip(KEYS, ours.queries(queries), theirs.queries(queries), strict=True)
    assert [table for table, own_rows, other_rows in found if own_rows != other_rows] == []


def test_resources_are_streams_and_yield_arrow_tables(tiny: Simulator) -> None:
    source = source_of(tiny)
    assert set(source.resources) == set(NAMES)
    assert set(source.selected_resources) == set(BY_DEFAULT)
    for name, resource in source.resources.items():
        columns = resource.compute_table_schema()["columns"]
        assert {n for n, c in columns.items() if c.get("primary_key")} == set(KEYS[name])
    some = source.with_resources("dbt_runs", "pulumi_stacks")
    # Looked at without a pipeline.
    tables = list(some)
    assert tables
    assert all(type(table) is pa.Table for table in tables)
    runs = pa.concat_tables(
        [each for each in source_of(tiny).dbt_runs if each.num_rows], promote_options="default"
    )
    assert sorted(runs["id"].to_pylist()) == sorted(row["id"] for row in tiny.rows("dbt_runs"))


def test_only_what_is_selected_is_asked_for(tiny: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)
    ours.pipeline().run(source_of(tiny, "dbt_projects", service="dbt"))
    asked = {request["stream"] for request in tiny.requests()}
    assert asked == {"dbt_accounts", "dbt_projects"}
    assert {table for table, _ in ours.columns()} == {"dbt_projects"}


def test_a_resource_alone_is_loaded_as_its_stream(tiny: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)
    ours.pipeline().run(source_of(tiny, service="dbt").dbt_jobs)
    assert ours.count("dbt_jobs") == len(tiny.rows("dbt_jobs"))


def test_columns_can_be_added_and_left_out(tiny: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)
    columns = ["dbt_runs.audit", "!dbt_runs.trigger"]
    source = source_of(tiny, "dbt_runs", service="dbt", column_selection=columns)
    ours.pipeline().run(source)
    names = {name for _, name in ours.columns()}
    assert "audit" in names
    assert "trigger" not in names


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (["dbt_runs.odit"], "there is no column 'dbt_runs.odit'"),
        (["!dbt_runs.id"], "dbt_runs.id is of the key"),
    ],
)
def test_columns_that_cannot_be_chosen(tiny: Simulator, columns: list[str], told: str) -> None:
    with pytest.raises(Exception, match=told):
        source_of(tiny, service="dbt", column_selection=columns)


def test_rows_that_are_gone_go_where_it_is_asked_for(own: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)
    for _ in range(2):
        source = source_of(own, "pulumi_stacks", "pulumi_stack_updates", service="pulumi")
        ours.pipeline().run(source)
    stacks = own.rows("pulumi_stacks")
    old = [stacks[0][name] for name in ("org_name", "project_name", "stack_name")]
    own.move_stack("/".join(old), f"{old[0]}/{old[1]}/moved")
    for drops, surplus in ((False, 1), (True, 0)):
        ours.pipeline().run(
            source_of(
                own,
                *("pulumi_stacks", "pulumi_stack_updates"),
                service="pulumi",
                emit_activate_version_messages=drops,
            )
        )
        assert ours.count("pulumi_stacks") == len(stacks) + surplus
    # A history is no full table: nothing of it goes.
    assert ours.count("pulumi_stack_updates") >= len(own.rows("pulumi_stack_updates"))
