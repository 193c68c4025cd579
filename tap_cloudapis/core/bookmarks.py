"""The forms of bookmarks, and what is left of one that was spoiled by hand, by a merge or a cut.

A state is a file of the user's. Each stream declares the form of its bookmark; a part that stands
for one account or one stack and has another form is dropped alone, and is read from the start:
that costs requests, and no row, as rows are replaced by key.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import (
    Annotated,
    Any,
    NotRequired,
    TypedDict,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec

#: An id of a service, as a database counts them.
RowId = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]
#: A number that is counted up.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: How far a clock may be ahead of another one.
_CLOCKS_DIFFER = timedelta(days=1)


class Start:
    """The start of a history in a bookmark: a time as the tap writes it, or "" for none.

    Raises:
        ValueError: When it is something else.
    """

    def __init__(self, value: Any) -> None:
        if value != "" and not is_time(value):
            msg = "Expected a time like `2026-01-31T06:00:00.000000Z`"
            raise ValueError(msg)


class Moment(Start):
    """A time in a bookmark that has been: what is marked with one was read.

    Raises:
        ValueError: When it is something else.
    """

    def __init__(self, value: Any) -> None:
        super().__init__(value or None)
        if not "1970" < value < f"{datetime.now(UTC) + _CLOCKS_DIFFER:%Y-%m-%dT%H:%M:%S}":
            msg = "Expected a time that has been"
            raise ValueError(msg)


class Day:
    """A day in a bookmark that has been, or is: all before it was read.

    Raises:
        ValueError: When it is something else.
    """

    def __init__(self, value: Any) -> None:
        soon = (datetime.now(UTC) + _CLOCKS_DIFFER).date()
        if not isinstance(value, str) or not _DAY.fullmatch(value) or not is_day(value, soon):
            msg = "Expected a day that has been, like `2026-01-31`"
            raise ValueError(msg)


def is_day(value: str, last: date) -> bool:
    """Whether a text in the form of a day is one, and no later than another."""
    try:
        return date(1970, 1, 2) < date.fromisoformat(value) <= last
    except ValueError:
        return False


def is_time(value: Any) -> bool:
    """Whether a text is a time in UTC, in the form whose order is that of the texts."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.removesuffix("Z"))
    except ValueError:
        return False
    return True


class Partition(TypedDict):
    """What the SDK takes for granted of a bookmark's part."""

    context: dict[str, Any]
    progress_markers: NotRequired[dict[str, Any]]


class Bookmark(TypedDict, total=False):
    """What the SDK takes for granted of a stream's bookmark."""

    partitions: list[Partition]
    progress_markers: dict[str, Any]


def usable(bookmark: Any, form: Any) -> tuple[dict[str, Any], list[str]]:
    """What of a bookmark has its form.

    Args:
        bookmark: As it was given.
        form: Its type, a ``TypedDict``. The entries of its lists and dictionaries of objects are
            the parts that can be dropped alone.

    Returns:
        What can be used, and what cannot, each with its reason; a reason alone stands for all.
    """
    trouble = _trouble(bookmark, form)
    if not trouble:
        return bookmark, []
    if not isinstance(bookmark, dict):
        return {}, [trouble]
    kept: dict[str, Any] = dict(bookmark)
    spoiled: list[str] = []
    for name, (container, kind) in _parts(form).items():
        entries = kept.get(name)
        if isinstance(entries, container):
            split = _split_list if container is list else _split_dict
            kept[name], dropped = split(name, entries, kind)
            spoiled += dropped
    rest = _trouble(kept, form)
    return ({}, [rest]) if rest else (kept, spoiled)


def _split_dict(name: str, entries: dict[str, Any], kind: Any) -> tuple[dict[str, Any], list[str]]:
    troubles = {key: _trouble_of(entry, kind) for key, entry in entries.items()}
    spoiled = [f"{name} {key!r:.60} ({trouble})" for key, trouble in troubles.items() if trouble]
    return {key: entry for key, entry in entries.items() if not troubles[key]}, spoiled


def _split_list(name: str, entries: list[Any], kind: Any) -> tuple[list[Any], list[str]]:
    kept, spoiled = [], []
    for number, entry in enumerate(entries):
        trouble = _trouble_of(entry, kind) or _trouble_of(entry, Partition)
        if (
            not trouble
            and [e.get("context") for e in entries if isinstance(e, dict)].count(entry["context"])
            > 1
        ):
            trouble = "it comes twice"
        if trouble:
            spoiled.append(f"{_place(name, number, entry)} ({trouble})")
        else:
            kept.append(entry)
    return kept, spoiled


def _place(name: str, number: int, entry: Any) -> str:
    """What a part stands for: "account 5", or its place in the list."""
    context = entry.get("context") if isinstance(entry, dict) else None
    if not isinstance(context, dict) or not context:
        return f"{name}[{number}]"
    return ", ".join(f"{key.removesuffix('_id')} {value!r:.60}" for key, value in context.items())


@cache
def _parts(form: Any) -> dict[str, tuple[Any, Any]]:
    """The fields of a form that hold parts: list or dictionary, and the type of a part."""
    found = {}
    for name, hint in get_type_hints(form).items():
        if get_origin(hint) in (list, dict):
            kind = get_args(hint)[-1]
            if is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
                found[name] = (get_origin(hint), kind)
    return found


def _trouble(bookmark: Any, form: Any) -> str:
    """Why a bookmark is not of its form, and of the SDK's beside it; "" where it is."""
    trouble = _trouble_of(bookmark, form) or _trouble_of(bookmark, Bookmark)
    if trouble:
        return trouble
    contexts = [partition["context"] for partition in bookmark.get("partitions", ())]
    twice = any(context in contexts[:number] for number, context in enumerate(contexts))
    return "a context comes twice" if twice else ""


def _trouble_of(value: Any, form: Any) -> str:
    """Why a value is not of a form, without a word of the value; "" where it is."""
    try:
        msgspec.convert(value, form, dec_hook=_special)
    except msgspec.ValidationError as exc:
        return str(exc)
    return ""


def _special(kind: type, value: Any) -> Any:
    return kind(value)
