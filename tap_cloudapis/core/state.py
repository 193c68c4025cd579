"""The state as a whole: which form it has, and which deployment it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.bookmarks import Bookmark, usable
from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.report import first_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: The form of the bookmarks; it changes when keys or marks do.
VERSION = 1
#: The names in the state: the bookmarks, their form, and the hosts by service.
BOOKMARKS_KEY, VERSION_KEY, HOSTS_KEY = "bookmarks", "version", "hosts"
#: Where others keep a state: a STATE message, Meltano's runs, its state backends.
_WRAPPERS = ("value", "singer_state", "completed", "completed_state", "partial", "partial_state")
#: How many spoiled parts, or foreign streams, are named.
_NAMED = 3

#: What to do where a state is of no use.
_ANEW = "start without a state and into new tables (with Meltano: meltano state clear STATE_ID)"


def unwrap(state: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Take a state out of what it is kept in.

    Returns:
        The state, and where it was found; "" where it is as a tap writes it.

    Raises:
        TapError: When it is nested deeper than any state.
    """
    inner, places = state, []
    if not _is_shallow(state):
        msg = "--state: it is nested too deep to be a state of tap-cloudapis"
        raise TapError(msg)
    while BOOKMARKS_KEY not in inner:
        found = (key for key in _WRAPPERS if isinstance(inner.get(key), dict))
        place = next((key for key in found if _has_content(inner[key])), None)
        if place is None:
            return state, ""
        places.append(place)
        inner = inner[place]
    return inner, ".".join(places)


def read_bookmarks(
    state: dict[str, Any],
    forms: Mapping[str, Any],
    warn: Callable[[str], None],
    leaders: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Give the bookmarks of a state, without those that hold nothing or are spoiled.

    Args:
        state: As it was given.
        forms: The type of the bookmark of each of the tap's streams.
        warn: Told, in a line, of what is spoiled and therefore read from the start.
        leaders: Streams whose bookmark means nothing without that of another one, by their names.

    Raises:
        TapError: When another version of the tap wrote it in another form, or it is none.
    """
    given = state.get(BOOKMARKS_KEY)
    if _has_content(given) and not isinstance(given, dict):
        msg = "--state: its bookmarks are no JSON object, so this is no state of tap-cloudapis"
        raise TapError(msg)
    bookmarks = given if isinstance(given, dict) else {}
    found = {name: value for name, value in bookmarks.items() if _has_content(value)}
    # Whatever the order of their names, leaders come before what means nothing without them.
    ours = sorted((n for n in forms if n in found), key=lambda n: n in (leaders or ()))
    if ours:
        _check_version(state.get(VERSION_KEY), sorted(ours))
    elif unknown := [*found, *(k for k in state if k not in _NAMES and _has_content(state[k]))]:
        warn(
            f"--state: it holds no bookmark of tap-cloudapis (but {first_of(unknown, _NAMED)}), so "
            "everything is read from the start"
        )
    # Those of other taps are nobody's business here, but the SDK looks into them.
    read = {name: value for name, value in found.items() if _is_foreign(name, value, forms)}
    for name in ours:
        leader = (leaders or {}).get(name)
        if leader and leader not in read:
            warn(f"--state: {name} is read from the start, as {leader} has no bookmark to go with")
            continue
        kept, spoiled = usable(found[name], forms[name])
        if kept:
            read[name] = kept
        if kept and spoiled:
            warn(
                f"--state: what the bookmark of {name} holds of {first_of(spoiled, _NAMED)} is not "
                "what tap-cloudapis writes, so that is read from the start"
            )
        elif spoiled:
            warn(
                f"--state: the bookmark of {name} is not what tap-cloudapis writes "
                f"({spoiled[0]}), so it is read from the start"
            )
    return read


_NAMES = (BOOKMARKS_KEY, VERSION_KEY, HOSTS_KEY)


def _is_foreign(name: str, value: Any, forms: Mapping[str, Any]) -> bool:
    return name not in forms and not usable(value, Bookmark)[1]


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


def _is_shallow(value: Any, levels: int = 50) -> bool:
    """Whether a value is nested no deeper than some levels."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(levels > 0 and _is_shallow(each, levels - 1) for each in inner)


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
    state.setdefault(BOOKMARKS_KEY, {})
    state[VERSION_KEY] = VERSION
    return others
