"""The row of an update or a preview, in the shape of the service and in the older flat one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.core.scrubbing import is_secret
from tap_cloudapis.pulumi.client import SIGNATURE_KEY, snake_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_cloudapis.core.paging import Row

#: The results of an update that has not ended.
OPEN_RESULTS = ("in-progress", "not-started")
ENDED_RESULTS = ("succeeded", "failed")


def flattened(row: Row, version: int | None, names: Mapping[str, str]) -> Row:
    """An update of either shape as one record."""
    record = snake_keys(info_of(row))
    record.update(snake_keys({k: v for k, v in row.items() if k != "info"}))
    if version is not None:
        record["version"] = version
    elif type(record.get("version")) is int:
        msg = f"its version is {record['version']}"
        raise ValueError(msg)
    record.update(names)
    record["requested_by_login"] = as_object(record.get("requested_by")).get("githubLogin")
    if str(record.get("requested_by_token") or "").startswith("pul-"):
        record["requested_by_token"] = None
    hide_secret_config(record.get("config"))
    return record


def info_of(row: Row) -> Row:
    """The facts of an update, in the shape of the service and in the older flat one."""
    info = row.get("info")
    return info if info and isinstance(info, dict) else row


def version_of(row: Row) -> int | None:
    """The version of an update; 0 where it has none yet, ``None`` where it cannot be read."""
    version = row.get("version")
    if type(version) is int and version > 0:
        return version  # all that Pulumi Cloud ever gives
    told = info_of(row).get("version")
    found = told if type(told) is int else version
    return found if type(found) is int and found >= 0 else None


def beginnings(rows: Iterable[Row]) -> dict[int, str]:
    """When updates began, by version; one that does not tell may be of any time."""
    return {version: began(info_of(row)) for row in rows if (version := version_of(row))}


def began(info: Row) -> str:
    """When an update began; one that does not tell may be of any time."""
    return str(to_timestamp(info.get("startTime")) or "9")


def all_began_before(rows: list[Row], start: str) -> bool:
    """Whether all updates of a page are from before a time: then so are older ones.

    One alone does not tell: clocks differ, so that times need not be in order of versions.
    """
    told = [time for time in beginnings(rows).values() if time != "9"]
    return bool(told) and all(time < start for time in told)


def ref_of(row: Row) -> str:
    """What an update is known by: its id, or on older servers its version."""
    return str(row.get("updateID") or f"#{version_of(row)}")


def identity_of(row: Row) -> Any:
    """What stays the same of an update while its list is read."""
    return str(row.get("updateID") or info_of(row).get("startTime"))


def is_open(info: Row) -> bool:
    """Whether an update has not ended."""
    result = info.get("result")
    return result in OPEN_RESULTS or (result not in ENDED_RESULTS and not info.get("endTime"))


def hide_secret_config(config: Any) -> None:
    """Null what is secret in a configuration, at any depth; the keys and the marks stay."""
    if not isinstance(config, dict):
        _without_secrets(config, ())
        return
    for name, entry in config.items():
        # The usual one is seen at a glance: {"string": "...", "secret": false}.
        if not (
            entry.__class__ is dict
            and entry.get("secret") is False
            and entry.get("string").__class__ is str
            and len(entry) == 2 + (entry.get("object").__class__ is bool)
        ):
            config[name] = _without_secrets(entry, (name,))


def _without_secrets(config: Any, names: tuple[str, ...] | None) -> Any:
    """Null what is secret in a part of a configuration.

    Args:
        config: The configuration, or what stands in it.
        names: What it is called, which decides where nothing is marked; ``None`` in what is
            marked as plain.
    """
    if isinstance(config, list):
        config[:] = [_without_secrets(value, names) for value in config]
    elif not isinstance(config, dict):
        return None if any(is_secret(name, config) for name in names or ()) else config
    elif (mark := config.get("secret")) is not False and (
        mark or SIGNATURE_KEY in config or config.keys() == {"secure"}
    ):
        for key, value in config.items():
            if key not in ("secret", "object") or not isinstance(value, bool):
                config[key] = None
    else:
        for key, value in config.items():
            known = None if mark is False or names is None else (*names, key)
            config[key] = _without_secrets(value, known)
    return config
