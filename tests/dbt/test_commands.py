"""Commands of dbt: in the names of steps, and what each has dbt do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.dbt.commands import READABLE, command_of, verb_of, verb_of_args
from tap_cloudapis.dbt.run_reading import steps_with_files


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("Invoke dbt with `dbt build`", "dbt build"),
        ("Invoke dbt with `dbt run --select models/a.sql`", "dbt run --select models/a.sql"),
        ("Invoke dbt with `dbt run --args '{a: `b`}'`", "dbt run --args '{a: `b`}'"),
        ("Invoke dbt with `dbt build", "dbt build"),
        ("Clone git repository", None),
        ("Invoke dbt", None),
        (None, None),
        (7, None),
    ],
)
def test_a_step_tells_its_command(name: Any, command: str | None) -> None:
    assert command_of(name) == command


@pytest.mark.parametrize(
    ("command", "verb"),
    [
        ("dbt build", "build"),
        ("dbt  run   --full-refresh", "run"),
        ("dbt --target test run", "run"),
        ("dbt -t build test", "test"),
        ("dbt --target=test run", "run"),
        ("dbt --warn-error --log-level debug run --threads 8", "run"),
        ("dbt --vars '{day: run, x: test}' seed", "seed"),
        ("dbt --vars '{day: run seed", "run"),
        ("dbt docs generate --no-compile", "docs generate"),
        ("dbt source freshness", "source freshness"),
        ("dbt source snapshot-freshness -s a", "source freshness"),
        ("dbt ls", "list"),
        ("dbt run-operation grant --args '{role: test}'", "run-operation"),
        ("dbt deps", "deps"),
        ("dbt frobnicate", None),
        ("dbt docs", None),
        ("dbt", None),
        ("", None),
    ],
)
def test_the_verb_of_a_command(command: str, verb: str | None) -> None:
    assert verb_of(command) == verb


@given(st.text())
def test_any_text_has_a_verb_or_none(text: str) -> None:
    assert verb_of(text) is None or isinstance(verb_of(text), str)
    assert command_of(f"Invoke dbt with `{text}`") == text


@pytest.mark.parametrize(
    ("args", "verb"),
    [
        ({"which": "build"}, "build"),
        ({"which": "generate"}, "docs generate"),
        ({"which": "freshness"}, "source freshness"),
        ({"which": "run", "rpc_method": "docs.generate"}, "docs generate"),
        ({"which": "run", "rpc_method": "run"}, "run"),
        ({"rpc_method": 5, "which": None}, None),
        ({}, None),
    ],
)
def test_the_verb_that_a_file_tells(args: dict[str, Any], verb: str | None) -> None:
    assert verb_of_args(args) == verb


def test_which_files_the_steps_leave() -> None:
    commands = ("dbt deps", "dbt source freshness", "dbt build", "dbt frob", "dbt compile")
    names = ["Clone", *(f"Invoke dbt with `{command}`" for command in commands)]
    rows: list[Any] = [{"index": i, "name": name} for i, name in enumerate(names, 1)]
    rows += [{"name": names[3]}, {"index": "9", "name": names[3]}, {}]
    rows += [{"index": index, "name": names[3]} for index in ("x", "-1", 1.5, True, None)]
    found = [(s.index, s.verb, s.file) for s in steps_with_files(rows, {"build", "unknown"})]
    assert found == [
        (3, "source freshness", "sources.json"),
        (4, "build", "run_results.json"),
        (5, None, "run_results.json"),
        (9, "build", "run_results.json"),
    ]
    assert {s.verb for s in steps_with_files(rows, READABLE)} >= {"build", "compile", None}
