"""The state as a whole: which form it has, and which deployment it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Collection

#: The form of the bookmarks; it changes when keys or marks do.
VERSION = 1
#: The names beside ``bookmarks`` in the state: the form, and the hosts by service.
VERSION_KEY, HOSTS_KEY = "version", "hosts"


def check_version(state: dict[str, Any], streams: Collection[str]) -> None:
    """Refuse a state that another version of the tap wrote in another form.

    Args:
        state: As it was given. Bookmarks without content count as none.
        streams: Names of the tap's streams.

    Raises:
        TapError: When it has bookmarks of these streams, in another form.
    """
    given = state.get("bookmarks")
    bookmarks: dict[str, Any] = given if isinstance(given, dict) else {}
    found = [name for name in streams if _has_content(bookmarks.get(name))]
    version = state.get(VERSION_KEY)
    if not found or (type(version) is int and version == VERSION):
        return
    age = "a newer" if type(version) is int and version > VERSION else "an older"
    msg = (
        f"--state: {age} version of tap-cloudapis wrote this state, with other keys and bookmarks "
        f"(of {', '.join(sorted(found))}); "
    )
    if age == "a newer":
        msg += "update tap-cloudapis"
    else:
        msg += (
            "start without a state and into new tables, as the old ones have other keys "
            "(with Meltano: meltano state clear STATE_ID)"
        )
    raise TapError(msg)


def _has_content(value: Any) -> bool:
    """Whether there is anything but empty containers in a value."""
    if isinstance(value, dict):
        return any(map(_has_content, value.values()))
    if isinstance(value, list):
        return any(map(_has_content, value))
    return bool(value)


def known_hosts(state: dict[str, Any]) -> dict[str, str]:
    """The hosts by service that a state was written with; what is no text is left out."""
    hosts = state.get(HOSTS_KEY)
    pairs = hosts.items() if isinstance(hosts, dict) else ()
    return {str(service): host for service, host in pairs if isinstance(host, str)}
