"""Values in the forms the warehouse gets: timestamps, durations, and no secrets.

The two services write time in ten forms between them; all leave as RFC 3339 in UTC with six
digits, so that they compare as text and load as timestamps everywhere.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Without its zone, UTC, which is written as Z.
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001

_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?\s*"
    r"(Z|z|UTC|[+-]\d{2}:?\d{2})?"
)
#: Every third character of ``2024-05-27 10:42:16.179903+00:00`` between year and fraction.
_USUAL = ("-- ::.", "--T::.")
_DURATION = re.compile(r"(?:(\d+) days?,? )?(\d+):(\d{2}):(\d{2})(?:\.\d+)?")

# Numbers above these are milliseconds and microseconds: as seconds they would lie
# beyond the year 5000.
_MILLISECONDS_FROM = 10**11
_MICROSECONDS_FROM = 10**14


def to_timestamp(value: Any) -> Any:
    """Write a timestamp of either service as RFC 3339 in UTC with six digits.

    Args:
        value: ``2024-05-27 10:42:16.179903+00:00`` and its kin (``T`` or space, any number of
            decimals, ``Z``, an offset or no zone, which means UTC, or a date alone); Unix
            seconds, milliseconds or microseconds, as a number or in digits.

    Returns:
        ``2024-05-27T10:42:16.179903Z``; ``None`` for null, "", zero and the year 1, which stand
        for "not yet" and "never"; anything that is no timestamp comes back unchanged.
    """
    if isinstance(value, str):
        return _parse_timestamp(value)
    if value is None or isinstance(value, (bool, dict, list)):
        return value
    return _from_epoch(value)


def _parse_timestamp(text: str) -> Any:
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        stripped = text.strip()
        return _from_epoch(int(stripped)) if stripped.isdecimal() else (text if stripped else None)
    date, minutes, seconds, fraction, zone = match.groups()
    micros = f"{fraction or '0':0<6.6}"
    try:
        # The zone is applied below: not every form of one is read before Python 3.11.
        moment = datetime.fromisoformat(f"{date}T{minutes or '00:00'}:{seconds or '00'}.{micros}")
    except ValueError:
        return text
    if zone and zone[0] in "+-":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        try:
            moment -= offset if zone[0] == "+" else -offset
        except OverflowError:
            return None if moment.year <= 1 else text
    return None if moment.year <= 1 else f"{moment.isoformat(timespec='microseconds')}Z"


def _from_epoch(number: Any) -> Any:
    if not number:
        return None
    try:
        if abs(number) >= _MICROSECONDS_FROM:
            moment = EPOCH + timedelta(microseconds=int(number))
        elif abs(number) >= _MILLISECONDS_FROM:
            moment = EPOCH + timedelta(milliseconds=int(number))
        else:
            moment = EPOCH + timedelta(microseconds=int(number * 1_000_000))
    except (ArithmeticError, ValueError):
        return number
    return f"{moment.isoformat(timespec='microseconds')}Z"


def to_seconds(value: Any) -> int | None:
    """Read a duration.

    Args:
        value: ``HH:MM:SS``, where the hours may pass 24, or ``D days, HH:MM:SS``.

    Returns:
        Whole seconds; ``None`` for anything else.
    """
    return _parse_duration(value) if isinstance(value, str) else None


@lru_cache(maxsize=1 << 16)
def _parse_duration(text: str) -> int | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def compile_timestamps(schema: Mapping[str, Any]) -> Callable[[dict[str, Any]], None] | None:
    """Prepare to normalise the timestamps that a schema declares, nested ones too.

    Args:
        schema: A JSON schema of type object.

    Returns:
        A function that rewrites a record in place; ``None`` where there is nothing to do.
    """
    columns: list[str] = []
    nested: list[tuple[str, Callable[[dict[str, Any]], None]]] = []
    for name, definition in schema.get("properties", {}).items():
        if definition.get("format") == "date-time":
            columns.append(name)
        inner = compile_timestamps(definition.get("items", definition))
        if inner is not None:
            nested.append((name, inner))
    if not columns and not nested:
        return None
    normalize_columns = _compile_columns(columns)
    if not nested:
        return normalize_columns

    def normalize(record: dict[str, Any]) -> None:
        normalize_columns(record)
        for name, inner in nested:
            value = record.get(name)
            if isinstance(value, dict):
                inner(value)
            elif isinstance(value, list):
                _normalize_items(value, inner)

    return normalize


def _compile_columns(columns: list[str]) -> Callable[[dict[str, Any]], None]:
    fromisoformat = datetime.fromisoformat

    def normalize(record: dict[str, Any]) -> None:
        for name in columns:
            value = record.get(name)
            if value is None:
                continue
            # The most common form by a short way: there are a dozen in each record.
            if value.__class__ is str and value[4:20:3] in _USUAL and value[26:] == "+00:00":
                try:
                    if fromisoformat(value).year > 1:
                        record[name] = f"{value[:10]}T{value[11:26]}Z"
                        continue
                except ValueError:
                    continue  # no moment: it stays as it is
            record[name] = to_timestamp(value)

    return normalize


def _normalize_items(items: list[Any], normalize: Callable[[dict[str, Any]], None]) -> None:
    for item in items:
        if isinstance(item, dict):
            normalize(item)


# Words that make a name look like it holds a secret, and endings that show that it only holds
# something about one (repository_credentials_id, apitoken_last_used, tokenName).
_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|private_?key|api_?key|access_?key|signing_?key"
    r"|encrypt(?:ed|ion)_?(?:key|salt)|hmac|credential|ciphertext|key_?material"
    r"|authorization|accept_?invite_?url|ssh_?key",
    re.IGNORECASE,
)
_ABOUT_A_SECRET = re.compile(
    r"(?:_|(?<=[a-z]))(?:ids?|IDs?|Ids?|at|At|count|Count|name|Name|type|Type|used|Used"
    r"|failure|enabled|Enabled|expires|Expires)$"
)
_SCALARS = frozenset({"boolean", "integer", "null", "number", "string"})
#: How many names are remembered as harmless; the keys of users' own maps are without number.
_REMEMBERED_NAMES = 20_000


@lru_cache(maxsize=_REMEMBERED_NAMES)
def looks_secret(name: str) -> bool:
    """Whether a field of this name is likely to hold a secret."""
    return bool(_SECRET_NAME.search(name)) and not _ABOUT_A_SECRET.search(name)


class Scrubber:
    """Removes fields whose name looks like a secret, at any depth, from objects.

    A name that the schema declares was reviewed and is kept where it is declared.

    Args:
        schema: The schema of the records, or of an object within them.
        replace: Asked for every nested object; whatever it gives but ``None`` stands in for
            the object.
        untouched: Fields to leave as they are.
        harmless: Names known not to look like secrets; shared by the scrubbers of a stream.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        *,
        replace: Callable[[dict[str, Any]], Any] | None = None,
        untouched: frozenset[str] = frozenset(),
        harmless: set[str] | None = None,
    ) -> None:
        self._replace = replace
        self._untouched = untouched
        self._harmless: set[str] = set() if harmless is None else harmless
        properties = schema.get("properties", {})
        self._declared = frozenset(properties)
        self._containers = [
            (name, Scrubber(_object_in(definition), replace=replace, harmless=self._harmless))
            for name, definition in properties.items()
            if name not in untouched and not _is_scalar(definition.get("type"))
        ]

    def scrub(self, record: dict[str, Any]) -> None:
        """Remove secrets from an object, in place."""
        for name, scrubber in self._containers:
            value = record.get(name)
            if value and isinstance(value, (dict, list)):
                record[name] = scrubber._scrubbed(value)  # noqa: SLF001 - one of its own kind
        if not self._declared.issuperset(record):
            self._scrub_undeclared(record, record.keys() - self._declared)

    def _scrub_undeclared(self, record: dict[str, Any], names: Iterable[str]) -> None:
        for name in names:
            value = record[name]
            if name not in self._harmless:
                if not looks_secret(name):
                    if len(self._harmless) < _REMEMBERED_NAMES:
                        self._harmless.add(name)
                # A flag or a null tells about a secret; it cannot be one.
                elif value is not None and not isinstance(value, bool):
                    del record[name]
                    continue
            if value and isinstance(value, (dict, list)) and name not in self._untouched:
                record[name] = self._anything._scrubbed(value)  # noqa: SLF001

    @cached_property
    def _anything(self) -> Scrubber:
        """For values of which the schema says nothing."""
        if not self._declared:
            return self
        return Scrubber({}, replace=self._replace, harmless=self._harmless)

    def _scrubbed(self, value: dict[str, Any] | list[Any]) -> Any:
        if isinstance(value, dict):
            if self._replace is not None and (stand_in := self._replace(value)) is not None:
                return stand_in
            self.scrub(value)
        else:
            for index, inner in enumerate(value):
                if inner and isinstance(inner, (dict, list)):
                    value[index] = self._scrubbed(inner)
        return value


def _object_in(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an object, or of the objects in an array."""
    items = definition.get("items")
    return _object_in(items) if isinstance(items, dict) else definition


def _is_scalar(types: Any) -> bool:
    """Whether a declared type leaves no room for objects and arrays."""
    return bool(types) and _SCALARS.issuperset([types] if isinstance(types, str) else types)
