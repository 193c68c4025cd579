"""The format that new DuckDB files are made in."""

#: DuckDB 2 would make them in one that DuckDB 1 cannot open.
STORAGE_VERSION = "v1.0.0"
