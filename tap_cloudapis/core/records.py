"""From a raw row of an answer to a record: columns of the context, times, types, no secrets.

A record whose key is missing, or that contradicts the list it came in, is left out: it would
replace another row, or be taken for one of another account. Of records that come twice
within a page with different content, the first is kept: the others would replace it.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.redaction import redact
from tap_cloudapis.core.scalars import is_text
from tap_cloudapis.core.scrubbing import Scrubber
from tap_cloudapis.core.shapes import Handling, Shaper

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

#: The Python types of a key's JSON types; keys are of no other.
_KEY_TYPES = {"integer": int, "string": str}
TOO_DEEP = "that is nested too deep"


class RecordShape:
    """How the records of a stream look, compiled once.

    Args:
        schema: The stream's schema.
        keys: The primary key.
        dropped: Top-level fields that are never emitted.
        context_columns: Columns copied from the context: column -> key of the context.
        constants: Columns that are the same in every record.
        untouched: Top-level fields that are not searched for secrets.
        replace_secret: See :class:`~tap_cloudapis.core.scrubbing.Scrubber`.
        note: Told of a column with values that are not what it is declared with.

    Attributes:
        finish: Turns a row that has the record's names into a record, in place, for a context;
            gives back why the record has to be left out, "" where it need not.
        key: Gives the key of a finished record.
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
        note: Callable[[str], None],
    ) -> None:
        self._note = note
        # Of a key that cannot be read, the error tells that its record is left out.
        self._told = set(keys)
        handling = Handling(self._tell, Scrubber(replace_secret).scrub, replace_secret)
        shape = Shaper(schema, handling, dropped=dropped, untouched=untouched, keys=keys).shape
        columns, fixed = tuple(context_columns.items()), tuple(constants.items())
        properties = schema.get("properties", {})
        # What comes from the context is there, and right.
        own_keys = [
            (name, _KEY_TYPES.get(str(properties.get(name, {}).get("type"))))
            for name in keys
            if name not in context_columns
        ]

        def finish(record: Row, context: Context) -> str:
            try:
                shape(record)
            except RecursionError:
                return TOO_DEEP
            for column, key in columns:
                value, given = context[key], record.get(column)
                if given is None or given == value:
                    record[column] = value
                elif value is not None:
                    if not _same(given, value):
                        return f"which says {column} {given!r:.60} in the list of {value!r:.60}"
                    record[column] = value
            for name, value in fixed:
                record[name] = value
            for name, kind in own_keys:
                value = record.get(name)
                if (
                    value is None
                    or (kind is not None and type(value) is not kind)
                    or (kind is str and not value.isascii() and not is_text(value))
                ):
                    shown = "null" if value is None else redact(repr(value))[:60]
                    return f"whose {name} is {shown}"
            return ""

        self._keys = tuple(keys)
        self.finish = finish
        self.key: Callable[[Row], Any] = itemgetter(*keys) if keys else id

    def _tell(self, column: str, declared: str, value: Any) -> None:
        """Say once of a column that it has another value than it is declared with."""
        if column not in self._told:
            self._told.add(column)
            kinds: dict[type, str] = {dict: "an object", list: "a list"}
            what = kinds.get(type(value)) or repr(value)
            self._note(
                f"{column}, declared as {declared}, has values that are none and stay as they "
                f"came, such as {redact(what)[:60]}"
            )

    def contradiction(self, record: Row, other: Row) -> str:
        """Why one of two records with the same key has to be left out; "" where they are equal."""
        try:
            if other == record:
                return ""
        except RecursionError:
            return TOO_DEEP
        values = ", ".join(f"{name} {record[name]!r:.60}" for name in self._keys)
        return f"which comes twice with different content: {values}"


def _same(given: Any, value: Any) -> bool:
    """Whether a row's own value of a context column means the context's."""
    return str(given).casefold() == str(value).casefold()
