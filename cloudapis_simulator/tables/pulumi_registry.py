"""Pulumi Cloud: packages and templates of the registry, and which stacks use a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.clock import DAY, SECOND, rfc3339, zulu
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import Choice, Table, Tokens
from cloudapis_simulator.values import SECRET, Secret, Told, Untold, updated
from cloudapis_simulator.world.things import Thing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudapis_simulator.items import Item
    from cloudapis_simulator.world.stacks import Stack

Row = dict[str, Any]

OWN = ("acme-network", "größe", "platform-base")
#: Packages that anybody can use, and how many stacks of the first organization do.
PUBLIC = {"aws": 3, "random": 5, "unheard-of": 0}
_USING = (*PUBLIC, *OWN)
_MOST_STACKS = 20
_SIGNED = "https://cdn.example.com/artifact?X-Signature={}"


def _stacks(above: Item) -> list[Stack]:
    return above.organization.stacks.listed(above.now)[:_MOST_STACKS]


def _uses(stack: int, package: int) -> bool:
    """Return whether a stack uses a package; the first one uses all that anybody does."""
    name = _USING[package]
    return PUBLIC.get(name) != 0 and stack % (package + 1) == 0


def _users(it: Item, package: int) -> int:
    return sum(_uses(number, package) for number, _ in enumerate(_stacks(it.parent)))


def package_row(name: str, publisher: str, version: str, made: int, uses: int) -> Row:
    """Return a package as the registry lists it."""
    return {
        "name": name,
        "publisher": publisher,
        "source": "private" if publisher != "pulumi" else "pulumi",
        "version": version,
        "createdAt": zulu(made),
        "isFeatured": False,
        "packageStatus": "ga",
        "visibility": "private" if publisher != "pulumi" else "public",
        "readmeURL": _SIGNED.format(made),
        "schemaURL": _SIGNED.format(made),
        "usageStats": {"totalStacks": uses, "onLatest": uses // 2, "onOlder": uses - uses // 2},
    }


def _package(it: Item) -> Row:
    name, version = OWN[it.number % len(OWN)], f"1.{it.number}.0"
    publisher = it.organization.login
    uses = _users(it, _USING.index(name))
    row = package_row(name, publisher, version, it.created_at // SECOND * SECOND, uses)
    secret = SECRET.answer(it)
    return {
        **row,
        "title": it.named("Net “1”"),
        "packageTypes": ["component"],
        "logoUrl": _SIGNED.format(secret),
        "pluginDownloadURL": f"https://x:{secret}@plugins.example.com",
        "repoUrl": f"https://ci:{secret}@github.com/acme/{it.number}?token={secret}",
        "parameterization": {
            "baseProvider": {
                "name": "terraform-provider",
                "publisher": "pulumi",
                "source": "pulumi",
                "version": "0.9.0",
            },
            "parameter": [secret],
        },
    }


def _of(name: str) -> Callable[[Item], Any]:
    return lambda it: _package(it)[name]


PACKAGES = Table(
    stream="pulumi_registry_packages",
    under=ORGANIZATIONS,
    key=("org_name", "source", "publisher", "name"),
    many=len(OWN),
    renamed=lambda number: number == 0,
    truth=("org_name", "name", "publisher", "source", "version", "title", "visibility"),
    more_truth={
        "created_at": lambda it: rfc3339(it.created_at // SECOND * SECOND),
        "package_types": _of("packageTypes"),
        "usage_stats": _of("usageStats"),
        "repo_url": lambda it: f"https://github.com/acme/{it.number}",
    },
    fields={
        name: _of(name)
        for name in ("name", "publisher", "source", "version", "title", "visibility")
    },
)


def package_of(it: Item) -> Row:
    """Return a package of an organization's own as the registry lists it."""
    return _package(it)


TEMPLATES = Table(
    stream="pulumi_registry_templates",
    under=ORGANIZATIONS,
    key=("org_name", "source", "publisher", "name"),
    many=3,
    late=lambda number: number == 1,
    renamed=lambda number: number == 2,  # noqa: PLR2004
    more_truth={
        "config": lambda it: {
            "aws:region": {"default": "us-west-2", "description": "Where to"},
            "db:pass": {"description": it.named("Of the database"), "secret": True},
        },
    },
    fields={
        "name": lambda it: f"acme/templates/site-{it.number}",
        "displayName": lambda it: f"Site “{it.number}”",
        "publisher": lambda it: it.organization.login,
        "source": "private",
        "language": ("python", "go", "yaml")[0],
        "description": Told("", ""),
        "visibility": "private",
        "updatedAt": updated(zulu),
        "url": lambda it: f"registry://templates/private/acme/site-{it.number}",
        "metadata": {"Cost-Center": "1"},
        "runtime": {"name": "python", "options": {"toolchain": {"name": "uv"}}},
        "downloadURL": Secret(_SIGNED),
        "readmeURL": Secret(_SIGNED),
        "config": Untold(
            lambda it: {
                "aws:region": {"default": "us-west-2", "description": "Where to"},
                "db:pass": {
                    "default": SECRET,
                    "description": it.named("Of the database"),
                    "secret": True,
                },
            }
        ),
    },
)


def _things(above: Item) -> Iterator[Thing]:
    dice = above.dice("package_usage")
    for stack, _ in enumerate(_stacks(above)):
        for package, _ in enumerate(_USING):
            if _uses(stack, package):
                number = stack * len(_USING) + package
                yield Thing(number, number, above.now - DAY, None, dice.roll(number))


def _package_name(it: Item) -> str:
    return _USING[it.number % len(_USING)]


def _stack(it: Item) -> Stack:
    return _stacks(it.parent)[it.number // len(_USING)]


def _urn(it: Item) -> str:
    stack, name = _stack(it), _package_name(it)
    return f"urn:pulumi:{stack.name}::{stack.project}::pulumi:providers:{name}::default"


def _is_of(name: str) -> Callable[[Item], bool]:
    return lambda it: _package_name(it) == name


def _last_update(it: Item) -> Row:
    stack = _stack(it)
    count = stack.count(it.now)
    if not count:
        return {}
    last = stack.update(count)
    return {"lastUpdate": {"time": zulu(last.started_at), "version": last.version}}


def _last_time(it: Item) -> str | None:
    stack = _stack(it)
    at = stack.last_update(it.now)
    return None if at is None else rfc3339(at)


PACKAGE_USAGE = Table(
    stream="pulumi_package_usage",
    path="/api/orgs/{org}/packages/usage",
    under=ORGANIZATIONS,
    things=_things,
    paging=Tokens(size=100, most=500, parameter="limit"),
    choices={"packageName": Choice({name: _is_of(name) for name in _USING})},
    rows_in="stacks",
    key=("org_name", "package_name", "project_name", "stack_name", "provider_urn"),
    more_truth={
        "package_name": _package_name,
        "last_update_time": _last_time,
        "last_update_version": lambda it: (
            found["lastUpdate"]["version"] if (found := _last_update(it)) else None
        ),
    },
    fields={
        "projectName": lambda it: _stack(it).project,
        "stackName": lambda it: _stack(it).name,
        "stackId": lambda it: _stack(it).id,
        "providerUrn": _urn,
        "version": lambda it: f"6.{it.number % 3}.0",
    },
    spread=_last_update,
)
