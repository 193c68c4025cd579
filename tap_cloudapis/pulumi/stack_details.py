"""What the list of stacks leaves out: tags, the operation under way, references to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.facts import Facts, Unselected
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.core.parts import PartStream
from tap_cloudapis.pulumi.client import PulumiStream, snake_keys
from tap_cloudapis.pulumi.stack_streams import READ_STACK, StackStream
from tap_cloudapis.pulumi.stacks import STACK_KEY
from tap_cloudapis.pulumi.whole_answers import WholeAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row


class StackDetails(StackStream, WholeAnswer):
    """Each stack with what its list leaves out.

    A tag that is edited by hand does not show in the list of stacks: it is seen when the stack is
    updated, or has its turn.
    """

    name = "pulumi_stack_details"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}"
    in_slots = True
    sure_field = "stackName"
    # Its keys are users' own, and all who see the stack see its tags.
    unscrubbed_fields = frozenset({"tags"})
    facts = Facts(
        row="a stack with what the list leaves out",
        requests="one per stack that has changed or has its turn",
        permission=READ_STACK,
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Flatten; of the configuration the name of its environment alone, as keys lie beside it.

        The names are those of the list, which can differ in their case.
        """
        operation, config = as_object(row.get("currentOperation")), as_object(row.get("config"))
        return {
            "version": row.get("version"),
            "tags": row.get("tags"),
            "active_update": row.get("activeUpdate") or None,
            **{f"current_operation_{name}": operation.get(name) for name in _OPERATION},
            "config_environment": config.get("environment") or None,
        }


_OPERATION = ("kind", "author", "started")


class StackTags(PartStream, PulumiStream):
    """The tags of each stack, one in a row."""

    name = "pulumi_stack_tags"
    primary_keys = (*STACK_KEY, "tag_name")
    parent_stream_type = StackDetails
    scope = StackStream.scope
    context_columns: ClassVar[Mapping[str, str]] = {name: name for name in STACK_KEY}
    facts = Facts(
        row="a tag of a stack",
        requests="none: the details of stacks carry them",
        permission=READ_STACK,
    )

    def parts(self, row: Row, context: Context) -> list[Row]:  # noqa: ARG002
        """The tags, which come as an object."""
        tags = as_object(row.get("tags"))
        return [{"tag_name": name, "value": value} for name, value in tags.items()]


class StackReferences(StackStream):
    """The stacks whose outputs a stack reads."""

    name = "pulumi_stack_references"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/upstreamreferences"
    primary_keys = (*STACK_KEY, "ref_org_name", "ref_project_name", "ref_stack_name")
    records_key = "referencedStacks"
    facts = Facts(
        row="a stack that another one reads outputs of",
        requests="one per stack that has changed",
        permission=READ_STACK,
        unselected=Unselected.REQUESTS,
    )

    def to_record(self, row: Row, context: Context) -> Row:  # noqa: ARG002
        """Name the parts of the other stack's name."""
        record: dict[str, Any] = snake_keys(row)
        record["ref_org_name"] = record.pop("organization", None)
        record["ref_project_name"] = record.pop("routing_project", None) or ""
        record["ref_stack_name"] = record.pop("name", None)
        return record
