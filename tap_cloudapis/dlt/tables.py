"""Records of one stream as Arrow tables, in the columns that the loader would make of them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from dlt.common.schema.utils import dlt_id_column, dlt_load_id_column

from tap_cloudapis.dlt.values import ARROW_TYPES, KINDS, Kind, build, infer, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Row = dict[str, Any]

#: dlt's own columns, with which the rows come: Arrow tables get none by themselves.
LOAD_ID, ROW_ID = "_dlt_load_id", "_dlt_id"


def hints_of(
    schema: Mapping[str, Any], keys: Sequence[str], kinds: Mapping[str, Kind]
) -> list[dict[str, Any]]:
    """The columns of a stream as dlt describes them.

    Args:
        schema: The JSON schema of the records, without what is not selected.
        keys: The columns of the key.
        kinds: The types of the columns, by name.
    """
    properties: Mapping[str, Any] = schema["properties"]
    columns: list[dict[str, Any]] = []
    for name, kind in kinds.items():
        column = {"name": name, "data_type": kind, "nullable": name not in keys}
        if text := properties.get(name, {}).get("description"):
            column["description"] = text
        columns.append(column)
    # Rows get ids in the order in which they come: of rows with one key dlt takes the last.
    own = ({**dlt_load_id_column()}, {**dlt_id_column(), "dedup_sort": "desc"})
    return [*columns, *own]


class Tables:
    """Makes Arrow tables of the records of a stream.

    Properties that no schema speaks of get a column by their first value. What a column cannot hold
    goes into a variant of it, and leaves null there.

    Args:
        schema: The JSON schema of the records, without what is not selected.
        keys: The columns of the key.
        known: The types of the columns that the table has, in dlt's words.
        spell: Makes the name of a column of a property's.
        load_id: The id of the load package; ``None`` where there is none.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        keys: Sequence[str],
        known: Mapping[str, str],
        spell: Callable[[str], str],
        load_id: str | None,
    ) -> None:
        self._schema = schema
        self._keys = keys
        self._known = {name: kind for name, kind in known.items() if kind in KINDS}
        self._spell = spell
        self._load_id = load_id
        self._names: dict[str, str] = {}
        self._kinds: dict[str, Kind] = {}
        self._run = secrets.token_hex(6)
        self._count = 0
        declared = {name: kind_of(sub) for name, sub in schema["properties"].items()}
        for name, kind in declared.items():
            self._add(name, name, kind)
        #: Whether the columns are others than those that the stream is known to have.
        self.changed = self._kinds != declared

    @property
    def has_rows(self) -> bool:
        """Whether any record has come."""
        return bool(self._count)

    @property
    def hints(self) -> list[dict[str, Any]]:
        """All columns so far, as dlt describes them."""
        return hints_of(self._schema, self._keys, self._kinds)

    def _add(self, source: str, name: str, kind: Kind) -> str:
        """Give a property a column; one that the table has keeps its type."""
        self._names[source] = name
        self._kinds[name] = self._known.get(name, kind)
        return name

    def _column_of(self, source: str, values: Sequence[Any]) -> str | None:
        """The column of a property; ``None`` where it has no value and no column yet."""
        if source in self._names:
            return self._names[source]
        first = next((value for value in values if value is not None), None)
        if first is None:
            return None
        wanted = name = self._spell(source) or "_"
        number = 1
        while name in self._kinds:
            number += 1
            name = f"{wanted}_{number}"
        self.changed = True
        return self._add(source, name, infer(first))

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Make a table of records; :attr:`changed` is set where it has new columns."""
        arrays: dict[str, pa.Array] = {}
        for source in dict.fromkeys([*self._names, *(name for row in rows for name in row)]):
            values = [row.get(source) for row in rows]
            name = self._column_of(source, values)
            if name is not None:
                arrays[name], misfits = build(self._kinds[name], values)
                self._add_variants(arrays, name, misfits, len(rows))
        ids = [f"{self._run}{number:08x}" for number in range(self._count, self._count + len(rows))]
        self._count += len(rows)
        columns = [name for name in self._kinds if name in arrays]
        fields = [
            pa.field(name, ARROW_TYPES[self._kinds[name]], nullable=name not in self._keys)
            for name in columns
        ]
        made = [arrays[name] for name in columns]
        if self._load_id is not None:
            fields.append(pa.field(LOAD_ID, pa.string(), nullable=False))
            made.append(pa.repeat(self._load_id, len(rows)))
        fields.append(pa.field(ROW_ID, pa.string(), nullable=False))
        made.append(pa.array(ids, pa.string()))
        return pa.Table.from_arrays(made, schema=pa.schema(fields))

    def _add_variants(
        self, arrays: dict[str, pa.Array], name: str, misfits: Mapping[int, Any], length: int
    ) -> None:
        """Put what a column does not hold into columns beside it, one for each type."""
        for kind in dict.fromkeys(map(infer, misfits.values())):
            variant = f"{name}__v_{kind}"
            if variant not in self._kinds:
                self._kinds[variant] = kind
                self.changed = True
            values = [misfits.get(position) for position in range(length)]
            of_kind = [None if v is None or infer(v) != kind else v for v in values]
            arrays[variant], _ = build(kind, of_kind)
