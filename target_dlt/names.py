"""Names of the columns that nested records are laid out in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Path = tuple[str, ...]


class Level(dict[str, str]):
    """The names of the columns of one level of nesting, by key; each is made when first asked for.

    No two paths get the same name: the later one's ends in a number.

    Args:
        name: Makes the name of a column from the keys that lead to it.
        taken: Names in use in the table; shared by all its levels.
        path: The keys that lead to this level.
    """

    def __init__(self, name: Callable[[Path], str], taken: set[str], path: Path = ()) -> None:
        super().__init__()
        self._name = name
        self._taken = taken
        self._below: dict[str, Level] = {}
        self.path = path

    def __missing__(self, key: str) -> str:
        wanted = name = self._name((*self.path, key))
        number = 2
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        self[key] = name
        return name

    def below(self, key: str) -> Level:
        """The level of the object under a key."""
        level = self._below.get(key)
        if level is None:
            level = self._below[key] = Level(self._name, self._taken, (*self.path, key))
        return level
