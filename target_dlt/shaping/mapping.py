"""Stream maps: streams and records changed by the SDK's expressions before they are loaded."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.mapper import PluginMapper, RemoveRecordTransform

from target_dlt.errors import BadRecordError, LoaderError
from target_dlt.shaping.lanes import DecodedRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from singer_sdk.mapper import StreamMap

    from target_dlt.messages.schema import StreamSchema
    from target_dlt.shaping.lanes import Lane

LOGGER = logging.getLogger("target_dlt")
#: What the SDK is told of a key that the schema does not describe.
_UNDESCRIBED = {"type": "string", "x-undescribed": True}
_SETTINGS = ("stream_maps", "stream_map_config", "faker_config")


class StreamMapper:
    """Maps the streams of one run.

    Args:
        config: The target's settings; those of stream maps are used.

    Raises:
        LoaderError: If the settings make no stream maps.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        # The mapper takes options out of what it is given.
        maps = {name: copy.deepcopy(config[name]) for name in _SETTINGS if config.get(name)}
        try:
            self._mapper = PluginMapper(maps, LOGGER)
        except StreamMapConfigError as error:
            raise LoaderError(f"wrong settings: stream_maps: {error}") from error
        self._parts: dict[str, dict[str, tuple[dict[str, Any], list[str]]]] = {}

    def schemas(self, schema: StreamSchema) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """Map the SCHEMA of a stream.

        Args:
            schema: The stream as the tap describes it.

        Yields:
            Name, JSON schema and keys of each stream that it becomes; none if it is removed. Where
            several become one, the schema is that of all.

        Raises:
            LoaderError: If the stream cannot be mapped as the settings say.
        """
        # The SDK's mapper only knows properties of the root itself, keys among them.
        properties = dict(schema.properties)
        for key in schema.keys:
            properties.setdefault(key, _UNDESCRIBED)
        document = {**schema.document, "properties": properties}
        try:
            self._mapper.register_raw_stream_schema(schema.stream, document, schema.keys)
        except (StreamMapConfigError, MapExpressionError, NotImplementedError) as error:
            raise LoaderError(f"wrong settings: stream_maps: {error}") from error
        for found in self._maps(schema.stream):
            mapped = dict(found.transformed_schema)
            mapped["properties"] = {
                name: sub
                for name, sub in (mapped.get("properties") or {}).items()
                if not (isinstance(sub, dict) and sub.get("x-undescribed"))
            }
            keys = list(found.transformed_key_properties or ())
            parts = self._parts.setdefault(found.stream_alias, {})
            parts[schema.stream] = mapped, keys
            yield found.stream_alias, _joined(found.stream_alias, parts), keys

    def _maps(self, stream: str) -> list[StreamMap]:
        maps = self._mapper.stream_maps.get(stream, [])
        return [found for found in maps if not isinstance(found, RemoveRecordTransform)]

    def streams(self, stream: str) -> list[str]:
        """Name the streams that a stream has become."""
        return [found.stream_alias for found in self._maps(stream)]

    def knows(self, stream: str) -> bool:
        """Tell whether the stream has had a SCHEMA."""
        return stream in self._mapper.stream_maps

    def lane(self, stream: str, lanes: Mapping[str, Lane]) -> MappedLane:
        """Make the way of a stream's records.

        Args:
            stream: The stream as the tap calls it.
            lanes: The ways of the streams that it becomes, by name.
        """
        return MappedLane(stream, self._maps(stream), lanes)


def _joined(name: str, parts: Mapping[str, tuple[dict[str, Any], list[str]]]) -> dict[str, Any]:
    """Make one schema of those of the streams that become one, in which all of them hold."""
    documents = [document for document, _ in parts.values()]
    if len(documents) == 1:
        return documents[0]
    whole: dict[str, Any] = {"anyOf": documents}
    for keyword in ("definitions", "$defs"):  # what references lead to
        for document in documents:
            for known, sub in (document.get(keyword) or {}).items():
                if whole.setdefault(keyword, {}).setdefault(known, sub) != sub:
                    raise LoaderError(
                        f"streams {', '.join(map(repr, parts))} become one, {name!r}, but define "
                        f"{known!r} differently: give them different names in stream_maps"
                    )
    if len({tuple(keys) for _, keys in parts.values()}) > 1:
        raise LoaderError(
            f"streams {', '.join(map(repr, parts))} become one, {name!r}, but have different keys: "
            "give them the same __key_properties__, or different names, in stream_maps"
        )
    return whole


class MappedLane(DecodedRecords):
    """Maps the records of one stream and hands them on to the streams that it becomes."""

    def __init__(self, stream: str, maps: Sequence[StreamMap], lanes: Mapping[str, Lane]) -> None:
        self.stream = stream
        self._ways = [(found, lanes[found.stream_alias]) for found in maps]

    def take(
        self, record: dict[str, Any], message: Mapping[str, Any], encode: Callable[[Any], bytes]
    ) -> None:
        """Take one record; see `DecodedRecords`."""
        lines = [(self._mapped(found, record), lane) for found, lane in self._ways]
        for mapped, lane in lines:
            if mapped is not None:
                lane.add(self._encoded({**message, "record": mapped}, encode))

    def _mapped(self, found: StreamMap, record: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return found.transform(dict(record))
        except MapExpressionError as error:
            raise BadRecordError(f"stream {self.stream!r}: {error}") from error
        except Exception as error:  # whatever an expression can raise; its text may hold values
            raise BadRecordError(
                f"stream {self.stream!r}: its stream map fails with {type(error).__name__}"
            ) from error

    def _encoded(self, message: dict[str, Any], encode: Callable[[Any], bytes]) -> bytes:
        try:
            return encode(message)
        except TypeError as error:
            raise BadRecordError(
                f"stream {self.stream!r}: its stream map makes what JSON cannot hold"
            ) from error
