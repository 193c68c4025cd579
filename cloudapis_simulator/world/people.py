"""The people of a dbt deployment: one person has one id, and may be in several accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_simulator.chance import Dice, pick
from cloudapis_simulator.world import words
from cloudapis_simulator.world.things import Thing, make_thing

if TYPE_CHECKING:
    from collections.abc import Iterable

_COUNT = 160
_IN_ALL_EVERY = 3
_FIRST_ID = 700_000
_ID_STEP = 3


class People:
    """Everybody: every third person is in all accounts, the others are in one each."""

    def __init__(self, seed: int, accounts: int) -> None:
        dice = Dice(seed, "people")
        self._accounts = max(accounts, 1)
        self._within: dict[int, list[Thing]] = {}
        self.everybody = [
            make_thing(
                dice,
                number,
                _FIRST_ID + _ID_STEP * number,
                deleted=number % 20 == 13,  # noqa: PLR2004
                late=number % 5 == 3,  # noqa: PLR2004
                renamed=number % 16 == 5,  # noqa: PLR2004
            )
            for number in range(_COUNT)
        ]

    def accounts_of(self, person: Thing) -> Iterable[int]:
        """Return the numbers of the accounts that a person is in."""
        if person.number % _IN_ALL_EVERY == 0:
            return range(self._accounts)
        return (person.number // _IN_ALL_EVERY % self._accounts,)

    def within(self, account: int) -> list[Thing]:
        """Return the people of an account."""
        if account not in self._within:
            everybody = self.everybody
            self._within[account] = [it for it in everybody if account in self.accounts_of(it)]
        return self._within[account]

    def somebody(self, account: int, bits: int, index: int) -> Thing:
        """Return the person of an account to whom the `index`-th part of a roll points."""
        return pick(self.within(account), bits, index)


def names_of(person: Thing, now: int) -> tuple[str, str]:
    """Return first and last name, which a marriage may change."""
    first, _, last = (pick(words.PEOPLE, person.bits, 3) or "Nobody").partition(" ")
    married = person.renamed_at is not None and person.renamed_at <= now
    return first, f"{last}-Öz" if married else last


def name_of(person: Thing, now: int) -> str:
    """Return the whole name of a person."""
    return " ".join(names_of(person, now))


def address_of(person: Thing) -> str:
    """Return the e-mail address of a person."""
    return f"person.{person.number}@example.com"
