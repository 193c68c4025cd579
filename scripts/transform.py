"""What of ``transform/`` is made from the catalog: the staging views, their tests, the sources.

``transform.py`` writes the files; ``--check`` only tells whether they are up to date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from staging import STAGING, Field
from tap_cloudapis.tap import SERVICES, TapCloudAPIs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(__file__).parents[1] / "transform/models/staging"
MADE = "Made by scripts/transform.py from the catalog and scripts/staging.py."

#: Types of JSON by what the models call them.
KINDS = {
    "integer": "integer",
    "string": "text",
    "number": "double",
    "boolean": "boolean",
    "object": "json",
    "array": "json",
}

Entry = dict[str, Any]


def main() -> int:
    """Run the command line and return the exit code: 1 if a file was found outdated."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if outdated")
    check = parser.parse_args().check
    files = all_files()
    there = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.*")}
    outdated = sorted(n for n in files.keys() | there.keys() if files.get(n) != there.get(n))
    for name in outdated:
        if check:
            print(f"transform/models/staging/{name} is outdated; run scripts/transform.py")
        elif name in files:
            FOLDER.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(files[name], "utf-8")
            print(f"wrote transform/models/staging/{name}")
        else:
            (FOLDER / name).unlink()
            print(f"removed transform/models/staging/{name}")
    return int(check and bool(outdated))


def all_files() -> dict[str, str]:
    """The text of each file in the folder of the staging views, by its name."""
    catalog = {entry["stream"]: entry for entry in TapCloudAPIs(config={}).catalog_dict["streams"]}
    entries = {name: catalog[name] for name in STAGING}
    files = {f"{view_of(name)}.sql": sql_of(name, entry) for name, entry in entries.items()}
    sources = {
        "name": "cloudapis",
        "description": "What tap-cloudapis has read, as a loader has put it down.",
        "database": "{{ var('source_database', none) or target.database }}",
        # Of DuckDB, a file whose name is that of the dataset has its tables in `main`.
        "schema": (
            "{{ var('source_schema', none) or env_var('CLOUDAPIS_MODELS_SOURCE_SCHEMA', '') "
            "or ('main' if target.type == 'duckdb' else 'raw') }}"
        ),
        "tables": [source_of(name, entry) for name, entry in entries.items()],
    }
    models = [model_of(name, entries) for name in entries]
    return {
        **files,
        "_sources.yml": _yaml({"version": 2, "sources": [sources]}),
        "_staging.yml": _yaml({"version": 2, "models": models}),
    }


def view_of(stream: str) -> str:
    """The name of the staging view of a stream, such as stg_dbt_cloud__runs."""
    (service,) = (each.key for each in SERVICES if stream.startswith(f"{each.key}_"))
    return f"stg_{service}_cloud__{stream.removeprefix(f'{service}_')}"


def sql_of(stream: str, entry: Entry) -> str:
    """The query of the staging view of a stream.

    Args:
        stream: The name of the stream.
        entry: What the catalog has of it.
    """
    fields = STAGING[stream]
    plain = [field for field in fields if not field.path]
    loaded = [(field.name, field.column, kind_of(field, entry)) for field in plain]
    wrapped = dict.fromkeys(field.column for field in fields if field.path)
    loaded += [(f"json_of_{column}", column, "json") for column in wrapped]
    rows = ",\n".join(f"        {list(row)!r}" for row in loaded)
    chosen = ",\n".join(f"    {_expression(field)}" for field in fields)
    return (
        f"-- {MADE}\n"
        f"with loaded as (\n"
        f"    {{{{ cloudapis.stream({stream!r}, [\n{rows},\n    ]) }}}}\n"
        f")\n\n"
        f"select\n{chosen}\nfrom loaded\n"
    )


def _expression(field: Field) -> str:
    if not field.path:
        return field.name
    text = f"cloudapis.json_text('json_of_{field.column}', {list(field.path)!r})"
    if field.kind == "text":
        return f"{{{{ {text} }}}} as {field.name}"
    if field.kind == "time":
        return f"{{{{ cloudapis.utc({text}, 'text') }}}} as {field.name}"
    return f"{{{{ cloudapis.{field.kind}_of_text({text}) }}}} as {field.name}"


def kind_of(field: Field, entry: Entry) -> str:
    """What the models call the type of a column."""
    if field.kind:
        return field.kind
    schema = entry["schema"]["properties"][field.column]
    told = {"date-time": "time", "date": "date"}.get(schema.get("format", ""))
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    (json_type,) = set(types) - {"null"}
    return told or KINDS[json_type]


def description_of(field: Field, entry: Entry) -> str:
    """What a column is, in the words of the catalog where it has any."""
    if field.description:
        return field.description
    schema = entry["schema"]["properties"][field.column]
    for name in field.path:
        schema = schema["properties"][name]
    return str(schema["description"])


def source_of(stream: str, entry: Entry) -> dict[str, Any]:
    """The table of a stream, as dbt has it among its sources."""
    columns = dict.fromkeys(field.column for field in STAGING[stream])
    known = entry["schema"]["properties"]
    return {
        "name": stream,
        "columns": [
            {"name": name, "description": known[name]["description"]}
            for name in columns
            if name in known
        ],
    }


def model_of(stream: str, entries: Mapping[str, Entry]) -> dict[str, Any]:
    """The staging view of a stream with its columns and tests, as dbt has it among its models."""
    entry, fields = entries[stream], STAGING[stream]
    names = _names(stream)
    key = [names[column] for column in _key_of(entry) if column in names]
    is_whole = len(key) == len(_key_of(entry))
    tests: list[Any] = [{"unique_together": {"arguments": {"columns": key}}}] if is_whole else []
    tests += list(_relationships(entry, entries))
    return {
        "name": view_of(stream),
        "description": f"Rows of {stream}, each column in its type. Empty where there is no table.",
        **({"data_tests": tests} if tests else {}),
        "columns": [
            {"name": field.name, "description": description_of(field, entry)} for field in fields
        ],
    }


def _key_of(entry: Entry) -> list[str]:
    (told,) = (meta["metadata"] for meta in entry["metadata"] if not meta["breadcrumb"])
    return list(told["table-key-properties"])


def _names(stream: str) -> dict[str, str]:
    """What the models call the columns of a stream."""
    return {field.column: field.name for field in STAGING[stream] if not field.path}


def _relationships(entry: Entry, entries: Mapping[str, Entry]) -> Iterator[dict[str, Any]]:
    """A test for each reference that must find its row, as far as both sides are in the models."""
    own = _names(entry["stream"])
    for reference in entry["references"]:
        stream, columns, to = reference["stream"], reference["columns"], reference["to"]
        if reference["weak"] or stream not in entries:
            continue
        there = _names(stream)
        if set(columns) <= own.keys() and set(to) <= there.keys():
            arguments = {
                "stream": stream,
                "to": f"ref('{view_of(stream)}')",
                "columns": [own[column] for column in columns],
                "to_columns": [there[column] for column in to],
            }
            yield {"refers_to": {"arguments": arguments}}


def _yaml(document: dict[str, Any]) -> str:
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return f"# {MADE}\n{text}"


if __name__ == "__main__":
    sys.exit(main())
