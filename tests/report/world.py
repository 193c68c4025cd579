"""Made-up models: a world of any size, made by SQL, with rows that agree with each other.

What is in a row follows from hashes of its numbers, so the same options make the same world.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tests.report.models import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = "insight"
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class World:
    """What is in a world.

    Attributes:
        jobs: How many jobs of dbt Cloud there are.
        runs: How many runs a job has had, at most.
        stacks: How many stacks of Pulumi Cloud there are.
        updates: How many updates a stack has had, at most.
        days: How many days back the world began.
        mark: What stands in every name; a hostile text, for example.
        zone: The time zone of the models.
        as_of: The time the models were built.
    """

    jobs: int = 34
    runs: int = 150
    stacks: int = 60
    updates: int = 30
    days: int = 150
    mark: str = ""
    zone: str = "UTC"
    as_of: str = "2026-08-21 07:10:00"


def create(connection: duckdb.DuckDBPyConnection, world: World | None) -> None:
    """Make all models in a database, and fill them.

    Args:
        connection: The database.
        world: What is to be in them; nothing but the time for `None`.
    """
    connection.execute(f"create schema {SCHEMA}")
    connection.execute(f"use {SCHEMA}")
    for name, columns in MODELS.items():
        connection.execute(f"create table {name} ({columns})")
    it = world or World()
    connection.execute(
        "insert into platform__as_of select $1::timestamp, $2, "
        "$1::timestamp at time zone 'UTC' at time zone $2, "
        "($1::timestamp at time zone 'UTC' at time zone $2)::date, "
        "date_trunc('week', $1::timestamp at time zone 'UTC' at time zone $2)::date, "
        "90, 90, 24, null",
        [it.as_of, it.zone],
    )
    if world is None:
        return
    for name, value in (
        ("jobs", it.jobs),
        ("runs", it.runs),
        ("stacks", it.stacks),
        ("days", it.days),
        ("updates", it.updates),
        ("mark", it.mark),
        ("zone", it.zone),
        ("as_of", it.as_of),
    ):
        connection.execute(f"set variable {name} = $1", [value])
    for part in ("dbt", "pulumi", "platform"):
        connection.execute((_SQL / f"{part}.sql").read_text("utf-8"))


def write(path: Path, world: World | None, drop: Iterable[str] = ()) -> Path:
    """Write a DuckDB file with all models but some.

    Args:
        path: Where.
        world: What is in it; `None` for models without rows.
        drop: The models that are not there.
    """
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create(connection, world)
        for name in drop:
            connection.execute(f"drop table {name}")
    return path
