"""From a database to a page: models found, queries run, charts asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from cloudapis_report import checks, overview
from cloudapis_report.chart import Data, Nothing
from cloudapis_report.charts import CHARTS
from cloudapis_report.errors import ReportError
from cloudapis_report.page import Page
from cloudapis_report.queries import Clock, filled, models_of
from cloudapis_report.words import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloudapis_report.chart import Chart, Finding
    from cloudapis_report.checks import Checks
    from cloudapis_report.database import Database

#: The model that says when the others were built.
AS_OF = "platform__as_of"
#: The tables that may be there; the last has what the tests of the others said.
MODELS = sorted({AS_OF, "platform__tests"}.union(*(chart.models for chart in CHARTS)))


@dataclass(frozen=True)
class Source:
    """Models that were found.

    Attributes:
        database: What they are in.
        schema: Their schema.
        tables: The table of each, quoted.
        clock: When they were built.
    """

    database: Database
    schema: str
    tables: Mapping[str, str]
    clock: Clock

    def data(self, queries: Mapping[str, str]) -> Data:
        """Run queries; one of which a model is missing has no rows."""
        models = frozenset().union(*map(models_of, queries.values()))
        found = {
            name: self.database.rows(filled(sql, self.tables, self.clock))
            if models_of(sql) <= self.tables.keys()
            else []
            for name, sql in queries.items()
        }
        return Data(self.clock, found, models - self.tables.keys())


def find(database: Database, schema: str | None) -> Source:
    """Find the models in a database.

    Args:
        database: Where.
        schema: Their schema, if it is known.

    Raises:
        ReportError: If they are not there, or in several schemas.
    """
    found = {name: tables for name, tables in database.tables(MODELS).items() if AS_OF in tables}
    if schema is not None:
        found = {name: tables for name, tables in found.items() if name == schema}
    if not found:
        where = f"{database.name}, schema {schema}," if schema else database.name
        raise ReportError(
            f"{where} has no table {AS_OF}, which the models come with: run the dbt package in "
            "transform/ on it first (dbt build)"
        )
    if len(found) > 1:
        raise ReportError(
            f"{database.name} has models in the schemas {', '.join(sorted(found))}: choose one "
            "with --schema"
        )
    ((name, tables),) = found.items()
    rows = database.rows(f"select as_of, report_time_zone from {tables[AS_OF]}")  # noqa: S608
    if len(rows) != 1:
        raise ReportError(
            f"{database.name}, table {AS_OF}: {len(rows)} rows in place of one: run dbt build again"
        )
    as_of = rows[0]["as_of"]
    clock = Clock(as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC), rows[0]["report_time_zone"])
    return Source(database, name, tables, clock)


def findings(source: Source, charts: Sequence[Chart] = CHARTS) -> list[Finding | Nothing]:
    """Ask charts what the data says.

    Args:
        source: The models.
        charts: Which charts.
    """
    answers: list[Finding | Nothing] = []
    for chart in charts:
        try:
            data = source.data(chart.queries)
        except ReportError as exc:
            raise ReportError(
                f"{exc} (for the chart {chart.key}); models and report have to be of one version: "
                "run dbt build again"
            ) from exc
        if data.missing >= chart.models:
            names = listed(sorted(chart.models), len(chart.models))
            answers.append(Nothing(f"The models lack {names}"))
        else:
            answers.append(_advised(chart, chart.show(data)))
    return answers


def _advised(chart: Chart, answer: Finding | Nothing) -> Finding | Nothing:
    """Say what to select, where that may be why there is nothing to show."""
    if isinstance(answer, Nothing) and chart.needs:
        return Nothing(f"{answer.why}: select {listed(chart.needs, len(chart.needs))}")
    return answer


def tested(source: Source) -> Checks | None:
    """Return what the tests of the models said when they were built, if they were tested."""
    return checks.of_rows(source.data({"tests": checks.QUERY}).rows("tests"))


def html(source: Source, name: str | None, results: Checks | None) -> str:
    """Write the page.

    Args:
        source: The models.
        name: Whose page it is; `None` for the names of accounts and organizations.
        results: What the tests of the data said, if that is known.
    """
    page = Page(source.clock)
    shown = [
        page.shown(chart, result) for chart, result in zip(CHARTS, findings(source), strict=True)
    ]
    told = overview.tell(source.data(overview.QUERIES))
    return page.html(name or told.name, shown, told.facts, told.foot, results)
