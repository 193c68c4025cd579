"""The first stream of a service: the accounts or organizations that own its lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import AuthenticationError, TapError
from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_cloudapis.core.exchange import Exchange


class OwnerStream(CloudStream):
    """A stream of owners, each of which can be asked for at an address of its own.

    Attributes:
        without_row: In a dry run, the contexts of owners that have no row, and lists all the same.
    """

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.without_row: list[dict[str, Any]] = []

    def answer(self, exchange: Exchange) -> Any:
        """The body of an answer, or the ``TapError`` that one owner gives; others may be well.

        Raises:
            TapError: When nothing can be read of the service any more.
        """
        try:
            return exchange.body()
        except TapError as exc:
            if self.connection.unusable is not None:
                raise
            return exc

    def check_token(self, answers: Collection[Any]) -> None:
        """End the service if no owner accepts a token that nothing has accepted before.

        Raises:
            AuthenticationError: The first of the refusals.
        """
        refusals = [answer for answer in answers if isinstance(answer, AuthenticationError)]
        if refusals and len(refusals) == len(answers) and not self.connection.reached:
            raise refusals[0]
