"""What a handler raises where the service answers with an error."""


class BadRequestError(Exception):
    """The request makes no sense to the service: status 400, with this message."""


class NotFoundError(Exception):
    """There is no such thing, or the token may not see it: status 404."""


class NoFileError(NotFoundError):
    """There is no such file: status 404, in words instead of the service's form."""
