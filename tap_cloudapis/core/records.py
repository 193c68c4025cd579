"""From a raw row of an answer to a record: names, columns of the context, times, no secrets.

A record whose key is missing, or that contradicts the list it came in, is left out: it would
replace another row, or be taken for one of another account. So is one that comes twice within a
page with different content, as nobody can tell which of them is true.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.normalizing import Scrubber, compile_timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

#: The Python types of a key's JSON types; keys are of no other.
_KEY_TYPES = {"integer": int, "string": str}


class RecordShape:
    """How the records of a stream look, compiled once.

    Args:
        schema: The stream's schema.
        keys: The primary key.
        dropped: Top-level fields that are never emitted.
        context_columns: Columns copied from the context: column -> key of the context.
        constants: Columns that are the same in every record.
        untouched: Top-level fields that are not searched for secrets.
        replace_secret: See :class:`Scrubber`.
    """

    def __init__(  # noqa: PLR0913 - what a stream declares
        self,
        schema: Mapping[str, Any],
        keys: Sequence[str],
        *,
        dropped: Collection[str],
        context_columns: Mapping[str, str],
        constants: Mapping[str, Any],
        untouched: frozenset[str],
        replace_secret: Callable[[dict[str, Any]], Any] | None,
    ) -> None:
        self._dropped = tuple(dropped)
        self._columns = tuple(context_columns.items())
        self._constants = constants
        self._scrub = Scrubber(schema, replace=replace_secret, untouched=untouched).scrub
        self._timestamps = compile_timestamps(schema)
        properties = schema.get("properties", {})
        # What comes from the context is there, and right.
        self._own_keys = [
            (name, _KEY_TYPES.get(str(properties.get(name, {}).get("type"))))
            for name in keys
            if name not in context_columns
        ]
        self._key_names = tuple(keys)
        self._key = itemgetter(*keys) if keys else id

    def finish(self, record: Row, context: Context) -> str:
        """Turn a row with the record's names into a record, in place.

        Args:
            record: The row.
            context: Where it comes from.

        Returns:
            Why the record has to be left out; empty where it need not.
        """
        for name in self._dropped:
            if name in record:
                del record[name]
        for column, key in self._columns:
            value = context[key]
            given = record.get(column)
            if given is not None and value is None:
                continue
            if given is not None and given != value and not _same(given, value):
                return f"which says {column} {given!r:.60} in the list of {value!r:.60}"
            record[column] = value
        record.update(self._constants)
        for name, kind in self._own_keys:
            value = record.get(name)
            if value is None or (kind is not None and type(value) is not kind):
                return f"whose {name} is {'null' if value is None else repr(value)[:60]}"
        self._scrub(record)
        if self._timestamps is not None:
            self._timestamps(record)
        return ""

    def told_apart(self, record: Row, known: dict[Any, Row]) -> str | None:
        """Compare a record with those of the same page.

        Args:
            record: A finished record.
            known: The page's records so far, by key; the record is added.

        Returns:
            ``None`` for a record that is new, "" for one that was there before, and else why it
            has to be left out.
        """
        key = self._key(record)
        other = known.setdefault(key, record)
        if other is record:
            return None
        if other == record:
            return ""
        values = ", ".join(f"{name} {record[name]!r:.60}" for name in self._key_names)
        return f"which comes twice with different content: {values}"


def _same(given: Any, value: Any) -> bool:
    """Whether a row's own value of a context column means the context's."""
    return str(given).casefold() == str(value).casefold()
