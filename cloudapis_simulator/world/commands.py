"""What jobs run: commands of dbt, what each of them does, and what it leaves behind."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command.

    Attributes:
        text: What somebody has typed.
        verb: What dbt is to do; None where it is not a word of dbt's.
        does: Which nodes of the project it is about: a name in `Project.nodes`; empty where it
            leaves no results.
        is_read: Whether its results are about nodes that were built or tested; those of
            `docs generate` only say that all were compiled.
    """

    text: str
    verb: str | None
    does: str = ""
    is_read: bool = True


DEPS = Command("dbt deps", "deps")
FRESHNESS = Command("dbt source freshness", "source freshness")
DOCS = Command("dbt docs generate", "docs generate", "build", is_read=False)
RETRY = Command("dbt retry", "retry", "build")
RUN = Command("dbt run", "run", "models")
TEST = Command("dbt test", "test", "tests")
BUILD = Command("dbt build", "build", "build")

_SETS: tuple[tuple[Command, ...], ...] = (
    (
        Command("dbt seed", "seed", "seeds"),
        Command("dbt run --full-refresh", "run", "models"),
        TEST,
    ),
    (Command("dbt build --select state:modified+", "build", "build"),),
    (
        Command("dbt snapshot", "snapshot", "snapshots"),
        RUN,
        Command("dbt test --select tag:nightly --vars '{day: \"2026-01-01\"}'", "test", "tests"),
    ),
    (
        Command("dbt build --select models/größe/a.sql+ -t prod", "build", "build"),
        Command("dbt run-operation grant_all --args '{role: r}'", "run-operation"),
        Command("dbt compile", "compile", "build", is_read=False),
    ),
    (
        Command("dbt --warn-error --log-level debug run --threads 8", "run", "models"),
        Command("dbt -q test", "test", "tests"),
        Command("dbt frobnicate", None, "models"),
    ),
    (Command("dbt clone", "clone", "models"), BUILD),
)
_EQUAL = (BUILD, RUN, TEST)


def of_job(number: int, steps: int) -> tuple[Command, ...]:
    """Return the commands that job `number` lists; with `steps` so many alike in all jobs."""
    if steps:
        return tuple(_EQUAL[place % len(_EQUAL)] for place in range(steps))
    return _SETS[number % len(_SETS)]


def overridden() -> tuple[Command, ...]:
    """Return what callers of the API run instead of what the job lists."""
    return (RUN, TEST)


def texts(commands: tuple[Command, ...]) -> list[str]:
    """Return commands as they were typed."""
    return [command.text for command in commands]
