"""Pulumi Cloud: cloud accounts under Insights; those of regions lie below others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import uuid
from cloudapis_simulator.clock import DAY, HOUR, ZERO_TIME, rfc3339, zulu
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import Choice, Table, Tokens
from cloudapis_simulator.tables.pulumi_teams import ACCOUNTS
from cloudapis_simulator.values import SECRET, Untold
from cloudapis_simulator.world.updates import person

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudapis_simulator.items import Item

Row = dict[str, Any]

_BELOW = ("aws/eu-central-1",)
NAMES = (*ACCOUNTS, *_BELOW)
_STATUSES = ("succeeded", "running", "failed", "")


def _name(it: Item) -> str:
    return NAMES[it.number % len(NAMES)]


def _lies_below(parent: str) -> Callable[[Item], bool]:
    return lambda it: _name(it).rpartition("/")[0] == parent


def _status(it: Item) -> str:
    return _STATUSES[it.number % len(_STATUSES)]


def _started(it: Item) -> int | None:
    return it.now - it.now % DAY + 2 * HOUR - DAY if _status(it) else None


def _finished(it: Item) -> int | None:
    started = _started(it)
    return None if started is None or _status(it) == "running" else started + HOUR


def _written(at: int | None) -> str:
    return ZERO_TIME if at is None else zulu(at)


def _true(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _scan(it: Item) -> Row:
    return {
        "id": uuid(it.bits >> 5) if _status(it) else "",
        "orgId": it.organization.login.lower(),
        "userId": "",
        "status": _status(it),
        "startedAt": _written(_started(it)),
        "finishedAt": _written(_finished(it)),
        "lastUpdatedAt": _written(_finished(it) or _started(it)),
        "jobTimeout": ZERO_TIME,
        "resourceCount": 100 + it.number,
        "jobs": [],
    }


INSIGHTS_ACCOUNTS = Table(
    stream="pulumi_insights_accounts",
    path="/api/preview/insights/{org}/accounts",
    under=ORGANIZATIONS,
    paging=Tokens(size=100, most=1000, parameter="count", answered_as="nextToken"),
    # Those below an account are listed for it alone.
    choices={
        "parent": Choice(
            {parent: _lies_below(parent) for parent in ("", *NAMES) if "/" not in parent}
        )
    },
    rows_in="accounts",
    key=("org_name", "name"),
    many=len(NAMES),
    late=lambda number: number == len(NAMES) - 1,
    renamed=lambda number: number == 1,
    more_truth={
        "agent_pool_id": lambda it: uuid(it.bits >> 9) if it.number % 2 else None,
        "owned_by_login": lambda it: person(it.number % 60)["githubLogin"],
        "scan_id": lambda it: uuid(it.bits >> 5) if _status(it) else None,
        "scan_status": lambda it: _status(it) or None,
        "scan_started_at": lambda it: _true(_started(it)),
        "scan_finished_at": lambda it: _true(_finished(it)),
        "scan_resource_count": lambda it: 100 + it.number,
    },
    fields={
        "id": lambda it: it.uuid,
        "name": _name,
        "provider": lambda it: "gcp" if "gcp" in _name(it) else "aws",
        "providerVersion": lambda it: it.named("7.1.0"),
        "providerEnvRef": "website/insights@3",
        "providerConfig": {"aws:region": "us-west-2", "aws:secretKey": SECRET, "Größe": ["ü"]},
        "scheduledScanEnabled": lambda it: it.number % 2 == 0,
        "ownedBy": Untold(lambda it: person(it.number % 60)),
        "scanStatus": Untold(_scan),
    },
    spread=lambda it: {"agentPoolID": uuid(it.bits >> 9)} if it.number % 2 else {},
)
