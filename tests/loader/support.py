"""What the loader's tests share: messages, and the target as a real process or in this one."""

# ruff: noqa: S608 (table names are our own)

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import duckdb
import pytest

from target_dlt.dlt_internals import dlt  # set up as the loader has it: without telemetry
from target_dlt.target import DatasetTarget, TargetDlt, TargetDuckDB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SCRIPT = str(Path(sys.executable).parent / "target-duckdb")
DLT_SCRIPT = str(Path(sys.executable).parent / "target-dlt")


def fails_on_duckdb_2(raises: type[Exception]) -> pytest.MarkDecorator:
    """Mark a test that must fail on DuckDB 2, where `.arrow()` of dlt calls what is not there."""
    return pytest.mark.xfail(
        not duckdb.__version__.startswith("1."),
        reason="DuckDB 2 has no fetch_arrow_table",
        raises=raises,
        strict=True,
    )


def schema(stream: str, properties: dict[str, Any], keys: Sequence[str] = (), **more: Any) -> str:
    document = {"type": "object", "properties": properties, **more}
    return json.dumps(
        {"type": "SCHEMA", "stream": stream, "schema": document, "key_properties": list(keys)}
    )


def record(stream: str, **values: Any) -> str:
    return json.dumps({"type": "RECORD", "stream": stream, "record": values})


def raw_record(stream: str, text: str) -> str:
    return f'{{"type": "RECORD", "stream": "{stream}", "record": {text}}}'


def versioned(stream: str, version: int, **values: Any) -> str:
    return json.dumps({"type": "RECORD", "stream": stream, "record": values, "version": version})


def activate(stream: str, version: int) -> str:
    return json.dumps({"type": "ACTIVATE_VERSION", "stream": stream, "version": version})


def state(value: Any) -> str:
    return json.dumps({"type": "STATE", "value": value})


def typed(*names: str, **more: Any) -> dict[str, Any]:
    return {"type": ["null", *names], **more}


INTEGER = typed("integer")
NUMBER = typed("number")
STRING = typed("string")
BOOLEAN = typed("boolean")
MOMENT = typed("string", format="date-time")
DATE = typed("string", format="date")
DECIMAL = typed("string", format="singer.decimal")
TIME = typed("string", format="time")
OBJECT = typed("object", "array", "string", "number")
#: The engines of target-duckdb.
ENGINES = ["duckdb", "package"]


def load(path: Path, messages: Iterable[str], **config: Any) -> None:
    """Load messages in this process."""
    _listen(TargetDuckDB(config={"path": str(path), **config}), messages)


def load_dlt(messages: Iterable[str], **config: Any) -> None:
    """Load messages by target-dlt, in this process."""
    _listen(TargetDlt(config=config), messages)


def _listen(target: DatasetTarget, messages: Iterable[str]) -> None:
    lines = "".join(f"{message}\n" for message in messages)
    target.listen(io.TextIOWrapper(io.BytesIO(lines.encode("utf-8", "surrogatepass")), "utf-8"))


def run(
    *args: str,
    messages: Iterable[str] = (),
    config: dict[str, Any] | None = None,
    script: str = SCRIPT,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run the console script, with a configuration file if one is given."""
    command = [script, *args]
    if config is not None:
        file = Path(options.pop("folder"), "config.json")
        file.write_text(json.dumps(config))
        command += ["--config", str(file)]
    lines = "".join(f"{message}\n" for message in messages)
    return subprocess.run(
        command,
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=without_end_of_life(options.pop("env", None) or os.environ),
        **options,
    )


@contextmanager
def started(
    script: str, config: Path, messages: Iterable[str], stderr: int = subprocess.DEVNULL
) -> Iterator[Started]:
    """Start a console script and write messages to it; more than a pipe holds wait until it reads.

    Its input stays open, so that it cannot end by itself.
    """
    with subprocess.Popen(
        [script, "--config", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=without_end_of_life(os.environ),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"{message}\n" for message in messages))
        process.stdin.flush()
        yield Started(process, process.stdout, process.stderr or io.StringIO())


class Started(NamedTuple):
    """A console script that runs, and what it writes."""

    process: subprocess.Popen[str]
    stdout: IO[str]
    stderr: IO[str]


def without_end_of_life(env: Mapping[str, str]) -> dict[str, str]:
    """An environment in which the SDK does not warn of a Python that is near its end."""
    warnings = filter(None, (env.get("PYTHONWARNINGS"), "ignore::FutureWarning"))
    return {**env, "PYTHONWARNINGS": ",".join(warnings)}


def problems(log: str) -> list[str]:
    """The lines of a log that tell more than how the load goes."""
    return [line for line in log.splitlines() if " INFO " not in line]


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        return connection.execute(sql).fetchall()


def execute(path: Path, *statements: str) -> None:
    """Run statements on a file, as somebody beside the loader would."""
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def column_types(path: Path, table: str) -> dict[str, str]:
    rows = query(
        path,
        "SELECT column_name, data_type FROM duckdb_columns() "
        f"WHERE table_name = '{table}' AND column_name NOT LIKE '\\_dlt%' ESCAPE '\\'",
    )
    return dict(rows)


def dlt_pipeline(path: Path, name: str, dataset: str, folder: Path) -> dlt.Pipeline:
    """Make a pipeline of dlt's own into a file; its working folder is given."""
    pipeline: dlt.Pipeline = dlt.pipeline(name, **_place(path, dataset, folder))
    return pipeline


def dlt_attach(path: Path, name: str, dataset: str, folder: Path) -> dlt.Pipeline:
    """Have dlt make a pipeline of what it finds in a file; its working folder is given."""
    pipeline: dlt.Pipeline = dlt.attach(name, **_place(path, dataset, folder))
    return pipeline


def read_by_dlt(relation: dlt.Relation) -> list[dict[str, Any]]:
    """Read the rows of a table or query, with DuckDB of any version."""
    return [row for some in relation.iter_arrow(chunk_size=1000) for row in some.to_pylist()]


def _place(path: Path, dataset: str, folder: Path) -> dict[str, Any]:
    return {
        "destination": dlt.destinations.duckdb(str(path)),
        "dataset_name": dataset,
        "pipelines_dir": str(folder),
    }
