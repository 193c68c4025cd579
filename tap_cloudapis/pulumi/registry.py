"""Packages and templates of the registry, and which stacks use a package."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.carriers import CarrierStream
from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.paging import TokenPages, as_object
from tap_cloudapis.core.scrubbing import is_secret
from tap_cloudapis.pulumi.client import snake_keys
from tap_cloudapis.pulumi.lists import OrganizationList, PerishableList
from tap_cloudapis.pulumi.urls import bare

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Page, Row

_PRIVATE = "Pro and above"


class RegistryList(OrganizationList):
    """What the registry has of an organization's own: its path names none."""

    primary_keys = ("org_name", "source", "publisher", "name")
    page_size = ("limit", 500)

    def base_params(self, context: Context | None) -> dict[str, Any]:
        """Of the one organization."""
        return {**self.params, "orgLogin": (context or {}).get("org_name")}

    def sift(self, read: Read, rows: list[Row], context: Context | None) -> list[Row]:  # noqa: ARG002
        """Leave out what belongs to everybody, which some servers list all the same."""
        return [row for row in rows if row.get("visibility") != "public"]


class RegistryPackages(RegistryList):
    """Packages of an organization's own, each in its current version."""

    name = "pulumi_registry_packages"
    path = "/api/registry/packages"
    records_key = "packages"
    params: ClassVar[Mapping[str, Any]] = {"visibility": "private"}
    # Addresses that are signed anew for each answer, or may hold what opens them.
    dropped_fields = frozenset({"logo_url", "plugin_download_url", "readme_url", "schema_url"})
    facts = Facts(
        row="a private package, in its current version",
        requests="one per 500 packages",
        permission="the permission to read the organization's packages",
        plan=_PRIVATE,
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Cut the address of the repository; of a parameterization keep what it builds on."""
        record = snake_keys(row)
        given = as_object(record.get("parameterization"))
        base = given.get("baseProvider")
        record["parameterization"] = {"baseProvider": base} if given else None
        record["repo_url"] = bare(record.get("repo_url"))
        return record


class RegistryTemplates(RegistryList):
    """Templates of an organization's own that the registry has."""

    name = "pulumi_registry_templates"
    path = "/api/registry/templates"
    records_key = "templates"
    dropped_fields = frozenset({"download_url", "readme_url"})
    # Its own mark tells what is secret, and names that look like it: see to_record.
    unscrubbed_fields = frozenset({"config"})
    facts = Facts(
        row="a private template",
        requests="one per 500 templates",
        permission="the permission to read the organization's templates",
        plan=_PRIVATE,
    )

    def read_page(self, body: Any) -> Page:
        """Read the list, which says so where it may not be whole."""
        if as_object(body).get("diagnostics"):
            self.report.unlisted = True
            self.tap.report.note(self.name, "the list has diagnostics: templates may be missing")
        return super().read_page(body)

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Cut addresses, and leave out the defaults of what is to be kept secret."""
        record = snake_keys(row)
        record["url"] = bare(record.get("url"))
        record["repo_slug"] = bare(record.get("repo_slug"))
        config = record.get("config")
        if isinstance(config, dict):
            record["config"] = {key: _configured(key, as_object(config[key])) for key in config}
        return record


def _configured(key: str, entry: Row) -> Row:
    """What a template says of a key of its configuration; no default of what is to be secret."""
    told: Row = {
        name: entry[name] for name in ("default", "description", "secret") if name in entry
    }
    if told.get("secret") or is_secret(key, told.get("default")):
        told.pop("default", None)
    return told


class PackagesInUse(CarrierStream, OrganizationList):
    """Packages of an organization's own, and those of everybody that some stack uses."""

    name = "pulumi_packages_in_use"
    title = "the list of packages"
    path = "/api/registry/packages"
    primary_keys = ("org_name", "package_name")
    records_key = "packages"
    page_size = ("limit", 500)
    facts = Facts(
        row="a package that stacks may use",
        requests="one per 500 packages of the registry",
        permission="the permission to read packages",
    )

    def reads(self, context: Context | None) -> Iterable[Read]:
        """The packages of the organization's own, which its plan may not have."""
        own = {"orgLogin": (context or {}).get("org_name"), "visibility": "private"}
        pages = self.new_paginator(context)
        return (Read(pages, own, optional="without its private packages"),)

    @cached_property
    def _public(self) -> list[str]:
        """The names of the packages of everybody that any organization of the user uses."""
        pages = TokenPages(limit=self.limit, what="public packages")
        reads = [Read(pages, {"visibility": "public"})]
        rows = [row for _, batch in self._reading(None, reads) for row in batch]
        if rows and not any(isinstance(row.get("usageStats"), dict) for row in rows):
            self.report.unlisted = True
            what = "the registry does not tell which public packages are in use: they are missing"
            for child in self._wanted_children():
                self.tap.report.note(child.name, what)
        used = (row for row in rows if as_object(row.get("usageStats")).get("totalStacks"))
        return [name for row in used if isinstance(name := row.get("name"), str)]

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """Give each name once: usage is told by name, whoever the publisher is."""
        names = [row.get("name") for rows in super().lists(context) for row in rows]
        every = dict.fromkeys(name for name in (*names, *self._public) if name)
        yield [{"package_name": name} for name in every]

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """The name is all."""
        return row


class PackageUsage(PerishableList):
    """Stacks that use a package, and in which version."""

    # An organization need not know a package that others use.
    breaks_when_gone = False

    name = "pulumi_package_usage"
    path = "/api/orgs/{org_name}/packages/usage"
    parent_stream_type = PackagesInUse
    primary_keys = ("org_name", "package_name", "project_name", "stack_name", "provider_urn")
    scope = "organization {org_name}, package {package_name}"
    context_columns: ClassVar[Mapping[str, str]] = {
        "org_name": "org_name",
        "package_name": "package_name",
    }
    records_key = "stacks"
    page_size = ("limit", 500)
    dropped_fields = frozenset({"last_update"})
    facts = Facts(
        row="a stack that uses a package, and in which version",
        requests="one per 500 packages of the registry, and one per package that is in use",
        permission="the permission to search resources (resources:search)",
        unselected=Unselected.REQUESTS,
    )

    def base_params(self, context: Context | None) -> dict[str, Any]:
        """The package."""
        return {"packageName": (context or {}).get("package_name")}

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Lay the fields of the last update beside; a stack may have no provider of its own."""
        record = snake_keys(row)
        last = as_object(record.get("last_update"))
        record["last_update_time"] = last.get("time")
        record["last_update_version"] = last.get("version")
        for name in ("project_name", "stack_name", "provider_urn"):
            record[name] = record.get(name) or ""
        return record
