"""The names and ids that dlt gives to columns, tables, datasets, loads and rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dlt.common.normalizers.json.helpers import get_nested_row_hash
from dlt.common.normalizers.json.relational import DataItemNormalizer
from dlt.common.normalizers.utils import generate_dlt_id
from dlt.common.schema import Schema
from dlt.common.storages.load_package import create_load_id

from target_dlt.dlt_internals.telling import told_of_dataset
from target_dlt.names import path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_dlt.names import Path

SEPARATOR = "__"
_LOAD_ID_IN_NAME = re.compile(r"\d{10}\.\d+")


class Spelling:
    """Tells which names are one name, spelled in several ways, to a dataset.

    Args:
        naming: The dataset's naming convention.
        has_case: Whether the database tells upper from lower case.
    """

    def __init__(self, naming: Any, *, has_case: bool) -> None:
        self._naming = type(naming)(max_length=None)  # what is cut off tells names apart
        self._ignores_case = not (has_case and naming.is_case_sensitive)

    def __call__(self, source: str) -> str:
        """Answer what all spellings of a name have in common; see `names.source_of`."""
        parts = [self._normalized(key) for key in path_of(source)]
        return self.cased(str(self._naming.make_path(*parts)))

    def _normalized(self, key: str) -> str:
        try:
            return str(self._naming.normalize_path(key)) or "_"
        except ValueError:  # nothing of the name is left
            return "_"

    def cased(self, name: str) -> str:
        """Answer a name as the database compares it."""
        return name.lower() if self._ignores_case else name


class Naming:
    """The names that dlt gives to nested columns and tables.

    Args:
        naming: The dataset's naming convention; None for dlt's default.
    """

    def __init__(self, naming: Any = None) -> None:
        # What is cut off tells names apart.
        found = Schema("naming").naming if naming is None else type(naming)(max_length=None)
        self._naming: Any = found

    def _part(self, key: str, normalize: Callable[[str], str]) -> str:
        return normalize(key) if key.strip() else str(DataItemNormalizer.EMPTY_KEY_IDENTIFIER)

    def column(self, path: Path) -> str:
        """The name of the column under a path of keys."""
        parts = (self._part(key, self._naming.normalize_path) for key in path)
        return str(self._naming.shorten_fragments(*parts))

    def source(self, path: Path) -> str:
        """A name for a path of keys that is normalised to the name of its column.

        It is as close to the keys as can be, so that two paths rarely get the same.
        """
        plain = SEPARATOR.join(path)
        name = self.column(path)
        return plain if plain.strip() and self._naming.normalize_path(plain) == name else name

    def list_key(self, path: Path) -> str:
        """What the array under a path of keys adds to the name of its table."""
        *parents, key = path
        parts = [self._part(parent, self._naming.normalize_path) for parent in parents]
        last = self._part(key, self._naming.normalize_tables_path)
        return str(self._naming.make_path(*parts, last))

    def table(self, root: str, path: Path) -> str:
        """The name of the table under a path of `list_key`."""
        return str(self._naming.shorten_fragments(root, *path))


def normalize_dataset_name(name: str) -> str:
    """Apply dlt's naming convention to the name of a dataset."""
    with told_of_dataset(name):
        return str(Schema("naming").naming.normalize_table_identifier(name))


def load_ids_in_name(path: str) -> set[str]:
    """Find the ids of loads in the name of a file that dlt left in a bucket or folder."""
    return set(_LOAD_ID_IN_NAME.findall(path.replace("\\", "/").rpartition("/")[2]))


def new_load_id() -> str:
    """Make the id of a new load; ids grow with time."""
    return create_load_id()


def new_row_id() -> str:
    """Make the id of a row that is no item of an array; ids are random."""
    return generate_dlt_id()


def nested_row_id(parent_id: str, table: str, index: int) -> str:
    """Make the id of an item of an array.

    Args:
        parent_id: Id of the row that has the array.
        table: Name of the items' table.
        index: Place in the array, from 0.
    """
    return get_nested_row_hash(parent_id, table, index)
