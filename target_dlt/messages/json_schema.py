"""JSON schemas read for what a value may be, through unions and references.

Taps and generators write schemas of every draft and form. What a schema does not say is left to
the records; what is said in a form that no draft has is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

JSONSchema = Mapping[str, Any]
Alternative = tuple[str, JSONSchema]

#: So many schemas, and references, within one another are looked into for what one value may be.
_DEEPEST = 200
#: What a value may be where it is not described.
_UNDESCRIBED: JSONSchema = {}
#: Keywords that say more of a type.
_DETAILS = frozenset({"format", "properties", "items", "maximum", "multipleOf"})
#: Keywords whose values are no schemas.
_VALUES = frozenset({"const", "default", "enum", "examples"})
#: Keywords whose values are schemas by name.
_NAMED = frozenset({"properties", "patternProperties", "definitions", "$defs"})


@contextmanager
def told_of(name: str) -> Iterator[None]:
    """Name a property in what is wrong with its schema."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"property {name!r}: {error}") from error


def without_nulls(schema: Any) -> Any:
    """Leave out the keywords that are null, as libraries write those that are not set.

    Args:
        schema: A JSON schema; `properties` may be an empty list, as PHP writes an empty object.
    """
    if isinstance(schema, list):
        return [without_nulls(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _cleaned(key, value)
        for key, value in schema.items()
        if (value is not None or key in {"const", "default"})
        and not (key == "properties" and value == [])
    }


def _cleaned(key: str, value: Any) -> Any:
    if key in _VALUES:
        return value
    if key in _NAMED and isinstance(value, dict):
        return {name: without_nulls(sub) for name, sub in value.items() if sub is not None}
    return without_nulls(value)


def properties_of(schema: JSONSchema) -> JSONSchema:
    """Answer the properties that a schema itself describes.

    Raises:
        ValueError: If they are in no form that a JSON schema has.
    """
    properties = schema.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise ValueError('"properties" is no object')  # noqa: TRY004 (a fault of the input)
    return properties


def alternatives(schema: Any, root: JSONSchema) -> Iterator[Alternative]:
    """List what a value may be, through unions and references.

    Args:
        schema: Schema of one property; unions may be written as a list of types, `anyOf`,
            `oneOf` or `allOf`, and parts may be `$ref` to the root's definitions.
        root: The schema that local references point into.

    Yields:
        A type of JSON but null (`object` for anything undescribed), and the schema that says so.

    Raises:
        ValueError: If a type or union is in no form that a JSON schema has.
    """
    found = _Reading(root).possible(schema)
    if found is None:
        found = [("object", schema if isinstance(schema, Mapping) else _UNDESCRIBED)]
    yield from found


class _Reading:
    """Follows the references of one root, each of them once."""

    def __init__(self, root: JSONSchema) -> None:
        self._root = root
        self._known: dict[str, list[Alternative] | None] = {}

    def possible(self, schema: Any, depth: int = 0) -> list[Alternative] | None:
        """List what a value may be; None if the schema does not say."""
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return None
        if isinstance(reference := schema.get("$ref"), str):
            found = self._referred(reference, depth)
            if found is not None:
                return found
        return self._described(schema, depth + 1)

    def _referred(self, reference: str, depth: int) -> list[Alternative] | None:
        if reference not in self._known:
            self._known[reference] = []  # a union with itself allows nothing more
            found = self.possible(_resolve(reference, self._root), depth + 1)
            self._known[reference] = found
        return self._known[reference]

    def _described(self, schema: JSONSchema, depth: int) -> list[Alternative] | None:
        types = _types(schema)
        own: list[Alternative] = [(name, schema) for name in types if name != "null"]
        of_all = [(part, self.possible(part, depth)) for part in _parts(schema, "allOf")]
        either = [
            (part, self.possible(part, depth))
            for union in ("anyOf", "oneOf")
            for part in _parts(schema, union)
        ]
        own = _each_once([*own, *(pair for _, found in of_all for pair in found or ())])
        names = list(dict.fromkeys(name for name, _ in own))
        said: list[Alternative] = []
        is_open = False
        for part, found in of_all:
            if found is None and _has_details(part):
                said += [(name, part) for name in names or ["object"]]
        for part, found in either:
            if found is not None:
                said += found
            elif _has_details(part):
                said += [(name, part) for name in names or ["object"]]
            elif not is_open:  # it narrows what stands beside it, or allows anything
                said += own or [("object", _UNDESCRIBED)]
                is_open = True
        is_said = {name for name, _ in said}
        kept = [pair for pair in own if pair[0] not in is_said or _has_details(pair[1])]
        if not (kept or said or types or any(found is not None for _, found in of_all + either)):
            return None
        return _each_once(kept + said)


def _each_once(found: list[Alternative]) -> list[Alternative]:
    return list({(name, id(schema)): (name, schema) for name, schema in found}.values())


def _types(schema: JSONSchema) -> Sequence[str]:
    types = schema.get("type")
    if types is None or types == []:
        unions = ("anyOf", "oneOf", "allOf")
        values = [] if any(map(schema.get, unions)) else schema.get("enum")
        if values is None:
            values = [schema["const"]] if "const" in schema else []
        return list(dict.fromkeys(map(_json_type, _checked_list(values, "enum"))))
    if isinstance(types, str):
        return [types]
    if not isinstance(types, list) or not all(isinstance(name, str) for name in types):
        raise ValueError('"type" is neither a name nor a list of names')
    return types


def _parts(schema: JSONSchema, union: str) -> list[Any]:
    return _checked_list(schema.get(union) or [], union)


def _checked_list(value: Any, keyword: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f'"{keyword}" is no list')  # noqa: TRY004 (a fault of the input)
    return value


def _has_details(schema: Any) -> bool:
    return isinstance(schema, Mapping) and any(schema.get(key) is not None for key in _DETAILS)


def _json_type(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(type(value), "object")


def _resolve(reference: str, root: JSONSchema) -> Any:
    node: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            node = node.get(key) if isinstance(node, Mapping) else None
    return node
