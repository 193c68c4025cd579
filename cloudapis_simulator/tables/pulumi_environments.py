"""Pulumi Cloud: ESC environments, and what is told of them; never what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import part, uuid
from cloudapis_simulator.clock import DAY, END_OF_HISTORY, HOUR, SECOND, rfc3339, zoneless, zulu
from cloudapis_simulator.items import ORGANIZATIONS
from cloudapis_simulator.table import Falling, Table, Tokens
from cloudapis_simulator.values import Told
from cloudapis_simulator.world.updates import person

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cloudapis_simulator.items import Item
    from cloudapis_simulator.world import World

Row = dict[str, Any]

_E = "/api/esc/environments/{org}/{project}/{env}"
_KEY = ("org_name", "project_name", "env_name")
_NAMES = ("shared", "prod.eu", "dev-Ana", "db", "legacy")
_PACE = 4 * DAY
_PARTS = 1000  # numbers for what each environment has


def _project(it: Item) -> str:
    """Return the project of an environment; older rows do not tell theirs."""
    return ("website", "k8s.cluster", "default")[min(it.number % 5, 2)]


def _revisions(env: Item) -> int:
    """Return how many revisions an environment has: some get one more every four days."""
    later = max(env.now - END_OF_HISTORY, 0) // _PACE
    return 2 + env.number % 3 + (later if env.number % 2 == 0 else 0)


def _saved(env: Item, number: int) -> int:
    """Return when a revision was saved."""
    first = 2 + env.number % 3
    if number > first:
        return END_OF_HISTORY + (number - first) * _PACE
    return (env.created_at + number * HOUR) // SECOND * SECOND


def _modified(env: Item) -> int:
    return _saved(env, _revisions(env))


def _edited(env: Item) -> bool:
    """Whether somebody has changed things that do not move `modified`."""
    return env.now >= END_OF_HISTORY + (2 + env.number % 3) * DAY


def _tags(env: Item) -> list[tuple[str, str]]:
    """Return the tags of an environment."""
    if env.number % 5 == 3:  # noqa: PLR2004
        return []
    return [("Team", "Größe"), ("stage", "two" if _edited(env) else "one"), ("vcs:kind", "git")]


def _seconds(at: int) -> str:
    return zoneless(at // SECOND * SECOND)[:19]


def _spread(it: Item) -> Row:
    """Return what only newer rows have."""
    return {"project": _project(it)} if it.number % 5 < 2 else {}  # noqa: PLR2004


ENVIRONMENTS = Table(
    stream="pulumi_environments",
    path="/api/esc/environments/{org}",
    under=ORGANIZATIONS,
    many=5,
    deleted=lambda number: number % 5 == 4,  # noqa: PLR2004
    late=lambda number: number % 5 == 4,  # noqa: PLR2004
    paging=Tokens(size=2, most=500, answered_as="nextToken"),
    rows_in="environments",
    key=_KEY,
    spread=_spread,
    fields={
        "id": lambda it: uuid(it.bits),
        "organization": lambda it: it.organization.login,
        "name": lambda it: _NAMES[it.number % 5],
        "created": lambda it: _seconds(it.created_at),
        "modified": lambda it: _seconds(_modified(it)),
        "ownedBy": lambda it: person(it.number),
        "referrerMetadata": {
            "environmentReferrerCount": 0,
            "insightsAccountReferrerCount": 0,
            "stackReferrerCount": 0,
        },
        "settings": lambda it: {"deletionProtected": it.number % 2 == 0},
        "tags": lambda it: dict(_tags(it)),
        "links": {"self": "https://app.pulumi.com/environments"},
    },
    truth={
        "org_name": "org_name",
        "project_name": _project,
        "env_name": "name",
        "id": "id",
        "created": lambda it: rfc3339(it.created_at // SECOND * SECOND),
        "modified": lambda it: rfc3339(_modified(it)),
        "owned_by_login": lambda it: person(it.number)["githubLogin"],
        "settings": "settings",
        "tags": "tags",
    },
)


class _Environments:
    """The environments as what lists lie under: they are named by two parts of a path."""

    def every(self, world: World) -> Iterator[Item]:
        return ENVIRONMENTS.every(world)

    def find(self, world: World, names: Mapping[str, str]) -> Item | None:
        above = ORGANIZATIONS.find(world, names)
        found = ENVIRONMENTS.items(above) if above else ()
        asked = (names["project"], names["env"])
        return next((it for it in found if (_project(it), _NAMES[it.number % 5]) == asked), None)

    def columns(self, item: Item) -> Row:
        return {
            "org_name": item.organization.login,
            "project_name": _project(item),
            "env_name": _NAMES[item.number % 5],
        }


_UNDER = _Environments()


def _by_name(rows: Sequence[Row]) -> Row:
    return {row["name"]: row for row in rows}


TAGS = Table(
    stream="pulumi_environment_tags",
    path=f"{_E}/tags",
    under=_UNDER,
    many=lambda env: len(_tags(env)),
    paging=Tokens(
        size=2,
        most=500,
        parameter="count",
        takes="after",
        answered_as="nextToken",
        end="0",
        shape=_by_name,
    ),
    rows_in="tags",
    key=(*_KEY, "name"),
    fields={
        "name": lambda it: _tags(it.parent)[it.number % _PARTS][0],
        "value": lambda it: _tags(it.parent)[it.number % _PARTS][1],
        "created": lambda it: zulu(it.parent.created_at),
        "modified": lambda it: zulu(it.parent.created_at),
        "editorLogin": "Dev.0",
        "editorName": "Ana Lima",
    },
    truth={
        **{name: name for name in _KEY},
        "name": "name",
        "value": "value",
        "created": lambda it: rfc3339(it.parent.created_at),
        "editor_login": "editorLogin",
    },
)


def _number(it: Item) -> int:
    return it.number % _PARTS + 1


def _retracted(it: Item) -> Row | None:
    """Return how the first revision was taken back by hand, which `modified` does not show."""
    if _number(it) > 1 or it.parent.number % 2 == 0 or not _edited(it.parent):
        return None
    return {
        "at": zulu(END_OF_HISTORY + DAY),
        "byLogin": "Dev.0",
        "reason": "a mistake",
        "replacement": 2,
    }


def _more(it: Item) -> Row:
    """Return what only some revisions have."""
    retracted = _retracted(it)
    newest = _number(it) == _revisions(it.parent)
    row: Row = {"tags": ["latest"]} if newest else {}
    return {**row, "retracted": retracted} if retracted else row


REVISIONS = Table(
    stream="pulumi_environment_revisions",
    path=f"{_E}/versions",
    under=_UNDER,
    many=_revisions,
    paging=Falling(by="number", size=2, most=500),
    key=(*_KEY, "number"),
    spread=_more,
    fields={
        "number": _number,
        "created": lambda it: zulu(_saved(it.parent, _number(it))),
        "creatorLogin": lambda it: person(it.number)["githubLogin"],
        "creatorName": lambda it: person(it.number)["name"],
        "sourceChangeRequest": Told(
            lambda it: {"id": uuid(it.bits), "description": "Größer"}, means=None
        ),
    },
    truth={
        **{name: name for name in _KEY},
        "number": "number",
        "created": lambda it: rfc3339(_saved(it.parent, _number(it))),
        "creator_login": "creatorLogin",
        "tags": lambda it: _more(it).get("tags"),
        "source_change_request_id": lambda it: uuid(it.bits),
        "retracted_at": lambda it: rfc3339(END_OF_HISTORY + DAY) if _retracted(it) else None,
    },
)


def _uses(env: Item) -> list[tuple[str, Row]]:
    """Return what uses an environment, with the revision: one stack more, after some days."""
    stack = {"project": "website", "stack": "prod", "version": 7}
    found: list[tuple[str, Row]] = [
        ("latest", {"stack": stack}),
        ("2", {"stack": {**stack, "stack": "dev"}}),
        ("latest", {"environment": {"project": "website", "name": "shared", "revision": 3}}),
        ("latest", {"insightsAccount": {"accountName": "AWS Größe/eu"}}),
    ]
    later = [("latest", {"stack": {**stack, "stack": "late"}})] if _edited(env) else []
    return found[: 1 + part(env.bits, 1) % 4] + later


def _by_revision(rows: Sequence[Row]) -> Row:
    found: Row = {}
    for row in rows:
        found.setdefault(row["revision"], []).append(row["use"])
    return found


def _named(it: Item) -> tuple[str, str, str, int | None]:
    """Return type, project, name and version of what uses the environment."""
    ((kind, inside),) = _uses(it.parent)[it.number % _PARTS][1].items()
    if kind == "stack":
        return kind, inside["project"], inside["stack"], inside["version"]
    if kind == "environment":
        return kind, inside["project"], inside["name"], inside["revision"]
    return "insights_account", "", inside["accountName"], None


REFERRERS = Table(
    stream="pulumi_environment_referrers",
    path=f"{_E}/referrers",
    under=_UNDER,
    many=lambda env: len(_uses(env)),
    paging=Tokens(size=3, most=500, parameter="count", shape=_by_revision),
    rows_in="referrers",
    key=(*_KEY, "revision", "referrer_type", "referrer_project", "referrer_name"),
    fields={
        "revision": lambda it: _uses(it.parent)[it.number % _PARTS][0],
        "use": lambda it: _uses(it.parent)[it.number % _PARTS][1],
    },
    truth={
        **{name: name for name in _KEY},
        "revision": "revision",
        "referrer_type": lambda it: _named(it)[0],
        "referrer_project": lambda it: _named(it)[1],
        "referrer_name": lambda it: _named(it)[2],
        "referrer_version": lambda it: _named(it)[3],
    },
)
