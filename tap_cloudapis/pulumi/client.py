"""What all Pulumi Cloud streams share: headers, names, secrets."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.answers import complaint, is_failing, shortened
from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.paging import NO_ROW, Page, PageLimit, Row, as_total
from tap_cloudapis.core.redaction import STAND_IN
from tap_cloudapis.core.stream import CloudStream
from tap_cloudapis.pulumi.references import references_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import requests
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.facts import Reference

#: The key that marks an object as one of the engine's special values; by its value it is
#: a secret.
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"


def headers(token: str) -> dict[str, str]:
    """The headers of every request; below version 8 the list of stacks is cut at 300."""
    return {
        "Authorization": f"token {token}",
        "Accept": "application/vnd.pulumi+8",
        "Content-Type": "application/json",
    }


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """A field name of the API as a column name: ``updateID`` becomes ``update_id``."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words).lower().replace(".", "_")


def snake_keys(row: Row) -> Row:
    """Rename the top-level fields of a record; keys below are the users' or the API's own."""
    return {snake_case(name): value for name, value in row.items()}


def seconds_between(begin: Any, end: Any) -> float | None:
    """Seconds from one time of the API to another; ``None`` where one of them is none."""
    try:
        first, last = (
            datetime.fromisoformat(str(to_timestamp(time)).removesuffix("Z"))
            for time in (begin, end)
        )
        return (last - first) // timedelta(microseconds=1) / 1_000_000
    except (ValueError, TypeError):
        return None


def entries(value: Any) -> list[Row]:
    """The objects of an array inside a row; null is an empty one, and what is none is told of."""
    if value is None:
        return []
    listed = value if isinstance(value, list) else [NO_ROW]
    return [entry if isinstance(entry, dict) else NO_ROW for entry in listed]


def or_none(value: Any) -> Any:
    """A value, or ``None`` for the empty text, with which the service tells nothing."""
    return None if value == "" else value


def replace_secret(value: dict[str, Any]) -> str | None:
    """Stand in for the engine's secret values, wherever they are nested."""
    return STAND_IN if SIGNATURE_KEY in value else None


class PulumiStream(CloudStream):
    """A list of the REST API.

    Attributes:
        records_key: The field of an answer that holds the records; empty where it is the bare list.
        total_key: The field of an answer that tells how many rows there are.
        token_key: The field of an answer that holds the token of the next page.
        page_size: Records asked for in a page; ``None`` where there is no such parameter.
    """

    schema_package = "tap_cloudapis.pulumi"
    service_key = "pulumi"
    scope = "organization {org_name}"
    owner = "organization"
    owner_key = "org_name"
    context_columns: ClassVar[Mapping[str, str]] = {"org_name": "org_name"}

    records_key: ClassVar[str]
    total_key: ClassVar[str] = "total"
    token_key: ClassVar[str] = "continuationToken"  # noqa: S105 - the name of a field
    page_size: ClassVar[tuple[str, int] | None] = None

    replace_secret = staticmethod(replace_secret)

    @property
    def references(self) -> Sequence[Reference]:
        """What the columns refer to."""
        return references_of(self.name, self.schema)

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.limit = PageLimit(*self.page_size) if self.page_size else None

    def read_page(self, body: Any) -> Page:
        """Read a list; a missing or null list is empty, as is an answer without a body.

        Raises:
            TapError: When an error stands in the place of the list.
            TypeError: When the list is none.
        """
        if body is None:
            body = {}
        if not self.records_key and isinstance(body, list):
            return Page(rows=body)
        rows = body.get(self.records_key)
        told = "" if rows and not is_failing(body.get("code")) else complaint(body)
        if told:
            msg = f"{self.connection.host} answered an error in the place of the list: {told}"
            raise TapError(msg)
        if body and not self.records_key:
            msg = "not a list"
            raise TypeError(msg)
        if rows is None:
            # Taken for empty, as older servers mean it, but for no reason to drop any row.
            self.report.unlisted = True
        if rows is not None and not isinstance(rows, list):
            msg = f"{self.records_key} is not a list"
            raise TypeError(msg)
        return Page(
            rows=rows or [],
            total=self.total_of(body.get(self.total_key)),
            size=as_total(body.get("itemsPerPage")),
            token=body.get(self.token_key) or None,
            listed=rows is not None,
        )

    def read_object(self, body: Any) -> Page:
        """Read an answer that is one row; without a body there is none.

        Raises:
            TapError: When an error stands in its place.
            TypeError: When it is no object.
        """
        if body is None:
            return Page(rows=[])
        if not isinstance(body, dict):
            msg = "not an object"
            raise TypeError(msg)
        if is_failing(body.get("code")):
            msg = f"{self.connection.host} answered an error: {complaint(body)}"
            raise TapError(msg)
        return Page(rows=[body])

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Rename the fields."""
        return snake_keys(row)

    def advice(self, response: requests.Response, reason: str) -> tuple[bool, str]:
        """Tell that an organization wants its members to sign in anew."""
        if not re.search(r"\b(SSO|SAML)\b", reason):
            return super().advice(response, reason)
        return False, "sign in to this organization with single sign-on, then run the sync again"

    def error_text(self, response: requests.Response) -> str:
        """The message of an error; some edges answer in plain text."""
        try:
            message = response.json()["message"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return super().error_text(response)
        return shortened(str(message))
