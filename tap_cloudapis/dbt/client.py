"""What all dbt Cloud streams share: the Administrative API v2/v3, its envelope and its paging."""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict
from urllib.parse import urlsplit

from tap_cloudapis.core.answers import complaint, is_failing, shortened
from tap_cloudapis.core.bookmarks import RowId
from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.offset_pages import OffsetPages
from tap_cloudapis.core.paging import NO_ROW, Page, PageLimit, Paginator, SinglePage, as_object
from tap_cloudapis.core.scalars import to_integer
from tap_cloudapis.core.stream import CloudStream
from tap_cloudapis.dbt.filters import DbtFilters
from tap_cloudapis.dbt.references import references_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import requests
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.facts import Reference
    from tap_cloudapis.core.paging import Row

#: The most rows the API gives in a page.
PAGE_SIZE = 100
#: How an envelope may say that it is none of a success.
UNTRUE = frozenset({"false", "0", "0.0", "no", ""})


def headers(token: str) -> dict[str, str]:
    """The headers of every request."""
    return {"Authorization": f"Token {token}", "Accept": "application/json"}


def has_id(row: Row) -> bool:
    """Whether a row has an id; one without it is left out when it becomes a record."""
    return type(row.get("id")) is int


def is_one_of(row: Row, ids: Collection[int]) -> bool:
    """Whether a row has one of these ids."""
    return has_id(row) and row["id"] in ids


class AccountContext(TypedDict):
    """The context of an account's part of a bookmark."""

    account_id: RowId


#: The plan that has what fewer accounts need.
ENTERPRISE = "Enterprise plans"


def host_alone(url: Any) -> str | None:
    """The scheme and the host of a URL, without a user; ``None`` for what is no URL."""
    try:
        # Browsers take a backslash for a slash.
        parts = urlsplit(url.replace("\\", "/") if isinstance(url, str) else "")
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if parts.scheme and host else None


def entries(value: Any) -> list[Row]:
    """The objects of an array inside a row; null is an empty one, and what is none is told of."""
    if value is None:
        return []
    listed = value if isinstance(value, list) else [NO_ROW]
    return [entry if isinstance(entry, dict) else NO_ROW for entry in listed]


def ids_of(value: Any) -> list[Any] | None:
    """The ids in an array of objects or of ids; ``None`` where there is no array."""
    if not isinstance(value, list):
        return None
    return [entry.get("id") if isinstance(entry, dict) else entry for entry in value]


def as_integers(value: Any) -> Any:
    """An array whose numbers may have come as texts; anything else stays."""
    if not isinstance(value, list):
        return value
    numbers = [to_integer(each) if isinstance(each, str) else None for each in value]
    return [each if found is None else found for each, found in zip(value, numbers, strict=True)]


class Paging(Enum):
    """How the API gives a list out."""

    #: By limit and offset, in the order of the ids; behind a keyset where the list has one.
    ORDERED = "ordered"
    #: By limit and offset, in no order that could be asked for.
    UNORDERED = "unordered"
    #: Without any parameter that is declared; but the answer says how many rows there are.
    TOTAL = "total"
    #: In one answer.
    WHOLE = "whole"


class DbtStream(CloudStream):
    """A list of the Administrative API.

    Lists come in an envelope ``{status, data, extra}``; ``extra.pagination.total_count`` says
    how many rows match. Paths end in a slash, without which the API redirects.

    An id is unique within one deployment (region or cell) only, and people load several into
    one dataset: so the account's id is part of the key, and each row says its host.
    """

    schema_package = "tap_cloudapis.dbt"
    service_key = "dbt"
    primary_keys: Sequence[str] = ("account_id", "id")
    scope = "account {account_id}"
    owner_key = "account_id"
    grant = "Account Viewer"
    tells_total = True
    context_columns: ClassVar[Mapping[str, str]] = {"account_id": "account_id"}

    #: The parameter that asks for rows with a greater id, where the list has one.
    keyset: ClassVar[str | None] = None
    #: How the list is given out.
    paging: ClassVar[Paging] = Paging.ORDERED
    #: The parameters of every page; ``state`` where the list knows it.
    params: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.limit = PageLimit("limit", PAGE_SIZE)

    @property
    def references(self) -> Sequence[Reference]:
        """What the columns refer to."""
        return references_of(self.name, self.schema)

    @cached_property
    def filters(self) -> DbtFilters:
        """What the settings ask for."""
        return DbtFilters.from_settings(self.config)

    def constants(self) -> dict[str, Any]:
        """The host of the deployment."""
        return {"dbt_host": self.connection.hostname}

    def base_params(self, context: Context | None) -> dict[str, Any]:  # noqa: ARG002
        """The declared parameters; deleted rows are asked for unless the settings say no."""
        if self.config["dbt_include_deleted"]:
            return dict(self.params)
        return {name: value for name, value in self.params.items() if name != "state"}

    def new_paginator(self, context: Context | None) -> Paginator:
        """The way of :attr:`paging`."""
        if self.paging is Paging.WHOLE:
            return SinglePage()
        return OffsetPages(
            limit=None if self.paging is Paging.TOTAL else self.limit,
            what=self.place(context) or "accounts",
            ordered=self.paging is Paging.ORDERED,
            keyset=self.keyset,
        )

    def rows_of(self, data: Any) -> list[Row]:
        """The rows in what an envelope holds.

        Args:
            data: Never null, nor empty.

        Raises:
            TypeError: When it has another shape; by default it is the list.
        """
        if not isinstance(data, list):
            msg = "data is not a list"
            raise TypeError(msg)
        return data

    def read_page(self, body: Any) -> Page:
        """Read the envelope of a list; ``data: null`` is an empty list.

        Raises:
            TapError: When it is the envelope of an error.
            TypeError: When the list is none.
        """
        status = as_object(body.get("status"))
        if _is_failure(body, status):
            told = complaint(body) or _message(body) or complaint(status) or "no reason"
            msg = f"{self.connection.host} answered an error in the place of the list: {told}"
            raise TapError(msg)
        pagination = as_object(as_object(body.get("extra")).get("pagination"))
        data, total = body["data"], self.total_of(pagination.get("total_count"))
        # An empty array may also stand for a map, or an object, that has nothing in it.
        rows = self.rows_of(data) if data or isinstance(data, (str, int)) else []
        if data is None or (not rows and total is None and self.paging is not Paging.WHOLE):
            # Empty perhaps, but nothing says so: no reason to drop any row.
            self.report.unlisted = True
        return Page(rows=rows, total=total, listed=data is not None)

    def read_detail(self, body: Any) -> Row:
        """The object in an envelope about one row."""
        return as_object(as_object(body).get("data"))

    def advice(self, response: requests.Response, reason: str) -> tuple[bool, str]:
        """Tell a refusal of this machine's address from one of the token."""
        try:
            denied = response.json()["data"]["account_access_denied"] is True
        except (ValueError, KeyError, TypeError, RecursionError):
            denied = False
        if not denied:
            return super().advice(response, reason)
        return True, (
            "the account does not allow the address that this machine asks from: have an admin "
            "add it to the account's IP restrictions"
        )

    def error_text(self, response: requests.Response) -> str:
        """The message of an error envelope."""
        try:
            text = _message(response.json())
        except (ValueError, AttributeError, TypeError, RecursionError):
            text = ""
        return text or super().error_text(response)


def _is_failure(body: Row, status: Row) -> bool:
    """Whether an envelope tells of a failure; one of a success has a message too."""
    if is_failing(status.get("code")) or is_failing(body.get("code")):
        return True
    if "is_success" in status:
        told = status["is_success"]
        if told is None:
            return bool(status.get("code") or _message(body))
        if str(told).strip().lower() in UNTRUE:
            return True
    return not body.get("data") and bool(complaint(body))


def _message(body: Any) -> str:
    """The reason an error envelope gives, which has been seen in five places."""
    status = as_object(body.get("status"))
    data = body.get("data")
    message = status.get("user_message") or status.get("User_message") or body.get("detail")
    details = ""
    if isinstance(data, dict):
        # Of an invalid request, what is wrong by field; _model, ids and flags say nothing.
        told = {k: v for k, v in data.items() if v and k[:1] != "_" and isinstance(v, str | list)}
        details = str(told.pop("reason", "")) or ", ".join(f"{k}: {v}" for k, v in told.items())
    return shortened(str(details or message or ""))
