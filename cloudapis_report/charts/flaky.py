"""Which tests are flaky: those that fail and pass again while nothing has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_report.chart import (
    NARROW,
    Chart,
    Column,
    Data,
    Figure,
    Finding,
    Legend,
    Nothing,
    Table,
)
from cloudapis_report.drawing import as_it_is, names, rows_axis, values
from cloudapis_report.naming import labelled
from cloudapis_report.weeks import months
from cloudapis_report.words import count, number, short, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudapis_report.chart import Row, Spec, Tone

_MONTHS, _TESTS = 6, 20
_SINCE = "month >= date_trunc('month', {today}) - interval '5 months'"

_QUERIES = {
    "months": f"""
        select month, count(*) as tests, count(*) filter (where is_flaky) as flaky,
            sum(flips) as flips
        from {{dbt_cloud__test_flakiness}} where {_SINCE} group by month order by month desc
    """,
    "tests": f"""
        with ranked as (
            select account_id, node_id, row_number() over (
                order by sum(flips) desc, max(month) desc, max(node_name), node_id,
                    account_id) as place
            from {{dbt_cloud__test_flakiness}} where {_SINCE}
            group by account_id, node_id
            having sum(flips) > 0
        )
        select r.place, t.node_name, t.project_name, t.account_name, t.month,
            t.flips, t.sure_flips, t.is_flaky, t.executions, t.failed, t.flake_rate,
            extract(epoch from t.last_flip_at) as last_flip
        from ranked r join {{dbt_cloud__test_flakiness}} t
            on t.account_id = r.account_id and t.node_id = r.node_id
        where r.place <= {_TESTS} and t.{_SINCE}
        order by r.place, t.month
    """,
}


def _show(data: Data) -> Finding | Nothing:
    by_month = data.rows("months")
    if not by_month:
        return Nothing("No result of a dbt test is known")
    tests = data.rows("tests")
    newest = by_month[0]
    this = newest["month"] == months(data.clock, 1)[0]
    when = "this month" if this else f"in {newest['month']:%B}, the last month with results"
    flaky = [row for row in tests if row["is_flaky"] and row["month"] == newest["month"]]
    if newest["flaky"]:
        worst = max(flaky, key=lambda row: row["flips"], default=None)
        title = (
            f"{number(newest['flaky'])} of {count(newest['tests'], 'test')} "
            f"{verb(newest['flaky'], 'is', 'are')} flaky {when}"
        )
        if worst:
            title += f"; {worst['node_name']} turned over {count(worst['flips'], 'time')}"
    else:
        title = f"No test is flaky {when}, of {count(newest['tests'], 'test')}"
        # The month may have begun today.
        before = by_month[1] if len(by_month) > 1 else None
        if this and before and before["flaky"]:
            title += f"; in {before['month']:%B} {number(before['flaky'])} "
            title += verb(before["flaky"], "was", "were")
    if not tests:
        return Finding(title, tone="good")
    figure = Figure(
        lambda width: _spec(tests, data, width),
        f"Flips of tests by month: {title}",
        legend=[
            Legend("bad", "✕", "flips of a flaky test"),
            Legend("main2", "", "flips of a test that is not"),
        ],
    )
    note = ""
    if any(row["sure_flips"] < row["flips"] for row in tests):
        note = "A flip is sure if no model at all was built in between; the table tells these too."
    tone: Tone = "warn" if newest["flaky"] else "good"
    return Finding(title, [figure], [_table(tests)], tone, note)


def _spec(tests: Sequence[Row], data: Data, width: int) -> Spec:
    left = 170 if width == NARROW else 380
    shown = months(data.clock, _MONTHS)
    most = max(row["flips"] for row in tests)
    largest, beside = (150, 9) if width == NARROW else (420, 13)
    dots = [
        {
            "place": row["place"],
            "month": f"{row['month']:%Y-%m}",
            "size": max(largest * row["flips"] / most, 50),
            "fill": "var(--bad)" if row["is_flaky"] else "var(--main2)",
            "told": f"{row['flips']}",
            "d": f"{short(row['node_name'], 80)}, {row['month']:%B %Y}: "
            f"{count(row['flips'], 'flip')} in {count(row['executions'], 'execution')}, "
            f"{number(row['failed'])} failed",
        }
        for row in tests
        if row["flips"]
    ]
    things = list({row["place"]: row for row in tests}.values())
    things = labelled(things, lambda row: row["node_name"], "project_name", "account_name")
    heads = {row["place"]: row["label"] for row in things}
    x = {
        "field": "month",
        "type": "ordinal",
        "scale": {"domain": [f"{month:%Y-%m}" for month in shown]},
        "axis": {
            "orient": "top",
            "labelAngle": 0,
            "labelExpr": "utcFormat(toDate(datum.label + '-01'), '%b')",
        },
    }
    return {
        "width": width - left - 4,
        "height": {"step": 28},
        "encoding": {"y": {**rows_axis(), "axis": {"labels": False, "grid": True}}},
        "layer": [
            {
                "data": values(dots),
                "mark": {"type": "circle"},
                "encoding": {
                    "x": x,
                    "size": as_it_is("size"),
                    "fill": {"field": "fill", "type": "nominal", "scale": None},
                    "description": {"field": "d"},
                },
            },
            {
                "data": values(dots),
                "mark": {"type": "text", "align": "left", "dx": beside},
                "encoding": {"x": x, "text": {"field": "told"}},
            },
            {
                "data": values([{"place": place, "name": name} for place, name in heads.items()]),
                **names(left),
            },
        ],
    }


def _table(tests: Sequence[Row]) -> Table:
    columns = [
        Column("Test"),
        Column("Project"),
        Column("Account"),
        Column("Month from", "day"),
        Column("Flips", "number"),
        Column("Of these sure", "number"),
        Column("Executions", "number"),
        Column("Failed", "number"),
        Column("Flips per execution", "share"),
        Column("Flaky"),
        Column("Last flip", "time"),
    ]
    rows = [
        [
            row["node_name"],
            row["project_name"],
            row["account_name"],
            row["month"],
            row["flips"],
            row["sure_flips"],
            row["executions"],
            row["failed"],
            row["flake_rate"],
            "yes" if row["is_flaky"] else "no",
            row["last_flip"],
        ]
        for row in tests
    ]
    return Table("Tests that flipped, by month", columns, rows)


FLAKY = Chart(
    key="flaky-tests",
    section="Trust in the data",
    question="Which tests are flaky?",
    definition=(
        "A flip: a test fails, and passes later on the same day, with the same commit, and no "
        "model that it tests was built in between. A warning is no failure. Flaky: two flips a "
        "month or more."
    ),
    queries=_QUERIES,
    show=_show,
    needs=("dbt_run_results",),
)
