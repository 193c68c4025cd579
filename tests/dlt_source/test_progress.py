"""Where syncs go on: dlt's state, committed with the rows, and what resets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from tests.core.syncing import KEYS
from tests.dlt_source.support import Warehouse, source_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator_process import Simulator

DAY = 86_400


def lists_of_updates(simulator: Simulator) -> int:
    """How many lists of updates were asked for since this was last called."""
    asked = [r for r in simulator.requests() if r["stream"] == "pulumi_stack_updates"]
    simulator.clear_requests()
    return len(asked)


def updates(simulator: Simulator, **more: Any) -> Any:
    return source_of(simulator, "pulumi_stack_updates", service="pulumi", **more)


def test_a_second_run_asks_for_what_has_changed(tiny: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)
    ours.pipeline().run(updates(tiny))
    first = lists_of_updates(tiny)
    rows = ours.count("pulumi_stack_updates")
    # Another machine: the state comes from the destination.
    again = Warehouse(tmp_path)
    again.folder = tmp_path / "another machine"
    again.pipeline().run(updates(tiny))
    assert lists_of_updates(tiny) < first / 2
    assert ours.count("pulumi_stack_updates") == rows == len(tiny.rows("pulumi_stack_updates"))


def test_rows_come_again_with_what_dlt_resets(tiny: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)
    resets: tuple[Any, ...] = (None, "drop_resources", "drop_sources")
    for refresh in resets:
        ours.pipeline().run(updates(tiny), refresh=refresh)
        assert ours.count("pulumi_stack_updates") == len(tiny.rows("pulumi_stack_updates"))
    ours.pipeline().run(updates(tiny), write_disposition="replace")
    assert ours.count("pulumi_stack_updates") == len(tiny.rows("pulumi_stack_updates"))


def test_rows_that_hang_on_others_come_again_as_well(tiny: Simulator, tmp_path: Path) -> None:
    """Streams whose parents tell what has changed, be these in the catalog or not."""
    ours = Warehouse(tmp_path)
    streams = ("pulumi_stack_details", "pulumi_update_timelines", "dbt_run_steps")
    counts = []
    for refresh in (None, "drop_resources"):
        ours.pipeline().run(source_of(tiny, *streams), refresh=cast("Any", refresh))
        counts.append([ours.count(stream) for stream in streams])
    assert counts[0] == counts[1] == [len(tiny.rows(stream)) for stream in streams]


def test_streams_can_be_loaded_at_different_times(own: Simulator, tmp_path: Path) -> None:
    """Each goes on where it was, whatever was read meanwhile."""
    ours = Warehouse(tmp_path)
    often = ("pulumi_stacks", "pulumi_stack_updates", "dbt_runs")
    seldom = ("pulumi_stack_details", "pulumi_stack_tags", "pulumi_update_timelines", "dbt_jobs")
    for streams in (often, seldom, often, often, seldom):
        ours.pipeline().run(source_of(own, *streams))
        own.advance(DAY)
    for streams in (often, seldom):
        ours.pipeline().run(source_of(own, *streams))
    for stream in (*often, *seldom):
        names = ", ".join(KEYS[stream])
        keys = set(ours.query(f"SELECT {names} FROM {{raw}}.{stream}"))  # noqa: S608
        true = {tuple(row[key] for key in KEYS[stream]) for row in own.rows(stream)}
        assert true <= keys, stream


def test_a_sample_does_not_count_as_read(tiny: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)
    ours.pipeline().run(updates(tiny).add_limit(1))
    ours.pipeline().run(updates(tiny))
    assert ours.count("pulumi_stack_updates") == len(tiny.rows("pulumi_stack_updates"))


@pytest.mark.parametrize("what_becomes", ["gone", "aborted", "loaded"])
def test_the_state_is_never_ahead_of_the_rows(
    what_becomes: str, tiny: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Warehouse(tmp_path)
    ours.pipeline().run(source_of(tiny, "pulumi_organizations", service="pulumi"))
    # The package is extracted, but cannot be loaded now.
    with monkeypatch.context() as patch:
        patch.setenv("LOAD__TRUNCATE_STAGING_DATASET", "no boolean")
        with pytest.raises(Exception, match="truncate_staging_dataset"):
            ours.pipeline().run(updates(tiny))
    if what_becomes == "gone":
        ours.folder = tmp_path / "another machine"
    elif what_becomes == "aborted":
        ours.pipeline().abort_packages()
    tiny.clear_requests()
    ours.pipeline().run(updates(tiny))
    assert ours.count("pulumi_stack_updates") == len(tiny.rows("pulumi_stack_updates"))
    assert bool(lists_of_updates(tiny)) == (what_becomes != "loaded")


def test_a_failing_extract_leaves_no_trace(tiny: Simulator, tmp_path: Path) -> None:
    ours = Warehouse(tmp_path)

    def fail(_: Any) -> None:
        message = "a step of the user's"
        raise RuntimeError(message)

    source = updates(tiny)
    source.pulumi_stack_updates.add_map(fail)
    with pytest.raises(PipelineStepFailed, match="a step of the user's"):
        ours.pipeline().run(source)
    ours.pipeline().run(updates(tiny))
    assert ours.count("pulumi_stack_updates") == len(tiny.rows("pulumi_stack_updates"))
