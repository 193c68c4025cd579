"""The nodes of the dbt project behind a project: how fast and how sound they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cloudapis_simulator.chance import Dice, part, share
from cloudapis_simulator.clock import BEGINNING, DAY

if TYPE_CHECKING:
    from cloudapis_simulator.world.things import Thing

_SLOWING_DAYS = 60
_NAMES = ("orders", "customers", "größen", "stg_payments", "fct_revenue", "dim_date", "ads")


class Node(NamedTuple):
    """A node of a dbt project.

    Attributes:
        place: Its place in the list it is in.
        unique_id: How dbt calls it.
        kind: What stands before the first dot of that.
        relation: What it is in the warehouse; None for tests.
        seconds: How long it takes, as a rule.
        slows: How much longer it takes at the end of two months than at their beginning.
        flaky: Whether it fails now and then.
        bits: The roll its details come from.
    """

    place: int
    unique_id: str
    kind: str
    relation: str | None
    seconds: float
    slows: float
    flaky: bool
    bits: int

    def takes(self, at: int, chance: float) -> float:
        """Return how many seconds it takes at a time.

        What slows down is mended every two months.
        """
        age = (at - BEGINNING) // DAY % _SLOWING_DAYS / _SLOWING_DAYS
        return self.seconds * (1 + self.slows * age) * (0.8 + 0.4 * chance)


def _is_steady(test: Node) -> bool:
    return test.kind == "test" and not test.flaky


class Project:
    """The nodes of one project, by what a command does: `models`, `tests`, `build` ...

    A command about models, tests or all has exactly `count` of them.
    """

    def __init__(self, seed: int, project: Thing, count: int) -> None:
        self.name = f"shop_{project.id}"
        self._dice = Dice(seed, "nodes", project.id)
        models, tests = self._models(count), self._tests(count)
        snapshots = self._relations("snapshot", 2, 3000)
        half = (count + 1) // 2
        mixed = [node for pair in zip(models[:half], tests[:half], strict=True) for node in pair]
        self.nodes = {
            "models": models,
            "tests": tests,
            "seeds": self._relations("seed", 2, 2000),
            "snapshots": snapshots,
            "build": [node._replace(place=place) for place, node in enumerate(mixed[:count])],
        }
        self.sources = self._relations("source", 5, 4000)
        #: The test that fails for no reason, where a run says so; others do it now and then.
        self.flaky_test = next((it.unique_id for it in tests if _is_steady(it)), "")

    def _models(self, count: int) -> list[Node]:
        return self._relations("model", count, 0)

    def _relations(self, kind: str, count: int, first: int) -> list[Node]:
        found = []
        for place in range(count):
            bits = self._dice.roll(first + place)
            name = f"{_NAMES[place % len(_NAMES)]}_{place}"
            if kind == "source":
                name = f"raw.{name}"
            found.append(
                Node(
                    place,
                    f"{kind}.{self.name}.{name}",
                    kind,
                    f'"analytics"."prod"."{name}"',
                    0.3 + share(bits, 0) ** 3 * 8,
                    3.0 if part(bits, 1) % 5 == 0 else 0.1,
                    part(bits, 2) % 9 == 0,
                    bits,
                )
            )
        return found

    def _tests(self, count: int) -> list[Node]:
        found = []
        for place in range(count):
            bits = self._dice.roll(1000 + place)
            about = f"{_NAMES[place % len(_NAMES)]}_{place}"
            unique_id = f"test.{self.name}.not_null_{about}_id.{bits & 0xFFFFFFFFFF:010x}"
            kind = "test"
            if place % 7 == 6:  # noqa: PLR2004
                unique_id, kind = f"unit_test.{self.name}.{about}.adds_up", "unit_test"
            flaky = part(bits, 2) % 4 == 0
            seconds = 0.05 + share(bits, 0) * 0.6
            found.append(Node(place, unique_id, kind, None, seconds, 0.0, flaky, bits))
        return found
