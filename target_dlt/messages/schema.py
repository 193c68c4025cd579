"""From the JSON schema of a Singer stream to typed columns.

Follows the Singer specification (SCHEMA messages) and dlt's data types
(`dlt.common.data_types.TDataType`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from target_dlt.decoding import BIGINT
from target_dlt.messages import digits
from target_dlt.messages.digits import (
    column_type,
    decimal_type,
    declared_digits,
    digits_of,
    is_decimal,
    is_number,
    joined,
    number_type,
)
from target_dlt.messages.json_schema import (
    Alternative,
    JSONSchema,
    alternatives,
    properties_of,
    told_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from target_dlt.names import Path

DataType: TypeAlias = digits.DataType

_FORMATS: Mapping[str, DataType] = {
    "date-time": "timestamp",
    "date": "date",
    "time": "time",
}
_DECIMAL_FORMATS = ("singer.decimal", "x-singer.decimal")

# What an existing column of another type holds exactly as it is.
_FITTING = {
    ("bigint", "double"),
    ("date", "timestamp"),
}


@dataclass(frozen=True)
class StreamSchema:
    """One stream as its last SCHEMA message describes it.

    Attributes:
        stream: Name of the stream, as in the messages.
        columns: Data type by property name, in the order of the schema.
        keys: Names of the key properties; empty for a stream that is appended to. The schema may
            not describe them.
        keeps_unknown: Whether record keys outside the schema are loaded (the default of JSON
            schema); with `additionalProperties: false` they are left out.
        document: The JSON schema itself.
        properties: The schemas of its properties, wherever it has them.
        ids: Properties, beside the columns, whose values are dlt's ids of the rows.
        spelled: What to make the names of columns of, by property, where it is not the property.
        lists: Paths of the tables of arrays that are known of.
        own: Columns, beside those of the properties, that the loader fills itself.
    """

    stream: str
    columns: Mapping[str, DataType]
    keys: tuple[str, ...]
    keeps_unknown: bool
    document: JSONSchema = field(default_factory=dict)
    properties: JSONSchema = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    spelled: Mapping[str, str] = field(default_factory=dict)
    lists: Collection[Path] = ()
    own: Mapping[str, DataType] = field(default_factory=dict)


def parse_schema(stream: str, schema: JSONSchema, keys: list[str] | None) -> StreamSchema:
    """Read the parts of a SCHEMA message that decide about columns.

    Args:
        stream: Name of the stream.
        schema: The JSON schema of its records.
        keys: The `key_properties` of the message.

    Returns:
        The typed columns; those of key properties that the schema does not describe are made when
        a record brings them.

    Raises:
        ValueError: If the schema is in no form that a JSON schema has.
    """
    parts = [node for kind, node in alternatives(schema, schema) if kind == "object"]
    parts = [node for node in parts if node is not schema]
    properties = _joined([properties_of(node) for node in (schema, *parts)])
    columns: dict[str, DataType] = {}
    for name, sub in properties.items():
        with told_of(name):
            columns[name] = data_type(sub, root=schema)
    key_names = tuple(dict.fromkeys(_property(key, columns) for key in keys or ()))
    is_closed = _is_closed(schema) or (bool(parts) and all(map(_is_closed, parts)))
    return StreamSchema(stream, columns, key_names, not is_closed, schema, properties)


def _property(key: str, columns: Mapping[str, DataType]) -> str:
    """Find the property that a key names, which taps that spell names anew spell otherwise."""
    found = [] if key in columns else other_spellings(key, columns)
    return found[0] if len(found) == 1 else key


def other_spellings(key: str, names: Iterable[str]) -> list[str]:
    """Find the names that are a key's in another spelling; none of what may be a nested property.

    Naming conventions go further, but keys are looked for in every record.
    """
    bare = None if "__" in key else _bare(key)
    return [name for name in names if _bare(name) == bare and "__" not in name]


def _bare(name: str) -> str:
    return name.replace("_", "").casefold()


def _is_closed(schema: JSONSchema) -> bool:
    return schema.get("additionalProperties") is False


def _joined(found: list[JSONSchema]) -> JSONSchema:
    """Join the properties that the parts of a union describe, or all of which hold."""
    schemas: dict[str, list[Any]] = {}
    for properties in found:
        for name, sub in properties.items():
            if sub not in schemas.setdefault(name, []):
                schemas[name].append(sub)
    return {name: subs[0] if len(subs) == 1 else {"allOf": subs} for name, subs in schemas.items()}


def data_type(schema: Any, *, root: JSONSchema) -> DataType:
    """Find the one column type that holds every value a JSON schema allows.

    Args:
        schema: Schema of one property; unions may be written as a list of types, `anyOf`,
            `oneOf` or `allOf`, and parts may be `$ref` to the root's definitions.
        root: The schema that local references point into.

    Returns:
        A dlt data type: `json` for objects, arrays and anything undescribed, `text` for mixed
        scalars.
    """
    return types_of(alternatives(schema, root))[0]


def types_of(found: Iterable[Alternative]) -> tuple[DataType, DataType | None]:
    """Find the column types of what a value may be.

    Args:
        found: As `alternatives` lists it.

    Returns:
        The type of one column for all values, as in `data_type`; and that of a column of the values
        that are no object and no array, None if there are none.
    """
    kinds = {_one_type(*one) for one in found}
    scalars = kinds - {"json"}
    return _common_type(kinds), _common_type(scalars) if scalars else None


def _common_type(found: set[DataType]) -> DataType:
    if not found or "json" in found:
        return "json"
    if found == {"text", "timestamp"} or len(found) == 1:
        # anyOf [date-time, string] is how taps say "a timestamp, I believe".
        return "timestamp" if "timestamp" in found else found.pop()
    if "double" in found:  # any number: whatever others say of theirs
        found = {kind for kind in found if not is_number(kind)}
    if found <= {"bigint", "double"}:
        return "double"
    if not all(kind == "double" or digits_of(kind) for kind in found):
        return "text"
    return _common_decimal(found)


def _common_decimal(found: set[DataType]) -> DataType:
    exact = found - {"double"}
    if "double" not in found:
        common = joined(exact) or "decimal"
        own = digits_of(common)
        is_sent = own and all(kind == "bigint" or is_number(kind) for kind in found)
        return number_type(own) if own and is_sent else common
    # Others may be any number: so there are never fewer digits after the point than by default.
    is_finer = any((own := digits_of(kind)) and own.scale > digits.DEFAULT.scale for kind in exact)
    return joined([*exact, "decimal"]) or (joined(exact) if is_finer else None) or "decimal"


def _one_type(name: str, schema: Mapping[str, Any]) -> DataType:
    text_format = schema.get("format")
    if name in {"string", "number"} and text_format in _DECIMAL_FORMATS:
        own = declared_digits(schema)
        return decimal_type(own) if own else "decimal"
    if name == "number":
        own = declared_digits({"multipleOf": schema.get("multipleOf")})
        return number_type(own) if own else "double"
    if name == "string":
        return _FORMATS.get(text_format, "text") if isinstance(text_format, str) else "text"
    if name == "integer":
        most = schema.get("maximum")
        is_wide = isinstance(most, (int, float, Decimal)) and most >= BIGINT.stop
        return "wei" if is_wide else "bigint"
    return "bool" if name == "boolean" else "json"


def wider_type(existing: DataType, wanted: DataType) -> DataType | None:
    """Find the type an existing column can be altered to without losing a value, if any."""
    if wanted != existing and fits(existing, wanted):
        return column_type(wanted)
    return joined((existing, wanted)) if is_decimal(existing) or is_decimal(wanted) else None


def fits(wanted: DataType, existing: DataType) -> bool:
    """Tell whether values of the wanted type can be stored exactly in an existing column.

    A bigint in a double column fits up to 2**53 only; the caller sets larger ones aside.
    """
    if existing in (wanted, "text") or (wanted, existing) in _FITTING:
        return True
    has, needed = digits_of(existing), digits_of(wanted)
    return is_decimal(existing) and bool(has and needed and has.hold(needed))


def fits_mostly(wanted: DataType, existing: DataType) -> bool:
    """Tell whether an existing column can take numbers all the same; some may be set aside.

    Which, is told value by value.
    """
    if existing == "double" and is_number(wanted):
        return True
    return fits(wanted, existing) or (is_decimal(existing) and digits_of(wanted) is not None)
