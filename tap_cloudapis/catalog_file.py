"""A catalog as people write it: what is harmless is read for what it means, the rest is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from singer_sdk.singerlib import Catalog

from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.streams import Stream

Entry = dict[str, Any]

#: How a stream can be read; the other methods of Singer are for databases.
_METHODS = (None, "FULL_TABLE", "INCREMENTAL")


def catalog_of(streams: Iterable[Stream]) -> Catalog:
    """The catalog of some streams, without those that only lead to others."""
    return Catalog(
        (stream.tap_stream_id, stream._singer_catalog_entry)  # noqa: SLF001 - the SDK's seam
        for stream in _in_catalog(streams)
    )


def _in_catalog(streams: Iterable[Stream]) -> Iterator[Stream]:
    return (stream for stream in streams if getattr(stream, "in_catalog", True))


def _own(stream: Stream) -> Entry:
    """What an entry that says nothing means; the SDK's own way to it costs ten times as much."""
    return {
        "tap_stream_id": stream.tap_stream_id,
        "stream": stream.name,
        "schema": stream.schema,
        "key_properties": list(stream.primary_keys or ()),
        "replication_key": stream.replication_key,
        "replication_method": stream.replication_method,
    }


def read_catalog(catalog: dict[str, Any], streams: Iterable[Stream]) -> Catalog:
    """Check a catalog, and complete what it leaves out.

    Args:
        catalog: The content of the file.
        streams: The streams of the tap, as they are without it.

    Returns:
        The catalog; streams that it does not name are in it, and not selected.

    Raises:
        TapError: When it is none, or asks for what cannot be done.
    """
    own: Mapping[str, Entry]
    own = {stream.tap_stream_id: _own(stream) for stream in _in_catalog(streams)}
    given = catalog.get("streams")
    if not isinstance(given, list):
        raise _refusal("it has no list of streams")
    entries: dict[str, Entry] = {}
    for number, stream in enumerate(given):
        entry = _named(stream, number)
        name = entry["tap_stream_id"]
        if name in entries:
            raise _refusal(f"{name!r:.60} is in it twice")
        entries[name] = _completed(entry, own[name]) if name in own else entry
        _check_metadata(name, entries[name])
    for name in own.keys() - entries.keys():
        metadata = [{"breadcrumb": [], "metadata": {"selected": False}}]
        entries[name] = {**own[name], "metadata": metadata}
    try:
        return Catalog.from_dict({"streams": list(entries.values())})
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _refusal("it has a schema that is none") from None


def _refusal(what: str) -> TapError:
    return TapError(f"--catalog: {what}; make the catalog anew with --discover")


def _named(stream: Any, number: int) -> Entry:
    """An entry with the id of its stream."""
    entry = dict(stream) if isinstance(stream, dict) else {}
    name = entry.get("tap_stream_id") or entry.get("stream")
    if not name or not isinstance(name, str):
        raise _refusal(f"streams[{number}] has no tap_stream_id")
    return {**entry, "tap_stream_id": name}


def _completed(entry: Entry, own: Entry) -> Entry:
    """Check the entry of a stream of this tap, and complete it."""
    name = entry["tap_stream_id"]
    if entry.get("stream") not in (None, name):
        raise _refusal(f"{name} cannot have another name in it (stream_maps can give it one)")
    if entry.get("replication_method") not in _METHODS:
        raise _refusal(f"{name} cannot be replicated by {entry['replication_method']!r:.60}")
    schema = _schema(entry, own)
    own_keys = list(own["key_properties"])
    keys = entry.get("key_properties") or own_keys
    if not isinstance(keys, (list, tuple)) or not {*own_keys} <= _texts(keys) <= {
        *schema["properties"]
    }:
        raise _refusal(f"the key of {name} is {', '.join(own_keys)}, and not {keys!r:.60}")
    is_bare = not entry.get("schema") or not entry.get("key_properties")
    key = entry.get("replication_key") or (own.get("replication_key") if is_bare else None)
    if key is not None and not _texts([key]) <= {*schema["properties"], own.get("replication_key")}:
        raise _refusal(f"{name} has no column {key!r:.60} for its replication_key")
    return {
        **entry,
        "stream": name,
        "schema": schema,
        "key_properties": keys,
        "replication_key": key,
    }


def _texts(values: Sequence[Any]) -> set[str]:
    """Values as texts; what is none becomes one that is no name of a column."""
    return {value if isinstance(value, str) else f"\0{value!r}" for value in values}


def _schema(entry: Entry, own: Entry) -> dict[str, Any]:
    """The schema of an entry, which has the columns of the key in any case."""
    known: dict[str, Any] = own["schema"]
    schema = entry.get("schema") or {}
    if schema == known:
        return known
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        schema = None
    if not isinstance(schema, dict):
        raise _refusal(f"{entry['tap_stream_id']} has a schema that is none")
    if not schema.get("properties"):
        return known
    keys = {name: known["properties"][name] for name in own["key_properties"]}
    return {**schema, "properties": {**keys, **schema["properties"]}}


def _check_metadata(name: str, entry: Entry) -> None:
    """Refuse metadata that would be misread: a selection that is ignored reads too much."""
    entry["metadata"] = entry.get("metadata") or []
    if not isinstance(entry["metadata"], list):
        raise _refusal(f"the metadata of {name} is no list")
    for number, each in enumerate(entry["metadata"]):
        place = f"metadata[{number}] of {name}"
        crumbs = each.get("breadcrumb") if isinstance(each, dict) else None
        if not isinstance(crumbs, list) or not all(isinstance(crumb, str) for crumb in crumbs):
            raise _refusal(f"{place} has no breadcrumb, which is a list of names")
        facts = each.get("metadata") or {}
        if not isinstance(facts, dict):
            raise _refusal(f"{place} is no object")
        for flag in ("selected", "selected-by-default"):
            if not isinstance(facts.get(flag), (bool, type(None))):
                raise _refusal(f"{flag} in {place} is neither true nor false")
        if facts.get("forced-replication-method") not in _METHODS:
            raise _refusal(f"forced-replication-method in {place} is not known")
        for field, kind in (("table-key-properties", (list, tuple)), ("replication-key", str)):
            if facts.get(field) is not None and not isinstance(facts[field], kind):
                raise _refusal(f"{field} in {place} is not what it should be")
        each["metadata"] = facts
