"""What a sync is going to read, by what is configured and selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cloudapis.core.report import first_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Mapping

    from singer_sdk.singerlib.catalog import CatalogEntry
    from singer_sdk.streams import Stream

    from tap_cloudapis.core.service import Service

#: How many unknown streams of a catalog are named.
_NAMED = 10


class Plan:
    """The streams of a sync.

    Args:
        services: All services of the tap.
        configured: Those that have a token, by key.
        streams: All streams, by name.
        logger: Where to say what is left out.
    """

    def __init__(
        self,
        services: Iterable[Service],
        configured: Mapping[str, Service],
        streams: Mapping[str, Stream],
        logger: logging.Logger,
    ) -> None:
        self._services = tuple(services)
        self._configured = configured
        self._streams = streams
        self._logger = logger

    def selected(self, service: Service) -> list[str]:
        """The selected streams of a service."""
        names = {stream.name for stream in service.streams}
        return [s.name for s in self._streams.values() if s.selected and s.name in names]

    def expected(self) -> list[str]:
        """The streams that will be read: selected ones of services with a token."""
        return [name for service in self._configured.values() for name in self.selected(service)]

    def _log_columns(self, catalog: Mapping[str, CatalogEntry]) -> None:
        """Warn of columns that only a catalog knows: one that is mistyped is not deselected."""
        for stream in self._streams.values():
            entry = catalog.get(stream.tap_stream_id)
            spoken_of = {crumb[1] for crumb in entry.metadata if crumb[1:]} if entry else set()
            unknown = sorted(spoken_of - stream.schema.get("properties", {}).keys())
            if unknown:
                self._logger.warning(
                    "%s: the catalog speaks of columns that are not declared, and may be mistyped: "
                    "%s",
                    stream.name,
                    first_of(unknown, _NAMED),
                )

    def log(self, catalog: Mapping[str, CatalogEntry], *, drops: bool) -> None:
        """Say what will not be read, though somebody may expect it.

        Args:
            catalog: The entries of the catalog by the ids of their streams; empty for no catalog.
            drops: Whether targets are to drop what a full table does not bring.
        """
        if drops:
            self._logger.info(
                "emit_activate_version_messages is on: targets drop the rows that this sync does "
                "not bring, those of other plugins that load into the same tables as well"
            )
        known = {stream.tap_stream_id for stream in self._streams.values()}
        unknown = sorted(set(catalog) - known)
        if unknown:
            self._logger.warning(
                "The catalog has streams that this tap does not know: %s; make it anew with "
                "--discover",
                first_of(unknown, _NAMED),
            )
        self._log_columns(catalog)
        for service in self._services:
            streams = self.selected(service)
            if service.key in self._configured:
                if not streams:
                    self._logger.warning(
                        "No stream of %s is selected: nothing of it is read", service.title
                    )
            elif streams:
                self._logger.info(
                    "%s is skipped, as %s_token is not set: %s",
                    service.title,
                    service.key,
                    ", ".join(streams),
                )
