"""Answers that are no list of rows under a name: one object, a map, rows within rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

from tap_cloudapis.core.answers import complaint, is_failing
from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.paging import Page
from tap_cloudapis.pulumi.client import PulumiStream

if TYPE_CHECKING:
    from tap_cloudapis.core.paging import Row


class WholeAnswer(PulumiStream):
    """A stream whose answers are taken apart by :meth:`rows_of`."""

    #: A field that every answer has; what lacks it is another object.
    sure_field: ClassVar[str] = ""

    def rows_of(self, body: Any) -> list[Row]:
        """The rows of an answer; by default the answer is the only one."""
        return [body]

    def token_of(self, body: Any) -> Any:  # noqa: ARG002
        """What to send for the next page; by default there is none."""
        return None

    def read_page(self, body: Any) -> Page:
        """Read an answer; one without a body has no rows.

        Raises:
            TapError: When it tells of an error, or lacks what it must have.
        """
        if body is None:
            return Page(rows=[])
        told = body if isinstance(body, dict) else {}
        lacks = bool(self.sure_field) and self.sure_field not in told
        what = complaint(told) if lacks or is_failing(told.get("code")) else ""
        if what:
            msg = f"{self.connection.host} answered an error in the place of data: {what}"
            raise TapError(msg)
        if lacks:
            msg = f"without {self.sure_field}"
            raise TypeError(msg)
        return Page(rows=self.rows_of(body), token=self.token_of(body))


def listed(value: Any) -> list[Any]:
    """A list within an answer; a missing or null one is empty.

    Raises:
        TypeError: When it is none.
    """
    if value is not None and not isinstance(value, list):
        msg = "not a list"
        raise TypeError(msg)
    return value or []


def picked(value: Any, names: tuple[str, ...]) -> dict[str, Any] | None:
    """The named fields of an object that holds secrets, too; ``None`` where there is no object."""
    if not isinstance(value, dict):
        return None
    return {name: value[name] for name in names if value.get(name) is not None}


def plain_url(value: Any) -> str | None:
    """An address without user info, query and fragment; ``None`` for what is no text."""
    if not isinstance(value, str) or not value:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
