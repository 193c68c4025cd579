"""From the JSON schema of a Singer stream to typed columns.

Follows the Singer specification (SCHEMA messages) and dlt's data types
(`dlt.common.data_types.TDataType`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

DataType = Literal[
    "bigint", "double", "decimal", "wei", "bool", "text", "timestamp", "date", "time", "json"
]
JSONSchema = Mapping[str, Any]

_SCALARS: Mapping[str, DataType] = {"integer": "bigint", "number": "double", "boolean": "bool"}
_FORMATS: Mapping[str, DataType] = {
    "date-time": "timestamp",
    "date": "date",
    "time": "time",
    "singer.decimal": "decimal",
    "x-singer.decimal": "decimal",
}
_BIGINT_MAX = 2**63 - 1

# What an existing column can become so that it holds every old and every new value.
_WIDER: Mapping[tuple[DataType, DataType], DataType] = {
    ("bigint", "double"): "double",
    ("bigint", "decimal"): "decimal",
    ("bigint", "wei"): "wei",
    ("date", "timestamp"): "timestamp",
    ("bigint", "text"): "text",
    ("double", "text"): "text",
    ("decimal", "text"): "text",
    ("wei", "text"): "text",
    ("bool", "text"): "text",
    ("date", "text"): "text",
    ("time", "text"): "text",
    ("timestamp", "text"): "text",
    ("json", "text"): "text",
}
# What an existing column of another type holds exactly as it is.
_FITTING = {
    ("bigint", "double"),
    ("bigint", "decimal"),
    ("bigint", "wei"),
    ("date", "timestamp"),
}


@dataclass(frozen=True)
class StreamSchema:
    """One stream as its last SCHEMA message describes it.

    Attributes:
        stream: Name of the stream, as in the messages.
        columns: Data type by property name, in the order of the schema.
        keys: Names of the key properties; empty for a stream that is appended to.
        keeps_unknown: Whether record keys outside the schema are loaded (the default of JSON
            schema); with `additionalProperties: false` they are left out.
        document: The JSON schema itself.
        ids: Properties, beside the columns, whose values are dlt's ids of the rows.
    """

    stream: str
    columns: Mapping[str, DataType]
    keys: tuple[str, ...]
    keeps_unknown: bool
    document: JSONSchema = field(default_factory=dict)
    ids: tuple[str, ...] = ()


def parse_schema(stream: str, schema: JSONSchema, keys: list[str] | None) -> StreamSchema:
    """Read the parts of a SCHEMA message that decide about columns.

    Args:
        stream: Name of the stream.
        schema: The JSON schema of its records.
        keys: The `key_properties` of the message.

    Returns:
        The typed columns; key properties that the schema does not describe are text.

    Raises:
        ValueError: If the schema describes no properties of records.
    """
    is_open = schema.get("patternProperties") or schema.get("additionalProperties")
    properties = schema.get("properties", {} if is_open else None)
    if not isinstance(properties, Mapping):
        raise ValueError('the schema has no "properties"')  # noqa: TRY004
    columns = {name: data_type(sub, root=schema) for name, sub in properties.items()}
    key_names = tuple(keys or ())
    for key in key_names:
        columns.setdefault(key, "text")
    keeps_unknown = schema.get("additionalProperties") is not False
    return StreamSchema(stream, columns, key_names, keeps_unknown, schema)


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
    return _common_type({_one_type(*found) for found in alternatives(schema, root)})


def scalar_type(schema: Any, *, root: JSONSchema) -> DataType | None:
    """Find the column type of the values that are no object and no array; None if there are none.

    Args:
        schema: Schema of one property, as in `data_type`.
        root: The schema that local references point into.
    """
    found = {_one_type(*found) for found in alternatives(schema, root)} - {"json"}
    return _common_type(found) if found else None


def _common_type(found: set[DataType]) -> DataType:
    if not found or "json" in found:
        return "json"
    if found == {"text", "timestamp"} or len(found) == 1:
        # anyOf [date-time, string] is how taps say "a timestamp, I believe".
        return "timestamp" if "timestamp" in found else found.pop()
    for numbers in ({"bigint", "double"}, {"bigint", "decimal"}, {"bigint", "wei"}):
        if found == numbers:
            return (found - {"bigint"}).pop()
    return "decimal" if found <= {"bigint", "double", "decimal", "wei"} else "text"


def alternatives(
    schema: Any, root: JSONSchema, depth: int = 0
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List what a value may be, through unions and references.

    Args:
        schema: Schema of one property, as in `data_type`.
        root: The schema that local references point into.
        depth: How many unions and references led here.

    Yields:
        A type of JSON but null (`object` for anything undescribed), and the schema that says so.
    """
    if not isinstance(schema, Mapping) or depth > 20:  # noqa: PLR2004
        yield "object", {}
        return
    if isinstance(reference := schema.get("$ref"), str):
        yield from alternatives(_resolve(reference, root), root, depth + 1)
        return
    branches = [b for union in ("anyOf", "oneOf", "allOf") for b in schema.get(union, ())]
    for branch in branches:
        if branch != {"type": "null"}:
            yield from alternatives(branch, root, depth + 1)
    types = schema.get("type", ())
    names = {types} if isinstance(types, str) else set(types)
    if not names and not branches:
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        names = {_json_type(value) for value in values} or {"object"}
    for name in names - {"null"}:
        yield name, schema


def _one_type(name: str, schema: Mapping[str, Any]) -> DataType:
    if name == "string":
        return _FORMATS.get(schema.get("format", ""), "text")
    if name == "integer" and (schema.get("maximum") or 0) > _BIGINT_MAX:
        return "wei"
    return _SCALARS.get(name, "json")


def _resolve(reference: str, root: JSONSchema) -> Any:
    node: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _json_type(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(type(value), "object")


def wider_type(existing: DataType, wanted: DataType) -> DataType | None:
    """Find the type an existing column can be altered to without losing a value, if any."""
    return _WIDER.get((existing, wanted))


def fits(wanted: DataType, existing: DataType) -> bool:
    """Tell whether values of the wanted type can be stored exactly in an existing column.

    A bigint in a double column fits up to 2**53 only; the caller sets larger ones aside.
    """
    return existing in (wanted, "text") or (wanted, existing) in _FITTING
