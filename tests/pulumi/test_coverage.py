"""Every path that is said to feed a stream is asked for, and none that is said not to be."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from tests.core.syncing import KINDS, NAMES, settings, sync
from tests.dbt.test_coverage import pattern
from tests.reference import COVERAGE, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulator_process import Simulator

PATHS = COVERAGE / "pulumi-cloud-coverage.csv"
PULUMI = [name for name in NAMES if name.startswith("pulumi_")]
pytestmark = needs(PATHS)


def paths(*decisions: str) -> Iterator[tuple[str, set[str]]]:
    """The paths of a decision, each with the streams that it is for."""
    with PATHS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["decision"] in decisions and row["method"] == "GET":
                yield row["path"], set(re.findall(r"\w+", row["stream"] or ""))


def test_what_is_asked_for_is_what_was_decided(still: Simulator) -> None:
    outcome = sync(settings(still, "pulumi"), select=PULUMI)
    assert outcome.code == 0, outcome.log
    asked = {r["path"] for r in still.requests() if r["method"] == "GET"}
    wanted = {path for path, streams in paths("stream", "enriches") if streams & KINDS.keys()}
    assert len(wanted) >= 30
    missing = {path for path in wanted if not any(map(pattern(path).fullmatch, asked))}
    assert not missing
    known = [pattern(path) for path in wanted]
    others = {
        path
        for path, _ in paths("alternative", "excluded")
        for one in asked
        if pattern(path).fullmatch(one) and not any(each.fullmatch(one) for each in known)
    }
    assert not others
