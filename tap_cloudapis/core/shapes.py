"""Objects that a schema describes, brought into its form: times, types, and no secrets.

What an object needs follows from its shape: its names, in their order, and the types of its
values. Lists hold few shapes, so each is thought through once, and an object of a known shape is
looked into only where there is something to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_cloudapis.core.normalizing import to_timestamp
from tap_cloudapis.core.scalars import converter, types_of
from tap_cloudapis.core.scrubbing import is_secret, looks_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Change = Callable[[Any], Any]

#: How many names the remembered shapes of an object may have between them.
_REMEMBERED_NAMES = 50_000
#: Every third character of ``2024-05-27 10:42:16.179903+00:00`` between year and fraction.
_USUAL = ("-- ::.", "--T::.")
#: How the usual forms end.
_UTC = ("+00:00", "Z")


class _Plan(NamedTuple):
    """What there is to do with the objects of a shape.

    Attributes:
        removed: Fields that go.
        doubtful: Fields with the name of a secret, that go if their value can be one.
        moments: Timestamps that are text.
        within: Objects and lists, and what brings them into form.
        changes: Other values that become something else.
    """

    removed: list[str]
    doubtful: list[str]
    moments: list[str]
    within: list[tuple[str, Change]]
    changes: list[tuple[str, Change]]


@dataclass(frozen=True)
class Handling:
    """What is the same for a record and for all objects within it.

    Attributes:
        tell: Told of a value that cannot be read as what its column is declared with.
        scrub: For values of which the schema says nothing.
        replace: See :class:`~tap_cloudapis.core.scrubbing.Scrubber`.
    """

    tell: Callable[[str, str, Any], None]
    scrub: Change
    replace: Callable[[dict[str, Any]], Any] | None


class Shaper:
    """Brings objects into the form of their schema.

    A name that the schema declares was reviewed and is kept where it is declared.

    Args:
        schema: The schema of the objects.
        handling: Shared by all objects of a stream.
        path: What stands before the names of fields in a message.
        dropped: Fields that go.
        untouched: Fields that are not searched for secrets.
        keys: Fields in which a flag is a mistake, even where it could be written as text.
    """

    def __init__(  # noqa: PLR0913 - what a stream declares
        self,
        schema: Mapping[str, Any],
        handling: Handling,
        *,
        path: str = "",
        dropped: Collection[str] = (),
        untouched: Collection[str] = (),
        keys: Collection[str] = (),
    ) -> None:
        self._properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
        self._handling = handling
        self._path = path
        self._dropped = frozenset(dropped)
        self._untouched = frozenset(untouched)
        self._keys = frozenset(keys)
        self._within = {
            name: self._compile_container(name, definition)
            for name, definition in self._properties.items()
            if name not in self._untouched
        }
        #: By the names of an object, and by the types of its values.
        self._shapes: dict[tuple[str, ...], dict[tuple[type, ...], _Plan]] = {}
        self._remembered = 0
        # Of the last object: most have the same names as the one before, and many the same types.
        self._plans: dict[tuple[type, ...], _Plan] = {}
        self._names: list[str] = []
        self._types: list[type] = []
        self._plan = _Plan([], [], [], [], [])

    def _compile_container(self, name: str, definition: Mapping[str, Any]) -> Change:
        """How an object or a list under a declared name is handled."""
        while isinstance(definition.get("items"), dict):
            definition = definition["items"]
        if not definition.get("properties"):
            return self._handling.scrub
        return Shaper(definition, self._handling, path=f"{self._path}{name}.").shape_any

    def shape(self, record: dict[str, Any], fromisoformat: Any = datetime.fromisoformat) -> None:
        """Bring an object into form, in place."""
        types = [*map(type, record.values())]
        if types != self._types or [*record] != self._names:
            self._recall(record, types)
        removed, doubtful, moments, within, changes = self._plan
        for name in removed:
            del record[name]
        for name in moments:
            value = record[name]
            # The most common form by a short way: there are a dozen in each record.
            if value[4:20:3] in _USUAL and value[26:] in _UTC:
                try:
                    fromisoformat(value)
                    if value > "0002":
                        record[name] = f"{value[:10]}T{value[11:26]}Z"
                        continue
                except ValueError:
                    pass  # no moment, which is seen once more
            record[name] = self._moment(name, value)
        for name, change in within:
            if value := record[name]:
                record[name] = change(value)
        for name, change in changes:
            record[name] = change(record[name])
        for name in doubtful:
            if is_secret(name, record[name]):
                del record[name]

    def shape_any(self, value: Any) -> Any:
        """Bring an object, or those in a list, into form, in place.

        Returns:
            The value, or what stands in for it.
        """
        if isinstance(value, dict):
            replace = self._handling.replace
            if replace is not None and (stand_in := replace(value)) is not None:
                return stand_in
            self.shape(value)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                if inner and isinstance(inner, (dict, list)):
                    value[index] = self.shape_any(inner)
        return value

    def _recall(self, record: dict[str, Any], types: list[type]) -> None:
        """Find the plan for another shape, or make one."""
        names = [*record]
        if names != self._names:
            self._names = names
            self._plans = self._shapes.setdefault((*names,), {})
        self._types = types
        shape = (*types,)
        plan = self._plans.get(shape)
        if plan is None:
            self._remembered += len(names)
            if self._remembered > _REMEMBERED_NAMES:
                self._shapes = {(*names,): {}}
                self._plans = self._shapes[*names,]
                self._remembered = len(names)
            plan = self._plans[shape] = self._make_plan(record)
        self._plan = plan

    def _make_plan(self, record: dict[str, Any]) -> _Plan:
        """Think a shape through."""
        plan = _Plan([], [], [], [], [])
        for name, value in record.items():
            if name in self._dropped:
                plan.removed.append(name)
            elif name in self._properties:
                self._plan_declared(plan, name, type(value))
            elif value is not None and not isinstance(value, bool) and looks_secret(name):
                plan.doubtful.append(name)
            elif isinstance(value, (dict, list)) and name not in self._untouched:
                plan.within.append((name, self._handling.scrub))
        return plan

    def _plan_declared(self, plan: _Plan, name: str, kind: type) -> None:
        definition = self._properties[name]
        types = types_of(definition)
        if name in self._within and issubclass(kind, (dict, list)):
            plan.within.append((name, self._within[name]))
        if definition.get("format") == "date-time" and "string" in types:
            if kind is str:
                plan.moments.append(name)
            elif kind is not type(None):
                plan.changes.append((name, partial(self._moment, name)))
            return
        convert = converter(types, kind)
        if convert is not None and not (kind is bool and name in self._keys):
            plan.changes.append((name, self._readable(name, " or ".join(sorted(types)), convert)))

    def _moment(self, name: str, value: Any) -> Any:
        found = to_timestamp(value)
        if found is value and value is not None:
            self._handling.tell(self._path + name, "date-time", value)
        return found

    def _readable(self, name: str, declared: str, convert: Change) -> Change:
        """Have a value that cannot be read stay as it is, and be told of."""
        tell, column = self._handling.tell, self._path + name

        def change(value: Any) -> Any:
            found = convert(value)
            if found is None:
                tell(column, declared, value)
                return value
            return found

        return change
