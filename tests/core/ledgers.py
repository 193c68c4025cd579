"""A toy service whose crates are in a ledger, and what tests of it share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.exchange import Read
from tap_cloudapis.core.ledger import LedgerParent, LedgerStream
from tap_cloudapis.core.paging import SinglePage
from tests.core.toys import NOT_FOUND, Shop, ToyStream, shape, toy_tap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.paging import Row
    from tests.core.syncing import Record

TEXT: Any = {"type": "string"}


class Shelves(ToyStream):
    name = "toy_shelves"
    path = "/shelves"
    schema: ClassVar[Any] = shape(id=TEXT)

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        return {"shelf": record["id"]}


class Crates(LedgerParent, ToyStream):
    """The parent, in two lists for each shelf."""

    name = "toy_crates"
    path = "/shelves/{shelf}/crates"
    parent_stream_type = Shelves
    context_columns: ClassVar[Mapping[str, str]] = {"shelf": "shelf"}
    schema: ClassVar[Any] = shape("changed", id=TEXT, shelf=TEXT, name=TEXT)

    def reads(self, context: Context | None) -> Iterable[Read]:  # noqa: ARG002
        return Read(SinglePage()), Read(SinglePage(), {"part": "two"})

    def entry(self, record: Row) -> tuple[str, str, Any]:
        return record["id"], f"{record['shelf']}/{record['name']}", record["changed"]

    def child_context(self, record: Row, context: Context) -> dict[str, Any]:  # noqa: ARG002
        return {"shelf": record["shelf"], "crate": record["id"]}


class CrateStream(LedgerStream, ToyStream):
    parent_stream_type = Crates
    ledger_key = "crate"
    primary_keys = ("crate", "id")
    context_columns: ClassVar[Mapping[str, str]] = {"crate": "crate"}
    schema: ClassVar[Any] = shape("id", crate=TEXT)


class Labels(CrateStream):
    """Read when the crate has changed."""

    name = "toy_labels"
    path = "/crates/{crate}/labels"


class Weights(CrateStream):
    """Read in turn, too."""

    name = "toy_weights"
    path = "/crates/{crate}/weights"
    in_slots = True


TapCrates = toy_tap(Shelves, Crates, Labels, Weights)

#: What is on the shelves to begin with: name and time of the last change by crate.
SHELVES = {
    "north": {"c1": ("oak", 1), "c2": ("elm", 1), "c3": ("ash", 1)},
    "south": {"c7": ("oak", 1), "c8": ("elm", 1)},
}


class Storehouse(Shop):
    """Shelves with crates; each crate has a label and a weight, which say when it has changed.

    Attributes:
        shelves: By shelf, the crates: name and time of the last change by id.
        replies: What is answered for a path instead of the rows that are there.
    """

    def __init__(self) -> None:
        super().__init__(TapCrates, {})
        self.shelves = {shelf: dict(crates) for shelf, crates in SHELVES.items()}
        self.replies: dict[str, Any] = {}

    def _answer(self, path: str, query: dict[str, str]) -> Any:
        key = f"{path}?two" if query else path
        if key in self.replies:
            return self.replies[key]
        match path.split("/")[1:]:
            case ["shelves"]:
                return [{"id": shelf} for shelf in self.shelves]
            case ["shelves", shelf, "crates"]:
                # The second list has the crates with higher numbers.
                return [
                    {"id": crate, "name": name, "changed": changed}
                    for crate, (name, changed) in self.shelves[shelf].items()
                    if (int(crate[1:]) % 5 > 2) == bool(query)
                ]
            case ["crates", crate, "labels" | "weights"]:
                found = [crates[crate] for crates in self.shelves.values() if crate in crates]
                return [{"id": 1, "changed": changed} for _, changed in found]
        return NOT_FOUND

    def read(self, stream: str = "labels") -> str:
        """The crates whose labels or weights were asked for since the last time, in a row."""
        paths = [path.split("/") for path in self.asked()]
        return " ".join(path[2] for path in paths if path[1] == "crates" and path[3] == stream)

    def change(self, *crates: str) -> None:
        """Have crates changed, as if by their owners."""
        for shelf in self.shelves.values():
            for crate in shelf.keys() & set(crates):
                name, changed = shelf[crate]
                shelf[crate] = (name, changed + 1)

    def bookmark(self, stream: str) -> Record:
        """The state of a stream."""
        assert self.state is not None
        bookmark: Record = self.state["bookmarks"][f"toy_{stream}"]
        return bookmark

    def entries(self) -> Iterator[str]:
        """The ids in the ledger."""
        yield from self.bookmark("crates")["ledger"]
