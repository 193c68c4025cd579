"""Chance that depends on nothing but a seed: the same draw in every process, in any order."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_Item = TypeVar("_Item")
_PART_BITS = 16
_NUMBER_MASK = (1 << 64) - 1
_PART_MASK = (1 << _PART_BITS) - 1


class Dice:
    """Draws for one purpose, e.g. `Dice(seed, "runs", account_id)`."""

    def __init__(self, seed: int, *purpose: object) -> None:
        self._key = blake2b(repr((seed, *purpose)).encode(), digest_size=32).digest()

    def roll(self, number: int = 0) -> int:
        """Return 256 random bits, a function of seed, purpose and `number`, modulo 2**64."""
        data = (number & _NUMBER_MASK).to_bytes(8, "big")
        return int.from_bytes(blake2b(data, key=self._key, digest_size=32).digest(), "big")


def part(bits: int, index: int) -> int:
    """Return the `index`-th (0 to 15) of the sixteen 16-bit numbers in a roll."""
    return bits >> index * _PART_BITS & _PART_MASK


def share(bits: int, index: int) -> float:
    """Return the `index`-th part of a roll as a share, 0 <= share < 1."""
    return part(bits, index) / (_PART_MASK + 1)


def pick(items: Sequence[_Item], bits: int, index: int) -> _Item:
    """Return the item of `items` that the `index`-th part of a roll points to."""
    return items[part(bits, index) % len(items)]


def sha(bits: int) -> str:
    """Return a roll as forty hexadecimal digits, like a git commit."""
    return f"{bits:064x}"[:40]


def uuid(bits: int) -> str:
    """Return a roll in the form of a random UUID."""
    text = f"{bits:064x}"[:32]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


_BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KSUID_EPOCH = 1_400_000_000
_KSUID_LENGTH = 27


def ksuid(seconds: int, bits: int) -> str:
    """Return a roll in the form of a KSUID: 27 characters that sort by their second."""
    number = (seconds - _KSUID_EPOCH) << 128 | bits & (1 << 128) - 1
    digits = []
    for _ in range(_KSUID_LENGTH):
        number, digit = divmod(number, len(_BASE_62))
        digits.append(_BASE_62[digit])
    return "".join(reversed(digits))
