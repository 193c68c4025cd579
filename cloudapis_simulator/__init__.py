"""A simulator of the dbt Cloud and Pulumi Cloud APIs on loopback."""
