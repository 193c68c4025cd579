"""Each chart on worlds of every kind: its SQL runs, its specs compile, it says a sentence."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import duckdb
import psycopg2
import pytest
import vl_convert

import cloudapis_report
from cloudapis_report import report
from cloudapis_report.chart import NARROW, WIDE, Chart, Figure, Finding, Nothing
from cloudapis_report.charts import CHARTS
from cloudapis_report.database import destination, duckdb_file
from cloudapis_report.drawing import CONFIG
from tests.loader import postgres
from tests.loader.postgres import needs_postgres
from tests.report.conftest import HOSTILE
from tests.report.models import MODELS
from tests.report.world import SCHEMA, World, write
from tests.report.writing import report as run_report

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_PULUMI = [name for name in MODELS if name.startswith("pulumi")]
OF_DBT = [name for name in MODELS if name.startswith("dbt")]
#: Name, what is in the models, which models are not there.
WORLDS: dict[str, tuple[World | None, list[str]]] = {
    "no rows": (None, []),
    "no runs": (World(jobs=3, runs=0, stacks=2, updates=0), []),
    "one run": (World(jobs=1, runs=1, stacks=0), []),
    "one update": (World(jobs=0, stacks=1, updates=1), []),
    "one job": (World(jobs=1, stacks=1), []),
    "usual": (World(), []),
    "many": (World(jobs=120, runs=40, stacks=150), []),
    "hostile": (World(mark=HOSTILE), []),
    "without rows of Pulumi": (World(stacks=0), []),
    "without rows of dbt": (World(jobs=0), []),
    "without models of Pulumi": (World(stacks=0), OF_PULUMI),
    "without models of dbt": (World(jobs=0), OF_DBT),
    "with the time alone": (None, [name for name in MODELS if name != report.AS_OF]),
}


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("worlds")
    return {
        name: write(folder / f"{name.replace(' ', '-')}.duckdb", world, drop)
        for name, (world, drop) in WORLDS.items()
    }


@contextmanager
def source(path: Path) -> Iterator[report.Source]:
    with duckdb_file(path) as database:
        yield report.find(database, None)


def test_there_are_fourteen_and_each_is_a_file_of_its_own() -> None:
    files = Path(cloudapis_report.__file__).parent.joinpath("charts").glob("[!_]*.py")
    assert len(CHARTS) == len(list(files)) == len({chart.key for chart in CHARTS}) == 14


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.key)
def test_a_chart_says_what_it_asks_and_how_it_counts(chart: Chart) -> None:
    assert chart.question.endswith("?")
    assert chart.definition.endswith(".")
    assert chart.models <= MODELS.keys()


@pytest.mark.parametrize("name", WORLDS)
def test_every_chart_has_an_answer(name: str, databases: dict[str, Path]) -> None:
    with source(databases[name]) as models:
        answers = report.findings(models)
    for chart, answer in zip(CHARTS, answers, strict=True):
        said = answer.title if isinstance(answer, Finding) else answer.why
        assert said, chart.key
        assert not said.endswith("."), said
        assert said[0].isupper() or said[0].isdigit() or not said[0].isalpha(), said
        assert "None" not in said.replace("None of", ""), said
        assert "nan" not in said.split(), said


def test_the_specs_compile_without_a_warning(
    databases: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    drawn = 0
    for name in ("usual", "one run", "one update"):
        with source(databases[name]) as models:
            answers = report.findings(models)
        for answer in answers:
            for part in answer.parts if isinstance(answer, Finding) else ():
                if isinstance(part, Figure):
                    for width in (WIDE, NARROW):
                        spec = json.dumps({"config": CONFIG, **part.draw(width)})
                        vl_convert.vegalite_to_vega(spec, vl_version="6.1", show_warnings=True)
                        drawn += 1
    assert drawn > 50
    assert capfd.readouterr().err == ""


def test_no_name_is_part_of_an_expression(databases: dict[str, Path]) -> None:
    """What comes from the data stands in the data of a spec, and in titles, which are texts."""
    mark = "onmouseover"

    def walk(value: Any, at: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key != "values" or "data" not in at.rsplit(".", 1)[-1]:
                    yield from walk(inner, f"{at}.{key}")
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner, at)
        elif isinstance(value, str) and mark in value:
            yield at

    found = set()
    with source(databases["hostile"]) as models:
        for answer in report.findings(models):
            for part in answer.parts if isinstance(answer, Finding) else ():
                if isinstance(part, Figure):
                    found |= set(walk(part.draw(WIDE), "spec"))
    assert {at.rsplit(".", 2)[-2:][0] + "." + at.rsplit(".", 1)[-1] for at in found} <= {
        "title.text"
    }


def test_few_rows_come_out_of_the_database(tmp_path: Path) -> None:
    """Everything is counted in SQL: how many rows are read does not grow with the world."""
    path = write(tmp_path / "models.duckdb", World(jobs=400, runs=30, stacks=600))
    with source(path) as models:
        for chart in CHARTS:
            for name, rows in models.data(chart.queries).found.items():
                assert len(rows) <= 1_000, (chart.key, name)


def test_what_is_missing_is_said(databases: dict[str, Path]) -> None:
    with source(databases["without models of dbt"]) as models:
        answers = report.findings(models)
    by_key = {chart.key: answer for chart, answer in zip(CHARTS, answers, strict=True)}
    assert by_key["waiting"] == Nothing(
        "The models lack dbt_cloud__runs and dbt_cloud__slots_hourly"
    )
    assert isinstance(by_key["forgotten"], Finding)


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, object]]:
    with postgres.server() as credentials:
        yield credentials


@needs_postgres
def test_postgresql_gives_the_same_findings(
    server: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(jobs=30, runs=60, stacks=40, zone="America/New_York")
    path = write(tmp_path / "models.duckdb", world)
    _copy_to_postgres(path, server)
    parts = {key: quote(str(value), safe="") for key, value in _parts(server).items()}
    url = "postgresql://{user}:{password}@{host}:{port}/{dbname}".format_map(parts)
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", url)
    monkeypatch.chdir(tmp_path)
    with source(path) as here:
        expected = [_said(answer) for answer in report.findings(here)]
    with destination("postgres") as database:
        there = report.find(database, None)
        assert there.schema == SCHEMA
        assert there.clock == here.clock
        found = [_said(answer) for answer in report.findings(there)]
    for chart, ours, theirs in zip(CHARTS, expected, found, strict=True):
        assert ours == theirs, chart.key
    done = run_report("--destination", "postgres", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "output" / "report.html").exists()


@needs_postgres
def test_a_password_is_in_no_message(server: dict[str, object], tmp_path: Path) -> None:
    host = "{host}:{port}/{dbname}".format_map(_parts(server))
    for secret in ("wr0ng-Passw0rd", "wr0ng%Passw0rd", "wr0ng@Passw0rd", "wr0ng Passw0rd"):
        url = f"postgresql://somebody:{secret}@{host}"
        done = run_report(
            *("--destination", "postgres"),
            folder=tmp_path,
            DESTINATION__POSTGRES__CREDENTIALS=url,
        )
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "Passw0rd" not in done.stderr
        assert "dlt cannot open 'postgres'" in done.stderr


def _parts(server: dict[str, object]) -> dict[str, object]:
    return {
        "user": server.get("username") or server["user"],
        "password": server.get("password") or "",
        "host": server["host"],
        "port": server["port"],
        "dbname": server["database"],
    }


def _copy_to_postgres(path: Path, server: dict[str, object]) -> None:
    with (
        duckdb.connect(str(path), read_only=True) as models,
        psycopg2.connect(**_parts(server)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"create schema {SCHEMA}")
        for name, columns in MODELS.items():
            typed = columns.replace(" double", " double precision")
            cursor.execute(f"create table {SCHEMA}.{name} ({typed})")
            file = path.with_name(f"{name}.csv")
            models.execute(f"copy {SCHEMA}.{name} to '{file}' (header false)")
            cursor.copy_expert(
                f"copy {SCHEMA}.{name} from stdin (format csv)",
                io.StringIO(file.read_text("utf-8")),
            )


def _said(answer: Finding | Nothing) -> Any:
    """All that an answer tells, with numbers as exact as a page shows them."""
    if isinstance(answer, Nothing):
        return answer.why
    specs = [part.draw(WIDE) for part in answer.parts if isinstance(part, Figure)]
    rows = [(table.caption, table.rows) for table in answer.tables]
    told = [answer.title, answer.also, answer.note, answer.tone, specs, rows]
    text = json.dumps(told, default=str)
    return json.loads(text, parse_float=_rounded, parse_int=_rounded)


def _rounded(text: str) -> str:
    return f"{float(text):.6g}"
