"""What a handler raises where the service answers with an error."""


class BadRequestError(Exception):
    """The request makes no sense to the service: status 400, with this message."""


class NotFoundError(Exception):
    """There is no such thing, or the token may not see it: status 404."""
