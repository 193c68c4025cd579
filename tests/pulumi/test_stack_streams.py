"""What lies below stacks: when it is asked for, what is refused, and what never gets out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_cloudapis.pulumi.stack_resources import without_secrets
from tests.core.syncing import assert_true, settings, sync
from tests.core.test_odd_servers import EMPTY_STACK, FAKE
from tests.pulumi.scripted import STACKS, Cloud, Stack, at, update
from tests.scripted_server import Reply, ScriptedServer
from tests.simulator_process import SECRET_MARKER

if TYPE_CHECKING:
    from tests.core.syncing import Outcome, Record
    from tests.simulator_process import Simulator

DETAILS, REFERENCES = "pulumi_stack_details", "pulumi_stack_references"
SETTINGS, SCHEDULES = "pulumi_stack_deployment_settings", "pulumi_stack_schedules"
STATUS, RESOURCES = "pulumi_stack_deployment_status", "pulumi_stack_resources"
UPDATES, PREVIEWS = "pulumi_stack_updates", "pulumi_stack_previews"
SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
DAY = 20_000
NO = Reply({"code": 403, "message": "no"}, status=403)
NO_ROUTE = Reply(b"404 page not found\n", status=404, headers={"Content-Type": "text/plain"})
GONE = Reply(
    {"code": 404, "message": "no"}, status=404, headers={"Content-Type": "application/json"}
)


class Below(Cloud):
    """A cloud that answers what lies below stacks, by the end of the path."""

    below: dict[str, Any]

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        place, _, what = path.removeprefix("/api/stacks/").partition("/")[2].partition("/")
        what = what.partition("/")[2]
        if path.startswith("/api/stacks/") and not what.startswith("updates"):
            answer = self.below.get(what, self.below.get(f"{place} {what}", EMPTY_STACK))
            return answer(path) if callable(answer) else answer
        return super().__call__(path, query)


class Syncs:
    """Syncs of some streams, one behind another, day by day."""

    def __init__(self, count: int, *select: str, patch: pytest.MonkeyPatch, **more: Any) -> None:
        stacks = [Stack(f"acme/web/s{n}", f"id-{n}", [update(1)]) for n in range(count)]
        self.cloud = Below(stacks, ["acme"])
        self.cloud.below = {}
        self.day = DAY
        self.state: Record | None = None
        self._select, self._more, self._patch = select, more, patch

    def sync(self, *, days: int = 0, code: int = 0) -> list[str]:
        """Sync; give what was asked of stacks, by name, in order."""
        self.day += days
        self._patch.setattr("tap_cloudapis.core.ledger.day_of", lambda _: self.day)
        with ScriptedServer(self.cloud) as server:
            config = {"pulumi_token": FAKE, "pulumi_url": server.url, **self._more}
            self.outcome = sync(config, state=self.state, select=self._select)
        assert self.outcome.code == code, self.outcome.log
        self.state = self.outcome.state
        paths = [r["path"].split("/") for r in server.requests]
        return sorted(p[5] for p in paths if p[2] == "stacks" and p[6:7] != ["updates"])


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


# When it is asked for


def test_only_what_has_changed_is_asked_for_again(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(4, STACKS, REFERENCES, patch=patch)
    assert syncs.sync() == ["s0", "s1", "s2", "s3"]
    assert syncs.sync() == []
    syncs.cloud.stacks[2].add(update(2))
    syncs.cloud.stacks.append(Stack("acme/web/s9", "id-9", [update(1)]))
    assert syncs.sync(days=30) == ["s2", "s9"]


def test_what_does_not_show_is_read_in_turn(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(8, STACKS, DETAILS, patch=patch, pulumi_refresh_days=4)
    assert len(syncs.sync()) == 8
    assert syncs.sync() == []
    assert sorted(name for _ in range(4) for name in syncs.sync(days=1)) == [
        f"s{n}" for n in range(8)
    ]


def test_zero_days_read_everything_each_time(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(3, STACKS, DETAILS, REFERENCES, patch=patch, pulumi_refresh_days=0)
    assert len(syncs.sync()) == len(syncs.sync()) == 6


def test_a_server_that_tells_no_changes_is_asked_in_turn(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(5, STACKS, REFERENCES, patch=patch, pulumi_refresh_days=3)
    for stack in syncs.cloud.stacks:
        stack.last = 0
    assert len(syncs.sync()) == 5
    assert syncs.sync() == []
    assert len([name for _ in range(3) for name in syncs.sync(days=1)]) == 5


def test_a_stack_is_read_once_more_when_its_update_has_ended(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(2, STACKS, UPDATES, REFERENCES, patch=patch)
    row = syncs.cloud.stacks[1].add(update(2, is_open=True))
    assert len(syncs.sync()) == 2
    assert syncs.sync() == ["s1"]
    row["info"].update(endTime=row["info"]["startTime"] + 9, result="succeeded")
    # It may have ended behind what was asked before the updates were: so once more.
    assert syncs.sync() == syncs.sync() == ["s1"]
    assert syncs.sync() == []


def test_without_updates_a_young_change_is_read_twice(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(2, STACKS, REFERENCES, patch=patch)
    syncs.cloud.stacks[1].last = 4_000_000_000  # ahead of every clock
    assert len(syncs.sync()) == 2
    assert syncs.sync() == []
    patch.setattr("tap_cloudapis.pulumi.stacks.LONGEST_UPDATE", -timedelta(days=366_000))
    assert syncs.sync() == ["s1"]
    assert syncs.sync() == []


# What is refused


def test_what_is_refused_alike_is_not_asked_for_on_and_on(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(200, STACKS, REFERENCES, patch=patch, concurrency=2)
    syncs.cloud.below = {"upstreamreferences": NO}
    assert len(syncs.sync()) < 60
    assert len(syncs.outcome.logged("WARNING", f"{REFERENCES}: skipped")) == 1
    assert "permission" in syncs.outcome.logged("WARNING", "skipped")[0]
    # What the token may read from now on is read, however old it is.
    syncs.cloud.below = {}
    assert len(syncs.sync()) == 200
    assert syncs.sync() == []


def test_a_single_refused_stack_is_skipped_alone(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(9, STACKS, REFERENCES, patch=patch)
    syncs.cloud.below = {"upstreamreferences": lambda p: NO if "/s4/" in p else {}}
    assert len(syncs.sync()) == 9
    assert syncs.sync() == []


def test_a_route_that_is_not_there_is_said_once(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(60, STACKS, SETTINGS, patch=patch, concurrency=1)
    syncs.cloud.below = {"deployments/settings": NO_ROUTE}
    assert len(syncs.sync()) < 30
    (line,) = syncs.outcome.logged("WARNING")
    assert "no such route" in line


def test_settings_that_are_not_set_are_no_word(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(6, STACKS, SETTINGS, patch=patch)
    syncs.cloud.below = {"deployments/settings": GONE}
    assert len(syncs.sync()) == 6
    assert not syncs.outcome.says("WARNING")
    assert syncs.sync() == []


# What comes, and what never does


def test_only_stacks_with_schedules_are_asked_for_them(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(6, STACKS, STATUS, SCHEDULES, patch=patch)
    has = {"/s1/", "/s4/"}
    syncs.cloud.below = {
        "deployments/metadata": lambda p: {
            "paused": False,
            "hasSchedules": any(name in p for name in has),
        },
        "deployments/schedules": {
            "schedules": [{"id": "x", "definition": {"operation": "update"}}]
        },
    }
    assert len(syncs.sync()) == 6 + 2
    records = syncs.outcome.records(SCHEDULES)
    assert [r["stack_name"] for r in records] == ["s1", "s4"]
    assert {r["schedule_type"] for r in records} == {"deployment"}


def test_of_settings_only_what_is_listed_comes(still: Simulator) -> None:
    outcome = sync(settings(still, "pulumi"), select=[SETTINGS, SCHEDULES])
    assert outcome.code == 0
    records = outcome.records(SETTINGS)
    assert records
    assert {r["git_repo_url"] for r in records} == {"https://git.example/acme/infra.git"}
    assert all(set(r) <= outcome.schemas[SETTINGS]["properties"].keys() for r in records)
    assert SECRET_MARKER not in b"".join(outcome.lines).decode()


def test_properties_of_resources_come_without_what_is_secret(still: Simulator) -> None:
    config = settings(still, "pulumi", pulumi_resource_properties=True)
    outcome = sync(config, select=[RESOURCES])
    assert SECRET_MARKER not in b"".join(outcome.lines).decode()
    inputs = [record["inputs"] for record in outcome.records(RESOURCES)]
    assert inputs
    assert all(each["bucket"] == "logs" for each in inputs)
    assert all(json.loads(each["policy"])["user"] == "app" for each in inputs)
    assert {record["outputs"]["arn"] for record in outcome.records(RESOURCES)} == {"arn:x"}


@pytest.mark.parametrize(
    "value",
    [
        {**SIGNATURE, "plaintext": SECRET_MARKER},
        {"ciphertext": SECRET_MARKER},
        [[{"a": {**SIGNATURE, "ciphertext": SECRET_MARKER}}]],
        json.dumps({"a": json.dumps({**SIGNATURE, "plaintext": SECRET_MARKER})}),
        json.dumps(json.dumps({**SIGNATURE, "plaintext": SECRET_MARKER})),
        f"no JSON {json.dumps(SIGNATURE)} {SECRET_MARKER}",
    ],
)
def test_secrets_are_found_however_they_are_wrapped(value: Any) -> None:
    assert SECRET_MARKER not in json.dumps(without_secrets({"x": value}))


def test_filters_narrow_stacks_and_all_below(still: Simulator) -> None:
    every = {row["project_name"] for row in still.rows(STACKS)}
    project, *others = sorted(every)
    assert others
    names = [STACKS, UPDATES, DETAILS]
    chosen = settings(still, "pulumi", pulumi_projects=[project, f" {project}", "none"])
    outcome = sync(chosen, select=names)
    assert outcome.code == 0, outcome.log
    for name in names:
        rows = [row for row in still.rows(name) if row["project_name"] == project]
        assert len(outcome.records(name)) == len(rows) > 0
    tag = still.rows("pulumi_stack_tags")[0]
    for text in (tag["tag_name"], f"{tag['tag_name']}={tag['value']}"):
        found = sync(settings(still, "pulumi", pulumi_stack_tag=text), select=[STACKS])
        having = {
            row["stack_id"]
            for row in still.rows("pulumi_stack_tags")
            if f"{row['tag_name']}={row['value']}".startswith(text)
        }
        assert {row["stack_id"] for row in found.records(STACKS)} == having
    # A narrowed list is not all there is.
    activating = {**chosen, "emit_activate_version_messages": True}
    kinds = {m["type"] for m in sync(activating, select=[STACKS]).messages}
    assert "ACTIVATE_VERSION" not in kinds


def test_servers_that_know_no_filter_are_filtered(patch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(2, STACKS, patch=patch, pulumi_projects=["web"])
    syncs.cloud.stacks.append(Stack("acme/api/s3", "id-3", [update(1)]))
    syncs.sync()
    assert [at(s)[2] for s in syncs.cloud.stacks[:2]] == [
        r["stack_name"] for r in syncs.outcome.records(STACKS)
    ]


def test_turns_catch_what_is_edited_by_hand(moving: Simulator, patch: pytest.MonkeyPatch) -> None:
    """Day by day; what is younger than a round may be missing, and nothing else."""
    names = [STACKS, UPDATES, DETAILS, "pulumi_stack_tags", SETTINGS, STATUS, SCHEDULES, PREVIEWS]
    rows: dict[str, Any] = {name: {} for name in names}
    state: Record | None = None

    def read(day: int) -> Outcome:
        patch.setattr("tap_cloudapis.core.ledger.day_of", lambda _: day)
        outcome = sync(settings(moving, "pulumi", pulumi_refresh_days=3), state=state, select=names)
        assert outcome.code == 0, outcome.log
        for name in names:
            rows[name].update(outcome.latest(name))
        return outcome

    for day in range(6):
        state = read(DAY + day).state
        moving.advance(86_400)
    for day in range(6, 10):  # quiet days
        state = read(DAY + day).state
    assert_true(lambda name: rows[name], moving, names, keys_only_grow=True)
