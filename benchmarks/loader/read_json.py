"""The limit of any loader: DuckDB's own insert from JSON lines, without checks, keys or state.

Usage: `python read_json.py DATABASE FILE COLUMNS`, where the file holds bare records and the last
argument is a JSON object of names and DuckDB types, so that nothing is inferred.
"""

from __future__ import annotations

import json
import sys

import duckdb


def main() -> None:
    """Insert all records of a file into a new table."""
    database, file, columns = sys.argv[1:]
    types = ", ".join(f"{name}: '{kind}'" for name, kind in json.loads(columns).items())
    with duckdb.connect(database, config={"memory_limit": "512MB"}) as connection:
        connection.execute(
            f"CREATE TABLE jobs AS SELECT * FROM read_json(?, format='newline_delimited', "  # noqa: S608
            f"columns={{{types}}})",
            [file],
        )


if __name__ == "__main__":
    main()
