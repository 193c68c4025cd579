"""Singer loader for DuckDB, writing true dlt datasets."""
