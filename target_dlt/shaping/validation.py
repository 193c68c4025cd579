"""Records held to the JSON schema of their stream, beyond what types need."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import UnknownType
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from target_dlt.errors import BadMessageError, BadRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_dlt.messages.schema import StreamSchema

#: What the validator raises where a schema is in no form that it knows.
_ODD_SCHEMA = (
    UnknownType,
    Unresolvable,
    re.error,
    TypeError,
    AttributeError,
    ValueError,
    LookupError,
)


def _is_number(_checker: Any, value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _is_integer(_checker: Any, value: Any) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def _any_number(*_: Any) -> Iterator[Any]:
    """Taps state scales as `multipleOf: 1e-9`, which no binary fraction is a multiple of."""
    yield from ()


_Validator = extend(  # type: ignore[no-untyped-call]
    Draft7Validator,
    {"multipleOf": _any_number},
    type_checker=Draft7Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


def record_validator(schema: StreamSchema) -> Callable[[Any], None]:
    """Make the function that holds decoded records to the schema of their stream (draft 7).

    Formats are not looked at: the types of the columns take care of them. The error names the
    place and the rule, not the value, which may be a secret.
    """
    # An empty registry: nothing is fetched that a schema refers to.
    errors = _Validator(schema.document, registry=Registry()).iter_errors

    def validate(record: Any) -> None:
        try:
            error = next(errors(record), None)
        except _ODD_SCHEMA as odd:
            why = " ".join(str(odd).partition("\n")[0].split())
            raise BadMessageError(
                f"stream {schema.stream!r}: validate_records needs a JSON schema of draft 7: {why}"
            ) from odd
        if error is not None:
            place = "/".join(map(str, error.absolute_path)) or "the record"
            raise BadRecordError(
                f"stream {schema.stream!r}: {place} breaks {error.validator!r} of its schema"
            )

    return validate
