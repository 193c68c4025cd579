"""The files that a BATCH message names, record by record.

Follows the BATCH messages of the Meltano Singer SDK: JSON lines, plain or gzip, and Parquet. Of
gzip the first bytes of a file tell, whatever the message says: the SDK itself says `none` of gzip
files, and some stores unpack on their own. The records take the way of all others, so that one
set of typing rules holds.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
import pyarrow as pa

from target_dlt.decoding import decode_exactly, is_strict
from target_dlt.errors import BadMessageError, BadRecordError
from target_dlt.messages.unpacking import byte_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_dlt.messages.batch_files import BatchFile

_ROWS_AT_ONCE = 1000
_REPORT_BYTES = 1 << 18


class Records(Protocol):
    """Takes the records of a stream."""

    def take_bare(self, record: bytes, version: int | None) -> bool:
        """Take a record as JSON, if it is like most; tell whether it was taken."""

    def add(self, line: bytes) -> object:
        """Take a record as the line of its message."""

    def add_record(self, record: dict[str, Any], version: int | None) -> object:
        """Take a decoded record, and the version of its message."""


class Encoding(msgspec.Struct):
    """How the files of a BATCH are written."""

    format: Literal["jsonl", "parquet"]
    compression: str | None = None


def add_file(
    buffer: Records,
    file: BatchFile,
    encoding: Mapping[str, Any],
    version: int | None,
    *,
    on_bad: Callable[[int, BadRecordError, Any], None],
) -> Iterator[int]:
    """Add the records of one file to the buffer of their stream.

    Args:
        buffer: Takes the records.
        file: The file.
        encoding: The `encoding` of the message.
        version: The `version` of the message.
        on_bad: Called with the number of a record in the file, from 1, its error and its value.

    Yields:
        How many bytes of messages were read since the last time, estimated for Parquet.

    Raises:
        BadMessageError: If the file cannot be read whole, or a column has no form in JSON.
    """
    try:
        how = msgspec.convert(encoding, Encoding)
    except msgspec.ValidationError as error:
        raise BadMessageError(f"BATCH: {error}") from error
    with _told(file.url):
        if how.format == "parquet":
            records = _add_parquet(buffer, file, version, on_bad)
        else:
            records = _add_lines(buffer, file, how.compression, version, on_bad)
        yield from records


@contextmanager
def _told(url: str) -> Iterator[None]:
    try:
        yield
    except BadMessageError:
        raise
    except (OSError, EOFError, ValueError, ImportError, RecursionError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadMessageError(f"BATCH file {url}: {why}") from error


def _add_lines(
    buffer: Records,
    file: BatchFile,
    compression: str | None,
    version: int | None,
    on_bad: Callable[[int, BadRecordError, Any], None],
) -> Iterator[int]:
    take, unreported = buffer.take_bare, 0
    with file.open(compression) as opened:
        around = {"version": version, "time_extracted": file.extracted}
        before = msgspec.json.encode(around)[:-1] + b',"record":'
        for number, line in enumerate(byte_lines(opened), 1):
            if not take(line, version) and (text := line.strip()):
                try:
                    if not is_strict(text):  # it could end the text that it is put into
                        decode_exactly(text)
                    buffer.add(before + text + b"}")
                except BadRecordError as error:
                    on_bad(number, error, decode_exactly(text))
                except (ValueError, RecursionError) as error:
                    why = "nested too deeply" if isinstance(error, RecursionError) else error
                    raise BadMessageError(f"BATCH file {file.url}: line {number}: {why}") from error
            unreported += len(line)
            if unreported >= _REPORT_BYTES:
                yield unreported
                unreported = 0
    yield unreported


def _add_parquet(
    buffer: Records,
    file: BatchFile,
    version: int | None,
    on_bad: Callable[[int, BadRecordError, Any], None],
) -> Iterator[int]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    with file.open() as source, pq.ParquetFile(source) as table:
        wanted = pa.schema([_without_loss(field) for field in table.schema_arrow])
        for batch in table.iter_batches(_ROWS_AT_ONCE):
            for row in batch.cast(wanted).to_pylist():
                number += 1
                record = _as_in_json(row)
                try:
                    buffer.add_record(record, version)
                except BadRecordError as error:
                    on_bad(number, error, record)
            yield batch.nbytes


def _without_loss(field: pa.Field) -> pa.Field:
    """Find the type that a column is read as; refuse what JSON has no form for."""
    refused = next((kind for kind in _leaves(field.type) if not _has_json_form(kind)), None)
    if refused is not None:
        raise BadMessageError(
            f"column {field.name!r} is of type {refused}, which Singer records cannot hold"
        )
    if pa.types.is_timestamp(field.type):  # a cast that would cut nanoseconds fails
        return field.with_type(pa.timestamp("us", field.type.tz))
    return field


def _leaves(kind: pa.DataType) -> Iterator[pa.DataType]:
    if not kind.num_fields:
        yield kind
    for index in range(kind.num_fields):
        yield from _leaves(kind.field(index).type)


def _has_json_form(kind: pa.DataType) -> bool:
    types = pa.types
    tests = (
        types.is_null,
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_decimal,
        types.is_string,
        types.is_large_string,
        types.is_date,
        types.is_time,
        types.is_timestamp,
        types.is_dictionary,
    )
    return any(test(kind) for test in tests)


def _as_in_json(value: Any) -> Any:
    """Make of a Parquet value what the same value is when it is decoded from JSON."""
    if isinstance(value, dict):
        return {key: _as_in_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_in_json(item) for item in value]
    if isinstance(value, float) and isfinite(value):
        return Decimal(repr(value))
    if isinstance(value, (date, time)):
        return value.isoformat()
    return value
