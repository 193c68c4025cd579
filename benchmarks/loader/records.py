"""Print Singer records, as a job scheduler's API might give them, for loader benchmarks.

Usage: `python benchmarks/loader/records.py 200000 > /tmp/wide.singer`. A record has 62 fields and
about 2.9 kB; with `--small`, the first ten fields and a few texts only, about 0.3 kB. The same
arguments print the same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = 8
TEXTS = ["", "nightly build", 'a "quoted" note\nover two lines', "Größe 🦆 żółć", "x" * 150]
STATE_EVERY = 10_000


def properties() -> dict[str, Any]:
    """Describe the 62 fields."""

    def nullable(name: str, **more: str) -> dict[str, Any]:
        return {"type": ["null", name], **more}

    fields: dict[str, Any] = {"id": {"type": "integer"}}
    fields |= {f"moment_{n}": nullable("string", format="date-time") for n in range(MOMENTS)}
    fields |= {f"count_{n}": nullable("integer") for n in range(15)}
    fields |= {f"share_{n}": nullable("number") for n in range(4)}
    fields |= {f"is_flag_{n}": nullable("boolean") for n in range(8)}
    fields |= {f"text_{n}": nullable("string") for n in range(20)}
    fields |= {f"tree_{n}": nullable("object") for n in range(4)}
    fields |= {f"list_{n}": nullable("array") for n in range(2)}
    return fields


def make_record(number: int, chance: random.Random) -> dict[str, Any]:
    """Make one record."""
    begin = START + timedelta(seconds=number * 37)
    record: dict[str, Any] = {"id": number + 2**53}
    for n in range(MOMENTS):
        moment = begin + timedelta(seconds=n, microseconds=chance.randrange(10**6))
        record[f"moment_{n}"] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    record |= {f"count_{n}": chance.randrange(10 ** (n + 1)) for n in range(15)}
    record |= {f"share_{n}": round(chance.random() * 1000, 4) for n in range(4)}
    record |= {f"is_flag_{n}": chance.getrandbits(1) == 1 for n in range(8)}
    record |= {f"text_{n}": f"{chance.choice(TEXTS)} {n}" for n in range(18)}
    record |= {"text_18": chance.choice(["", None]), "text_19": f"{chance.getrandbits(160):040x}"}
    for n in range(4):
        steps = {f"step {k}": chance.randrange(9999) for k in range(6)}
        record[f"tree_{n}"] = {"name": f"tree {n}", "Steps": steps, "none": None}
    record |= {f"list_{n}": [chance.randrange(100) for _ in range(5)] for n in range(2)}
    return record


SMALL = (
    *("id", "moment_0", "moment_1", "count_8", "count_14", "share_0", "is_flag_0"),
    *("text_0", "text_18", "text_19"),
)


def main() -> None:
    """Print SCHEMA, RECORD and STATE messages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0, help="number of the first record")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="ten fields instead of 62")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)  # noqa: S311
    fields = properties()
    names = SMALL if arguments.small else tuple(fields)
    schema = {"type": "object", "properties": {name: fields[name] for name in names}}
    message: dict[str, Any] = {"type": "SCHEMA", "stream": "jobs", "schema": schema}
    print(json.dumps(message | {"key_properties": ["id"]}))
    for number in range(arguments.first, arguments.first + arguments.count):
        record = make_record(number, chance)
        if arguments.small:
            record = {name: record[name] for name in names}
        message = {"type": "RECORD", "stream": "jobs", "record": record}
        sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
        if number % STATE_EVERY == STATE_EVERY - 1:
            print(json.dumps({"type": "STATE", "value": {"next": number + 1}}))


if __name__ == "__main__":
    main()
