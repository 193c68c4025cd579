"""A dlt pipeline of runs of dbt Cloud into a new DuckDB file, as a process of its own.

Usage: python dlt_pipeline.py WHO URL TOKEN ACCOUNT FOLDER, where WHO is `source` for the dlt source
of this repository, or `rest_api` for a plain configuration of dlt's. How long `pipeline.run` took,
and how many rows there are, is written to FOLDER/told.json.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt

PAGE_SIZE = 100


def source(url: str, token: str, account: str) -> Any:
    """The dlt source of this repository."""
    from tap_cloudapis.dlt import cloudapis  # noqa: PLC0415

    made = cloudapis(dbt_url=url, dbt_token=token, dbt_account_ids=[int(account)])
    return made.with_resources("dbt_runs")


def rest_api(url: str, token: str, account: str) -> Any:
    """What people write with dlt's own REST source: pages by offset, merged by key."""
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415

    paginator = {
        "type": "offset",
        "limit": PAGE_SIZE,
        "total_path": "extra.pagination.total_count",
    }
    endpoint = {"path": "runs/", "data_selector": "data"}
    runs = {
        "name": "dbt_runs",
        "primary_key": ["account_id", "id"],
        "write_disposition": "merge",
        "endpoint": endpoint,
    }
    client = {
        "base_url": f"{url}/api/v2/accounts/{account}/",
        "headers": {"Authorization": f"Token {token}"},
        "paginator": paginator,
    }
    config: Any = {"client": client, "resources": [runs]}
    return rest_api_source(config)


def main() -> None:
    """Run one of them."""
    who, url, token, account, name = sys.argv[1:]
    made = {"source": source, "rest_api": rest_api}[who](url, token, account)
    with TemporaryDirectory() as folder:
        destination = dlt.destinations.duckdb(str(Path(folder, "bench.duckdb")))
        pipeline = dlt.pipeline(
            "bench", pipelines_dir=folder, destination=destination, dataset_name="raw"
        )
        begun = time.monotonic()
        pipeline.run(made)
        seconds = time.monotonic() - begun
        with pipeline.sql_client() as client:
            ((rows,),) = client.execute_sql("SELECT count(*) FROM dbt_runs") or ((0,),)
    Path(name, "told.json").write_text(json.dumps({"seconds": seconds, "rows": rows}))


if __name__ == "__main__":
    main()
