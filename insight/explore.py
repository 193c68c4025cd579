"""Explore the models of dbt Cloud and Pulumi Cloud: a marimo notebook that only reads.

One line brings what it needs and opens it in the browser; it asks nobody but the file:

    uvx --with duckdb,polars,altair marimo run insight/explore.py -- --database FILE
"""

import marimo

app = marimo.App(width="medium", app_title="dbt Cloud and Pulumi Cloud")


@app.cell
def _():
    import sys
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo
    import polars

    return Path, alt, duckdb, mo, polars, sys


@app.cell
def _(Path, duckdb, mo, sys):
    given = mo.cli_args().get("database")
    found = (
        [Path(given)]
        if given
        else [Path("output", name) for name in ("cloudapis.duckdb", "demo.duckdb")]
    )
    database = next((path for path in found if path.is_file()), None)
    mo.stop(
        database is None,
        mo.md(
            f"There is no file {' or '.join(map(str, found))}. Build the models first, "
            "or name the file behind `-- --database`."
        ),
    )

    def asked(sql, parameters=None, schema=None):
        """The names of the columns of an answer, and its rows.

        The file is open for the query only: as long as it is, nobody can load into it.
        """
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            if schema is not None:
                connection.execute(f'use "{schema}"')
            cursor = connection.execute(sql, parameters or [])
            return [column[0] for column in cursor.description], cursor.fetchall()

    try:
        _, schemas = asked(
            "select table_schema from information_schema.tables "
            "where table_name = 'platform__as_of' order by 1"
        )
    except duckdb.Error as exc:
        schemas = []
        print(f"{database}: {exc}".splitlines()[0], file=sys.stderr)
    mo.stop(
        not schemas,
        mo.md(f"{database} has no models, or another program writes it: run `dbt build` first."),
    )
    schema = schemas[0][0]
    return asked, database, schema


@app.cell
def _(asked, database, mo, schema):
    _, ((as_of, zone),) = asked(
        "select local_as_of, report_time_zone from platform__as_of", schema=schema
    )
    _, names = asked(
        "select table_name from information_schema.tables where table_schema = $1 "
        "and table_name not like 'stg\\_%' escape '\\' order by 1",
        [schema],
    )
    tables = [name for (name,) in names]
    mo.md(
        f"""
        # Explore dbt Cloud and Pulumi Cloud

        {len(tables)} models in `{database}`, schema `{schema}`, as of {as_of:%d %b %Y, %H:%M} \
({zone}). Nothing here writes; the file is open while a question is answered, and for reading only.
        """
    )
    return (tables,)


@app.cell
def _(asked, mo, polars, schema, tables):
    def rows(sql, parameters=None):
        """The rows of a query, as a table that can be sorted, searched and downloaded."""
        names, found = asked(sql, parameters, schema)
        # Row by row, as every release of DuckDB can.
        return polars.DataFrame(found, schema=names, orient="row", infer_schema_length=None)

    jobs = (
        dict(
            asked(
                "select job_name || ' (' || job_id || ')', job_id from dbt_cloud__jobs "
                "where is_deleted is not true order by run_hours_30d desc nulls last",
                schema=schema,
            )[1]
        )
        if "dbt_cloud__jobs" in tables
        else {}
    )
    job = mo.ui.dropdown(jobs, value=next(iter(jobs), None), label="Job", searchable=True)
    days = mo.ui.slider(7, 365, value=90, label="Days", show_value=True)
    return days, job, rows


@app.cell
def _(days, job, mo):
    mo.vstack([mo.md("## One job: how long its runs take"), mo.hstack([job, days])])
    return


@app.cell
def _(alt, days, job, mo, rows):
    mo.stop(job.value is None, mo.md("There is no job."))
    runs = rows(
        "select finished_at, run_seconds / 60 as minutes, queue_seconds / 60 as waited, outcome, "
        "git_sha, status_message from dbt_cloud__runs where job_id = $1 and finished_at > "
        "(select as_of from platform__as_of) - to_days($2) order by finished_at",
        [job.value, days.value],
    )
    chart = (
        alt.Chart(runs)
        .mark_point(filled=True, size=45)
        .encode(
            x=alt.X("finished_at:T", title=None),
            y=alt.Y("minutes:Q", title="minutes"),
            color=alt.Color(
                "outcome:N",
                scale=alt.Scale(
                    domain=["success", "error", "cancelled"],
                    range=["#2f6690", "#c23b1e", "#bcb8b0"],
                ),
            ),
            shape="outcome:N",
            # With types, as a column in which all is null shows none.
            tooltip=[
                *("finished_at:T", "outcome:N", "minutes:Q"),
                *("waited:Q", "git_sha:N", "status_message:N"),
            ],
        )
        .properties(height=260, width="container")
    )
    mo.vstack([mo.ui.altair_chart(chart), mo.ui.table(runs, page_size=8)])
    return


@app.cell
def _(mo):
    mo.md("## Any model: its rows")
    return


@app.cell
def _(mo, tables):
    model = mo.ui.dropdown(tables, value=tables[0], label="Model")
    model
    return (model,)


@app.cell
def _(mo, model, rows):
    mo.ui.table(rows(f'select * from "{model.value}" limit 10000'), page_size=12)
    return


@app.cell
def _(mo):
    query = mo.ui.code_editor(
        "select project_name, count(*) as jobs, sum(run_hours_30d) as hours\n"
        "from dbt_cloud__jobs group by project_name order by hours desc",
        language="sql",
        label="## Your own question",
    )
    query
    return (query,)


@app.cell
def _(mo, query, rows):
    try:
        answer = mo.ui.table(rows(query.value), page_size=12)
    except Exception as exc:  # what DuckDB says of a query is the answer
        answer = mo.md(f"`{str(exc).splitlines()[0]}`")
    answer
    return


if __name__ == "__main__":
    app.run()
