"""What dlt says of a dataset, told in one line."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
from dlt.common.exceptions import DltException
from dlt.destinations.exceptions import DatabaseException

from target_dlt.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def told_of_dataset(dataset_name: str) -> Iterator[None]:
    """Tell in one line why dlt does not go on with what is there, or with its own settings."""
    try:
        yield
    except (DatabaseException, duckdb.Error):
        raise
    except (DltException, ValueError, LookupError, TypeError, zlib.error) as error:
        why = " ".join(str(error).split())
        raise LoaderError(f"dataset {dataset_name!r}: dlt cannot go on with it: {why}") from error
