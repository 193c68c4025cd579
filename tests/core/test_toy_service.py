"""To add a service touches its own folder and the line that names it.

The test writes the folder; of the tap and its core nothing is changed.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tap_cloudapis.tap import SERVICES, TapCloudAPIs
from tests.core.syncing import command, discover, selecting
from tests.core.toys import TOKEN, Shop, shape
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_cloudapis.core.service import Service

PACKAGE = "toy_cloud_of_a_test"
SERVICE = f'''"""Toy Cloud."""

from singer_sdk import typing as th

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.service import Service
from {PACKAGE}.streams import Boxes, Lids, Things

SETTINGS = (
    th.Property("toy_token", th.StringType, secret=True, title="Toy token"),
    th.Property("toy_url", th.StringType, title="Toy URL"),
    th.Property("toy_colours", th.ArrayType(th.StringType), title="Colours to read"),
)


def check(settings):
    if "plaid" in settings.get("toy_colours", ()):
        raise TapError("toy_colours: plaid is no colour")


TOY_CLOUD = Service(
    key="toy",
    title="Toy Cloud",
    settings=SETTINGS,
    default_url="https://toys.example.com",
    url_hint="toy_url is not set",
    api_path="/v1",
    headers=lambda token: {{"Authorization": f"Toy {{token}}", "X-Toy": "yes"}},
    narrowing={{"toy_colours": {{Things.name}}}},
    check=check,
    streams=(Boxes, Things, Lids),
)
'''
STREAMS = f'''"""Boxes, and what is in them."""

from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.stream import CloudStream


class ToyStream(CloudStream):
    schema_package = "{PACKAGE}"
    service_key = "toy"
    primary_keys = ("box_id", "id")
    context_columns = {{"box_id": "box_id"}}
    scope = "box {{box_id}}"


class Boxes(ToyStream):
    name = "toy_boxes"
    path = "/boxes"
    primary_keys = ("id",)
    context_columns = {{}}
    facts = Facts(row="a box", requests="one")

    def child_context(self, record, context):
        return {{"box_id": record["id"]}}


class Things(ToyStream):
    name = "toy_things"
    path = "/boxes/{{box_id}}/things"
    parent_stream_type = Boxes
    facts = Facts(row="a thing", requests="one per box", permission="the right to look inside")

    def base_params(self, context):
        return {{"colours": self.config.get("toy_colours")}}


class Lids(ToyStream):
    name = "toy_lids"
    path = "/boxes/{{box_id}}/lids"
    parent_stream_type = Boxes
    facts = Facts(row="a lid", requests="one per box", unselected=Unselected.REQUESTS)
'''
BOXES = [{"id": number, "name": f"box {number}"} for number in range(1, 13)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service, written into a folder of its own."""
    folder = tmp_path_factory.mktemp("services")
    files = {
        "__init__.py": SERVICE,
        "streams.py": STREAMS,
        "schemas/boxes.json": json.dumps(shape("id", name="string")),
        "schemas/things.json": json.dumps(shape("box_id", "id", made_at="string")),
        "schemas/lids.json": json.dumps(shape("box_id", "id")),
    }
    for name, text in files.items():
        path = folder / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield import_module(PACKAGE).TOY_CLOUD
        for module in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[module]


@pytest.fixture(scope="module")
def tap_class(service: Service) -> type[TapCloudAPIs]:
    """The tap with the line that names the service."""

    class TapWithToys(TapCloudAPIs):
        services: ClassVar[tuple[Service, ...]] = (*SERVICES, service)

    return TapWithToys


@pytest.fixture
def shop(tap_class: type[TapCloudAPIs]) -> Iterator[Shop]:
    answers: dict[str, Any] = {"/v1/boxes": BOXES}
    for box in BOXES:
        answers[f"/v1/boxes/{box['id']}/things"] = [{"id": 1, "made_at": "2026-05-01"}]
        answers[f"/v1/boxes/{box['id']}/lids"] = []
    shop = Shop(tap_class, answers)
    with shop.server:
        yield shop


# Discovery and settings


def test_the_catalog_has_its_streams_beside_the_others(tap_class: type[TapCloudAPIs]) -> None:
    entries = {entry["tap_stream_id"]: entry for entry in discover(tap_class)["streams"]}
    toys = [name for name in entries if name.startswith("toy_")]
    assert sorted(toys) == ["toy_boxes", "toy_lids", "toy_things"]
    others = {entry["tap_stream_id"] for entry in discover()["streams"]}
    assert entries.keys() - set(toys) == others
    assert entries["toy_things"]["key_properties"] == ["box_id", "id"]
    assert "made_at" in entries["toy_things"]["schema"]["properties"]
    selected = {
        name: meta["metadata"].get("selected", meta["metadata"].get("selected-by-default"))
        for name in toys
        for meta in entries[name]["metadata"]
        if not meta["breadcrumb"]
    }
    assert selected == {"toy_boxes": True, "toy_things": True, "toy_lids": False}


def test_its_settings_stand_beside_the_others(
    tap_class: type[TapCloudAPIs], service: Service
) -> None:
    properties = tap_class.config_jsonschema["properties"]
    own = {"toy_token", "toy_url", "toy_colours"}
    assert {name for name in properties if name.startswith("toy_")} == own
    assert properties.keys() - own == TapCloudAPIs.config_jsonschema["properties"].keys()
    assert "toy_token" not in TapCloudAPIs.config_jsonschema["properties"]
    # Those of the services come before those that concern all.
    names = list(properties)
    assert names.index("toy_token") < names.index("start_date")
    assert service not in TapCloudAPIs.services


def test_about_tells_of_its_settings(tap_class: type[TapCloudAPIs]) -> None:
    outcome = command("--about", "--format=json", tap_class=tap_class)
    assert outcome.code == 0
    about = json.loads(b"\n".join(outcome.lines))
    toys = {name: each for name, each in about["settings"]["properties"].items() if "toy_" in name}
    assert toys["toy_token"]["secret"]
    assert toys["toy_colours"]["title"] == "Colours to read"


def test_a_mistyped_setting_is_told_with_the_one_that_was_meant(
    tap_class: type[TapCloudAPIs], tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"toy_tokn": TOKEN}))
    outcome = command("--config", path, tap_class=tap_class)
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_tokn", "did you mean toy_token")
    assert not any(TOKEN in line for line in outcome.log)


def test_settings_come_from_the_environment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_CLOUDAPIS_TOY_TOKEN", TOKEN)
    monkeypatch.setenv("TAP_CLOUDAPIS_TOY_URL", shop.server.url)
    monkeypatch.setenv("TAP_CLOUDAPIS_TOY_COLOURS", '["red"]')
    outcome = command("--config=ENV", tap_class=shop.tap_class)
    assert outcome.code == 0, outcome.log
    assert len(outcome.records("toy_things")) == 12


# A sync


def test_it_is_synced_with_its_own_address_path_and_headers(shop: Shop) -> None:
    outcome = shop.sync()
    assert outcome.code == 0, outcome.log
    assert outcome.records("toy_boxes") == BOXES
    assert outcome.records("toy_things") == [
        {"id": 1, "made_at": "2026-05-01", "box_id": box["id"]} for box in BOXES
    ]
    assert set(outcome.schemas) == {"toy_boxes", "toy_things"}
    for request in shop.server.requests:
        assert request["headers"]["authorization"] == f"Toy {TOKEN}"
        assert request["headers"]["x-toy"] == "yes"
        assert request["headers"]["user-agent"].startswith("tap-cloudapis/")
    things = [f"/v1/boxes/{box['id']}/things" for box in BOXES]
    assert shop.asked() == sorted(["/v1/boxes", *things])


def test_lists_of_several_boxes_are_asked_for_at_once(shop: Shop) -> None:
    shop.server.seconds = 0.03
    assert shop.sync(config={"concurrency": 6}).code == 0
    assert 3 <= shop.server.most_in_flight <= 6


def test_a_stream_that_is_not_selected_by_default_can_be(shop: Shop) -> None:
    catalog = selecting(["toy_lids"], discover(shop.tap_class))
    assert shop.sync(catalog=catalog).code == 0
    assert "/v1/boxes/12/lids" in shop.asked()


def test_the_state_has_its_host_alone(shop: Shop) -> None:
    outcome = shop.sync()
    assert outcome.state["hosts"] == {"toy": "127.0.0.1"}
    shop.state = {**outcome.state, "hosts": {"toy": "toys.example.com", "dbt": "dbt.example.com"}}
    again = shop.sync()
    assert again.logged("WARNING", "toys.example.com as toy_host, now it is 127.0.0.1")
    assert again.state["hosts"] == {"toy": "127.0.0.1", "dbt": "dbt.example.com"}


def test_the_others_are_skipped_for_want_of_a_token(shop: Shop) -> None:
    outcome = shop.sync()
    for title, setting in (("dbt Cloud", "dbt_token"), ("Pulumi Cloud", "pulumi_token")):
        assert outcome.logged("INFO", f"{title} is skipped, as {setting} is not set")
    assert not outcome.logged("INFO", "Toy Cloud is skipped")


def test_it_is_skipped_for_want_of_its_token(shop: Shop) -> None:
    answers = {"/api/user": {"organizations": [], "githubLogin": "me"}}
    shop.answers.update(answers)
    config = {"toy_token": " ", "pulumi_token": TOKEN, "pulumi_url": shop.server.url}
    outcome = shop.sync(config=config)
    line = "Toy Cloud is skipped, as toy_token is not set: toy_boxes, toy_things"
    assert outcome.logged("INFO", line)
    assert not any(name.startswith("toy_") for name in outcome.schemas)
    assert not any(path.startswith("/v1") for path in shop.asked())


def test_without_any_token_its_own_is_named(tap_class: type[TapCloudAPIs], tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    outcome = command("--config", path, tap_class=tap_class)
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_token for Toy Cloud", "TAP_CLOUDAPIS_TOY_TOKEN")


# Filters, checks, errors


def test_a_filter_narrows_the_stream_that_it_is_about(shop: Shop) -> None:
    config = {"emit_activate_version_messages": True}
    activated = activations(shop.sync(config=config))
    assert activated == {"toy_boxes", "toy_things"}
    activated = activations(shop.sync(config={**config, "toy_colours": ["red", "blue"]}))
    assert activated == {"toy_boxes"}
    assert shop.server.requests[-1]["query"] == {"colours": '["red","blue"]'}


def activations(outcome: Any) -> set[str]:
    return {m["stream"] for m in outcome.messages if m["type"] == "ACTIVATE_VERSION"}


def test_a_setting_without_sense_is_refused_before_anything_is_asked(shop: Shop) -> None:
    outcome = shop.sync(config={"toy_colours": ["plaid"]})
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_colours: plaid is no colour")
    assert shop.asked() == []
    assert outcome.lines == []


def test_the_check_of_a_service_without_a_token_is_not_made(shop: Shop) -> None:
    shop.answers["/api/user"] = {"organizations": [], "githubLogin": "me"}
    config = {"toy_token": "", "pulumi_token": TOKEN, "pulumi_url": shop.server.url}
    outcome = shop.sync(config={**config, "toy_colours": ["plaid"]})
    assert not outcome.logged("plaid")


def test_a_refusal_names_the_permission(shop: Shop) -> None:
    shop.answers["/v1/boxes/3/things"] = Reply({"message": "no"}, status=403)
    outcome = shop.sync()
    assert outcome.code == 0
    assert outcome.logged(
        "WARNING", "toy_things: skipped, box 3: ", "answered 403", "lacks the right to look inside"
    )
    assert len(outcome.records("toy_things")) == 11


def test_a_refused_token_is_told_in_its_own_settings(shop: Shop) -> None:
    shop.answers["/v1/boxes"] = Reply({"message": "who?"}, status=401)
    outcome = shop.sync()
    assert outcome.code == 1
    assert outcome.logged("ERROR", "value of toy_token", "toy_url is the address")
    assert not any(TOKEN in line for line in outcome.log)


@pytest.mark.parametrize("chosen", [True, False])
def test_the_address_that_nobody_chose_is_hinted_at(
    chosen: bool, service: Service, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    shop.answers["/v1/boxes"] = Reply({"message": "no"}, status=403)
    monkeypatch.setitem(vars(service), "default_url", shop.server.url)
    outcome = shop.sync(config={} if chosen else {"toy_url": None})
    hinted = outcome.logged("WARNING", "(toy_url is not set) answered 403")
    warned = outcome.logged("WARNING", f"Asking {shop.server.url}/v1: toy_url is not set")
    assert bool(hinted) is bool(warned) is not chosen


def test_an_address_that_is_not_usable_is_told_by_its_setting(shop: Shop) -> None:
    outcome = shop.sync(config={"toy_url": "http://toys.example.com"})
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_url must be an https URL")


def test_its_failure_leaves_the_others_alone(shop: Shop) -> None:
    shop.answers["/v1/boxes"] = Reply({"message": "who?"}, status=401)
    shop.answers["/api/user"] = {
        "organizations": [{"githubLogin": "acme", "name": "Acme"}],
        "githubLogin": "me",
    }
    shop.answers["/api/user/stacks"] = {"stacks": []}
    config = {"pulumi_token": TOKEN, "pulumi_url": shop.server.url}
    outcome = shop.sync(config=config)
    assert outcome.code == 1
    assert shop.server.requests
    assert "/api/user/stacks" in shop.asked()
