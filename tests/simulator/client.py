"""A plain client of both APIs, written without the tap and without the simulator."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulator_process import Simulator

Row = dict[str, Any]
PULUMI_ACCEPT = "application/vnd.pulumi+8"
_TIMEOUT = 30


class Client:
    """Sends requests with the right headers; every method returns what the server said."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.session = requests.Session()

    def dbt(self, path: str, **params: Any) -> requests.Response:
        headers = {"Authorization": f"Token {self.simulator.dbt_token}"}
        url = f"{self.simulator.dbt_url}/api/{path}"
        return self.session.get(url, params=params, headers=headers, timeout=_TIMEOUT)

    def pulumi(self, path: str, **params: Any) -> requests.Response:
        headers = {
            "Authorization": f"token {self.simulator.pulumi_token}",
            "Accept": PULUMI_ACCEPT,
        }
        url = f"{self.simulator.pulumi_url}/api/{path}"
        params = {name.replace("_", "-"): value for name, value in params.items()}
        return self.session.get(url, params=params, headers=headers, timeout=_TIMEOUT)

    def dbt_rows(self, path: str, **params: Any) -> list[Row]:
        """Page by the number of rows received, until all there are have come."""
        rows: list[Row] = []
        while True:
            answer = self.dbt(path, **{"limit": 100, **params, "offset": len(rows)}).json()
            assert answer["status"]["code"] == 200, answer
            rows += answer["data"]
            page = answer["extra"]["pagination"]
            assert page["count"] == len(answer["data"])
            if not answer["data"] or len(rows) >= page["total_count"]:
                return rows

    def accounts(self) -> list[Row]:
        return self.dbt_rows("v3/accounts/")

    def account_rows(self, pattern: str, **params: Any) -> list[Row]:
        """Read a list of every account, `{a}` in the pattern standing for its id."""
        return [
            row
            for account in self.accounts()
            for row in self.dbt_rows(pattern.format(a=account["id"]), **params)
        ]

    def pulumi_rows(
        self, path: str, key: str, answered_as: str = "continuationToken", **params: Any
    ) -> list[Row]:
        """Follow continuation tokens to the end."""
        rows: list[Row] = []
        while True:
            answer = self.pulumi(path, **params).json()
            rows += answer[key]
            token = answer.get(answered_as)
            if not token:
                return rows
            params["continuationToken"] = token

    def ask_pulumi(self, path: str, asked: Row, **params: Any) -> requests.Response:
        """Send a POST that only reads."""
        headers = {
            "Authorization": f"token {self.simulator.pulumi_token}",
            "Accept": PULUMI_ACCEPT,
        }
        url = f"{self.simulator.pulumi_url}/api/{path}"
        return self.session.post(url, json=asked, params=params, headers=headers, timeout=_TIMEOUT)

    def pulumi_pages(self, path: str, key: str, **params: Any) -> list[Row]:
        """Read pages by number until all there are have come."""
        rows: list[Row] = []
        for page in itertools.count(1):
            answer = self.pulumi(path, **params, page=page).json()
            rows += answer[key]
            if not answer[key] or len(rows) >= answer["total"]:
                break
        return rows

    def organizations(self) -> list[str]:
        return [row["githubLogin"] for row in self.pulumi("user").json()["organizations"]]

    def updates(self, stack: Row) -> Iterator[Row]:
        """Read all updates of a stack, page after page."""
        page, total, seen = 1, 1, 0
        while seen < total:
            answer = self.pulumi(
                f"{stack_path(stack)}/updates", output_type="service", page=page, pageSize=7
            ).json()
            total = answer["total"]
            seen += len(answer["updates"])
            assert answer["updates"] or total == 0
            yield from answer["updates"]
            page += 1


def stack_path(stack: Row) -> str:
    names = (stack["orgName"], stack["projectName"], stack["stackName"])
    return "stacks/" + "/".join(quote(name, safe="") for name in names)
