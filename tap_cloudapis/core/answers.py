"""What an answer means: a success, another try, a refusal, or a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import RetriableAPIError

from tap_cloudapis.core.children import FamilyStream
from tap_cloudapis.core.errors import (
    AuthenticationError,
    BadRequestError,
    ClosedError,
    RefusedError,
    ResponseError,
    TapError,
)
from tap_cloudapis.core.paging import Row, as_object, as_total
from tap_cloudapis.core.redaction import redact

if TYPE_CHECKING:
    import requests

BAD_REQUEST = 400
#: What is a success, but may be only a part of the list, or only a promise of it.
DOUBTFUL = frozenset({202, 206})
#: Where an answer that is none of a list may say why, in lower case and without underscores.
REASONS = ("message", "detail", "error", "errors", "errormessage", "errordescription")
CODES = ("code", "status", "statuscode", "errorcode")
#: Characters of a server's own words that a message repeats.
MOST_WORDS = 200


def shortened(text: str) -> str:
    """A server's words in one line and not too many; never a part of a secret that is cut."""
    return redact(" ".join(text.split()))[:MOST_WORDS]


def is_failing(code: Any) -> bool:
    """Whether a status that is told within an answer is one of a failure."""
    return (as_total(code) or 0) >= BAD_REQUEST


def complaint(body: Row) -> str:
    """What an answer without rows says of a failure, whatever its status; "" if it says nothing.

    Args:
        body: The answer, as it was decoded.
    """
    told = {name.lower().replace("_", ""): value for name, value in body.items() if value}
    reasons = [_words(told[name]) for name in REASONS if name in told]
    codes = [f"code {told[name]}" for name in CODES if is_failing(told.get(name))]
    return shortened(": ".join(codes[:1] + reasons[:1]))


def _words(told: Any) -> str:
    """A reason that may be a text, an object with a message, or a list of such."""
    parts = told if isinstance(told, list) else [told]
    try:
        return ", ".join(str(as_object(part).get("message") or part) for part in parts)
    except RecursionError:
        return "something that is nested too deep"


class AnsweredStream(FamilyStream):
    """A stream that tells answers apart; a service says where it gives its reasons."""

    def validate_response(self, response: requests.Response) -> None:
        """Tell success from what is worth another try and from what is not.

        Raises:
            RetriableAPIError: 408, 409, 425, 429 and 5xx.
            AuthenticationError: 401.
            ClosedError: A refusal that tells that it is about all of the account.
            RefusedError: 402, 403, 404, and a 400 that speaks of the plan.
            BadRequestError: Any other 400.
            ResponseError: Anything else that is not a success.
        """
        status = response.status_code
        if status < 300:  # noqa: PLR2004
            self.report.unlisted |= status in DOUBTFUL
            return
        reason = self.error_text(response)
        connection = self.connection
        where = f"{connection.host} answered {status} ({reason})"
        if status in (408, 409, 425, 429) or status >= 500:  # noqa: PLR2004
            raise RetriableAPIError(where, response)
        closed, advice = self.advice(response, reason)
        if status == 401:  # noqa: PLR2004
            token = f"{self.service_key}_token"
            narrow = advice or (
                f"the value of {token} is accepted elsewhere, but is not for this {self.owner}, "
                "or not any more"
            )
            raise AuthenticationError(
                f"{connection.host} does not accept the value of {token} ({reason}); check the "
                f"token, and that {connection.url_setting} is the address that this account uses",
                response,
                f"{where}; {narrow}",
            )
        if closed:
            raise ClosedError(f"{where}; {advice}", response)
        of_plan = status == 402 or (status in (400, 403) and self.speaks_of_plan(reason))  # noqa: PLR2004
        if of_plan or status in (403, 404):
            raise RefusedError(where, response, advice, of_plan=of_plan)
        if status == 400:  # noqa: PLR2004
            raise BadRequestError(where, response)
        raise ResponseError(where, response)

    def error_text(self, response: requests.Response) -> str:
        """The service's own words in an error answer, short."""
        text = shortened(response.text)
        return text if text and not text.startswith("<") else str(response.reason)

    def misshapen(self, where: str = "") -> TapError:
        """An error for an answer in another shape than the API's."""
        place = f" ({where})" if where else ""
        return TapError(f"{self.connection.host} answered in a shape that is not its API's{place}")

    def advice(self, response: requests.Response, reason: str) -> tuple[bool, str]:  # noqa: ARG002
        """Read in a refusal what it is about.

        Args:
            response: The answer.
            reason: What it says, as text.

        Returns:
            Whether all of the account or organization is closed, and what to do; empty where the
            answer does not tell.
        """
        return False, ""

    def speaks_of_plan(self, reason: str) -> bool:
        """Whether a refusal says that the plan does not include the feature."""
        return any(word in reason.lower() for word in ("subscription", "available only", "enabled"))
