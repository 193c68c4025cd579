"""Write what is true of a world as Singer messages, as if it had been read: without HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cloudapis_simulator import truth
from cloudapis_simulator.clock import Clock, parse_time
from cloudapis_simulator.settings import Sizes
from cloudapis_simulator.world import World


def main() -> None:
    """Write the streams of standard input's JSON: `{"now", "sizes", "streams"}`."""
    asked = json.load(sys.stdin)
    tap = Path(sys.executable).with_name("tap-cloudapis")
    told = json.loads(subprocess.check_output([tap, "--discover"]))["streams"]
    catalog = {entry["stream"]: entry for entry in told}
    world = World(1, Sizes(**asked["sizes"]), Clock(parse_time(asked["now"])))
    for stream in asked["streams"]:
        entry = catalog[stream]
        keys = entry["key_properties"]
        schema = {"type": "SCHEMA", "stream": stream, "schema": entry["schema"]}
        print(json.dumps({**schema, "key_properties": keys}))
        known = entry["schema"]["properties"]
        for row in truth.rows_of(world, stream):
            record = {name: value for name, value in row.items() if name in known}
            print(json.dumps({"type": "RECORD", "stream": stream, "record": record}))


if __name__ == "__main__":
    main()
