"""The ceiling: all runs of dbt Cloud as Singer records, by a bare loop with no SDK around it.

Usage: `python bare_loop.py URL TOKEN`. One request after the other on one session, decoded with
decimals, brought into the tap's form by the tap's own functions, encoded, and written.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import requests

from tap_cloudapis.core.normalizing import to_seconds
from tap_cloudapis.core.schemas import load_schema
from tap_cloudapis.core.scrubbing import Scrubber
from tap_cloudapis.core.shapes import Handling, Shaper
from tap_cloudapis.dbt.runs import DURATIONS, Runs

PAGE_SIZE = 100


def main() -> None:
    """Write the runs of every account."""
    url, token = sys.argv[1:]
    session = requests.Session()
    session.headers["Authorization"] = f"Token {token}"
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    encode = msgspec.json.Encoder(decimal_format="number").encode
    schema = load_schema("tap_cloudapis.dbt", "runs")
    handling = Handling(lambda *_: None, Scrubber().scrub, None)
    shape = Shaper(schema, handling, dropped=Runs.dropped_fields).shape
    accounts = decode(session.get(f"{url}/api/v3/accounts/", timeout=60).content)["data"]
    for account in accounts:
        account_id = account["id"]
        query: dict[str, Any] = {"include_related": "trigger", "order_by": "id"}
        query |= {"limit": PAGE_SIZE, "offset": 0}
        while True:
            runs_url = f"{url}/api/v2/accounts/{account_id}/runs/"
            answer = decode(session.get(runs_url, params=query, timeout=60).content)
            extracted = datetime.now(UTC).isoformat().encode()
            lines = bytearray()
            for record in answer["data"]:
                for name, column in DURATIONS:
                    record[column] = to_seconds(record.get(name))
                if record.get("trigger"):
                    record["trigger"].pop("job", None)
                record["account_id"] = account_id
                shape(record)
                lines += b'{"type":"RECORD","stream":"dbt_runs","record":%b' % encode(record)
                lines += b',"time_extracted":"%b"}\n' % extracted
            sys.stdout.buffer.write(lines)
            query["offset"] += len(answer["data"])
            if query["offset"] >= answer["extra"]["pagination"]["total_count"]:
                break


if __name__ == "__main__":
    main()
