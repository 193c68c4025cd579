"""The ceiling of what runs have left: results of nodes as Singer records, by a bare loop.

Usage: `python bare_results.py URL TOKEN THREADS [fetch]`. Lists of runs one after the other; then
for each run its detail and the file of each step that has results, on one session and so many
threads; decoded whole, each node with the columns of its run, times by the tap's own function,
encoded, and written. With `fetch` everything is asked for, and nothing but the details is decoded:
what the simulator can answer.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import requests
from requests.adapters import HTTPAdapter

from tap_cloudapis.core.normalizing import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    Detail = tuple[dict[str, Any], list[tuple[int, bytes]]]

PAGE_SIZE = 100
ANSWERED = 200
AHEAD = 4
PHASES = ("compile", "execute")

decode = msgspec.json.Decoder(float_hook=Decimal).decode
encode = msgspec.json.Encoder(decimal_format="number").encode


class Loop:
    """All that is asked for.

    Args:
        url: Of the simulator.
        token: Of dbt Cloud.
        threads: How many requests are under way at a time.
    """

    def __init__(self, url: str, token: str, threads: int) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(pool_maxsize=threads))
        self._session.headers["Authorization"] = f"Token {token}"
        self._threads = threads

    def _get(self, path: str, **query: Any) -> requests.Response:
        return self._session.get(f"{self._url}/api/{path}", params=query, timeout=60)

    def ended_runs(self) -> Iterator[dict[str, Any]]:
        """The runs of every account that have ended, and left something."""
        for account in decode(self._get("v3/accounts/").content)["data"]:
            path, offset = f"v2/accounts/{account['id']}/runs/", 0
            while True:
                query = {"order_by": "id", "limit": PAGE_SIZE, "offset": offset}
                answer = decode(self._get(path, **query).content)
                for run in answer["data"]:
                    if run["is_complete"] and run["started_at"]:
                        yield run
                offset += len(answer["data"])
                if offset >= answer["extra"]["pagination"]["total_count"]:
                    break

    def _left(self, run: dict[str, Any]) -> Detail:
        """A run with the files of its steps."""
        path = f"v2/accounts/{run['account_id']}/runs/{run['id']}/"
        steps = decode(self._get(path, include_related="run_steps").content)["data"]["run_steps"]
        files = []
        for step in steps:
            if "`dbt " not in step["name"] or "`dbt deps" in step["name"]:
                continue
            answer = self._get(f"{path}artifacts/run_results.json", step=step["index"])
            if answer.status_code == ANSWERED:
                files.append((step["index"], answer.content))
        return run, files

    def details(self) -> Iterator[Detail]:
        """Runs with their files, in order, some of them ahead."""
        with ThreadPoolExecutor(self._threads) as pool:
            waiting: deque[Future[Detail]] = deque()
            for run in self.ended_runs():
                waiting.append(pool.submit(self._left, run))
                if len(waiting) >= AHEAD * self._threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def lines(run: dict[str, Any], step: int, body: bytes) -> bytearray:
    """The nodes of a file as messages."""
    file = decode(body)
    columns = {
        "account_id": run["account_id"],
        "project_id": run["project_id"],
        "environment_id": run["environment_id"],
        "job_definition_id": run["job_definition_id"],
        "run_id": run["id"],
        "run_finished_at": to_timestamp(run["finished_at"]),
        "step": step,
        "invocation_id": file["metadata"].get("invocation_id"),
        "command_verb": file.get("args", {}).get("which"),
        "is_full_refresh": file.get("args", {}).get("full_refresh"),
    }
    extracted = datetime.now(UTC).isoformat().encode()
    written = bytearray()
    for node in file["results"]:
        for phase in node.pop("timing", None) or ():
            if phase["name"] in PHASES:
                node[f"{phase['name']}_started_at"] = to_timestamp(phase.get("started_at"))
                node[f"{phase['name']}_completed_at"] = to_timestamp(phase.get("completed_at"))
        node.pop("compiled_code", None)
        node["resource_type"] = node["unique_id"].partition(".")[0]
        told = node.get("adapter_response") or {}
        for name in ("rows_affected", "bytes_processed", "query_id"):
            node[name] = told.get(name)
        node.update(columns)
        written += b'{"type":"RECORD","stream":"dbt_run_results","record":%b' % encode(node)
        written += b',"time_extracted":"%b"}\n' % extracted
    return written


def main() -> None:
    """Write the results of every run."""
    url, token, threads, *mode = sys.argv[1:]
    for run, files in Loop(url, token, int(threads)).details():
        for step, body in files:
            if not mode:
                sys.stdout.buffer.write(lines(run, step, body))


if __name__ == "__main__":
    main()
