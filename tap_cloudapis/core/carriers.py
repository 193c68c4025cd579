"""Streams that are nothing but a way to their children: never in the catalog, never emitted."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import SameRecordTransform

from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    from singer_sdk.mapper import StreamMap


class CarrierStream(CloudStream):
    """A parent whose rows only lead to its children, so that these share its requests.

    To the SDK it is a stream that nobody can select: its requests are made when one of its
    children is selected. Nothing of it reaches the catalog, the target or the user.
    """

    in_catalog = False

    @property
    def schema(self) -> dict[str, Any]:
        """Only the keys are known of; no target ever sees it."""
        keys = {name: {"type": ["integer", "string"]} for name in self.primary_keys}
        return {"type": "object", "properties": keys}

    @property
    def selected(self) -> bool:
        """Never."""
        return False

    @selected.setter
    def selected(self, value: bool | None) -> None:
        """Nothing: a dry run selects every stream there is."""

    @cached_property
    def stream_maps(self) -> list[StreamMap]:
        """None of the user's: these are made for the streams of the catalog."""
        return [
            SameRecordTransform(
                stream_alias=self.name,
                raw_schema=self.schema,
                key_properties=self.primary_keys,
                flattening_options=None,
            )
        ]

    def skip(self, why: str, where: str = "", *, in_full: str = "") -> None:
        """Note what its children lack: nobody knows of the stream itself."""
        super().skip(why, where, in_full=in_full)
        for child in self._wanted_children():
            if child.selected:
                self.tap.report.skip(child.name, why, where, quiet=True)

    def _write_schema_message(self) -> None:
        """Nothing is emitted."""
