"""Requests that only read, and whose question does not fit into an address: a POST with a body.

They change nothing, so they are sent again after a failure as a GET is.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    import requests
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Params


def as_post(request: requests.PreparedRequest, content: Any) -> requests.PreparedRequest:
    """The same request as a POST with a JSON body."""
    post = copy(request)
    # The headers are those of all requests of the stream.
    post.headers = request.headers.copy()
    post.method = "POST"
    post.prepare_body(None, None, json=content)
    return post


class PostedStream(CloudStream):
    """A list that is asked for in a body.

    Attributes:
        in_address: The parameters that stay in the address.
    """

    in_address: ClassVar[frozenset[str]] = frozenset()

    def body(self, context: Context | None, params: Params) -> Any:  # noqa: ARG002
        """What is asked for; by default the paging parameters of the page."""
        return params

    def prepare(
        self, context: Context | None, params: Params, *, below: str = ""
    ) -> requests.PreparedRequest:
        """Prepare the request of a page."""
        told = {name: value for name, value in params.items() if name in self.in_address}
        asked = {name: value for name, value in params.items() if name not in self.in_address}
        return as_post(super().prepare(context, told, below=below), self.body(context, asked))
