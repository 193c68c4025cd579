"""Selection and type conformance of records, compiled once per stream.

The SDK asks the selection mask and the schema about every value of every record, which is
most of its time. Here both are read once; what is left to do per record is what can change
it. The results are equal to the SDK's for every value that JSON can carry; the contract
tests compare the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.scalars import to_boolean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from singer_sdk.singerlib import SelectionMask

    Breadcrumb = tuple[str, ...]
    Project = Callable[[dict[str, Any]], None]
    Convert = Callable[[Any], Any]

_BOOLEAN = ("boolean", ["boolean"], ["boolean", "null"], ["null", "boolean"])


def compile_projection(  # noqa: PLR0913 - what decides about a value
    schema: Mapping[str, Any],
    mask: SelectionMask,
    breadcrumb: Breadcrumb = (),
    *,
    selectable: bool = True,
    conformed: Mapping[str, Any] | None = None,
    absent: Collection[str] = (),
) -> Project | None:
    """Prepare to drop what is deselected or not allowed, and to conform booleans.

    Args:
        schema: The effective schema of a stream, or of an object within it.
        mask: The selection of the stream.
        breadcrumb: Where in the stream's schema ``schema`` stands.
        selectable: Whether selection reaches here; it ends at arrays.
        conformed: The schema that the records have been brought into the form of, if any.
        absent: Properties that no record has.

    Returns:
        A function that rewrites a record in place; ``None`` where no record can change.
    """
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    deselected = _deselected(mask, breadcrumb) if selectable else []
    declared = frozenset(properties)
    closed = not schema.get("additionalProperties")
    done: Mapping[str, Mapping[str, Any]] = conformed.get("properties", {}) if conformed else {}
    compiled = [
        (
            name,
            _compile_value(
                properties[name],
                mask,
                (*breadcrumb, "properties", name),
                selectable,
                done.get(name, {}),
            ),
        )
        for name in properties
        if name not in deselected
    ]
    deselected = [name for name in deselected if name not in absent]
    # Booleans are many, and nearly always need nothing: they are looked at without a call.
    booleans = [
        name
        for name, convert in compiled
        if convert is to_boolean and done.get(name, {}).get("type") not in _BOOLEAN
    ]
    converted = [(name, convert) for name, convert in compiled if convert not in (None, to_boolean)]
    if not (deselected or closed or booleans or converted):
        return None

    def project(record: dict[str, Any]) -> None:
        for name in deselected:
            record.pop(name, None)
        if closed and not declared.issuperset(record):
            for name in record.keys() - declared:
                del record[name]
        for name in booleans:
            value = record.get(name)
            if value is not True and value is not False and value is not None:
                record[name] = to_boolean(value)
        for name, convert in converted:
            value = record.get(name)
            if value is not None and convert is not None:
                record[name] = convert(value)

    return project


def _deselected(mask: SelectionMask, breadcrumb: Breadcrumb) -> list[str]:
    """Names deselected directly below a breadcrumb, declared in the schema or not."""
    depth = len(breadcrumb) + 2
    return [
        crumb[-1]
        for crumb, selected in mask.items()
        if not selected and len(crumb) == depth and crumb[:-2] == breadcrumb
    ]


def _compile_value(
    definition: Mapping[str, Any],
    mask: SelectionMask,
    breadcrumb: Breadcrumb,
    selectable: bool,
    conformed: Mapping[str, Any],
) -> Convert | None:
    """Prepare the conversion of one property; ``None`` where no value can change."""
    if definition.get("type") in _BOOLEAN:
        return to_boolean
    if "properties" in definition:
        inner = compile_projection(
            definition, mask, breadcrumb, selectable=selectable, conformed=conformed
        )
        return None if inner is None else _for_objects(inner)
    items = definition.get("items")
    if isinstance(items, dict):
        if "items" in items:  # the SDK does not look into lists of lists
            return None
        conformed = conformed.get("items", {})
        item = _compile_value(items, mask, breadcrumb, selectable=False, conformed=conformed)
        return None if item is None else _for_lists(item)
    # An object without declared properties: selection may still name one of its keys.
    deselected = _deselected(mask, breadcrumb) if selectable else []
    return _without(deselected) if deselected else None


def _for_objects(project: Project) -> Convert:
    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            project(value)
        return value

    return convert


def _for_lists(convert_item: Convert) -> Convert:
    def convert(value: Any) -> Any:
        return [convert_item(item) for item in value] if isinstance(value, list) else value

    return convert


def _without(names: list[str]) -> Convert:
    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            for name in names:
                value.pop(name, None)
        return value

    return convert
