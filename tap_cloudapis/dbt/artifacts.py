"""A file that a dbt command has left: what it tells of the command, and of each node.

Such a file can be large, and its nodes are what makes it so. They are decoded some at a time, out
of the bytes as they came, so that a file takes little more memory than its bytes do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from math import isinf
from typing import TYPE_CHECKING, Any

import msgspec

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.exchange import decode_body
from tap_cloudapis.core.paging import NO_ROW
from tap_cloudapis.core.redaction import redact_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_cloudapis.core.paging import Row

#: The two files that are read of each command.
RUN_RESULTS, SOURCES = "run_results.json", "sources.json"
#: Bytes of nodes that are decoded at once.
AT_ONCE = 1 << 18
#: Bytes of a node, where nobody has counted them.
A_NODE = 512
#: The member of a file that holds its nodes, and what tells them apart.
NODES, KEY = "results", "unique_id"


_TEXTS = {str}


class ShapeError(TapError):
    """A file is JSON, but none of dbt's."""


class _Identified(msgspec.Struct):
    unique_id: Any = None


_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_split_nodes = msgspec.json.Decoder(list[msgspec.Raw] | None).decode
_identify = msgspec.json.Decoder(_Identified).decode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclass
class Summary:
    """What the nodes of a file come to.

    Attributes:
        count: How many there are.
        statuses: How many there are by status.
        seconds: How long they took between them; ``None`` where none of them says.
    """

    count: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    seconds: Decimal | int | None = None

    def add(self, nodes: Iterable[Row]) -> None:
        """Count some nodes."""
        for node in nodes:
            self.count += 1
            status, seconds = node.get("status"), node.get("execution_time")
            if isinstance(status, str):
                self.statuses[status] = self.statuses.get(status, 0) + 1
            if isinstance(seconds, (int, Decimal)) and not isinstance(seconds, bool):
                try:
                    self.seconds = (self.seconds or 0) + seconds
                except ArithmeticError:
                    self.seconds = None  # a number that no command can take

    @property
    def as_double(self) -> float | None:
        """The seconds as a double: a sum can have more digits than a column of numbers takes."""
        seconds = None if self.seconds is None else float(self.seconds)
        return None if seconds is None or isinf(seconds) else seconds


class Artifact:
    """A file of a command, whose nodes were not looked at yet.

    Args:
        header: All of it but its nodes.
        nodes: Its nodes, decoded or as they came.

    Attributes:
        header: The same.
        summary: What its nodes come to, once all of them were looked at.
    """

    def __init__(self, header: Row, nodes: Sequence[Any]) -> None:
        self.header = header
        self.summary: Summary | None = None
        self._nodes: Sequence[Any] | None = nodes

    def part(self, name: str) -> Row:
        """An object of the header; an empty one where there is none."""
        found = self.header.get(name)
        return found if isinstance(found, dict) else {}

    @property
    def invocation_id(self) -> Any:
        """Tells the commands that were ever run from each other."""
        return self.part("metadata").get("invocation_id") or None

    def nodes(self) -> Iterator[list[Row]]:
        """Give the nodes, some at a time; of those that come twice in a file, the last one.

        What is no object is given as such, to be told of. They can be given once; then the file's
        bytes are forgotten.

        Raises:
            ShapeError: When the bytes are no JSON in the middle.
        """
        nodes, summary = self._nodes or (), Summary()
        batches: Iterable[list[Row]] = _batches(nodes)
        if nodes and not isinstance(nodes[0], msgspec.Raw):
            # They are decoded, and whoever gets them may change them.
            batches = list(batches)
            for rows in batches:
                summary.add(rows)
            self.summary = summary
        for rows in batches:
            if self.summary is None:
                summary.add(rows)
            yield rows
        self.summary, self._nodes = summary, None

    def summarise(self) -> Summary:
        """Look at all nodes, if nobody has yet, for what they come to."""
        if self.summary is None:
            for _ in self.nodes():
                pass
        assert self.summary is not None  # noqa: S101 - they were looked at now
        return self.summary


def is_of_another_run(artifact: Artifact, run_id: int) -> bool:
    """Whether a file says itself that another run has written it."""
    env = artifact.part("metadata").get("env")
    told = env.get("DBT_CLOUD_RUN_ID") if isinstance(env, dict) else None
    return told not in (None, "") and str(told).strip() != str(run_id)


def read_artifact(content: bytes) -> Artifact:
    """Take a file apart; its nodes stay bytes.

    Args:
        content: Its bytes. Small ones are decoded whole, and so is what msgspec refuses (NaN, as
            Python writes it).

    Raises:
        ValueError: When it is not JSON.
        ShapeError: When it is none of dbt's.
    """
    header, nodes = _halves(content)
    if not isinstance(header, dict) or not isinstance(nodes, list | None):
        raise _misshapen()
    return Artifact(header, nodes or ())


def _halves(content: bytes) -> tuple[Any, Any]:
    """What a file tells beside its nodes, and these."""
    if len(content) > AT_ONCE:
        try:
            members: dict[str, Any] = _split(redact_body(content))
            nodes = _split_nodes(members.pop(NODES, b"null"))
            return {name: _decode(value) for name, value in members.items()}, nodes
        except msgspec.ValidationError:
            raise _misshapen() from None
        except msgspec.DecodeError:
            pass
    header = decode_body(content)
    return header, header.pop(NODES, None) if isinstance(header, dict) else None


def _misshapen() -> ShapeError:
    msg = "the file is not an object with a list of results"
    return ShapeError(msg)


def _batches(nodes: Sequence[Any]) -> Iterator[list[Row]]:
    """Decode nodes, as many at a time as keep within the bound."""
    batch: list[Any] = []
    size = 0
    replaced: set[int] | None = None
    for place, node in enumerate(nodes):
        if isinstance(node, msgspec.Raw):
            batch.append(_decoded(node))
            size += len(memoryview(node))
        else:
            batch.append(node)
            size += A_NODE
        if size >= AT_ONCE:
            if replaced is None:
                replaced = _replaced(nodes)
            yield _last_of_each(batch, place - len(batch) + 1, replaced)
            batch, size = [], 0
    yield _last_of_each(batch, len(nodes) - len(batch), replaced or set())


def _decoded(node: msgspec.Raw) -> Any:
    try:
        return _decode(node)
    except (msgspec.DecodeError, ValueError):
        try:
            return decode_body(bytes(node))
        except ValueError:
            msg = "the file has a node that is not JSON"
            raise ShapeError(msg) from None


def _last_of_each(batch: list[Any], first: int, replaced: set[int]) -> list[Row]:
    """The nodes of a batch without those that a later one replaces."""
    rows = [node if type(node) is dict else NO_ROW for node in batch]
    if replaced:
        rows = [row for place, row in enumerate(rows, first) if place not in replaced]
    ids = [row.get(KEY) for row in rows]
    if {*map(type, ids)} <= _TEXTS and len({*ids}) == len(ids):
        return rows
    last = {each: place for place, each in enumerate(ids) if isinstance(each, str)}
    return [
        row
        for place, (row, each) in enumerate(zip(rows, ids, strict=True))
        if not isinstance(each, str) or last[each] == place
    ]


def _replaced(nodes: Sequence[Any]) -> set[int]:
    """The places of the nodes that come once more in a large file."""
    last: dict[str, int] = {}
    places: set[int] = set()
    for place, node in enumerate(nodes):
        each = _id_of(node)
        if isinstance(each, str):
            if each in last:
                places.add(last[each])
            last[each] = place
    return places


def _id_of(node: Any) -> Any:
    if isinstance(node, msgspec.Raw):
        try:
            return _identify(node).unique_id
        except (msgspec.DecodeError, ValueError):
            node = _decoded(node)
    return node.get(KEY) if isinstance(node, dict) else None
