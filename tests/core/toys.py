"""A service of toys, for tests of what the core offers; each test declares its own streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.service import Service
from tap_cloudapis.core.stream import CloudStream
from tap_cloudapis.tap import TapCloudAPIs
from tests.core.syncing import Message, Outcome, Record, discover, selecting, sync
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row

TOKEN = "fake-token-for-tests"  # noqa: S105 - opens nothing
FACTS = Facts(row="a toy", requests="few")
NOT_FOUND = Reply({"message": "no such toy"}, status=404)


def shape(*integers: str, **others: Any) -> dict[str, Any]:
    """A schema of integers that are never null, and of columns of other types or definitions."""
    columns = {
        name: {"type": [kind, "null"]} if isinstance(kind, str) else kind
        for name, kind in others.items()
    }
    return {
        "type": "object",
        "properties": {**{name: {"type": "integer"} for name in integers}, **columns},
        "additionalProperties": True,
    }


class ToyStream(CloudStream):
    """A list of the toy service, which answers with bare lists."""

    schema_package = ""
    service_key = "toy"
    primary_keys: Sequence[str] = ("id",)
    facts = FACTS

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:
        """The key under the name of the stream, as ``boxes_id``."""
        return {**context, f"{self.name.removeprefix('toy_')}_id": record["id"]}


def toy_tap(*streams: type[CloudStream], **more: Any) -> type[TapCloudAPIs]:
    """A tap that reads nothing but toys.

    Args:
        streams: Its streams.
        more: More of what makes up the service.
    """
    toys = Service(
        key="toy",
        title="Toy Cloud",
        settings=(
            th.Property("toy_token", th.StringType, secret=True),
            th.Property("toy_url", th.StringType),
            th.Property("toy_names", th.ArrayType(th.StringType)),
        ),
        default_url="https://toys.example.com",
        headers=lambda token: {"Authorization": f"toy {token}"},
        streams=streams,
        **more,
    )

    class TapToys(TapCloudAPIs):
        services: ClassVar[tuple[Service, ...]] = (toys,)

    return TapToys


class Shop:
    """A server of toys and the tap that reads it.

    Attributes:
        answers: What is answered, by path; what is not there is answered 404.
        config: The settings.
        state: The state of the last sync.
    """

    def __init__(self, tap_class: type[TapCloudAPIs], answers: Mapping[str, Any]) -> None:
        self.tap_class = tap_class
        self.answers = dict(answers)
        self.state: Record | None = None
        self.server = ScriptedServer(self._answer)
        self.config: Record = {"toy_token": TOKEN, "toy_url": self.server.url}

    def _answer(self, path: str, query: dict[str, str]) -> Any:
        answer = self.answers.get(path, NOT_FOUND)
        return answer(query) if callable(answer) else answer

    def sync(self, **options: Any) -> Outcome:
        """Sync from the state of the last time; see :func:`tests.core.syncing.sync`."""
        config = {**self.config, **options.pop("config", {})}
        if "select" in options:
            options["catalog"] = selecting(options.pop("select"), discover(self.tap_class))
        outcome = sync(config, tap_class=self.tap_class, **{"state": self.state, **options})
        self.state = outcome.state if outcome.states else self.state
        return outcome

    def asked(self) -> list[str]:
        """The paths that were asked for since this was last called, sorted."""
        paths = sorted(request["path"] for request in self.server.requests)
        self.server.requests.clear()
        return paths


def order(messages: list[Message], *names: str) -> list[tuple[Any, ...]]:
    """The records in their order, each as its stream and the columns that are named."""
    return [
        (m["stream"].removeprefix("toy_"), *(m["record"].get(name) for name in names))
        for m in messages
        if m["type"] == "RECORD"
    ]
