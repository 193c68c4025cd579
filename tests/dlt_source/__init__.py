"""Tests of the dlt source, in pipelines with DuckDB."""
