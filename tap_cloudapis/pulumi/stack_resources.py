"""The resources in each stack, without what they are made of unless somebody asks for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.paging import NO_ROW, as_object
from tap_cloudapis.core.redaction import STAND_IN
from tap_cloudapis.pulumi.client import SIGNATURE_KEY, snake_keys
from tap_cloudapis.pulumi.stack_streams import READ_STACK, StackStream
from tap_cloudapis.pulumi.stacks import STACK_KEY
from tap_cloudapis.pulumi.whole_answers import WholeAnswer, listed

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

#: What a resource is made of, by its fields.
_PROPERTIES = ("inputs", "outputs", "providerInputs")
#: Fields of an object that is a secret, whether it is marked as one or not.
_SECRET_FIELDS = frozenset({"ciphertext", "plaintext"})


class StackResources(StackStream, WholeAnswer):
    """The resources in each stack, as its newest update has left them.

    Inputs and outputs come only where ``pulumi_resource_properties`` is on, without what the
    engine knows to be secret. Rows of an older version of the stack are gone.
    """

    name = "pulumi_stack_resources"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/resources/latest"
    primary_keys = (*STACK_KEY, "urn", "resource_id")
    sure_field = "resources"
    # Errors of providers quote values.
    dropped_fields = frozenset({"init_errors", "id"})
    facts = Facts(
        row="a resource in a stack",
        requests="one per stack that has changed",
        permission=READ_STACK,
        unselected=Unselected.REQUESTS,
    )
    _COMMON: ClassVar[tuple[str, ...]] = ("version", "region")

    def rows_of(self, body: Any) -> list[Row]:
        """The resources, each with what the answer says of all."""
        common = {name: body.get(name) for name in self._COMMON}
        return [
            {**entry["resource"], **common}
            if as_object(as_object(entry).get("resource"))
            else NO_ROW
            for entry in listed(body["resources"])
        ]

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Rename the fields; leave out what the resource is made of, or the secrets in it."""
        row["init_error_count"] = len(row.get("initErrors") or ())
        row["resource_id"] = row.get("id") or ""
        row.update({name: row.get(name) or None for name in ("parent", "provider", "deletedWith")})
        known = row.get("additionalSecretOutputs")
        for name in _PROPERTIES:
            properties = row.pop(name, None)
            if self.config["pulumi_resource_properties"]:
                row[name] = without_secrets(properties)
        if isinstance(known, list) and isinstance(row.get("outputs"), dict):
            row["outputs"].update({n: STAND_IN for n in known if n in row["outputs"]})
        return snake_keys(row)


def without_secrets(value: Any) -> Any:
    """Have something stand in for all that the engine marks as secret, in JSON in a text, too."""
    if isinstance(value, dict):
        if SIGNATURE_KEY in value or value.keys() & _SECRET_FIELDS:
            return STAND_IN
        return {name: without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    if isinstance(value, str) and (SIGNATURE_KEY in value or "ciphertext" in value):
        return _without_secrets_in_text(value)
    return value


def _without_secrets_in_text(text: str) -> str:
    """The same for JSON in a text; what is none, and has the mark, is a secret as a whole."""
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        return STAND_IN if SIGNATURE_KEY in text else text
    if isinstance(inner, str):
        return STAND_IN
    return json.dumps(without_secrets(inner), ensure_ascii=False)
