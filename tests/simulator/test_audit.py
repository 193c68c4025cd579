"""The older list of the audit log, and routes that older servers lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.client import Client
from tests.simulator_process import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD, NEW = "orgs/Acme-Cloud/auditlogs", "orgs/Acme-Cloud/auditlogs/v2"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of a world whose servers these tests change."""
    with Simulator(now="2026-01-01T00:00:00Z", pulumi_stacks=3) as simulator:
        yield Client(simulator)


def walk(client: Client, start: int) -> list[Any]:
    """All pages from a time down."""
    pages: list[Any] = []
    query: dict[str, Any] = {"startTime": start}
    while query:
        answer = client.pulumi(OLD, **query).json()
        pages.append(answer["auditLogEvents"])
        token = answer.get("continuationToken")
        query = {"continuationToken": token} if token else {}
    return pages


@pytest.mark.parametrize("cap", [1, 3, 100])
def test_the_older_list_has_the_same_events(client: Client, cap: int) -> None:
    client.simulator.settings(page_cap=None)
    every = []
    query: dict[str, Any] = {"startTime": 0}
    while query:
        answer = client.pulumi(NEW, **query).json()
        every += answer["auditLogEvents"]
        token = answer.get("continuationToken")
        query = {"startTime": 0, "continuationToken": token} if token else {}
    client.simulator.settings(page_cap=cap)
    found = [event for page in walk(client, every[0]["timestamp"] + 1) for event in page]
    assert [e for n, e in enumerate(found) if e not in found[:n]] == [
        e for n, e in enumerate(every) if e not in every[:n]
    ]
    # Its bound lies above what it gives, and is not among it.
    bound = every[len(every) // 2]["timestamp"]
    assert all(event["timestamp"] < bound for page in walk(client, bound) for event in page)


@pytest.mark.parametrize("query", [{}, {"endTime": 5}, {"continuationToken": "~"}])
def test_it_has_to_be_told_where_to_begin(client: Client, query: dict[str, Any]) -> None:
    assert client.pulumi(OLD, **query).status_code == 400


def test_a_route_that_is_missing_is_so_for_the_router(client: Client) -> None:
    client.simulator.settings(missing=["/api/orgs/{org}/auditlogs/v2"])
    answer = client.pulumi(NEW, startTime=0)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    assert client.pulumi(OLD, startTime=5).status_code == 200
