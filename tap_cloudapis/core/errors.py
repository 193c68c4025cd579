"""What can go wrong in a sync, in the words a user reads.

Every error that reaches a user is one of these: its text is one line that says what
happened, in which stream, and what to do. None of them ever contains a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.exceptions import FatalAPIError

if TYPE_CHECKING:
    import requests

#: What is said of a path that a server does not know.
NO_ROUTE = "this server has no such route"


class TapError(Exception):
    """A failure with a message for the user; it ends a stream, and the exit code is 1."""


class IncompleteListError(TapError):
    """A list gave fewer rows than the API announced, after every retry."""


class MapError(TapError):
    """An expression of a stream map failed on a record.

    Args:
        place: Where it stands in the settings.
        what: Which one, and why.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place


class UnavailableError(TapError):
    """A request failed for good, after every retry."""


class TooSlowError(UnavailableError):
    """An answer did not end within its time; none would the next time."""


class TooLargeError(TapError):
    """An answer is larger than it may be, and would be so the next time."""


class ResponseError(TapError, FatalAPIError):
    """An answer that ends the request: no retry would change it."""

    def __init__(self, message: str, response: requests.Response) -> None:
        super().__init__(message)
        self.response = response

    @property
    def is_not_found(self) -> bool:
        """Whether what was asked for is not there, or not shown to this token (404)."""
        return self.response.status_code == 404  # noqa: PLR2004

    @property
    def has_no_route(self) -> bool:
        """Whether a router knows no such path; an error of the API's own comes in its own words."""
        response = self.response
        is_json = "json" in response.headers.get("Content-Type", "").lower()
        return self.is_not_found and not (is_json or response.content.lstrip()[:1] == b"{")


class ClosedError(ResponseError):
    """All of an account or organization is closed to the token, or to this machine.

    Args:
        message: What to say where it is about all of the service.
        response: The answer.
        narrow: What to say where it is about one account or organization.
    """

    def __init__(self, message: str, response: requests.Response, narrow: str = "") -> None:
        super().__init__(message, response)
        self.narrow = narrow or message


class AuthenticationError(ClosedError):
    """The token was refused (401): by the service, or by one account or organization."""


class RefusedError(ResponseError):
    """The token may not read this (403, 404), or the plan does not include it.

    Args:
        message: What was answered.
        response: The answer.
        advice: What to do, where the answer tells it; empty where it is to be guessed.
        of_plan: Whether the answer says that the plan does not include this.
    """

    def __init__(
        self,
        message: str,
        response: requests.Response,
        advice: str = "",
        *,
        of_plan: bool = False,
    ) -> None:
        super().__init__(message, response)
        self.advice = advice
        self.of_plan = of_plan


class BadRequestError(ResponseError):
    """The API did not accept a parameter (400), for instance a page size over its cap."""


class Terminated(BaseException):
    """A signal asked the sync to end; raised between two records, never inside one.

    Args:
        signum: The number of the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class OutputError(BaseException):
    """Messages cannot be written any more, so nothing that is read could be delivered."""
