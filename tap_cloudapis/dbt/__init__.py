"""dbt Cloud streams."""
