"""Tests of the dbt Cloud streams."""
