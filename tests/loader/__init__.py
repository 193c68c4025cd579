"""Tests of the loader `target-duckdb`."""
