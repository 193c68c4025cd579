"""Objects laid out in columns of their own, `a__b`, as the Meltano SDK flattens them.

The names are made by the SDK's own function. Unlike there, arrays and objects that are not
flattened keep their type, JSON; a property whose schema is a union keeps its place; and two
properties of one name have a column each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._flattening import (
    DEFAULT_FLATTENING_SEPARATOR,
    DEFAULT_MAX_KEY_LENGTH,
    flatten_key,
)

from target_dlt.messages.json_schema import properties_of, told_of
from target_dlt.messages.schema import data_type
from target_dlt.names import Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_dlt.messages.json_schema import JSONSchema
    from target_dlt.messages.schema import DataType, StreamSchema
    from target_dlt.names import Path


@dataclass(frozen=True)
class FlatteningOptions:
    """How far to flatten; the settings `flattening_*`."""

    max_depth: int
    max_key_length: int = DEFAULT_MAX_KEY_LENGTH
    separator: str = DEFAULT_FLATTENING_SEPARATOR


class Flattener:
    """Flattens the records of one stream.

    Args:
        schema: The stream as its SCHEMA message describes it.
        options: How far to flatten.

    Attributes:
        schema: The stream as it is after flattening.
    """

    def __init__(self, schema: StreamSchema, options: FlatteningOptions) -> None:
        self._max_depth = options.max_depth

        def spell(path: Path) -> str:
            *parents, key = path
            return flatten_key(
                key, parents, options.separator, max_key_length=options.max_key_length
            )

        declared = schema.properties
        self._top = Level(spell, keys=(key for key in schema.keys if key not in declared))
        properties = self._flat(declared, self._top, 0)
        columns: dict[str, DataType] = {}
        for name, sub in properties:
            with told_of(name):
                columns[name] = data_type(sub, root=schema.document)
        self._columns = frozenset(columns)
        self._declared = None if schema.keeps_unknown else {*declared, *schema.keys}
        # What is not to be kept is left out of the rows.
        self.schema: StreamSchema = replace(
            schema, columns=columns, keeps_unknown=True, spelled=self._top.spelled
        )

    def _flat(self, properties: JSONSchema, level: Level, depth: int) -> Iterator[tuple[str, Any]]:
        for key, sub in properties.items():
            if depth < self._max_depth and _is_laid_out(sub):
                yield from self._flat(properties_of(sub), level.below(key), depth + 1)
            else:
                yield level[key], sub

    def rows(self, record: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Make the one row of a record; values stay as they are."""
        if self._declared is not None:
            record = {key: record[key] for key in record if key in self._declared}
        flat: dict[str, Any] = {}
        self._fill(flat, record, self._top, 0)
        yield (), flat

    def schema_of(self, path: Path) -> StreamSchema:  # noqa: ARG002
        """The stream's own table: there is no other."""
        return self.schema

    def _fill(
        self, flat: dict[str, Any], record: Mapping[str, Any], level: Level, depth: int
    ) -> None:
        may_descend = depth < self._max_depth
        for key, value in record.items():
            if type(value) is dict and may_descend and self._is_flattened(key, level):
                self._fill(flat, value, level.below(key), depth + 1)
            else:
                flat[level[key]] = value

    def _is_flattened(self, key: str, level: Level) -> bool:
        """Tell whether a value that is an object is laid out: unless its schema is a column."""
        return level.get(key) not in self._columns


def _is_laid_out(schema: Any) -> bool:
    types = schema.get("type") if isinstance(schema, dict) else None
    return (
        isinstance(types, (str, list))
        and "object" in types
        and schema.get("properties") is not None
    )
