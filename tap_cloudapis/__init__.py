"""Singer tap for dbt Cloud and Pulumi Cloud."""
