"""The state as a whole: which form it has, and which deployment it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import msgspec

from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The form of the bookmarks; it changes when keys or marks do.
VERSION = 1
#: The names beside ``bookmarks`` in the state: the form, and the hosts by service.
VERSION_KEY, HOSTS_KEY = "version", "hosts"

#: What to do where a state is of no use.
_ANEW = "start without a state and into new tables (with Meltano: meltano state clear STATE_ID)"


class Partition(TypedDict):
    """What the SDK takes for granted of a bookmark's part."""

    context: dict[str, Any]
    progress_markers: NotRequired[dict[str, Any]]


class Bookmark(TypedDict, total=False):
    """What the SDK takes for granted of a stream's bookmark."""

    partitions: list[Partition]
    progress_markers: dict[str, Any]


def read_bookmarks(state: dict[str, Any], forms: Mapping[str, Any]) -> dict[str, Any]:
    """Give the bookmarks of a state, without those that hold nothing.

    Args:
        state: As it was given.
        forms: The type of the bookmark of each of the tap's streams.

    Raises:
        TapError: When it has bookmarks of these streams in another form, such as another version
            of the tap has written.
    """
    given = state.get("bookmarks")
    if _has_content(given) and not isinstance(given, dict):
        msg = "--state: its bookmarks are no JSON object, so this is no state of tap-cloudapis"
        raise TapError(msg)
    bookmarks = given if isinstance(given, dict) else {}
    found = {name: value for name, value in bookmarks.items() if _has_content(value)}
    ours = sorted(found.keys() & forms.keys())
    if ours:
        _check_version(state.get(VERSION_KEY), ours)
    odd = [name for name in ours if not _fits(found[name], forms[name])]
    if odd:
        msg = (
            f"--state: the bookmarks of {', '.join(odd)} are not what tap-cloudapis writes; take "
            "an earlier state, or start without one (with Meltano: meltano state clear STATE_ID)"
        )
        raise TapError(msg)
    # Those of other taps are nobody's business here, but the SDK looks into them.
    return {name: value for name, value in found.items() if _fits(value, forms.get(name, Bookmark))}


def _check_version(version: Any, streams: Iterable[str]) -> None:
    """Refuse a state that another version of the tap wrote in another form."""
    if type(version) is int and version == VERSION:
        return
    is_newer = type(version) is int and version > VERSION
    msg = (
        f"--state: {'a newer' if is_newer else 'an older'} version of tap-cloudapis wrote this "
        f"state (see {', '.join(streams)}), and its tables have other keys; "
        f"{'update tap-cloudapis' if is_newer else _ANEW}"
    )
    raise TapError(msg)


def _fits(bookmark: Any, form: Any) -> bool:
    """Whether a bookmark has a form, and the one of the SDK beside it."""
    try:
        partitions = msgspec.convert(bookmark, Bookmark).get("partitions", [])
        msgspec.convert(bookmark, form)
    except msgspec.ValidationError:
        return False
    contexts = [partition["context"] for partition in partitions]
    return all(context not in contexts[:number] for number, context in enumerate(contexts))


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


def stamp(state: dict[str, Any], hosts: Mapping[str, str]) -> dict[str, str]:
    """Note in a state its form, and the hosts that it is written with from now on.

    Args:
        state: The state of the sync.
        hosts: The hosts by service.

    Returns:
        The hosts that it was written with before, where they were others.
    """
    known: dict[str, str] = state.setdefault(HOSTS_KEY, {})
    others = {key: known[key] for key, host in hosts.items() if known.get(key, host) != host}
    known.update(hosts)
    state.setdefault("bookmarks", {})
    state[VERSION_KEY] = VERSION
    return others
