"""Every path that is said to feed a stream is asked for, and none that is said not to be."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from tests.core.syncing import KINDS, settings, sync
from tests.reference import COVERAGE, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulator_process import Simulator

PATHS = COVERAGE / "dbt-cloud-coverage.csv"
DETAILS = dict.fromkeys(("dbt_connection_details", "dbt_user_details"), True)
pytestmark = needs(PATHS)


def paths(*decisions: str) -> Iterator[tuple[str, set[str]]]:
    """The paths of a decision, each with the streams that it is for."""
    with PATHS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["decision"] in decisions:
                yield row["path"], set(filter(None, re.split(r";\s*", row["stream"] or "")))


def pattern(path: str) -> re.Pattern[str]:
    """What a path of the document looks like with values in it."""
    return re.compile(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(path)))


def test_what_is_asked_for_is_what_was_decided(still: Simulator) -> None:
    accounts = [row["id"] for row in still.rows("dbt_accounts")]
    still.settings(unlisted=accounts[1:])
    outcome = sync(settings(still, "dbt", dbt_account_ids=accounts, **DETAILS))
    assert outcome.code == 0, outcome.log
    asked = {request["path"] for request in still.requests() if request["status"] != 404}
    wanted = {path for path, streams in paths("stream", "enriches") if streams & KINDS.keys()}
    assert len(wanted) >= 30
    missing = {path for path in wanted if not any(map(pattern(path).fullmatch, asked))}
    assert not missing
    known = [pattern(path) for path in wanted]
    assert not {one for one in asked if not any(each.fullmatch(one) for each in known)}
