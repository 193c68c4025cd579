"""The source, and its resources: one for each stream of the tap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import dlt

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.dlt import surroundings
from tap_cloudapis.dlt.embedding import EmbeddedTap
from tap_cloudapis.dlt.ending import SyncIncompleteError, fail_after_load, forget_failure
from tap_cloudapis.dlt.progress import read_progress, write_progress
from tap_cloudapis.dlt.settings import resolve
from tap_cloudapis.dlt.sync import Sync
from tap_cloudapis.dlt.tables import Tables, hints_of
from tap_cloudapis.dlt.values import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from dlt.extract import DltResource

    from tap_cloudapis.core.stream import CloudStream
    from tap_cloudapis.dlt.channel import Batch


@dlt.source(name="cloudapis", section="cloudapis")
def cloudapis(
    dbt_token: dlt.TSecretStrValue | None = None,
    pulumi_token: dlt.TSecretStrValue | None = None,
    **settings: Any,
) -> list[DltResource]:
    """Streams of dbt Cloud and Pulumi Cloud, as the tap reads them.

    Args:
        dbt_token: Token of dbt Cloud; its streams are read where there is one.
        pulumi_token: Token of Pulumi Cloud; likewise.
        settings: Any other setting of the tap, and ``column_selection``: columns to add to those
            selected by default, as ``stream.column``, or to leave out, with a ``!`` in front. What
            is not given here is looked for where dlt looks for settings, in ``sources.cloudapis``.

    Returns:
        A resource for each stream; those that the tap selects by default are selected.
    """
    return resources(dbt_token=dbt_token, pulumi_token=pulumi_token, **settings)


def resources(**given: Any) -> list[DltResource]:
    """The resources of the source, for another source that wraps it.

    Args:
        given: Settings; see :func:`cloudapis`.

    Raises:
        TapError: When a setting cannot be used.
    """
    settings, columns = resolve(given)
    tap = EmbeddedTap(settings, columns=columns)
    streams = {s.name: cast("CloudStream", s) for s in tap.streams.values()}
    streams = {name: stream for name, stream in streams.items() if stream.in_catalog}
    surroundings.log_less(streams)
    replaces = bool(tap.config.get("emit_activate_version_messages"))
    source = _Source(settings, columns, streams, replaces)
    anything = any(stream.configured for stream in streams.values())
    chosen = {
        name
        for name, stream in streams.items()
        if stream.selected and (stream.configured or not anything)
    }
    for stream in streams.values():
        stream.selected = True  # those of others have no column that is selected
    return [source.resource(stream, selected=name in chosen) for name, stream in streams.items()]


@dataclass
class _Source:
    """What the resources of one source share.

    Attributes:
        settings: Those of the tap.
        columns: The columns that are chosen by hand.
        streams: The streams of the catalog, by name; they are never synced.
        replaces: Whether rows go that a table which was read whole does not bring.
    """

    settings: Mapping[str, Any]
    columns: Sequence[str]
    streams: Mapping[str, CloudStream]
    replaces: bool
    _sync: Sync | None = field(default=None, init=False)
    _known: dict[str, dict[str, str]] = field(default_factory=dict, init=False)

    def resource(self, stream: CloudStream, *, selected: bool) -> DltResource:
        """Make the resource of a stream."""
        schema = _selected_schema(stream)
        kinds = {name: kind_of(sub) for name, sub in schema["properties"].items()}
        keys = list(stream.primary_keys)

        def read() -> Iterator[Any]:
            yield from self._read(stream.name, schema)

        made: DltResource = dlt.resource(
            read,
            name=stream.name,
            write_disposition="merge",
            primary_key=keys,
            columns=cast("Any", hints_of(schema, keys, kinds)),
            selected=selected,
        )
        if text := stream.schema.get("description"):
            made.apply_hints(additional_table_hints={"description": text})
        return made

    def _joined(self, name: str) -> Sync:
        """The sync of this run, which the first resource starts."""
        sync = self._sync
        if sync is None or sync.has_ended or name in sync.begun:
            if sync is not None:
                sync.stop()
            names = surroundings.extracted(name) & self.streams.keys()
            self._check(names)
            if (pipeline := surroundings.pipeline()) is not None:
                forget_failure(pipeline)
            state = read_progress(surroundings.state())
            self._known = surroundings.known_types()
            sync = self._sync = Sync(self.settings, names, self.columns, state)
        sync.begun.add(name)
        return sync

    def _check(self, names: set[str]) -> None:
        """Refuse what is asked for and cannot be had.

        Raises:
            TapError: When a service has no token, and another one has; or rows would get two ids.
        """
        if surroundings.adds_ids():
            msg = "normalize.parquet_normalizer.add_dlt_id must be off: rows have their _dlt_id"
            raise TapError(msg)
        streams = [self.streams[name] for name in sorted(names)]
        if any(stream.configured for stream in self.streams.values()):
            for stream in streams:
                if not stream.configured:
                    msg = f"{stream.name}: {stream.service_key}_token is not set"
                    raise TapError(msg)

    def _read(self, name: str, schema: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the tables of a stream, and nothing while there is none yet."""
        sync = self._joined(name)
        whole = False
        try:
            yield from self._tables(sync, name, schema)
            whole = True
        finally:
            sync.leave(name, whole=whole)
        if sync.has_ended:
            self._end(sync)

    def _tables(self, sync: Sync, name: str, schema: Mapping[str, Any]) -> Iterator[Any]:
        keys = tuple(self.streams[name].primary_keys)
        tables = Tables(
            schema,
            keys,
            self._known.get(name, {}),
            surroundings.schema().naming.normalize_path,
            surroundings.load_id(),
        )
        replacing = _Replacing(keys) if self.replaces else None
        while True:
            is_over = sync.is_over
            batch = sync.take(name)
            if batch is not None:
                yield _marked(tables, batch, replacing)
            elif is_over:
                break
            else:
                yield None
        if not tables.has_rows and sync.is_described(name) and not surroundings.is_stored(name):
            yield _marked(tables, None, None)

    def _end(self, sync: Sync) -> None:
        """Keep where the sync has ended; have the pipeline fail if it lacks rows.

        Raises:
            SyncIncompleteError: When it lacks rows, and there is no pipeline to load the others.
        """
        self._sync = None
        progress = sync.progress
        if progress is not None:
            write_progress(surroundings.state(), progress, self.streams.keys())
        if errors := sync.errors:
            error = SyncIncompleteError(errors)
            pipeline = surroundings.pipeline()
            if pipeline is None:
                raise error
            fail_after_load(pipeline, error)


@dataclass
class _Replacing:
    """Whether the rows of a run can replace a table: none of a whole list came twice."""

    keys: tuple[str, ...]
    seen: set[tuple[Any, ...]] = field(default_factory=set)
    count: int = 0

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Note rows."""
        self.seen.update(tuple(row.get(key) for key in self.keys) for row in rows)
        self.count += len(rows)

    @property
    def is_safe(self) -> bool:
        """Whether each row came once."""
        return len(self.seen) == self.count


def _marked(tables: Tables, batch: Batch | None, replacing: _Replacing | None) -> Any:
    """Make the table of a batch, with what dlt has to know anew of its columns, or of its end."""
    rows = batch.rows if batch is not None else []
    table: pa.Table = tables.table(rows)
    hints: dict[str, Any] = {}
    if tables.changed:
        hints["columns"] = tables.hints
        tables.changed = False
    if replacing is not None:
        if not replacing.count:
            hints["write_disposition"] = "merge"  # this source may have run before
        replacing.add(rows)
        if batch is not None and batch.whole and replacing.is_safe:
            hints["write_disposition"] = "replace"
    return dlt.mark.with_hints(table, dlt.mark.make_hints(**hints)) if hints else table


def _selected_schema(stream: CloudStream) -> dict[str, Any]:
    """The schema of a stream without the columns that are not selected."""
    properties = {
        name: sub
        for name, sub in stream.schema["properties"].items()
        if stream.mask["properties", name]
    }
    return {**stream.schema, "properties": properties}
