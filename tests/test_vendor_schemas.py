"""The packaged schemas are true to the vendors' own, but for what is told in vendor_schemas."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.core.syncing import KINDS, NAMES
from tests.reference import SPECS, needs
from tests.test_schemas import load, types, walk
from tests.vendor_schemas import (
    IN_NEWER_CLIENTS,
    IN_PAYLOADS,
    ITEMS,
    MADE_BY_THE_TAP,
    OMITTED,
    RENAMED,
    RETYPED,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Specification:
    """One vendor document, with references and `allOf` resolved on the way."""

    def __init__(self, name: str) -> None:
        text = (SPECS / name).read_text("utf-8")
        is_json = name.endswith(".json")
        document = json.loads(text) if is_json else yaml.load(text, yaml.CSafeLoader)
        self.components: dict[str, Any] = document["components"]["schemas"]

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """Return the node with what it refers to merged in, its properties united."""
        merged: dict[str, Any] = {k: v for k, v in node.items() if k not in ("$ref", "allOf")}
        parts = list(node.get("allOf", []))
        if "$ref" in node:
            parts.append(self.components[node["$ref"].rpartition("/")[2]])
        for part in map(self.resolve, parts):
            properties = part.get("properties", {}) | merged.get("properties", {})
            merged = part | merged | ({"properties": properties} if properties else {})
        return merged


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def differences(
    spec: Specification, theirs: dict[str, Any], ours: dict[str, Any], path: str
) -> Iterator[str]:
    """Yield where our property is typed unlike theirs or lacks one of their properties.

    An object that we leave open (a user's own map) is not compared further.
    """
    theirs = spec.resolve(theirs)
    kind = theirs.get("type")
    if ours.get("format") == "date-time":
        if theirs.get("format") != "date-time" and kind != "integer":  # Unix seconds
            yield f"{path}: not an instant"
    elif kind is not None and kind not in types(ours):
        yield f"{path}: {kind}"
    elif theirs.get("format") == "date-time":
        yield f"{path}: an instant"
    if kind == "array":
        yield from differences(spec, theirs.get("items", {}), ours["items"], path)
    elif "properties" in theirs and "properties" in ours:
        for name, node in theirs["properties"].items():
            if name in ours["properties"]:
                yield from differences(spec, node, ours["properties"][name], f"{path}.{name}")
            else:
                yield f"{path}.{name}: missing"


def known_paths(
    spec: Specification, theirs: dict[str, Any], ours: dict[str, Any], path: str
) -> Iterator[str]:
    """Yield the dotted paths below our property that the specification leaves open or knows."""
    theirs = spec.resolve(theirs)
    if theirs.get("type") == "array":
        theirs, ours = spec.resolve(theirs.get("items", {})), ours["items"]
    for name, prop in ours.get("properties", {}).items():
        here = f"{path}.{name}"
        if "properties" not in theirs or name in theirs["properties"]:
            yield here
            yield from known_paths(spec, theirs.get("properties", {}).get(name, {}), prop, here)


@needs(SPECS)
@pytest.mark.parametrize("stream", ITEMS)
def test_follows_the_vendors_specification(stream):
    document, components = ITEMS[stream]
    spec = Specification(document)
    fields: dict[str, Any] = {}
    for component in reversed(components):  # the first one rules
        fields |= spec.resolve(spec.components[component])["properties"]
    columns = load(stream)["properties"]
    renamed, omitted = RENAMED.get(stream, {}), OMITTED.get(stream, {})
    assert omitted.keys() <= fields.keys(), "an omission that the vendor no longer offers"

    found: list[str] = []
    known: set[str] = set()
    for name, node in fields.items():
        column = renamed.get(name) or (name if stream.startswith("dbt/") else snake(name))
        if name in omitted:
            if column in columns:
                found.append(f"{name}: both declared and omitted")
        elif column not in columns:
            found.append(f"{name}: neither declared nor omitted")
        else:
            here = list(differences(spec, node, columns[column], column))
            if name not in RETYPED.get(stream, ()):
                found += here
            elif not here:
                found.append(f"{name}: needs no exception")
            known |= {column, *known_paths(spec, node, columns[column], column)}
    assert not found

    kind = KINDS[stream.replace("/", "_", 1)]
    given = {"dbt_host", *kind.context_columns} if stream.startswith("dbt/") else set()
    beyond = {path for path, _ in walk(load(stream))} - known - given
    declared_beyond = (
        IN_PAYLOADS.get(stream, set())
        | IN_NEWER_CLIENTS.get(stream, set())
        | MADE_BY_THE_TAP.get(stream, set())
    )
    assert beyond == declared_beyond


def test_every_other_stream_is_held_against_a_document() -> None:
    made_of_files = {"artifacts", "invocations", "results"}
    undocumented = {f"dbt/run_{name}" for name in made_of_files} | {"dbt/source_freshness"}
    undocumented |= {"dbt/user_groups", "dbt/user_permissions"}
    # Put together from pieces of several objects of the document, or flattened out of them.
    undocumented |= {
        f"pulumi/{name}"
        for name in (
            *("environment_referrers", "organization_webhooks", "policy_group_accounts", "roles"),
            *("stack_deployment_settings", "stack_deployment_status", "stack_references"),
            *("stack_schedules", "stack_tags", "team_members", "update_events"),
            *("update_timelines", "usage_daily", "vcs_integrations"),
        )
    }
    assert {name.replace("_", "/", 1) for name in NAMES} - ITEMS.keys() == undocumented
