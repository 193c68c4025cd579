"""dbt Cloud: accounts, projects, environments, jobs, connections and runs."""
