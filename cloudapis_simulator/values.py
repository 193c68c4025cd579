"""What the fields of a table are declared with, beside constants and functions of the `Item`.

A field says two things: what the service answers, and what is true of it. They are the same but
for times, which services write in many forms, and for what must never leave the service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import uuid
from cloudapis_simulator.clock import SECOND, rfc3339, with_t
from cloudapis_simulator.world.words import SECRET_MARKER

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudapis_simulator.items import Item

    Of = Callable[[Item], Any]


@dataclass(frozen=True)
class Time:
    """A moment in microseconds, or None, in the form of the service.

    Attributes:
        at: The moment.
        forms: How it is written; where there are several, things take turns.
        grain: How exactly it is told, in microseconds.
        never: What stands for no moment.
    """

    at: Callable[[Item], int | None]
    forms: tuple[Callable[[int], str | int], ...] = (with_t,)
    grain: int = 1
    never: Any = None

    def answer(self, item: Item) -> Any:
        """Return what the service writes."""
        at = self.at(item)
        return self.never if at is None else self.forms[item.number % len(self.forms)](at)

    def truth(self, item: Item) -> str | None:
        """Return the moment as the truth writes it."""
        at = self.at(item)
        return None if at is None else rfc3339(at // self.grain * self.grain)


@dataclass(frozen=True)
class Told:
    """What the service answers, and what that means.

    Attributes:
        says: The answer.
        means: The truth.
    """

    says: Any
    means: Any

    def answer(self, item: Item) -> Any:
        """Return what the service writes."""
        return answered(self.says, item)

    def truth(self, item: Item) -> Any:
        """Return what it means."""
        return true(self.means, item)


@dataclass(frozen=True)
class Untold:
    """What is in the answer and not in the truth: it is not kept, or not as it is."""

    says: Any

    def answer(self, item: Item) -> Any:
        """Return what the service writes."""
        return answered(self.says, item)


@dataclass(frozen=True)
class Secret:
    """A planted value that must never leave the service; `around` is the text it stands in."""

    around: str = "{}"

    def answer(self, item: Item) -> str:
        """Return the planted value."""
        return self.around.format(f"{SECRET_MARKER}-{uuid(item.bits)[:18]}")


SECRET = Secret()
NOT_TRUE = (Untold, Secret)


def created(*forms: Callable[[int], str]) -> Time:
    """Return the field of the moment in which a thing was made."""
    return Time(lambda it: it.created_at, forms or (with_t,))


def updated(*forms: Callable[[int], str]) -> Time:
    """Return the field of the last change of a thing."""
    return Time(lambda it: it.updated_at, forms or (with_t,))


def seconds(at: Callable[[Item], int | None], never: Any = 0) -> Time:
    """Return the field of a moment in seconds since 1970."""
    return Time(at, (lambda moment: moment // SECOND,), SECOND, never)


def snake(name: str) -> str:
    """Return the name of a field as the truth has it: `repoSlug` is `repo_slug`."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|_+", name)
    return "_".join(part.lower() for part in parts if not part.startswith("_"))


def answered(what: Any, item: Item) -> Any:
    """Return what the service answers for a declared field, at any depth."""
    if isinstance(what, (Time, Told, Untold, Secret)):
        return what.answer(item)
    if isinstance(what, dict):
        return {name: answered(inner, item) for name, inner in what.items()}
    if isinstance(what, list):
        return [answered(inner, item) for inner in what]
    return answered(what(item), item) if callable(what) else what


def true(what: Any, item: Item) -> Any:
    """Return what is true of a declared field, at any depth."""
    if isinstance(what, (Time, Told)):
        return what.truth(item)
    if isinstance(what, dict):
        kept = {name: inner for name, inner in what.items() if not isinstance(inner, NOT_TRUE)}
        return {name: true(inner, item) for name, inner in kept.items()}
    if isinstance(what, list):
        return [true(inner, item) for inner in what if not isinstance(inner, NOT_TRUE)]
    return true(what(item), item) if callable(what) else what
