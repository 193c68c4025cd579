"""Compare a loaded table with the messages it was loaded from, cell by cell.

Usage: `python check.py DATABASE FILE...`; prints JSON: rows `lost` and `extra`, `changed` cells.
Needs nothing but duckdb, so that it runs where a peer is installed.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

_TABLE = "jobs"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def expected(files: list[str]) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Read the schema's properties and the last record of each id."""
    properties: dict[str, Any] = {}
    records: dict[int, dict[str, Any]] = {}
    for file in files:
        with Path(file).open("rb") as lines:
            for line in lines:
                message = json.loads(line, parse_float=Decimal)
                if message["type"] == "RECORD":
                    records[message["record"]["id"]] = message["record"]
                elif message["type"] == "SCHEMA":
                    properties = message["schema"]["properties"]
    return properties, records


def comparable(definition: dict[str, Any], wanted: Any, stored: Any) -> tuple[Any, Any]:
    """Bring a value and what is stored of it into one form."""
    if wanted is None or stored is None:
        return wanted, stored
    if definition.get("format") == "date-time":
        moment = datetime.fromisoformat(wanted)
        return (moment - _EPOCH) // timedelta(microseconds=1), stored
    if {"object", "array"} & set(definition["type"]):
        return json.loads(json.dumps(wanted, default=str)), json.loads(stored)
    return (float(wanted), stored) if isinstance(wanted, Decimal) else (wanted, stored)


def main() -> None:
    """Print what is not as it was sent."""
    database, *files = sys.argv[1:]
    properties, records = expected(files)
    moments = {name for name, each in properties.items() if each.get("format") == "date-time"}
    columns = [f"epoch_us({name})" if name in moments else name for name in properties]
    changed = extra = 0
    with duckdb.connect(database, read_only=True) as connection:
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM {_TABLE}")  # noqa: S608
        while batch := rows.fetchmany(10_000):
            for row in batch:
                record = records.pop(row[0], None)
                if record is None:
                    extra += 1
                    continue
                for (name, definition), stored in zip(properties.items(), row, strict=True):
                    wanted, found = comparable(definition, record[name], stored)
                    changed += wanted != found or type(wanted) is not type(found)
    print(json.dumps({"lost": len(records), "extra": extra, "changed": changed}))


if __name__ == "__main__":
    main()
