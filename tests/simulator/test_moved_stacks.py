"""Stacks that are renamed, transferred, and made again under their old name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.client import Client, stack_path
from tests.simulator.test_world import in_order, read
from tests.simulator_process import END_OF_HISTORY, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
OLD = "Acme-Cloud/website/staging"  # its newest update is open at the end of history
ELSEWHERE = {
    "renamed": "Acme-Cloud/website/live",
    "into another project": "Acme-Cloud/Moved.Here/staging",
    "transferred": "umbrella.labs/website/x y",
}
HALF_A_YEAR = 183 * 86_400.0


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator(now=END_OF_HISTORY, dbt_accounts=1, dbt_runs=1, pulumi_stacks=12) as simulator:
        yield Client(simulator)


def named(name: str) -> Row:
    return dict(zip(("orgName", "projectName", "stackName"), name.split("/"), strict=True))


def seen(client: Client, name: str) -> Row | None:
    """Return what the API tells of a stack: row of the list, detail and updates."""
    rows = client.pulumi_rows("user/stacks", "stacks", maxResults=5)
    found = [row for row in rows if named(name).items() <= row.items()]
    detail = client.pulumi(stack_path(named(name)))
    updates = client.pulumi(f"{stack_path(named(name))}/updates", output_type="service")
    assert detail.status_code == updates.status_code == (200 if found else 404)
    if not found:
        return None
    (row,) = found
    return {"row": row, "detail": detail.json(), "updates": updates.json()}


def check_truth(client: Client) -> None:
    found = read(client)
    truth = client.simulator.truths(*found)
    for stream, rows in found.items():
        told = [{column: row[column] for column in rows[0]} for row in truth[stream]["rows"]]
        assert in_order(rows) == in_order(told), stream
        keys = [tuple(row[key] for key in truth[stream]["key"]) for row in truth[stream]["rows"]]
        assert len(set(keys)) == len(keys), stream


@pytest.mark.parametrize("new", ELSEWHERE.values(), ids=ELSEWHERE)
def test_moved_stacks_keep_id_and_history(client: Client, new: str) -> None:
    before = seen(client, OLD)
    assert before
    assert before["detail"]["activeUpdate"]
    total = client.simulator.truth("pulumi_stack_updates", counts=True)["count"]
    client.simulator.move_stack(OLD, new)
    assert seen(client, OLD) is None
    after = seen(client, new)
    assert after
    assert after["updates"] == before["updates"]
    for part in ("row", "detail"):
        changes = {key for key, value in after[part].items() if value != before[part][key]}
        assert changes <= {"orgName", "projectName", "stackName", "links", "tags"}
    assert client.simulator.truth("pulumi_stack_updates", counts=True)["count"] == total
    check_truth(client)
    client.simulator.move_stack(new, OLD)
    assert seen(client, OLD) == before


def test_another_stack_under_the_old_name(client: Client) -> None:
    simulator, new = client.simulator, ELSEWHERE["renamed"]
    old = seen(client, OLD)
    assert old
    simulator.move_stack(OLD, new)
    simulator.make_stack(OLD, updates=3)
    made, moved = seen(client, OLD), seen(client, new)
    assert made
    assert moved
    assert (moved["row"]["id"], moved["updates"]) == (old["row"]["id"], old["updates"])
    assert made["row"]["id"] != old["row"]["id"]
    assert [row["version"] for row in made["updates"]["updates"]] == [3, 2, 1]
    assert {row["info"]["result"] for row in made["updates"]["updates"]} <= {"succeeded", "failed"}
    assert not {row["updateID"] for row in made["updates"]["updates"]} & {
        row["updateID"] for row in old["updates"]["updates"]
    }
    check_truth(client)
    simulator.make_stack("umbrella.labs/empty/none", updates=0)
    empty = seen(client, "umbrella.labs/empty/none")
    assert empty
    assert "lastUpdate" not in empty["row"]
    simulator.advance(12 * 86_400)
    for name, version in ((OLD, 3), ("umbrella.labs/empty/none", 0)):
        later = seen(client, name)
        assert later
        assert later["detail"]["version"] > version


def test_the_rest_of_the_world_goes_on(client: Client) -> None:
    """Whatever dies and comes back, names stay unique, and moved stacks stay."""
    simulator = client.simulator
    places = [
        tuple(row[key] for key in ("org_name", "project_name", "stack_name"))
        for row in simulator.rows("pulumi_stacks")
    ]
    moved = []
    for number, place in enumerate(places[::2]):
        new = f"{'umbrella.labs' if number % 2 else 'Acme-Cloud'}/website/preview-{number}"
        simulator.move_stack("/".join(place), new)
        moved.append(new)
        if number % 3:
            simulator.make_stack("/".join(place), updates=number)
            moved.append("/".join(place))
        simulator.advance(86_400)
    ids = {row["stack_id"] for row in simulator.rows("pulumi_stacks")}
    for _ in range(3):
        simulator.advance(HALF_A_YEAR / 3)
        check_truth(client)
    rows = simulator.rows("pulumi_stacks")
    now = {f"{row['org_name']}/{row['project_name']}/{row['stack_name']}" for row in rows}
    assert set(moved) <= now
    assert ids - {row["stack_id"] for row in rows}  # the others die as ever
