"""How a list is declared: a table of fields, where it lies, how the service gives it out.

From the declaration follow the routes with their strictness (`api/lists.py`), the rows and the
key of the truth, and the names that `--stream` and `--forbid` know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.items import Item
from cloudapis_simulator.values import (
    NOT_TRUE,
    Secret,
    Time,
    Told,
    Untold,
    answered,
    snake,
    true,
)
from cloudapis_simulator.world.things import DELETED, Thing, make_thing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from cloudapis_simulator.items import Level
    from cloudapis_simulator.world import World

    Of = Callable[[Item], Any]
    Plain = bool | int | float | str | list[Any] | dict[str, Any] | None
    Field = Of | Plain | Time | Told | Untold | Secret

Row = dict[str, Any]
ROOM = 1000
"""Numbers for the things of one parent where their count varies."""


@dataclass(frozen=True)
class Days:
    """A filter by days (`2026-01-31`), each of which begins at midnight in UTC.

    Attributes:
        first: The parameter for the first day.
        end: The parameter for the day before which the last one is.
        recent: How long it reaches back where no first day is asked for, in microseconds.
    """

    first: str
    end: str
    recent: int


@dataclass(frozen=True)
class Offsets:
    """dbt: pages by `limit` and `offset`, with the number of all rows in every answer.

    Attributes:
        state: Whether `state` is a filter (the default is the active rows).
        orders: What `order_by` may name; without any it is ignored.
        filters: Declared filters of integers, in Django's notation; `pk` is the id.
        limit: Whether `limit` is heeded; it is not where the document declares no parameters.
        size: Rows in a page where nothing else is asked for.
        terse: Whether the envelope is the short one of webhooks.
        days: A filter by the time in which a thing was made.
    """

    state: bool = True
    orders: tuple[str, ...] = ("id", "name", "created_at", "updated_at", "state")
    filters: tuple[str, ...] = ()
    limit: bool = True
    size: int = 100
    terse: bool = False
    days: Days | None = None


@dataclass(frozen=True)
class Whole:
    """Everything in one answer.

    Attributes:
        single: The only row itself, 404 where there is none.
        shape: What the answer makes of the rows, where it is no list of them.
    """

    single: bool = False
    shape: Callable[[Item, list[Row]], Any] | None = None


@dataclass(frozen=True)
class Tokens:
    """Pulumi: pages chained by a continuation token.

    Attributes:
        size: Rows in a page where nothing else is asked for.
        most: Rows in a page at most; without it the request has no say.
        parameter: How a request asks for a size.
        takes: How a request gives the token.
        answered_as: Where the answer has the token.
        bounds: Parameters for the first and the last second in which a thing was made.
        end: The token of the last page, where there is one; then tokens are numbers of rows.
        shape: What the answer makes of the rows, where it is no list of them.
    """

    size: int
    most: int | None = None
    parameter: str = "maxResults"
    takes: str = "continuationToken"
    answered_as: str = "continuationToken"
    bounds: tuple[str, str] | None = None
    end: str = ""
    shape: Callable[[Sequence[Row]], Any] | None = None


@dataclass(frozen=True)
class Falling:
    """Pulumi: bare arrays of numbered rows, newest first, behind the number in `before`.

    Attributes:
        by: The field that has the number.
        size: Rows in an answer where nothing else is asked for.
        most: Rows in an answer at most.
    """

    by: str
    size: int
    most: int


@dataclass(frozen=True)
class Pages:
    """Pulumi: pages by number, from 1.

    Attributes:
        size: Rows in a page where nothing else is asked for.
        most: Rows in a page at most.
        whole: Whether page 0 (or none) is everything; else the first is 1, also where none is
            asked for.
    """

    size: int = 10
    most: int = 100
    whole: bool = True


@dataclass(frozen=True)
class Grid:
    """Pulumi: a POST whose body names the first row, and the one behind the last.

    Attributes:
        total: Where the answer has the number of all rows.
        orders: What `sortModel` may name.
        most: Rows in an answer at most.
    """

    total: str
    orders: tuple[str, ...] = ()
    most: int = 1000


@dataclass(frozen=True)
class Choice:
    """Pulumi: a parameter that chooses among the rows.

    Attributes:
        values: What it may be, and which things it lets through.
        default: What stands where it is not sent; empty where there is no answer without it.
    """

    values: Mapping[str, Callable[[Item], bool]]
    default: str = ""


OFFSETS = Offsets()
UNORDERED = Offsets(state=False, orders=())
TOTAL = Offsets(state=False, orders=(), limit=False)
WHOLE = Whole()
Paging = Offsets | Whole | Tokens | Falling | Pages | Grid


@dataclass(eq=False)
class Table:
    """One stream, and the list in which the service gives it out.

    Attributes:
        stream: The name of the stream.
        under: What there is such a list for: `ACCOUNTS`, `ORGANIZATIONS`, `STACKS`, a table.
        fields: The row: names with constants, or functions of the `Item`.
        spread: Fields of which there are others from row to row, and that are not in the truth.
        truth: The columns of the truth: names of fields and of columns of what is above, or
            names with such a name (`user.login` looks into objects) or a function of the item.
            Without it the truth has all that is above and all fields, but what they do not tell.
        more_truth: Columns that are true beside these, or otherwise than a field says.
        path: The path of the list; none where another list carries the rows.
        key: The columns that tell rows apart.
        many: How many there are in each list; may be a function of what is above, and grow.
        first_id: The first id, in the first account.
        step: From one id to the next.
        deleted: Which numbers are deleted in the course of the history. Without a field `state`
            such rows disappear.
        late: Which numbers are made, or deleted if they are that, around the end of history.
        renamed: Which numbers get another name around the end of history; see `Item.named`.
        live: Whether there is such a list only for what is not deleted.
        things: The things themselves, where they are not simply made.
        paging: How the list is given out.
        texts: Fields that can be asked for by their text.
        choices: Pulumi: parameters that choose among the rows; any other value is an error.
        rows_in: Pulumi: the name under which an answer has the rows; none for a bare array.
        beside: Pulumi: what an answer has beside the rows, by what the list is under.
        part: What stands for one of its rows in paths below it, e.g. `project`.
        named_by: The field that does so; rows below it have it as `<part>_<field>`.
        detail: The path of one row, with a `{part}`.
        detail_fields: What only the detail has, or has otherwise.
        detail_alone: Whether that is all that the detail has.
        carried: The field of the rows above in which the rows are carried.
        related: Whether they are only there when `include_related` names that field.
        bare: The field that stands for the row where these carry it: no object, but a value.
        detailed: Whether they are only in the detail of these rows.
        strangers: Items that are carried as well, though they belong to others.
        asks_for: A parameter without which there is no answer, and what it names in `under`.
    """

    stream: str
    under: Level
    fields: Mapping[str, Field]
    truth: Sequence[str] | Mapping[str, str | Of] | None = None
    more_truth: Mapping[str, str | Of] = field(default_factory=dict)
    spread: Callable[[Item], Row] | None = None
    path: str = ""
    key: tuple[str, ...] = ("account_id", "id")
    many: int | Callable[[Item], int] = 3
    first_id: int = 1
    step: int = 1
    deleted: Callable[[int], bool] = lambda _: False
    late: Callable[[int], bool] = lambda _: False
    renamed: Callable[[int], bool] = lambda _: False
    live: bool = False
    things: Callable[[Item], Iterable[Thing]] | None = None
    paging: Paging = OFFSETS
    texts: tuple[str, ...] = ()
    choices: Mapping[str, Choice] = field(default_factory=dict)
    rows_in: str = ""
    beside: Callable[[Item], Row] = lambda _: {}
    part: str = ""
    named_by: str = "id"
    detail: str = ""
    detail_fields: Mapping[str, Field] = field(default_factory=dict)
    detail_alone: bool = False
    carried: str = ""
    related: bool = False
    bare: str = ""
    detailed: bool = False
    strangers: Callable[[Item], Iterable[Item]] = lambda _: ()
    asks_for: tuple[str, str] | None = None
    carries: list[Table] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Let the table above know what its rows carry."""
        if self.carried:
            if not isinstance(self.under, Table):
                raise TypeError(f"{self.stream}: only the rows of a table carry others")
            self.under.carries.append(self)

    def items(self, above: Item) -> Iterator[Item]:
        """Yield what is listed under `above`; deleted things only where they have a state."""
        lists = bool(self.path) and isinstance(self.paging, Offsets) and self.paging.state
        keeps = lists or "state" in self.fields
        for thing in self._made(above) if self.things is None else self.things(above):
            if thing.created_at <= above.now and (keeps or thing.state(above.now) != DELETED):
                yield Item(above.world, thing, above)

    def value_of(self, name: str, item: Item) -> Any:
        """Return one field of the row, without making the row."""
        return answered(self.fields[name], item)

    def row(self, item: Item, related: AbstractSet[str] = frozenset()) -> Row:
        """Return the row as the list has it."""
        row = {name: answered(what, item) for name, what in self.fields.items()}
        if self.spread:
            row |= answered(self.spread(item), item)
        return row | self._carried(item, related, detailed=False)

    def detail_row(self, item: Item, related: AbstractSet[str] = frozenset()) -> Row:
        """Return the row as the detail has it."""
        more = {name: answered(what, item) for name, what in self.detail_fields.items()}
        more |= self._carried(item, related, detailed=True)
        return more if self.detail_alone else {**self.row(item, related), **more}

    def _carried(self, item: Item, related: AbstractSet[str], *, detailed: bool) -> Row:
        """Return what a row carries, by the names of the fields."""
        return {
            table.carried: [
                table.carried_row(one, related)
                for one in (*table.items(item), *table.strangers(item))
            ]
            for table in self.carries
            if table.detailed is detailed and (not table.related or table.carried in related)
        }

    def carried_row(self, item: Item, related: AbstractSet[str]) -> Any:
        """Return the row as those above carry it."""
        row = self.row(item, related)
        return row[self.bare] if self.bare else row

    def every(self, world: World) -> Iterator[Item]:
        """Yield the items of all its lists."""
        for above in self.aboves(world):
            yield from self.items(above)

    def aboves(self, world: World) -> Iterator[Item]:
        """Yield what there is such a list for."""
        every = self.under.every(world)
        return (above for above in every if self._has_list(above))

    def above(self, world: World, names: Mapping[str, str]) -> Item | None:
        """Return that of `aboves` which the parts of a path name."""
        above = self.under.find(world, names)
        return above if above is not None and self._has_list(above) else None

    def _has_list(self, above: Item) -> bool:
        return not self.live or above.state != DELETED

    def find(self, world: World, names: Mapping[str, str]) -> Item | None:
        """Return the item that the parts of a path name."""
        above = self.above(world, names)
        if above is None:
            return None
        name, by = names[self.part], self.named_by
        return next((it for it in self.items(above) if str(self.value_of(by, it)) == name), None)

    def columns(self, item: Item) -> Row:
        """Return what rows under the item tell of it."""
        above = self.under.columns(item.parent)
        if not self.part:
            return above
        return {**above, f"{self.part}_{self.named_by}": true(self.fields[self.named_by], item)}

    def true_rows(self, world: World, *, details: bool = False) -> Iterator[Row]:
        """Yield the rows of the truth; with what only `details` tell."""
        for above in self.aboves(world):
            known = self.under.columns(above)
            columns = self._columns(known)
            for item in self.items(above):
                row = {name: self._true(what, item, known) for name, what in columns.items()}
                if details:
                    more = self.detail_fields.items()
                    row |= {n: true(w, item) for n, w in more if not isinstance(w, NOT_TRUE)}
                yield row

    def _columns(self, known: Row) -> Mapping[str, str | Of]:
        """Return the columns of the truth, where so much is known of what is above."""
        truth = self.truth
        if truth is None:
            inside = {table.carried for table in self.carries}
            told = [n for n, what in self.fields.items() if not isinstance(what, NOT_TRUE)]
            kept = [name for name in told if name not in inside]
            as_column = snake if self.stream.startswith("pulumi_") else str
            truth = {**{name: name for name in known}, **{as_column(name): name for name in kept}}
        columns = dict(truth) if isinstance(truth, Mapping) else {name: name for name in truth}
        return {**columns, **self.more_truth}

    def _true(self, what: str | Of, item: Item, known: Row) -> Any:
        if not isinstance(what, str):
            return true(what(item), item)
        if what in known:
            return known[what]
        name, *inside = what.split(".")
        value = true(self.fields[name], item)
        for key in inside:
            value = value[key]
        return value

    def _made(self, above: Item) -> Iterator[Thing]:
        count, room = self.many, ROOM
        if isinstance(count, int):
            room = count
        else:
            count = count(above)
        dice = above.dice(self.stream.partition("_")[2])
        start = self.first_id + (above.account.offset if self.stream.startswith("dbt_") else 0)
        for number in range(above.number * room, above.number * room + count):
            yield make_thing(
                dice,
                number,
                start + self.step * number,
                deleted=self.deleted(number),
                late=self.late(number),
                renamed=self.renamed(number),
            )
