"""What ends a load: every error of the loader is one line for the person who runs it."""

from __future__ import annotations

import logging
from typing import IO, Any

import click
from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException

LOGGER = logging.getLogger("target_dlt")


def printable(text: str) -> str:
    """Spell characters that would break, colour or turn round a line of the log as Python does."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class LoaderError(click.ClickException):
    """A load cannot go on. Shown as one log line on stderr; the exit code is 1.

    Attributes:
        line: Number of the input's line, from 1, if the error is about one.
    """

    line: int | None = None

    def format_message(self) -> str:
        """Say where in the input it happened, if it is about the input; in one line of text."""
        message = printable(self.message)  # it may quote what the tap sent
        return message if self.line is None else f"line {self.line}: {message}"

    def __str__(self) -> str:
        return self.format_message()

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002
        """Log the message: plain or structured, as the user configured logging."""
        LOGGER.error("%s", self.format_message())


class BadMessageError(LoaderError):
    """A line of the input is not a Singer message this loader can take."""


class RecordBeforeSchemaError(BadMessageError, RecordsWithoutSchemaException):
    """A RECORD came before the SCHEMA of its stream."""


class BadRecordError(BadMessageError):
    """A RECORD cannot become a row; with `on_bad_record: quarantine` the load goes on without."""


class MissingKeyError(BadRecordError, MissingKeyPropertiesError):
    """A RECORD has no value for a key property of its stream."""
