"""From tap and loader to the source, and back, on one dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.core.syncing import KEYS, settings, sync
from tests.dlt_source.support import DATASET, Warehouse, source_of
from tests.loader.support import load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

STREAMS = ("dbt_jobs", "dbt_runs", "pulumi_stacks", "pulumi_stack_updates")
DAY = 86_400


def test_tap_and_loader_and_the_source_go_on_with_each_others_tables(
    own: Simulator, tmp_path: Path
) -> None:
    ours = Warehouse(tmp_path)
    state = None

    def by_tap() -> None:
        nonlocal state
        outcome = sync(settings(own), state=state, select=STREAMS)
        assert outcome.code == 0, outcome.log
        state = outcome.state
        lines = [line.decode() for line in outcome.lines]
        load(ours.path, lines, default_target_schema=DATASET, pipeline_name=ours.name)

    def by_source() -> None:
        ours.pipeline().run(source_of(own, *STREAMS))

    by_tap()
    columns = ours.columns()
    for way in (by_source, by_tap, by_source):
        own.advance(DAY)
        way()
        assert ours.columns() == columns
        for stream in STREAMS:
            key = KEYS[stream]
            rows = ours.query(f"SELECT {', '.join(key)} FROM {{raw}}.{stream}")  # noqa: S608
            true = {tuple(row[name] for name in key) for row in own.rows(stream)}
            assert len(rows) == len(set(rows)), stream
            assert true <= set(rows), stream
    loads = ours.query("SELECT DISTINCT schema_name FROM {raw}._dlt_loads ORDER BY 1")
    assert loads == [("cloudapis",), (ours.name,)]
