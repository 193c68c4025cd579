"""What a schema declares of nested records: which schemas are within which, each read once.

Schemas may refer to each other, so that what they allow has no end. What is laid out in advance has
a bound: a schema that comes back to itself is laid out once from where it begins, and what is
declared in many places up to a number of columns. Further in, the records decide.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from target_dlt.messages.json_schema import alternatives, properties_of, told_of
from target_dlt.messages.schema import types_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_dlt.messages.json_schema import JSONSchema
    from target_dlt.messages.schema import DataType

Kind = Literal["object", "array"]
#: So many columns are made in advance for schemas that are laid out elsewhere already.
REPEATED_COLUMNS = 500
#: The key under which an array has its items.
ITEMS = ""
_Key = tuple[Kind, int]


@dataclass(frozen=True)
class Values:
    """What a schema says of the values under a key, or of the items of an array.

    Attributes:
        type: Of the one column that holds them all.
        scalar: Of the column of those that are no object and no array; None if there are none.
        nested: The schemas of those that are.
    """

    type: DataType
    scalar: DataType | None
    nested: tuple[tuple[Kind, JSONSchema], ...]


@dataclass
class Place:
    """A schema of objects or arrays at one place of the records.

    Attributes:
        kind: Which of the two.
        schema: The schema.
        is_laid_out: Whether what it declares gets columns.
        below: The places within, by key.
    """

    kind: Kind
    schema: JSONSchema
    is_laid_out: bool = False
    below: dict[str, list[Place]] = field(default_factory=dict)

    @property
    def key(self) -> _Key:
        """By what the schema is known again."""
        return self.kind, id(self.schema)


class Declarations:
    """The schemas of one stream.

    Args:
        properties: Those of the stream's records.
        document: The root that references point into.

    Attributes:
        root: The place of the records; all that is laid out in advance is below.

    Raises:
        ValueError: If one of them is in no form that a JSON schema has; its property is named.
    """

    def __init__(self, properties: JSONSchema, document: JSONSchema) -> None:
        self._document = document
        self._values: dict[int, tuple[Any, Values]] = {}
        self.root = Place("object", {"properties": properties})
        self._lay_out_in_advance(_in_circles(self._read_all()))

    def members(self, place: Place) -> Iterator[tuple[str, Values]]:
        """Answer what is declared of the properties of objects, or of the items of arrays."""
        schema = place.schema
        if place.kind == "object":
            for key, sub in properties_of(schema).items():
                with told_of(key):
                    values = self._read(sub)
                yield key, values
        elif isinstance(items := schema.get("items"), dict) and items:
            yield ITEMS, self._read(items)

    def lay_out(self, place: Place) -> None:
        """Mark a place as one whose columns are made, and find those within."""
        place.is_laid_out = True
        for key, values in self.members(place):
            place.below[key] = [Place(kind, schema) for kind, schema in values.nested]

    def _read(self, schema: Any) -> Values:
        known = self._values.get(id(schema))
        if known is None:
            possible = list(alternatives(schema, self._document))
            nested = [
                (cast("Kind", kind), node) for kind, node in possible if kind in {"object", "array"}
            ]
            found = Values(*types_of(possible), tuple(nested))
            known = self._values[id(schema)] = (schema, found)  # kept, so that its id stays its own
        return known[1]

    def _read_all(self) -> dict[_Key, set[_Key]]:
        """Read each schema once; answer which are within which."""
        within: dict[_Key, set[_Key]] = {}
        waiting = deque([(self.root, "")])
        while waiting:
            place, above = waiting.popleft()
            if place.key in within:
                continue
            found = within[place.key] = set()
            try:
                for key, values in self.members(place):
                    path = f"{above}property {key!r}: " if place.kind == "object" else above
                    inner = [Place(kind, schema) for kind, schema in values.nested]
                    found.update(one.key for one in inner)
                    waiting += [(one, path) for one in inner]
            except ValueError as error:
                raise ValueError(f"{above}{error}") from error
        return within

    def _lay_out_in_advance(self, circular: set[_Key]) -> None:
        """Choose the places that are laid out before any record comes, the outer ones first."""
        left = REPEATED_COLUMNS
        seen: set[_Key] = set()
        waiting: deque[tuple[Place, set[_Key] | None]] = deque([(self.root, None)])
        while waiting:
            place, circle = waiting.popleft()
            if place.key in circular:
                circle = set() if circle is None else circle
                if place.key in circle:
                    continue
                circle.add(place.key)
            if place.key in seen:
                left -= sum(1 for _ in self.members(place))
                if left < 0:
                    continue
            seen.add(place.key)
            self.lay_out(place)
            waiting += [(inner, circle) for below in place.below.values() for inner in below]


def _in_circles(within: Mapping[_Key, set[_Key]]) -> set[_Key]:
    """Find the schemas that come back to themselves, and those between two of them."""
    found = set(within)
    while True:
        leading = {key for key in found if not found.isdisjoint(within[key])}
        inner = leading & set[_Key]().union(*(within[key] for key in leading))
        if inner == found:
            return found
        found = inner
