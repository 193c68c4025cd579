"""Stream maps as people write them: what cannot be used is told with its stream and its text."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import CustomStreamMap, PluginMapper

from tap_cloudapis.core.errors import MapError, TapError
from tap_cloudapis.core.redaction import redact

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping

    from singer_sdk.singerlib import Catalog


def check_sources(maps: Mapping[str, Any], known: Iterable[str]) -> None:
    """Check that each map is for a stream: a name that is mistyped would leave columns in.

    Args:
        maps: Those of the settings.
        known: The names of all streams.

    Raises:
        TapError: When one is for none.
    """
    names = list(known)
    for name, given in maps.items():
        source = given.get("__source__", name) if isinstance(given, dict) else name
        if not name.startswith("__") and not any(fnmatch(stream, source) for stream in names):
            msg = f"stream_maps: there is no stream {source!r:.60}"
            raise TapError(msg)


def fault(
    config: Mapping[str, Any], catalog: Catalog, logger: logging.Logger, exc: Exception
) -> TapError:
    """Find the map that cannot be made.

    Args:
        config: The settings.
        catalog: The streams that are mapped.
        logger: What the SDK's mapper is given.
        exc: What the SDK said of all maps.
    """
    for name, given in (config.get("stream_maps") or {}).items():
        try:
            alone = PluginMapper({**config, "stream_maps": {name: given}}, logger)
            alone.register_raw_streams_from_catalog(catalog)
        except Exception as again:  # noqa: BLE001 - the SDK takes the texts of maps on trust
            return TapError(f"stream_maps: the map of {name} cannot be used: {_told(again)}")
    return TapError(f"stream_maps: they cannot be used: {_told(exc)}")


def tell_failures(mapper: PluginMapper) -> None:
    """Have expressions that fail on a record say which one it is."""
    for maps in mapper.stream_maps.values():
        for each in maps:
            if isinstance(each, CustomStreamMap):
                each._eval = _telling(each._eval, each.stream_alias)  # type: ignore[method-assign]  # noqa: SLF001


def _telling(evaluate: Callable[..., Any], stream: str) -> Callable[..., Any]:
    def tell(expr: str, expr_parsed: Any, record: Any, property_name: str | None) -> Any:
        try:
            return evaluate(expr, expr_parsed, record, property_name)
        except Exception as exc:  # noqa: BLE001 - an expression can raise anything
            place = f"stream_maps.{stream}.{property_name or '__filter__'}"
            raise MapError(place, redact(f"{expr!r:.120} fails: {_told(exc)}")) from None

    return tell


def _told(exc: Exception) -> str:
    """An error in a line; of what the SDK wraps, the cause says more."""
    cause = exc.__cause__ or exc
    words = f"{exc} " if cause is not exc else ""
    return " ".join(f"{words}({type(cause).__name__}: {cause})".split())[:300]
