"""The models of `transform/`: dbt as a process, on tables that are loaded or made by hand."""
