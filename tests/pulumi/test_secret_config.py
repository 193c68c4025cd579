"""Configuration, environment and tags: what the service marks as secret, and what only looks so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pulumi.scripted import STACKS, UPDATES, Cloud, Stack, Syncs, row, update

GONE = "MADEUP"


def read(**info: Any) -> Any:
    """The record of an update."""
    syncs = Syncs(Cloud([Stack("acme/web/prod", "one", [update(1, **info)])]))
    syncs.sync()
    assert GONE not in str(syncs.outcome.lines)
    return syncs.outcome.records(UPDATES)[0]


def entry(value: Any, *, secret: Any = False) -> dict[str, Any]:
    return {"string": value, "secret": secret, "object": False}


@pytest.mark.parametrize(
    "entry",
    [
        entry("3600"),
        entry("correct horse"),
        {"string": "x", "secret": False},
        {"value": {"apiKey": "kept"}, "secret": False},
        {"values": [{"apiKey": "kept"}, "kept"], "secret": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["web:tokenTtl", "web:passwordMinLength", "web:api-key"])
def test_what_is_marked_as_plain_is_kept(name: str, entry: Any) -> None:
    assert read(config={name: entry})["config"] == {name: entry}


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (entry(GONE, secret=True), entry(None, secret=True)),
        ({"string": GONE, "secret": "yes"}, {"string": None, "secret": None}),
        ([entry(GONE, secret=True)], [entry(None, secret=True)]),
        ([[{"a": [entry(GONE, secret=True)]}]], [[{"a": [entry(None, secret=True)]}]]),
        ({"a": entry(GONE, secret=True)}, {"a": entry(None, secret=True)}),
        (
            {"value": [entry(GONE, secret=True), entry("x")], "secret": False},
            {"value": [entry(None, secret=True), entry("x")], "secret": False},
        ),
        ({"secret": True, "value": {"a": GONE}}, {"secret": True, "value": None}),
        ({"secret": GONE}, {"secret": None}),
        ({"value": {"secret": GONE}}, {"value": {"secret": None}}),
        ({"secure": GONE}, {"secure": None}),
        ({"apiKey": GONE, "port": 80}, {"apiKey": None, "port": 80}),
        ([{"api-key": GONE}], [{"api-key": None}]),
        ({"password": {"string": GONE}}, {"password": {"string": None}}),
        ({"passwords": [GONE]}, {"passwords": [None]}),
        (
            {"4dabf18193072939515e22adb298388d": "1", "plaintext": GONE},
            {"4dabf18193072939515e22adb298388d": None, "plaintext": None},
        ),
    ],
    ids=str,
)
def test_what_is_marked_or_named_as_secret_is_nulled(given: Any, left: Any) -> None:
    assert read(config={"web:x": given})["config"] == {"web:x": left}


@pytest.mark.parametrize("name", ["web:apiKey", "web:api-key", "web:db_pwd"])
def test_without_a_mark_the_name_decides(name: str) -> None:
    for given, left in ((GONE, None), ({"string": GONE}, {"string": None}), ("set", "set")):
        assert read(config={name: given})["config"] == {name: left}


def test_what_the_environment_tells_about_secrets_is_kept() -> None:
    environment = {
        "pulumi.flag.show-secrets": "true",
        "pulumi.env.PULUMI_CONFIG_PASSPHRASE": "set",
        "pulumi.env.PULUMI_ACCESS_TOKEN": "unset",
        "token.ttl": "3600",
    }
    found = read(environment={**environment, "api-key": GONE, "pulumi.env.TOKEN": GONE})
    assert found["environment"] == environment


def test_tags_and_urls() -> None:
    cloud = Cloud([Stack("acme/web/prod", "one")])
    tags = {"api-key": GONE, "api-key-id": "7", "repo": f"https://x:{GONE}@git.example/r"}
    cloud.answers["/api/user/stacks?acme"] = {"stacks": [{**row(cloud.stacks[0]), "tags": tags}]}
    syncs = Syncs(cloud)
    syncs.sync()
    assert GONE not in str(syncs.outcome.lines)
    (stack,) = syncs.outcome.records(STACKS)
    assert stack["tags"] == {"api-key-id": "7", "repo": "https://x:***@git.example/r"}
