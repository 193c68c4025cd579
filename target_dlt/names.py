"""What nested values are called, and the names of the columns that they are laid out in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Path = tuple[str, ...]
_POINTER = "#/"


def source_of(path: Path) -> str:
    """One text for the keys that lead to a value: the only key, or a JSON pointer (`#/a/b`)."""
    if len(path) == 1:
        return path[0]
    return _POINTER + "/".join(key.replace("~", "~0").replace("/", "~1") for key in path)


def path_of(source: str) -> Path:
    """The keys that `source_of` made a text of."""
    if not source.startswith(_POINTER):
        return (source,)
    keys = source.removeprefix(_POINTER).split("/")
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in keys)


class Level(dict[str, str]):
    """What the values of one level of nesting are called, by key; each when first asked for.

    It follows from the path alone, not from the order in which paths come, so that a value is
    called the same in every run; see `source_of`.

    Args:
        spell: Makes the name of a column from the keys that lead to it; several paths may get one.
        taken: What is in use in the table already.
        keys: Names of columns by which a path is called, if it has that name: those of a key.

    Attributes:
        path: The keys that lead to this level.
        spelled: The names of columns, by what their values are called; shared by all levels.
    """

    def __init__(
        self, spell: Callable[[Path], str], taken: Iterable[str] = (), keys: Iterable[str] = ()
    ) -> None:
        super().__init__()
        self._spell = spell
        self._taken = set(taken)
        self._keys = frozenset(keys)
        self._below: dict[str, Level] = {}
        self.path: Path = ()
        self.spelled: dict[str, str] = {}

    def __missing__(self, key: str) -> str:
        path = (*self.path, key)
        spelled = self._spell(path)
        is_key = spelled in self._keys and spelled not in self._taken
        wanted = source = spelled if self.path and is_key else source_of(path)
        number = 2
        while source in self._taken:
            source, number = f"{wanted}_{number}", number + 1
        self._taken.add(source)
        self.spelled[source] = spelled if source == wanted else source
        self[key] = source
        return source

    def below(self, key: str) -> Level:
        """The level of the object under a key."""
        level = self._below.get(key)
        if level is None:
            level = self._below[key] = Level(self._spell)
            level._taken, level._keys = self._taken, self._keys
            level.path, level.spelled = (*self.path, key), self.spelled
        return level
